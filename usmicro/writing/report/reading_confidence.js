// The confidence from which foci are shown, in all pictures, tables and counts of the page.

import { LABELS, byId, count, data, hasValue, make } from "./dom.js";
import { FOCI_COLUMNS, fociFacts, images, refreshGallery } from "./gallery.js";
import { regrouped } from "./reading_clusters.js";
import { current, refreshFoci } from "./viewer.js";
import { selectedFocus, selectFocusAgain } from "./reading_tools.js";

const { listed: LISTED_FROM, shown: SHOWN_FROM } = data.confidence;
const ROUND_VALUES = [
  0, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12,
  0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95,
];
const STOPS = [...new Set([LISTED_FROM, SHOWN_FROM, ...ROUND_VALUES])]
  .filter((value) => value >= LISTED_FROM);
STOPS.sort((one, other) => one - other);
const sliders = [];
/** The confidence from which foci are shown. */
let shownFrom = LISTED_FROM;

for (const image of images) {
  // what the run lists; the values of the image itself are those that are shown
  const { foci, intramass, extramass, intraductal, tables } = image;
  image.listed = { foci, intramass, extramass, intraductal, tables };
}

/** Show the foci from a confidence on, everywhere on the page. */
export function showFrom(confidence) {
  shownFrom = Math.max(confidence, LISTED_FROM);
  const changed = new Set(images.filter(showFociOf));
  for (const slider of sliders) placeSlider(slider);
  if (!changed.size) return;
  if (byId("viewer").open && changed.has(current)) {
    const selected = selectedFocus;
    refreshFoci();
    selectFocusAgain(selected);
  }
  refreshGallery(changed);
  showTotals();
}

/** Keep the shown foci of an image in its tables and counts; return false if nothing changes. */
function showFociOf(image) {
  const { listed } = image;
  if (!listed.foci) return false;
  const rows = listed.tables.foci.filter(reachesConfidence);
  if (rows.length === image.tables.foci.length) return false;
  if (rows.length === listed.tables.foci.length) {
    Object.assign(image, listed, fociFacts(listed));
    return true;
  }
  const counts = { foci: rows.length };
  for (const label of Object.keys(LABELS)) {
    counts[label] = rows.filter((row) => row[FOCI_COLUMNS.label] === label).length;
  }
  const tables = { ...listed.tables, foci: rows, masses: massesWith(listed.tables.masses, rows) };
  Object.assign(image, counts, { tables: regrouped(tables, image) });
  Object.assign(image, fociFacts(image));
  return true;
}

/** Return true if a row of foci is shown; one whose confidence is not a number is always shown. */
function reachesConfidence(row) {
  const confidence = row[FOCI_COLUMNS.confidence];
  return shownFrom <= LISTED_FROM || !hasValue(confidence) || confidence >= shownFrom;
}

/** Return rows of masses whose column of foci counts those that are shown. */
function massesWith(masses, rows) {
  const number = data.columns.masses.indexOf("mass"), foci = data.columns.masses.indexOf("foci");
  return masses.map((mass) => Object.assign([...mass], {
    [foci]: rows.filter((row) => row[FOCI_COLUMNS.mass] === mass[number]).length,
  }));
}

/** Write the totals into the summary of the page, if it has one. */
function showTotals() {
  for (const name of ["foci", ...Object.keys(LABELS), "clusters"]) {
    const numbers = images.map((image) =>
      (name === "clusters" ? image.tables?.clusters.length : image[name]) ?? 0);
    const tile = byId(`count-${name}`);
    if (tile) tile.textContent = sumOf(numbers).toLocaleString("en");
  }
}

/** Return the sum of numbers. */
function sumOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

// ---- the slider ----

/** Make a slider with its value. */
export function confidenceSlider() {
  const input = make("input", { type: "range", min: 0, max: STOPS.length - 1, step: 1,
    "aria-label": "Confidence from which foci are shown" });
  const value = make("output");
  const slider = { input, value };
  input.addEventListener("input", () => showFrom(STOPS[Number(input.value)]));
  sliders.push(slider);
  placeSlider(slider);
  return make("label", {
    class: "confidence",
    title: "Foci of a lower confidence are hidden everywhere on this page ([ and ])",
  }, make("span", {}, "Confidence from ", value), input);
}

/** Set a slider to the confidence from which foci are shown. */
function placeSlider({ input, value }) {
  const text = confidenceText(shownFrom);
  input.value = stopAtMost(shownFrom);
  input.setAttribute("aria-valuetext", `from ${text}`);
  value.textContent = text;
}

/** Return the index of the last stop that is not above a confidence. */
function stopAtMost(confidence) {
  return STOPS.findLastIndex((value) => value <= confidence);
}

/** Move to the next lower (-1) or higher (1) stop. */
export function stepConfidence(step) {
  const index = stopAtMost(shownFrom);
  const next = step < 0 && STOPS[index] < shownFrom ? index : index + step;
  if (STOPS[next] !== undefined) showFrom(STOPS[next]);
}

/** Return a confidence as text with two significant digits. */
function confidenceText(confidence) {
  return String(Number(confidence.toPrecision(2)));
}

/** Return what the reader should know about the range of the slider. */
function rangeNote() {
  const listed = sumOf(images.map((image) => image.listed.foci ?? 0));
  if (SHOWN_FROM > LISTED_FROM) {
    return `The run lists ${count(listed, "focus", "foci")} of these images from confidence `
      + `${confidenceText(LISTED_FROM)} on. The report begins with those from `
      + `${confidenceText(SHOWN_FROM)} on; move the slider to the left to see the others.`;
  }
  return `The run lists foci from confidence ${confidenceText(LISTED_FROM)} on. A run with `
    + "--set foci.minimum_confidence=0 keeps all candidates.";
}

byId("reset").before(confidenceSlider());
byId("controls").after(make("p", { class: "note", id: "confidence-note" }, rangeNote()));
// the fields are reset after this event
byId("controls").addEventListener("reset", () => setTimeout(() => showFrom(SHOWN_FROM)));
if (SHOWN_FROM > LISTED_FROM) showFrom(SHOWN_FROM);
