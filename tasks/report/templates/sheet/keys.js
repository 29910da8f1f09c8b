/* Keys. */
const helpBox = one("#help");
const IN_LARGE = {
  arrowleft: () => move(-1),
  arrowright: () => move(1),
  b: () => toggle("#before"),
  c: () => toggle("#slide"),
  w: () => toggleWhere(),
  z: () => one(".window").classList.toggle("actual"),
};
const ON_SHEET = {
  arrowleft: () => walk(-1),
  arrowright: () => walk(1),
  arrowup: () => climb(-1),
  arrowdown: () => climb(1),
  g: () => showView(grid.hidden),
  s: () => decisionsBox.showModal(),
  "?": () => helpBox.showModal(),
  "/": () => filterBox.focus(),
};
const MARKS = { x: "reject", k: "keep", 0: "0", 1: "1", 2: "2", 3: "3", 4: "4", 5: "5" };

const shownFigures = () => all("main .frame, #grid .frame");

function goTo(figure) {
  const opener = figure && one(".open", figure);
  opener?.focus({ preventScroll: true });
  opener?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/* Looks only at what lies on the way: of thousands of figures most are far from it. */
function* figuresFrom(figures, here, step) {
  for (let next = here + step; next >= 0 && next < figures.length; next += step) if (isOffered(figures[next])) yield figures[next];
}

const focusedFigure = () => document.activeElement.closest(".frame");

function walk(step) {
  const figures = shownFigures();
  const here = figures.indexOf(focusedFigure());
  if (here >= 0) return goTo(figuresFrom(figures, here, step).next().value);
  const offered = figures.filter(isOffered);
  goTo(offered[firstInView(offered)]);
}

/* By halves: each look makes the browser lay out what is there. */
function firstInView(found) {
  let [from, to] = [0, found.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (found[middle].getBoundingClientRect().top < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/* The nearest picture of the next row up or down. */
function climb(step) {
  const figures = shownFigures();
  const here = figures.indexOf(focusedFigure());
  if (here < 0) return walk(step);
  const boxOf = (figure) => one(".open", figure).getBoundingClientRect();
  const from = boxOf(figures[here]);
  let best = null;
  let row = null;
  for (const figure of figuresFrom(figures, here, step)) {
    const box = boxOf(figure);
    if (step > 0 ? box.top < from.bottom - 1 : box.bottom > from.top + 1) continue;
    row ??= box;
    if (step > 0 ? box.top > row.bottom : box.bottom < row.top) break;
    const distance = Math.abs(box.left - from.left);
    if (!best || distance < best.distance) best = { figure, distance };
  }
  goTo(best?.figure);
}

function pressKey(event) {
  const key = event.key.toLowerCase();
  const action = lightbox.open ? IN_LARGE[key] : ON_SHEET[key];
  if (action) return action();
  if (!(key in MARKS)) return false;
  const place = penPlace();
  if (place >= 0) mark(place, MARKS[key]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === filterBox) {
    if (event.key === "Escape") {
      clearFilter();
      filterBox.blur();
    }
    return;
  }
  const isOwnKey = event.target.matches("select, input[type=range], input[type=radio]") && event.key.startsWith("Arrow");
  if (isOwnKey || event.target.matches("select") || decisionsBox.open || helpBox.open) return;
  if (pressKey(event) !== false) event.preventDefault();
});
one("#help-button").addEventListener("click", () => helpBox.showModal());
