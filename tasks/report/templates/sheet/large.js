/* The large view. The originals have no extension, so they are shown here and never navigated to. */
const lightbox = one("#lightbox");
const large = one("#large");
const slider = one("#large-compare");
let roll = [];
let current = 0;

const isPressed = (id) => one(id).getAttribute("aria-pressed") === "true";
const press = (id, isOn) => one(id).setAttribute("aria-pressed", String(isOn));

function visiblePlaces() {
  return [...new Set(all("main .frame, #grid .frame").filter(isOffered).map(placeOf))];
}

function openPlace(place) {
  if (items[place].lost) return;
  if (!lightbox.open) roll = visiblePlaces();
  if (!roll.includes(place)) roll = [...roll.slice(0, current + 1), place, ...roll.slice(current + 1)];
  current = roll.indexOf(place);
  if (!lightbox.open) {
    lightbox.showModal();
    one("#large-pen").append(pen);
    pen.hidden = false;
  }
  showCurrent();
}

function parentOf(item) {
  const parent = items[places.get(item.parent)];
  return parent && !parent.lost ? parent : null;
}

function showCurrent() {
  const item = items[roll[current]];
  const parent = parentOf(item);
  for (const id of ["#before", "#slide"]) one(id).disabled = !parent;
  press("#before", false);
  if (!parent) press("#slide", false);
  one("#where").disabled = !parent || item.changed < 0;
  showStage(item, parent);
  one("#number").textContent = item.label;
  one("#place").textContent = `${current + 1} of ${roll.length}`;
  one("#about").replaceChildren(...about(item));
  one("#lineage").replaceChildren(...lineageOf(roll[current]));
  pen.hidden = !isOwn(item);
  showPen();
  history.replaceState(null, "", `#${encodeURIComponent(item.label)}`);
  for (const step of [1, -1]) new Image().src = originalOf(items[roll[(current + step + roll.length) % roll.length]]);
}

function showStage(item, parent) {
  const isSliding = isPressed("#slide") && parent;
  slider.hidden = !isSliding;
  one(".window").hidden = Boolean(isSliding);
  one(".window").classList.remove("actual");
  if (!isSliding) press("#where", false);
  if (isSliding) {
    showPair(slider, parent, item, originalOf);
    const { size } = settingsOf(item);
    if (size) slider.style.setProperty("--own-ratio", size[0] / size[1]);
    return;
  }
  const shown = isPressed("#before") && parent ? parent : item;
  large.src = originalOf(shown);
  large.alt = [`Frame ${shown.label}`, textOf(shown)].filter(Boolean).join(": ");
}

function move(step) {
  current = (current + step + roll.length) % roll.length;
  showCurrent();
}

function toggle(id) {
  if (one(id).disabled) return;
  press(id, !isPressed(id));
  press(id === "#before" ? "#slide" : "#before", false);
  const item = items[roll[current]];
  showStage(item, parentOf(item));
}

/* What is known of a picture, in the order in which people ask. */
function about(item) {
  if (item.state === "reference") return [make("p", { class: "words" }, `Reference: ${item.label}`), facts(item)];
  const words = make("p", { class: "words", dir: "auto" }, ...(item.changes.length ? item.changes.map(changed) : [textOf(item) || "A picture from the archive"]));
  const origin = promptOf(item) && promptOf(item) !== textOf(item) ? [make("p", { class: "origin", dir: "auto" }, promptOf(item))] : [];
  const repeats = repeatsBySha().get(item.sha) ?? [];
  const folded = repeats.length ? [make("p", { class: "small" }, "near-duplicates"), group("row", "Near-duplicates", repeats.map((each) => miniature(each)))] : [];
  return [words, ...origin, ...verdictOn(item), facts(item), ...folded];
}

function changed([kind, text]) {
  if (kind === "same") return text;
  return make(kind === "added" ? "ins" : "del", {}, text);
}

function verdictOn(item) {
  const said = item.reason ? [make("span", { class: "reason", dir: "auto" }, item.reason)] : [];
  const flags = item.notes.map((note) => make("p", { class: "verdict flag" }, note));
  if (item.state === "rejected") return [make("p", { class: "verdict" }, make("b", {}, "rejected"), " ", ...said), ...flags];
  if (item.state !== "duplicate") return flags;
  const keeper = places.get(item.keeper);
  const link = keeper === undefined ? "an archived picture" : make("button", { type: "button", class: "link", "data-go": keeper }, items[keeper].label);
  return [make("p", { class: "verdict" }, make("b", {}, `${item.bits} bit${item.bits === 1 ? "" : "s"}`), `${item.how} from `, link, ...said), ...flags];
}

function facts(item) {
  const rows = [];
  const add = (name, value) => rows.push(make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, value)));
  for (const [name, value] of axesOf(item)) add(name, value);
  if (item.seed >= 0) add("seed", String(item.seed));
  if (modelOf(item)) add("model", modelOf(item));
  const { provider, size, rows: further = [] } = settingsOf(item);
  if (provider) add("provider", provider);
  if (size) add("size", size.join(" × "));
  if (item.changed >= 0) add("changed", changeOf(item));
  for (const [name, value] of further) add(name, value);
  if (item.made) add("made", `${item.made} UTC`);
  if (item.job) add("job", item.job);
  add("sha256", item.sha);
  if (isOwn(item)) add("record", make("a", { href: recordOf(item) }, `records/${item.sha.slice(0, 2)}/${item.sha.slice(0, 12)}….json`));
  return make("dl", { class: "facts" }, ...rows);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest(".open");
  if (opener && !opener.disabled) openPlace(placeOf(opener.closest(".frame")));
  const goes = event.target.closest("[data-go]");
  if (goes) openPlace(Number(goes.dataset.go));
});
for (const button of all("[data-move]")) button.addEventListener("click", () => move(Number(button.dataset.move)));
one("#before").addEventListener("click", () => toggle("#before"));
one("#slide").addEventListener("click", () => toggle("#slide"));
one("#where").addEventListener("click", toggleWhere);
one("#close").addEventListener("click", () => lightbox.close());
one(".window").addEventListener("click", (event) => (event.target === large ? one(".window").classList.toggle("actual") : lightbox.close()));
lightbox.addEventListener("close", () => {
  history.replaceState(null, "", "#");
  large.removeAttribute("src");
  const [figure] = (figuresByPlace().get(roll[current]) ?? []).filter(isOffered);
  if (figure) {
    figure.scrollIntoView({ block: "nearest" });
    one(".open", figure).focus({ preventScroll: true });
  }
});

/* A finger that wipes across the picture turns the page. */
let touchX = null;
one(".window").addEventListener("touchstart", (event) => (touchX = event.touches.length === 1 && !one(".window").matches(".actual") ? event.touches[0].clientX : null), { passive: true });
one(".window").addEventListener("touchend", (event) => {
  const way = touchX === null ? 0 : event.changedTouches[0].clientX - touchX;
  if (Math.abs(way) > 48) move(way < 0 ? 1 : -1);
});
