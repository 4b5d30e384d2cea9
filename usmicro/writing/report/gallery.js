// The gallery: filters, order, and cards, which are added a hundred at a time.

import { LABELS, byId, count, data, draw, hasValue, icon, make } from "./dom.js";
import { findingsAreHidden } from "./reviewblind.js";
import { openImage } from "./viewer.js";

const CARDS_STEP = 100; // number of cards that are added at a time
const MOST_DOTS = 60; // number of foci that are drawn on a thumbnail
const RENEWING_MS = 12; // cards are made anew for at most this time at once
const PAUSE_MS = 400; // and only after this pause while the viewer covers them
const DOT_SHARE = 16; // the longer side of a thumbnail divided by the size of a focus on it

/** Return the highest of the values that are known, or null. */
function highest(values) {
  const known = values.filter(hasValue);
  return known.length ? Math.max(...known) : null;
}

export const FOCI_COLUMNS = Object.fromEntries(
  data.columns.foci.map((name, index) => [name, index]));
export const images = data.images.map((image, index) =>
  Object.assign(image, { index, lowerName: image.image.toLowerCase() }, fociFacts(image)));

/** Return what filters and order need to know of the foci of an image. */
export function fociFacts(image) {
  const foci = image.tables?.foci ?? [];
  const column = (name) => foci.map((row) => row[FOCI_COLUMNS[name]]);
  return {
    highestConfidence: highest(column("confidence")),
    shadow: column("shadow").includes("yes"),
    twinkling: column("twinkling").some((verdict) => ["yes", "possible"].includes(verdict)),
  };
}

const FOCI_FILTERS = {
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

const STATUS_FILTERS = {
  "": () => true,
  ok: (image) => image.status === "ok",
  failed: (image) => image.status === "failed",
  warned: (image) => Boolean(image.warnings),
};

/** Functions of other scripts: given an image, true if it passes; all must agree. */
export const imageFilters = [];
/** Comparisons of other scripts, by the value of the field "Sort by"; they have no direction. */
export const imageOrders = {};
/** Functions of other scripts: given an image, an element for its card, or null. */
export const cardParts = [];

/** The images that pass the filters, in the chosen order. */
export let filtered = images;
let cardCount = 0;
const outdated = new Set(); // images whose card does not show their present foci
let renewing = null; // timer of `renewCards`

/** Filter and sort the images, and show the first cards. */
export function updateGallery() {
  chooseImages();
  outdated.clear();
  byId("cards").replaceChildren();
  cardCount = 0;
  showMoreCards();
}

/**
 * Filter and sort anew after some images have changed, and make their cards anew: those that can be
 * seen at once, the others little by little, since a page may have thousands.
 */
export function refreshGallery(changed) {
  const before = filtered.slice(0, cardCount), places = [...byId("cards").children];
  const old = new Map(before.map((image, index) => [image, places[index]]));
  chooseImages();
  cardCount = Math.min(filtered.length, Math.max(cardCount, CARDS_STEP));
  const shown = filtered.slice(0, cardCount);
  if (shown.length !== before.length || shown.some((image, index) => image !== before[index])) {
    byId("cards").replaceChildren(...shown.map((image) => old.get(image) ?? card(image)));
  }
  for (const image of changed) outdated.add(image);
  if (!byId("viewer").open) {
    const cards = [...byId("cards").children];
    const near = shown.map((image, index) => [image, cards[index]])
      .filter(([image, item]) => outdated.has(image) && isNearWindow(item));
    for (const [image, item] of near) renewCard(image, item);
  }
  clearTimeout(renewing);
  // below the viewer the cards can wait until the slider rests
  renewing = setTimeout(renewCards, byId("viewer").open ? PAUSE_MS : 0);
  showCardCount();
}

/** Return true if an element is less than the height of the window away from it. */
function isNearWindow(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > -innerHeight && top < 2 * innerHeight;
}

/** Make a card anew. */
function renewCard(image, old) {
  const hasFocus = old.contains(document.activeElement);
  const item = card(image);
  old.replaceWith(item);
  outdated.delete(image);
  if (hasFocus) item.querySelector("button")?.focus({ preventScroll: true });
}

/** Make outdated cards anew for a short time, and go on after the browser had time for others. */
function renewCards() {
  const end = performance.now() + RENEWING_MS;
  const cards = [...byId("cards").children];
  for (let index = 0; index < cardCount && outdated.size; index += 1) {
    if (!outdated.has(filtered[index])) continue;
    renewCard(filtered[index], cards[index]);
    if (performance.now() < end) continue;
    renewing = setTimeout(renewCards);
    return;
  }
  outdated.clear(); // the others have no card
}

/** Filter and sort the images. */
function chooseImages() {
  const text = byId("name-filter").value.trim().toLowerCase();
  const status = STATUS_FILTERS[byId("status-filter").value];
  const mass = byId("mass-filter").value;
  const passesFoci = FOCI_FILTERS[byId("foci-filter").value];
  const passesMass = (image) =>
    !mass || (image.status === "ok" && (image.masses > 0) === (mass === "yes"));
  filtered = images.filter((image) => image.lowerName.includes(text)
    && status(image) && passesFoci(image) && passesMass(image)
    && imageFilters.every((passes) => passes(image)));
  filtered.sort(comparison(byId("sort").value, byId("order").value === "down" ? -1 : 1));
}

/** Return a comparison of images by a value, or by "image", the name; unknown values go last. */
function comparison(key, sign) {
  if (imageOrders[key]) return imageOrders[key];
  if (key === "image") return (one, other) => sign * (one.index - other.index);
  return (one, other) => {
    const a = one[key], b = other[key];
    const byIndex = one.index - other.index;
    if (!hasValue(a) || !hasValue(b)) return hasValue(b) - hasValue(a) || byIndex;
    return sign * (a - b) || byIndex;
  };
}

/** Add the next cards. */
function showMoreCards() {
  const first = cardCount;
  cardCount = Math.min(filtered.length, cardCount + CARDS_STEP);
  byId("cards").append(...filtered.slice(first, cardCount).map(card));
  showCardCount();
}

/** Write how many cards are shown. */
function showCardCount() {
  const shown = cardCount < filtered.length ? `${cardCount.toLocaleString("en")} of ` : "";
  const all = images.length.toLocaleString("en");
  const total = filtered.length < images.length ? ` (of ${all})` : "";
  const number = count(filtered.length, "image", "images");
  byId("card-count").textContent = `Showing ${shown}${number}${total}`;
  byId("more").hidden = cardCount === filtered.length;
  byId("more").textContent = `Show ${Math.min(CARDS_STEP, filtered.length - cardCount)} more`;
}

/** Make the card of an image. */
function card(image) {
  const nameStart = image.image.lastIndexOf("/") + 1;
  const name = make("span", { class: "name" }, image.image.slice(nameStart));
  if (nameStart) name.prepend(make("span", { class: "folder" }, image.image.slice(0, nameStart)));
  const content = image.status === "ok" ? openButton(image, name) : failure(image, name);
  return make("li", { class: "card", "data-image": image.image }, content);
}

/** Make the card of an image anew, if it is shown. */
export function refreshCard(image) {
  const old = byId("cards").children[filtered.indexOf(image)];
  if (old?.dataset.image === image.image) renewCard(image, old);
}

/** Make the content of the card of a file that failed. */
function failure(image, name) {
  const badge = make("span", { class: "missing badge" }, "failed");
  const thumb = make("span", { class: "thumb" }, badge);
  return make("div", {}, thumb, name, make("span", { class: "error" }, image.error ?? ""));
}

/** Make the content of the card of an image: a button that opens it. */
function openButton(image, name) {
  const thumb = make("span", { class: "thumb" });
  if (image.thumbnail) {
    thumb.append(make("img",
      { src: image.thumbnail, alt: "", loading: "lazy", decoding: "async" }));
    if (image.foci && !findingsAreHidden(image)) thumb.append(dots(image));
  } else {
    thumb.append(make("span", { class: "missing" }, "no picture"));
  }
  const parts = cardParts.map((part) => part(image)).filter(Boolean);
  const button = make("button", { type: "button" }, thumb, name, facts(image), ...parts);
  button.addEventListener("click", () => openImage(image));
  return button;
}

/** Make the line of a card with counts and the calcification score. */
function facts(image) {
  const line = make("span", { class: "facts" });
  if (!findingsAreHidden(image)) addFindings(line, image);
  if (image.warnings && !findingsAreHidden(image)) { // those on masks tell that there are masses
    line.append(make("span", { class: "warn", title: image.warnings.join("\n") },
      count(image.warnings.length, "warning", "warnings")));
  }
  if (image.frames > 1) line.append(make("span", {}, `${image.frames} frames`));
  return line;
}

/** Add the counts and the calcification score to the line of a card. */
function addFindings(line, image) {
  for (const label of Object.keys(LABELS)) {
    const number = image[label];
    if (number) {
      line.append(make("span", { title: `${label} foci` }, icon(label), `${number} ${label}`));
    }
  }
  if (!image.foci) line.append(make("span", {}, "no foci"));
  line.append(
    make("span", {}, count(image.masses, "mass", "masses")),
  );
  if (hasValue(image.calcification_score)) {
    line.append(make("span",
      { title: "How strongly the image as a whole shows calcification, 0 to 1" },
      `score ${image.calcification_score.toFixed(2)}`));
  }
}

/** Draw the most confident foci of the key frame over a thumbnail. */
function dots(image) {
  const [left, top, width, height] = image.box;
  const size = Math.max(width, height) / DOT_SHARE;
  const viewBox = `${left - 0.5} ${top - 0.5} ${width} ${height}`;
  const picture = draw("svg", { viewBox, "aria-hidden": "true" });
  const isShown = (row) => image.frames <= 1 || row[FOCI_COLUMNS.frame] === image.key_frame;
  for (const row of image.tables.foci.filter(isShown).slice(0, MOST_DOTS)) {
    const x = row[FOCI_COLUMNS.x_px] - size / 2, y = row[FOCI_COLUMNS.y_px] - size / 2;
    picture.append(icon(row[FOCI_COLUMNS.label], { x, y, width: size, height: size }));
  }
  return picture;
}

for (const id of ["name-filter", "status-filter", "foci-filter", "mass-filter", "order"]) {
  byId(id).addEventListener("input", updateGallery);
}
byId("sort").addEventListener("input", () => {
  // all values but names are sorted from the highest
  byId("order").value = byId("sort").value === "image" ? "up" : "down";
  updateGallery();
});
byId("controls").addEventListener("submit", (event) => event.preventDefault());
// the fields are reset after this event
byId("controls").addEventListener("reset", () => setTimeout(updateGallery));
byId("more").addEventListener("click", () => {
  const first = byId("cards").children.length;
  showMoreCards();
  byId("cards").children[first]?.querySelector("button")?.focus({ preventScroll: true });
});
updateGallery();
