/* Marks: what the person at this browser thinks of the pictures, over what the archive knows already. */
const MARKS_KEY = `kleinbild-marks/${island.archive}/${island.campaign}/${island.edition}`;
const marks = new Map(); // sha256 -> { stars?, verdict?: "reject" | "keep" }
let keepsMarks = memory !== null;
let savedMarks = "";

const opinionOn = (item) => {
  const mark = marks.get(item.sha) ?? {};
  return {
    stars: mark.stars ?? item.stars,
    isRejected: mark.verdict ? mark.verdict === "reject" : item.state === "rejected",
    isKept: mark.verdict ? mark.verdict === "keep" : item.kept,
  };
};

/* Leaves out what says no more than the archive: it has been taken in since. */
function settled(item, { stars, verdict }) {
  const isKnown = (verdict === "reject" && item.state === "rejected") || (verdict === "keep" && item.kept);
  return { ...(stars !== undefined && stars !== item.stars && { stars }), ...(verdict && !isKnown && { verdict }) };
}

function putMark(place, mark) {
  const item = items[place];
  const rest = settled(item, mark);
  if (Object.keys(rest).length) marks.set(item.sha, rest);
  else marks.delete(item.sha);
}

/* From the browser's memory, which other pages on this disk can write too. */
function readMarks(text) {
  marks.clear();
  try {
    const { marks: kept = {}, saved = "" } = JSON.parse(text ?? "{}");
    savedMarks = String(saved);
    for (const [sha, { stars, verdict }] of Object.entries(kept)) {
      if (!places.has(sha) || !isOwn(items[places.get(sha)])) continue;
      const isCount = Number.isInteger(stars) && stars >= 0 && stars <= 5;
      putMark(places.get(sha), { ...(isCount && { stars }), ...(["reject", "keep"].includes(verdict) && { verdict }) });
    }
  } catch {
    marks.clear(); // no marks of ours
  }
}

const marksAsText = () => JSON.stringify([...marks].sort(([a], [b]) => (a < b ? -1 : 1)));
const hasUnsaved = () => marks.size > 0 && marksAsText() !== savedMarks;

function keepMarks() {
  try {
    memory?.setItem(MARKS_KEY, JSON.stringify({ marks: Object.fromEntries(marks), saved: savedMarks }));
  } catch {
    keepsMarks = false; // its memory is full
  }
  document.dispatchEvent(new Event("marks"));
}

function showMark(place) {
  const { stars, isRejected, isKept } = opinionOn(items[place]);
  for (const figure of figuresByPlace().get(place) ?? []) {
    figure.classList.toggle("rejected", isRejected);
    figure.toggleAttribute("data-kept", isKept);
    if (stars) figure.dataset.stars = stars;
    else delete figure.dataset.stars;
  }
}

/* What a key or a button says: "0" to "5", "keep" or "reject"; said twice, it is taken back. */
function mark(place, said) {
  const item = items[place];
  if (!item || !isOwn(item)) return;
  const { stars, isRejected } = opinionOn(item);
  const before = marks.get(item.sha) ?? {};
  const count = Number(said);
  if (said === "reject") putMark(place, { ...before, verdict: isRejected ? (item.state === "rejected" ? "keep" : undefined) : "reject" });
  else if (said === "keep") putMark(place, { ...before, verdict: before.verdict === "keep" ? undefined : "keep" });
  else putMark(place, { ...before, stars: count === stars ? 0 : count });
  showMark(place);
  keepMarks();
}

function forgetMarks() {
  const marked = [...marks.keys()].map((sha) => places.get(sha));
  marks.clear();
  savedMarks = "";
  marked.forEach(showMark);
  keepMarks();
}

function recallMarks() {
  const before = [...marks.keys()];
  readMarks(memory?.getItem(MARKS_KEY));
  for (const sha of new Set([...before, ...marks.keys()])) showMark(places.get(sha));
  document.dispatchEvent(new Event("marks"));
}

addEventListener("storage", (event) => event.key === MARKS_KEY && recallMarks()); // another tab has this page open
addEventListener("beforeunload", (event) => !keepsMarks && hasUnsaved() && event.preventDefault());

/* The pen: one set of buttons, which goes to the picture under the mouse or the keyboard's focus. */
const pen = one("#pen");
const penPlace = () => (lightbox.open ? roll[current] : pen.parentElement?.matches(".frame") ? placeOf(pen.parentElement) : -1);

function showPen() {
  const place = penPlace();
  if (place < 0) return;
  const { stars, isRejected, isKept } = opinionOn(items[place]);
  for (const button of all("[data-mark]", pen)) {
    const said = button.dataset.mark;
    const isOn = said === "keep" ? isKept : said === "reject" ? isRejected : Number(said) <= stars;
    button.setAttribute("aria-pressed", String(isOn));
  }
}

function takePenTo(figure) {
  if (lightbox.open || !figure || pen.contains(document.activeElement) || !isOwn(items[placeOf(figure)])) return;
  if (pen.parentElement !== figure) one(".open", figure).after(pen);
  pen.hidden = false;
  showPen();
}

document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && takePenTo(event.target.closest(".frame")));
document.addEventListener("focusin", (event) => event.target.matches(".open") && takePenTo(event.target.closest(".frame")));
pen.addEventListener("click", (event) => event.target.dataset.mark && mark(penPlace(), event.target.dataset.mark));
document.addEventListener("marks", showPen);
