/* Before and after: a slider over two pictures; small copies until somebody touches it, then the originals. */
function showPair(box, before, after, addressOf) {
  const source = { before: addressOf(before), after: addressOf(after) };
  for (const [side, address] of Object.entries(source)) if (one(`.${side}`, box).getAttribute("src") !== address) one(`.${side}`, box).src = address;
  one(".left", box).textContent = before.label;
  one(".right", box).textContent = after.label;
  one("input", box).setAttribute("aria-label", `Before and after: frames ${before.label} and ${after.label}`);
  showHeat(box, before, after);
}

function chosenPair(box) {
  const chosen = one(".pairs [aria-pressed=true]", box.parentElement).dataset;
  return [items[chosen.before], items[chosen.after]];
}

document.addEventListener("input", (event) => {
  const box = event.target.closest(".compare");
  if (box) box.style.setProperty("--cut", `${event.target.value}%`);
});
document.addEventListener("pointerdown", (event) => {
  const box = event.target.closest(".comparing .compare");
  if (box) showPair(box, ...chosenPair(box), originalOf);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest(".pairs button");
  if (!button) return;
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  const box = one(".compare", button.closest(".comparing"));
  showPair(box, ...chosenPair(box), originalOf);
});
