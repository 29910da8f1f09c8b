/* Theme and size: they follow the system until somebody chooses, and are remembered where the browser allows it. */
const page = document.documentElement;
const size = one("#size");

const chosenTheme = memory?.getItem("kleinbild-theme");
if (chosenTheme === "dark" || chosenTheme === "light") page.dataset.theme = chosenTheme;
one("#theme").addEventListener("click", () => {
  page.dataset.theme = getComputedStyle(page).colorScheme === "light" ? "dark" : "light";
  memory?.setItem("kleinbild-theme", page.dataset.theme);
});

function showSize() {
  page.style.setProperty("--frame", `${size.value}rem`);
}
const chosenSize = Number(memory?.getItem("kleinbild-size"));
if (chosenSize >= 7 && chosenSize <= 30) {
  size.value = chosenSize;
  showSize();
}
size.addEventListener("input", () => {
  showSize();
  memory?.setItem("kleinbild-size", size.value);
});

recallMarks();

/* A link such as index.html#12A opens that frame. */
const linked = items.findIndex((item) => isOwn(item) && `#${encodeURIComponent(item.label)}` === location.hash);
if (linked >= 0) openPlace(linked);
