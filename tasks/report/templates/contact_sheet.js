"use strict";
// Everything here works on what the page already shows: nothing is loaded but pictures, nothing is sent.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

/* Filter: words (all of them must occur) and what to show. */
const filterBox = one("#filter");
const families = all(".family");

function isShown(family, words, show) {
  if (!words.every((word) => family.dataset.text.includes(word))) return false;
  if (show === "keepers") return family.dataset.keepers !== "0";
  if (show === "duplicates") return one(".duplicate", family) !== null;
  if (show === "rejected") return one(".rejected", family) !== null;
  if (show === "edits") return family.classList.contains("edited");
  return true;
}

function applyFilter() {
  const words = filterBox.value.toLowerCase().split(/\s+/).filter(Boolean);
  const show = one("input[name=show]:checked").value;
  for (const family of families) family.hidden = !isShown(family, words, show);
  for (const fold of all(".repeats")) {
    fold.hidden = show === "keepers";
    fold.open = show === "duplicates";
  }
  const narrowed = words.length > 0 || show !== "all";
  for (const section of all(".prompt"))
    section.hidden = section.classList.contains("failures") ? narrowed : all(".family", section).every((family) => family.hidden);
  showCount(show);
}

function showCount(show) {
  const marks = { all: ".frame:not(.archived)", keepers: ".keeper, .unjudged", duplicates: ".duplicate", edits: ".edited .strip .frame", rejected: ".rejected" };
  const shown = families.filter((family) => !family.hidden).flatMap((family) => all(marks[show], family));
  const total = all("main .frame:not(.archived)");
  const distinct = (frames) => new Set(frames.map((frame) => frame.dataset.sha)).size;
  one("#count").value = `${distinct(shown)} of ${distinct(total)}`;
  one(".nothing").hidden = families.length === 0 || shown.length > 0;
}

filterBox.addEventListener("input", applyFilter);
for (const radio of all("input[name=show]")) radio.addEventListener("change", applyFilter);

/* Before and after. */
for (const comparing of all(".comparing")) {
  const box = one(".compare", comparing);
  const slider = one("input", box);
  const sharpen = () => {
    const pair = one("[aria-pressed=true]", comparing).dataset;
    one(".before", box).src = pair.beforeFull;
    one(".after", box).src = pair.afterFull;
  };
  slider.addEventListener("input", () => box.style.setProperty("--cut", `${slider.value}%`));
  slider.addEventListener("pointerdown", sharpen, { once: true });
  for (const button of all(".pairs button", comparing)) {
    button.addEventListener("click", () => {
      for (const other of all(".pairs button", comparing)) other.setAttribute("aria-pressed", String(other === button));
      const { before, after, beforeSrc, afterSrc } = button.dataset;
      one(".before", box).src = beforeSrc;
      one(".after", box).src = afterSrc;
      one(".before", box).alt = `Before: frame ${before}`;
      one(".after", box).alt = `After: frame ${after}`;
      one(".left", box).textContent = before;
      one(".right", box).textContent = after;
      slider.setAttribute("aria-label", `Before and after: frames ${before} and ${after}`);
      sharpen();
    });
  }
}

/* Lightbox: the originals have no extension, so they are shown here and never navigated to. */
const lightbox = one("#lightbox");
const large = one("#large");
const beforeButton = one("#before");
let roll = [];
let current = 0;

function visibleFrames() {
  const seen = new Set();
  return all(".frame[data-full]").filter((frame) => {
    const isNew = frame.checkVisibility() && !seen.has(frame.dataset.sha);
    seen.add(frame.dataset.sha);
    return isNew;
  });
}

function openFrame(frame) {
  roll = visibleFrames();
  // A picture can stand twice on the page: once in its chain and once under its keeper.
  current = Math.max(0, roll.findIndex((other) => other.dataset.sha === frame.dataset.sha));
  if (!lightbox.open) lightbox.showModal();
  showFrame();
}

function showFrame() {
  const frame = roll[current];
  large.src = frame.dataset.full;
  large.alt = `Frame ${frame.dataset.label}`;
  one("#number").textContent = frame.dataset.label;
  one("#place").textContent = `${current + 1} of ${roll.length}`;
  one("#about").replaceChildren(one("template", frame).content.cloneNode(true));
  beforeButton.disabled = !frame.dataset.parent;
  beforeButton.setAttribute("aria-pressed", "false");
  history.replaceState(null, "", `#${encodeURIComponent(frame.dataset.label)}`);
}

function move(step) {
  current = (current + step + roll.length) % roll.length;
  showFrame();
}

function toggleBefore() {
  const { full, parent } = roll[current].dataset;
  if (!parent) return;
  const isBefore = beforeButton.getAttribute("aria-pressed") === "false";
  beforeButton.setAttribute("aria-pressed", String(isBefore));
  large.src = isBefore ? parent : full;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest(".open");
  if (opener && !opener.disabled) openFrame(opener.closest(".frame"));
});
for (const button of all("[data-move]")) button.addEventListener("click", () => move(Number(button.dataset.move)));
beforeButton.addEventListener("click", toggleBefore);
one("#close").addEventListener("click", () => lightbox.close());
one(".stage").addEventListener("click", (event) => event.target === large || lightbox.close());
lightbox.addEventListener("close", () => {
  history.replaceState(null, "", "#");
  large.removeAttribute("src");
  const opener = roll[current] && one(".open", roll[current]);
  if (opener) opener.scrollIntoView({ block: "nearest" });
});

/* Keys. */
function pressInLightbox(event) {
  const actions = { ArrowLeft: () => move(-1), ArrowRight: () => move(1), b: toggleBefore, B: toggleBefore };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (lightbox.open) return pressInLightbox(event);
  const isTyping = event.target === filterBox;
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    filterBox.focus();
  } else if (event.key === "Escape" && isTyping) {
    filterBox.value = "";
    filterBox.blur();
    applyFilter();
  }
});

/* Theme: follows the system until somebody chooses. */
const page = document.documentElement;
const storage = (() => {
  try {
    return window.localStorage;
  } catch {
    return null; // some browsers refuse it to pages from disk
  }
})();
const chosen = storage && storage.getItem("kleinbild-theme");
if (chosen === "dark" || chosen === "light") page.dataset.theme = chosen;
one("#theme").addEventListener("click", () => {
  const isLight = getComputedStyle(page).colorScheme === "light";
  page.dataset.theme = isLight ? "dark" : "light";
  if (storage) storage.setItem("kleinbild-theme", page.dataset.theme);
});

/* A link such as index.html#12A opens that frame. */
const wanted = decodeURIComponent(location.hash.slice(1));
const linked = wanted && all(".frame[data-full]").find((frame) => frame.dataset.label === wanted);
if (linked) openFrame(linked);
