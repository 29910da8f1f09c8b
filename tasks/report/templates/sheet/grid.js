/* The grid: any two of what pictures differ in, across and down. It shows what the filter lets through. */
const MOST_ACROSS = 60;
const MOST_CELLS = 6000;
const MOST_IN_CELL = 4;
const MORE_IN_CELL = 60;
const byNumber = (a, b) => a - b;
const roleOf = (sha) => items[roles.get(sha) ?? places.get(sha)]?.label ?? sha.slice(0, 8);

const AXES = new Map([
  ["prompt", { valueOf: promptOf }],
  ["seed", { valueOf: (item) => item.seed, sort: byNumber }],
  ["step", { valueOf: (item) => item.step, sort: byNumber, nameOf: (step) => (step ? `edit ${step}` : "generated") }],
  ["instruction", { valueOf: (item) => (item.step ? textOf(item) : "") }],
  ["reference", { valueOf: (item) => item.references.map(roleOf).join(" + ") }],
  ["provider", { valueOf: providerOf }],
  ["model", { valueOf: modelOf }],
]);
for (const [name] of island.prompts.flatMap(({ axes = [] }) => axes)) if (!AXES.has(`axis ${name}`)) AXES.set(`axis ${name}`, { valueOf: (item) => valueOn(item, name), title: name });

const across = one("#across");
const down = one("#down");
const grid = one("#grid");

function valuesOn({ valueOf, sort }, shown) {
  const values = [...new Set(shown.map((place) => valueOf(items[place])))];
  return sort ? values.sort(sort) : values;
}

function nameOf(axis, value) {
  return axis.nameOf ? axis.nameOf(value) : value === "" ? "none" : String(value);
}

function gridFigure(place) {
  const item = items[place];
  const { stars, isRejected, isKept } = opinionOn(item);
  const figure = make("figure", { class: `frame ${item.state}${isRejected ? " rejected" : ""}`, "data-i": place });
  if (stars) figure.dataset.stars = stars;
  figure.toggleAttribute("data-kept", isKept);
  const inside = item.lost ? make("span", { class: "lost" }, "lost") : make("img", { loading: "lazy", decoding: "async", alt: "", src: thumbOf(item) }); // once src is set it is too late to be lazy
  const button = make("button", { type: "button", class: "open", "aria-label": `Open frame ${item.label}` }, inside);
  button.disabled = item.lost;
  figure.append(make("p", { class: "edge" }, make("b", {}, item.label)), button);
  return figure;
}

function gridCell(members) {
  const cell = make("div", { class: "cell", role: "cell" }, ...members.slice(0, MOST_IN_CELL).map(gridFigure));
  if (members.length > 1) cell.classList.add("several");
  cell.append(...more(members.length - MOST_IN_CELL));
  return cell;
}

const more = (count) => (count > 0 ? [make("button", { type: "button", class: "more-here" }, `and ${count} more`)] : []);

/* More of a cell comes when somebody asks for it; the focus goes on to the first of them. */
function showMore(button) {
  const cell = button.parentElement;
  const shown = new Set(all(".frame", cell).map(placeOf));
  const [x, y] = [AXES.get(across.value), AXES.get(down.value)];
  const first = items[placeOf(one(".frame", cell))];
  const isHere = (item) => x.valueOf(item) === x.valueOf(first) && y.valueOf(item) === y.valueOf(first);
  const rest = items.map((_, place) => place).filter((place) => matching[place] && !shown.has(place) && isHere(items[place]));
  const figures = rest.slice(0, MORE_IN_CELL).map(gridFigure);
  button.replaceWith(...figures, ...more(rest.length - figures.length));
  refreshFigures();
  one(".open:enabled", figures[0])?.focus();
}

function heading(role, axis, value) {
  return make("div", { role, class: role, dir: "auto" }, make("span", {}, nameOf(axis, value)));
}

const titleOf = (select) => select.selectedOptions[0].textContent;

function corner() {
  return make("div", { role: "columnheader", class: "corner" }, make("span", { dir: "auto" }, `${titleOf(across)} →`), make("span", { dir: "auto" }, `${titleOf(down)} ↓`));
}

function drawGrid() {
  const shown = items.map((_, place) => place).filter((place) => matching[place]);
  const [x, y] = [AXES.get(across.value), AXES.get(down.value)];
  const [columns, rows] = [valuesOn(x, shown), valuesOn(y, shown)];
  const cells = new Map();
  for (const place of shown) {
    const row = cells.get(y.valueOf(items[place])) ?? cells.set(y.valueOf(items[place]), new Map()).get(y.valueOf(items[place]));
    row.set(x.valueOf(items[place]), [...(row.get(x.valueOf(items[place])) ?? []), place]);
  }
  const chosen = columns.slice(0, MOST_ACROSS);
  const head = make("div", { role: "row", class: "row head" }, corner(), ...chosen.map((value) => heading("columnheader", x, value)));
  const mostDown = Math.floor(MOST_CELLS / chosen.length);
  const body = rows.slice(0, mostDown).map((value) =>
    make("div", { role: "row", class: "row" }, heading("rowheader", y, value), ...chosen.map((column) => gridCell(cells.get(value).get(column) ?? []))),
  );
  const table = make("div", { role: "table", class: "table", "aria-label": "Pictures by two of their properties" }, head, ...body);
  table.style.setProperty("--columns", chosen.length);
  one("#grid-cells").replaceChildren(table);
  one("#grid-cells").hidden = shown.length === 0;
  one("#grid-said").textContent = saidOf(columns.length, rows.length, mostDown);
  refreshFigures();
}

function saidOf(columns, rows, mostDown) {
  if (columns === 0) return "";
  const left = [];
  if (columns > MOST_ACROSS) left.push(`${columns - MOST_ACROSS} columns`);
  if (rows > mostDown) left.push(`${rows - mostDown} rows`);
  return `${columns} × ${rows}${left.length ? `, ${left.join(" and ")} not shown: narrow the filter` : ""}`;
}

/* Marks are shown in the grid too. */
function refreshFigures() {
  const known = figuresByPlace();
  for (const [place, figures] of known) known.set(place, figures.filter((figure) => figure.isConnected && !grid.contains(figure)));
  for (const figure of all(".frame", grid)) known.get(placeOf(figure)).push(figure);
}

/* Each view is come back to where it was left; the grid, which scrolls within itself, fills the window. */
let leftAt = 0;

function showView(isGrid) {
  if (isGrid === !grid.hidden) return;
  if (isGrid) leftAt = scrollY;
  one("#sheet").hidden = isGrid;
  grid.hidden = !isGrid;
  one("#as-sheet").setAttribute("aria-pressed", String(!isGrid));
  one("#as-grid").setAttribute("aria-pressed", String(isGrid));
  if (isGrid) drawGrid();
  else one("#grid-cells").replaceChildren();
  scrollTo(0, isGrid ? grid.offsetTop - one(".controls").offsetHeight : leftAt);
}

/* At first: the two that tell most, which are axes of the prompts where there are two. */
function firstAxes() {
  const own = items.filter(isOwn);
  const counts = [...AXES].map(([name, axis]) => [name, new Set(own.map(axis.valueOf)).size]).filter(([, count]) => count > 1 && count <= MOST_ACROSS);
  const names = counts.map(([name]) => name).sort((a, b) => b.startsWith("axis ") - a.startsWith("axis "));
  return [names[0] ?? "seed", names[1] ?? "prompt"];
}

for (const select of [across, down])
  for (const [name, { title = name }] of AXES) select.append(make("option", { value: name }, title));
[across.value, down.value] = firstAxes();
for (const select of [across, down]) select.addEventListener("change", drawGrid);
one("#swap").addEventListener("click", () => {
  [across.value, down.value] = [down.value, across.value];
  drawGrid();
});
one("#as-sheet").addEventListener("click", () => showView(false));
one("#as-grid").addEventListener("click", () => showView(true));
one("#grid-cells").addEventListener("click", (event) => event.target.matches(".more-here") && showMore(event.target));
document.addEventListener("filtered", () => grid.hidden || drawGrid());
