// The viewer: the picture of one image with its findings, zoom and keys.

import { byId, data, formatNumber, hasValue, setAttributes, tableRows } from "./dom.js";
import { hideTip, showEvidence } from "./evidence.js";
import { filtered } from "./gallery.js";
import { applyLayers, showLayers, toggleFindings } from "./layers.js";
import { drawFindings, placeFindings } from "./markers.js";
import { openFilm, pictureFailed, shownPicture } from "./player.js";
import { findingsAreHidden } from "./reviewblind.js";
import { showTables } from "./tables.js";

const MOST_ZOOM = 40; // largest zoom relative to the picture that fits
const ARROW_STEP = 60; // an arrow key moves the picture by this many screen pixels
const KEY_ZOOM = 1.4, BUTTON_ZOOM = 1.5, CLICK_ZOOM = 2; // factors of one step of zoom
const WHEEL_ZOOM = 0.003, MOST_WHEEL = 100; // logarithm of zoom per unit of the wheel; most units
const NEARLY = 1.0001; // tolerance for the comparison of zooms
const BAR_LENGTHS_MM = [50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1];
const BAR_SHARE = 5; // the scale bar takes at most 1/BAR_SHARE of the width
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export const stage = byId("stage");
export const scene = byId("scene");
export const base = byId("base");

/** The image that is shown, and its foci. */
export let current = null;
export let foci = [];
/** Position at the middle of the stage, image pixels, and screen pixels per image pixel. */
export let view = { x: 0, y: 0, scale: 1 };

/**
 * Tells other scripts what happens in the viewer: "open" (an image is shown), "frame" (another
 * frame of a cine is shown), "draw" (the findings were drawn anew), "move" (the view has changed),
 * "rows" (a table shows other rows), "tool" (`detail` is the new tool of the pointer or null),
 * "select" (`detail` is the focus in the
 * panel or null) and "close".
 */
export const viewerEvents = new EventTarget();
/** Functions that are given a focus and return true if it may be drawn; all must agree. */
export const focusFilters = [];
/**
 * What the pointer does on the picture instead of moving it, or null: an object with the functions
 * `down`, `move` and `up`, which are given the position in image pixels and the event.
 */
let tool = null;
let isFitted = true; // true if the whole picture is shown
let stageSize = "";

/** Show an image in the viewer. */
export function openImage(image) {
  if (byId("viewer").open) stage.focus(); // stores a comment on the image that is left
  current = image;
  foci = tableRows(image, "foci");
  byId("viewer-title").textContent = image.image;
  const index = filtered.indexOf(image);
  byId("previous").disabled = !neighbour(index, -1);
  byId("next").disabled = !neighbour(index, 1);
  if (!byId("viewer").open) byId("viewer").showModal();
  showEvidence(null);
  showFacts();
  openFilm();
  showBase();
  drawFindings();
  showLayers();
  showTables();
  byId("panel").scrollTop = 0;
  fit();
  stageSize = sizeOfStage();
  stage.focus();
  viewerEvents.dispatchEvent(new Event("open"));
}

/** Draw the findings again, after the foci that may be drawn have changed. */
export function redraw() {
  showFacts();
  showLayers();
  redrawFrame();
}

/** Draw the findings again, after another frame was shown. */
export function redrawFrame() {
  drawFindings();
  applyLayers();
  updateView();
  viewerEvents.dispatchEvent(new Event("draw"));
}

/** Show the foci of the image anew, after those that the page shows have changed. */
export function refreshFoci() {
  foci = tableRows(current, "foci");
  showTables();
  redraw();
}

/** Give the pointer another task on the picture, or null for moving the picture. */
export function setTool(newTool) {
  tool = newTool;
  stage.classList.toggle("with-tool", tool !== null);
  viewerEvents.dispatchEvent(new CustomEvent("tool", { detail: tool }));
}

/** Return the position of a pointer event in image pixels. */
export function imagePoint(event) {
  const { left, top, width, height } = stage.getBoundingClientRect();
  return {
    x: view.x + (event.clientX - left - width / 2) / view.scale,
    y: view.y + (event.clientY - top - height / 2) / view.scale,
  };
}

/** Show the facts below the name of the image. */
function showFacts() {
  byId("viewer-facts").textContent = imageFacts(current).join(" \u00b7 ");
}

/** Return the facts below the name of an image. */
function imageFacts(image) {
  const facts = [`${image.columns} \u00d7 ${image.rows} px`, image.geometry];
  if (!hasValue(image.spacing_x_mm)) {
    facts.push(image.spacing_source === "rejected" ? "spacing rejected" : "spacing unknown");
  } else {
    const spacing = `${image.spacing_x_mm} \u00d7 ${image.spacing_y_mm}`;
    facts.push(`${spacing} mm per pixel (${image.spacing_source})`);
  }
  const isHidden = findingsAreHidden(image);
  if (image.frames > 1) {
    const key = isHidden ? "" : `; key frame ${image.key_frame} (counted from 0)`;
    facts.push(`${image.frames} frames analysed${key}`);
  }
  if (image.colour_flow === "yes") facts.push("colour flow");
  if (isHidden) return facts;
  const calcification = image.calcification.replaceAll("+", ", ");
  const score = formatNumber(image.calcification_score, 2);
  facts.push(`calcification: ${calcification} (score ${score})`);
  return facts;
}

/** Return the next image before (-1) or after (1) an index of the gallery that did not fail. */
function neighbour(start, step) {
  let index = start + step;
  while (filtered[index] && filtered[index].status !== "ok") index += step;
  return filtered[index];
}

/** Open the previous (-1) or next (1) image of the gallery. */
export function openNeighbour(step) {
  const image = neighbour(filtered.indexOf(current), step);
  if (image) openImage(image);
}

// ---- the picture ----

/** Show the picture without findings, or what there is in its place. */
export function showBase() {
  const [left, top, width, height] = current.box;
  setAttributes(base, { x: left - 0.5, y: top - 0.5, width, height });
  byId("fallback").hidden = true;
  const picture = shownPicture();
  if (picture) base.setAttribute("href", data.root + picture);
  else showThumbnail();
}

/** Show the thumbnail in place of a missing picture. */
function showThumbnail() {
  if (current.thumbnail) base.setAttribute("href", current.thumbnail);
  else base.removeAttribute("href");
  byId("fallback").hidden = false;
  byId("fallback").textContent = current.thumbnail
    ? "The picture of the run is not beside this file. Its thumbnail is enlarged instead."
    : "The folder of the run has no picture of this image.";
  document.querySelector(".files")?.remove(); // the other files are missing too
}

base.addEventListener("error", () => {
  const isThumbnail = base.getAttribute("href") === current.thumbnail;
  if (!isThumbnail && !pictureFailed()) showThumbnail();
});

// ---- zoom ----

/** Place the picture and everything on it for the current view. */
function updateView() {
  const { width, height } = stage.getBoundingClientRect();
  if (!width || !height) return;
  const left = view.x - width / 2 / view.scale, top = view.y - height / 2 / view.scale;
  scene.setAttribute("viewBox",
    `${left} ${top} ${width / view.scale} ${height / view.scale}`);
  placeFindings();
  hideTip(); // its marker has moved
  showScaleBar(width);
  const least = fittingScale();
  byId("zoom-out").disabled = byId("zoom-fit").disabled = view.scale <= least * NEARLY;
  byId("zoom-in").disabled = view.scale >= least * MOST_ZOOM / NEARLY;
  viewerEvents.dispatchEvent(new Event("move"));
}

/** Show a scale bar of a round length in mm, if the spacing is known. */
function showScaleBar(width) {
  const bar = byId("scale-bar");
  const pixels = hasValue(current.spacing_x_mm) ? view.scale / current.spacing_x_mm : 0;
  const length = BAR_LENGTHS_MM.find((mm) => mm * pixels <= width / BAR_SHARE);
  bar.hidden = !pixels || !length;
  if (bar.hidden) return;
  bar.style.width = `${length * pixels}px`;
  bar.textContent = `${length} mm`;
}

/** Return the scale at which the whole picture fits into the stage. */
function fittingScale() {
  const { width, height } = stage.getBoundingClientRect();
  return Math.min(width / current.box[2], height / current.box[3]) || 1;
}

/** Show the whole picture. */
function fit() {
  const [left, top, width, height] = current.box;
  view = { x: left + (width - 1) / 2, y: top + (height - 1) / 2, scale: fittingScale() };
  isFitted = true;
  updateView();
}

/** Zoom by a factor around a point of the stage, its middle if not given. */
function zoom(factor, x = null, y = null) {
  const { width, height } = stage.getBoundingClientRect(), least = fittingScale();
  const scale = limit(view.scale * factor, least, least * MOST_ZOOM);
  if (scale === least) {
    fit();
    return;
  }
  const dx = (x ?? width / 2) - width / 2, dy = (y ?? height / 2) - height / 2;
  move(dx / view.scale - dx / scale, dy / view.scale - dy / scale, scale);
}

/** Move the middle of the view by image pixels, but not out of the picture. */
export function move(dx, dy, scale = view.scale) {
  const [left, top, width, height] = current.box;
  view = {
    x: limit(view.x + dx, left, left + width),
    y: limit(view.y + dy, top, top + height),
    scale,
  };
  isFitted = false;
  updateView();
}

/** Move a position to the middle of the stage, enlarged by at least a factor. */
export function lookAt({ x, y }, factor = 1) {
  const scale = Math.max(view.scale, Math.min(fittingScale() * factor, MOST_ZOOM));
  move(x - view.x, y - view.y, scale);
}

/** Limit a value to a range. */
function limit(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

/** Return the size of the stage, for comparison. */
function sizeOfStage() {
  return `${stage.clientWidth} ${stage.clientHeight}`;
}

// ---- pointer and keys ----

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  const turns = limit(event.deltaY, -MOST_WHEEL, MOST_WHEEL);
  zoom(Math.exp(-turns * WHEEL_ZOOM), event.clientX - left, event.clientY - top);
}, { passive: false });

const pointers = new Map(); // last event of each pointer that is down: one drags, two pinch

/** Return the middle of the pointers and the distance of the first two, 0 for one. */
function grip() {
  const [one, other] = [...pointers.values()];
  if (!other) return { x: one.clientX, y: one.clientY, distance: 0 };
  const dx = other.clientX - one.clientX, dy = other.clientY - one.clientY;
  return { x: one.clientX + dx / 2, y: one.clientY + dy / 2, distance: Math.hypot(dx, dy) };
}

stage.addEventListener("pointerdown", (event) => {
  const onMarker = event.pointerType !== "touch" && event.target.closest(".marker");
  if (event.button !== 0 || event.target.closest("button")) return;
  if (tool && !pointers.size) {
    stage.setPointerCapture(event.pointerId);
    tool.down(imagePoint(event), event);
    return;
  }
  if (onMarker) return;
  pointers.set(event.pointerId, event);
  // a touch on a marker is left to the marker, whose click selects it
  if (!event.target.closest(".marker")) stage.setPointerCapture(event.pointerId);
  stage.classList.add("dragging");
});
stage.addEventListener("pointermove", (event) => {
  if (tool && !pointers.size) tool.move(imagePoint(event), event);
  if (!pointers.has(event.pointerId)) return;
  const before = grip();
  pointers.set(event.pointerId, event);
  const after = grip();
  move((before.x - after.x) / view.scale, (before.y - after.y) / view.scale);
  if (before.distance && after.distance) {
    const { left, top } = stage.getBoundingClientRect();
    zoom(after.distance / before.distance, after.x - left, after.y - top);
  }
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => {
    if (tool && !pointers.size) tool.up(imagePoint(event), event);
    pointers.delete(event.pointerId);
    if (!pointers.size) stage.classList.remove("dragging");
  });
}
stage.addEventListener("dblclick", (event) => {
  if (event.target.closest("button, .marker")) return;
  const { left, top } = stage.getBoundingClientRect();
  zoom(CLICK_ZOOM, event.clientX - left, event.clientY - top);
});
stage.addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (arrow) move((arrow[0] * ARROW_STEP) / view.scale, (arrow[1] * ARROW_STEP) / view.scale);
  else if (event.key === "+" || event.key === "=") zoom(KEY_ZOOM);
  else if (event.key === "-") zoom(1 / KEY_ZOOM);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
});
byId("zoom-in").addEventListener("click", () => zoom(BUTTON_ZOOM));
byId("zoom-out").addEventListener("click", () => zoom(1 / BUTTON_ZOOM));
byId("zoom-fit").addEventListener("click", fit);
new ResizeObserver(() => {
  const size = sizeOfStage();
  if (!byId("viewer").open || size === stageSize) return;
  stageSize = size;
  if (isFitted || view.scale < fittingScale()) fit();
  else updateView();
}).observe(stage);
// of the whole page, since nothing in the viewer has the focus after a focused button is disabled
document.addEventListener("keydown", (event) => {
  if (!byId("viewer").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "PageDown" || event.key === "PageUp") {
    event.preventDefault();
    openNeighbour(event.key === "PageDown" ? 1 : -1);
  } else if (event.key.toLowerCase() === "h") {
    hideTip();
    toggleFindings();
  }
});
byId("previous").addEventListener("click", () => openNeighbour(-1));
byId("next").addEventListener("click", () => openNeighbour(1));
byId("close").addEventListener("click", () => byId("viewer").close());
byId("viewer").addEventListener("close", () => {
  const cards = [...byId("cards").children];
  const opened = cards.find((item) => item.dataset.image === current.image);
  opened?.querySelector("button")?.focus();
  viewerEvents.dispatchEvent(new Event("close"));
});
