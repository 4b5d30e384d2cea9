"use strict";
// The gallery: what is shown, in which order, a hundred cards at a time. All text reaches the page as text, never as HTML.

const data = JSON.parse(document.getElementById("report-data").textContent);
const byId = (id) => document.getElementById(id);
const SVG = document.querySelector("svg").namespaceURI;
const STEP = 100, DOTS = 60;
const LABELS = { intramass: "circle", extramass: "square", intraductal: "triangle" };

function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function icon(label, attributes = {}) {
  return draw("svg", { class: `icon ${label}`, "aria-hidden": "true", ...attributes }, draw("use", { href: `#shape-${LABELS[label]}` }));
}

const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** Rows of a table of an image as objects. */
function rows(image, kind) {
  const columns = data.columns[kind];
  return (image.tables?.[kind] ?? []).map((values) => Object.fromEntries(columns.map((column, index) => [column, values[index]])));
}

const column = Object.fromEntries(data.columns.foci.map((name, index) => [name, index]));
const images = data.images.map((image, index) => {
  const foci = image.tables?.foci ?? [];
  return {
    ...image,
    index,
    lower: image.image.toLowerCase(),
    surest: foci.length ? Math.max(...foci.map((focus) => focus[column.confidence])) : null,
    shadow: foci.some((focus) => focus[column.shadow] === "yes"),
    twinkling: foci.some((focus) => ["yes", "possible"].includes(focus[column.twinkling])),
  };
});

const HAVING = {
  "": () => true,
  foci: (image) => image.foci > 0,
  none: (image) => image.foci === 0,
  intramass: (image) => image.intramass > 0,
  extramass: (image) => image.extramass > 0,
  intraductal: (image) => image.intraductal > 0,
  shadow: (image) => image.shadow,
  twinkling: (image) => image.twinkling,
  cluster: (image) => image.tables?.clusters.length > 0,
};

let chosen = images, shown = 0;

function choose() {
  const words = byId("find").value.trim().toLowerCase(), status = byId("status").value, mass = byId("with-mass").value;
  const having = HAVING[byId("having").value], key = byId("sort").value, sign = byId("order").value === "down" ? -1 : 1;
  chosen = images.filter((image) =>
    image.lower.includes(words) && (!status || image.status === status) && having(image)
    && (!mass || (image.status === "ok" && (image.masses > 0) === (mass === "yes"))));
  chosen.sort((one, other) => {
    if (key === "image") return sign * (one.index - other.index);
    const a = one[key] ?? null, b = other[key] ?? null;
    if (a === null || b === null) return (a === null) - (b === null) || one.index - other.index; // unknown ones last, in either order
    return sign * (a - b) || one.index - other.index;
  });
  byId("cards").replaceChildren();
  shown = 0;
  showMore();
}

function showMore() {
  const first = shown;
  shown = Math.min(chosen.length, shown + STEP);
  byId("cards").append(...chosen.slice(first, shown).map(card));
  const some = shown < chosen.length ? `${shown.toLocaleString("en")} of ` : "";
  const all = chosen.length < images.length ? ` (of ${images.length.toLocaleString("en")})` : "";
  byId("shown").textContent = `Showing ${some}${count(chosen.length, "image", "images")}${all}`;
  byId("more").hidden = shown === chosen.length;
  byId("more").textContent = `Show ${Math.min(STEP, chosen.length - shown)} more`;
}

function card(image) {
  const cut = image.image.lastIndexOf("/") + 1;
  const name = make("span", { class: "name" }, image.image.slice(cut));
  if (cut) name.prepend(make("span", { class: "folder" }, image.image.slice(0, cut)));
  const thumb = make("span", { class: "thumb" });
  if (image.status !== "ok") {
    thumb.append(make("span", { class: "missing badge" }, "failed"));
    return make("li", { class: "card", "data-image": image.image }, make("div", {}, thumb, name, make("span", { class: "error" }, image.error ?? "")));
  }
  if (image.thumbnail) thumb.append(make("img", { src: image.thumbnail, alt: "", loading: "lazy", decoding: "async" }));
  else thumb.append(make("span", { class: "missing" }, "no picture"));
  if (image.thumbnail && image.foci) thumb.append(dots(image));
  const facts = make("span", { class: "facts" });
  for (const label of Object.keys(LABELS)) {
    if (image[label]) facts.append(make("span", { title: `${label} foci` }, icon(label), `${image[label]} ${label}`));
  }
  if (!image.foci) facts.append(make("span", {}, "no foci"));
  facts.append(make("span", {}, count(image.masses, "mass", "masses")));
  facts.append(make("span", { title: "How strongly the image as a whole shows calcification, 0 to 1" }, `score ${image.calcification_score.toFixed(2)}`));
  if (image.frames > 1) facts.append(make("span", {}, `${image.frames} frames`));
  const open = make("button", { type: "button" }, thumb, name, facts);
  open.addEventListener("click", () => openImage(image));
  return make("li", { class: "card", "data-image": image.image }, open);
}

/** Where the surest foci lie, over a thumbnail. */
function dots(image) {
  const [left, top, width, height] = image.box, size = Math.max(width, height) / 16;
  const picture = draw("svg", { viewBox: `${left - 0.5} ${top - 0.5} ${width} ${height}`, "aria-hidden": "true" });
  for (const focus of image.tables.foci.slice(0, DOTS)) {
    picture.append(icon(focus[column.label], { x: focus[column.x_px] - size / 2, y: focus[column.y_px] - size / 2, width: size, height: size }));
  }
  return picture;
}

for (const id of ["find", "status", "having", "with-mass", "order"]) byId(id).addEventListener("input", choose);
byId("sort").addEventListener("input", () => { // one looks for the highest of everything but names
  byId("order").value = byId("sort").value === "image" ? "up" : "down";
  choose();
});
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("controls").addEventListener("reset", () => setTimeout(choose)); // the fields are empty only afterwards
byId("more").addEventListener("click", () => {
  const first = byId("cards").children.length;
  showMore();
  byId("cards").children[first]?.querySelector("button")?.focus({ preventScroll: true });
});
choose();
