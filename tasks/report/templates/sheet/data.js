/* The facts of this page. Texts are strangers': they are only ever set as text, never as HTML. */
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

const TO_ROOT = "../../../";
const NOTHING = { state: "keeper", lost: false, prompt: -1, text: -1, settings: -1, seed: -1, step: 0, made: "", job: "", parent: "", references: [], keeper: "", bits: 0, how: "", reason: "", flags: [], stars: 0, kept: false, changes: [], notes: [], changed: -1, shift: 0, heat: "" };
const island = JSON.parse(one("#island").textContent);
const items = island.items.map((item) => ({ ...NOTHING, ...item }));
const places = new Map();
items.forEach((item, place) => places.has(item.sha) || places.set(item.sha, place));
const isOwn = (item) => item.state !== "archived" && item.state !== "reference";
const ownCount = items.filter(isOwn).length;

const promptOf = (item) => island.prompts[item.prompt]?.text ?? "";
const textOf = (item) => island.texts[item.text] ?? promptOf(item);
const axesOf = (item) => island.prompts[item.prompt]?.axes ?? [];
const settingsOf = (item) => island.settings[item.settings] ?? { provider: "", model: "", size: null, rows: [] };
const providerOf = (item) => settingsOf(item).provider;
const modelOf = (item) => settingsOf(item).model;
const valueOn = (item, axis) => axesOf(item).find(([name]) => name === axis)?.[1] ?? "";

const thumbOf = ({ sha }) => `${TO_ROOT}thumbnails/${sha.slice(0, 2)}/${sha}.jpg`;
const originalOf = ({ sha }) => `${TO_ROOT}objects/${sha.slice(0, 2)}/${sha}`;
const recordOf = ({ sha }) => `${TO_ROOT}records/${sha.slice(0, 2)}/${sha}.json`;

const placeOf = (figure) => Number(figure.dataset.i);
const lazily = (make) => {
  let made;
  return () => (made ??= make());
};

/* A picture can stand twice on the page: once in its chain and once under its keeper. */
const figuresByPlace = lazily(() => {
  const found = new Map();
  for (const figure of all(".frame")) found.set(placeOf(figure), [...(found.get(placeOf(figure)) ?? []), figure]);
  return found;
});

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* Some browsers refuse pages from disk a place to remember anything. */
const memory = (() => {
  try {
    window.localStorage.setItem("kleinbild-probe", "1");
    window.localStorage.removeItem("kleinbild-probe");
    return window.localStorage;
  } catch {
    return null;
  }
})();
