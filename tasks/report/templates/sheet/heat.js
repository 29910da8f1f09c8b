/* Where an edit changed its picture: a map of 16 × 16 places, drawn over what came of it. */
const HEAT_SIDE = 16;
const HEAT_LEVELS = 15;
const HEAT_COLOUR = "255 0 200"; // rare in pictures
const LONG_SIDE = 256;

const changeOf = ({ changed, shift }) => `${(100 * changed).toFixed(0)} %, colour shift ${shift.toFixed(1)} ΔE`;
const whereOf = (box) => (box === slider ? one("#where") : one(".where", box.closest(".comparing")));

/* Of several steps each place shows the strongest change on the way; null where one of them was not measured. */
function heatBetween(before, after) {
  const levels = new Uint8Array(HEAT_SIDE * HEAT_SIDE);
  const seen = new Set();
  for (let item = after; item !== before; item = items[places.get(item.parent)]) {
    if (!item || item.changed < 0 || seen.has(item)) return null;
    seen.add(item);
    [...item.heat].forEach((digit, place) => (levels[place] = Math.max(levels[place], parseInt(digit, 16))));
  }
  return levels;
}

function showHeat(box, before, after) {
  const button = whereOf(box);
  if (!button) return;
  const levels = heatBetween(before, after);
  button.disabled = !levels;
  one(".heat", box)?.remove();
  if (levels && button.getAttribute("aria-pressed") === "true") box.insertBefore(heatMap(levels, after), one(".tag", box));
}

/* The canvas has the shape of the picture, so that it lies on it however the picture is fitted into its box. */
function heatMap(levels, after) {
  const [width, height] = settingsOf(after).size ?? [1, 1];
  const scale = LONG_SIDE / Math.max(width, height);
  const canvas = make("canvas", { class: "heat", width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), role: "img", "aria-label": "Where the edit changed the picture" });
  const pen = canvas.getContext("2d");
  const small = make("canvas", { width: HEAT_SIDE, height: HEAT_SIDE });
  const dots = small.getContext("2d");
  levels.forEach((level, place) => {
    dots.fillStyle = `rgb(${HEAT_COLOUR} / ${0.6 * Math.sqrt(level / HEAT_LEVELS)})`;
    dots.fillRect(place % HEAT_SIDE, Math.floor(place / HEAT_SIDE), 1, 1);
  });
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/* The large view shows it on the slider. */
function toggleWhere() {
  if (one("#where").disabled) return;
  press("#where", !isPressed("#where"));
  if (isPressed("#where") && !isPressed("#slide")) return toggle("#slide");
  const item = items[roll[current]];
  showStage(item, parentOf(item));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".where");
  if (!button) return;
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  const box = one(".compare", button.closest(".comparing"));
  showHeat(box, ...chosenPair(box));
});
