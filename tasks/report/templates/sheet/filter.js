/* Filter: words (all of them must occur), a state, and what was chosen from the lists. */
const filterBox = one("#filter");
const chosenShow = () => one("input[name=show]:checked").value;

const haystacks = lazily(() =>
  items.map((item) => {
    const values = axesOf(item).map(([, value]) => value);
    return [item.label, item.sha, textOf(item), promptOf(item), ...values, item.seed, providerOf(item), modelOf(item), ...item.flags].join(" ").toLowerCase();
  }),
);

const STATES = {
  all: () => true,
  keepers: (item) => !opinionOn(item).isRejected && (opinionOn(item).isKept || item.state !== "duplicate"),
  duplicates: (item) => item.state === "duplicate",
  edits: (item) => item.step > 0,
  rejected: (item) => opinionOn(item).isRejected,
  starred: (item) => opinionOn(item).stars > 0,
  flagged: (item) => item.flags.length > 0,
};

const CHOICES = {
  provider: (item, value) => providerOf(item) === value,
  model: (item, value) => modelOf(item) === value,
  step: (item, value) => item.step === Number(value),
  stars: (item, value) => opinionOn(item).stars >= Number(value),
  axis: (item, value, { axis }) => valueOn(item, axis) === value,
};

function currentTests() {
  const words = filterBox.value.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = words.length ? [(item, place) => words.every((word) => haystacks()[place].includes(word))] : [];
  if (chosenShow() !== "all") tests.push(STATES[chosenShow()]);
  for (const { value, dataset } of all("select[data-filter]"))
    if (value) tests.push((item) => CHOICES[dataset.filter](item, value, dataset));
  return tests;
}

let isNarrowed = false;
let matching = items.map(isOwn);

const families = lazily(() =>
  all(".family").map((element) => ({
    element,
    figures: all(".frame", element).map((figure) => ({ figure, place: placeOf(figure), isFolded: figure.closest(".folded") !== null })),
    folds: all(".repeats", element),
  })),
);

/* Asks the page's structure, not its layout: that of thousands of pictures out of sight would have to be made first. */
function isOffered(figure) {
  const place = placeOf(figure);
  return !items[place].lost && (!isNarrowed || matching[place]) && !figure.closest("[hidden], details:not([open])");
}

function showFamily({ element, figures, folds }) {
  element.hidden = isNarrowed && !figures.some(({ place }) => matching[place]);
  for (const { figure, place, isFolded } of figures) {
    if (isFolded) figure.hidden = isNarrowed && !matching[place];
    else figure.classList.toggle("off", isNarrowed && !matching[place]);
  }
  for (const fold of folds) {
    const shown = all(".frame", fold).some((figure) => !figure.hidden);
    fold.hidden = !shown;
    fold.open = isNarrowed && shown && chosenShow() !== "all";
  }
}

function applyFilter() {
  const tests = currentTests();
  isNarrowed = tests.length > 0;
  matching = items.map((item, place) => isOwn(item) && tests.every((test) => test(item, place)));
  families().forEach(showFamily);
  for (const section of all("#sheet > .prompt"))
    section.hidden = section.matches(".failures") ? isNarrowed : all(".family", section).every((family) => family.hidden);
  const chosen = all("select[data-filter]").filter((select) => select.value).length;
  one("#chosen").textContent = chosen || "";
  showCount();
  document.dispatchEvent(new Event("filtered"));
}

function showCount() {
  const count = matching.filter(Boolean).length;
  one("#count").value = `${count} of ${ownCount}`;
  one("#no-match").hidden = ownCount === 0 || count > 0;
}

function clearFilter() {
  filterBox.value = "";
  one("input[name=show]").checked = true;
  for (const select of all("select[data-filter]")) select.value = "";
  applyFilter();
}

filterBox.addEventListener("input", applyFilter);
for (const choice of all("input[name=show], select[data-filter]")) choice.addEventListener("change", applyFilter);
for (const id of ["#clear", "#show-all"]) one(id).addEventListener("click", clearFilter);
document.addEventListener("click", (event) => event.target.closest("#more") || (one("#more").open = false));
one("#more").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  one("#more").open = false;
  one("#more > summary").focus();
});

/* What the first filter needs is made ready while nobody waits for it. */
const whenIdle = window.requestIdleCallback ?? ((task) => setTimeout(task, 500));
for (const prepare of [haystacks, families]) whenIdle(prepare);
