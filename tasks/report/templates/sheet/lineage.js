/* Lineage: what a picture was edited out of, what was given to the model beside it, and what was edited out of it. */
const childrenBySha = lazily(() => {
  const found = new Map();
  items.forEach((item, place) => item.parent && found.set(item.parent, [...(found.get(item.parent) ?? []), place]));
  return found;
});

const repeatsBySha = lazily(() => {
  const found = new Map();
  items.forEach((item, place) => item.keeper && found.set(item.keeper, [...(found.get(item.keeper) ?? []), place]));
  return found;
});

/* A picture of the campaign can be a reference too; here it stands in its role. */
const roles = new Map(items.flatMap((item, place) => (item.state === "reference" ? [[item.sha, place]] : [])));

const placesOf = (shas) => shas.map((sha) => places.get(sha)).filter((place) => place !== undefined);

function ancestorsOf(place) {
  const found = [];
  let [next] = placesOf([items[place].parent]);
  while (next !== undefined && next !== place && !found.includes(next)) {
    found.unshift(next);
    [next] = placesOf([items[next].parent]);
  }
  return found;
}

function miniature(place, isCurrent = false) {
  const item = items[place];
  const button = make("button", { type: "button", class: "miniature", "data-go": place, "aria-label": `Show frame ${item.label}` });
  if (isCurrent) button.setAttribute("aria-current", "true");
  button.append(item.lost ? make("span", { class: "lost" }, "lost") : make("img", { src: thumbOf(item), alt: "", decoding: "async" }), make("span", {}, item.label));
  return button;
}

const group = (name, label, members) => make("div", { class: name, role: "group", "aria-label": label }, ...members);

/* Parents on the left, references above, children on the right. */
function lineageOf(place) {
  const item = items[place];
  const parents = ancestorsOf(place);
  const references = item.references.map((sha) => roles.get(sha) ?? places.get(sha)).filter((place) => place !== undefined);
  const children = childrenBySha().get(item.sha) ?? [];
  if (!parents.length && !references.length && !children.length) return [];
  return [
    group("parents", "Edited out of", parents.map((each) => miniature(each))),
    group("given", "References", references.map((each) => miniature(each))),
    group("this", "This picture", [miniature(place, true)]),
    group("children", "Edited into", children.map((each) => miniature(each))),
  ];
}
