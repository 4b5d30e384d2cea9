// The viewer: the picture of one image with its findings, zoom and keys.

import { byId, data, draw, formatNumber, hasValue, setAttributes, tableRows } from "./dom.js";
import { hideTip, selectFocus, showEvidence, showTip } from "./evidence.js";
import { filtered } from "./gallery.js";
import { showLayers, toggleFindings } from "./layers.js";
import { findingsAreHidden } from "./reviewblind.js";
import { showTables } from "./tables.js";

export const MOST_ZOOM = 40; // largest zoom relative to the picture that fits
const LEAST_RADIUS = 8; // smallest radius of a marker, screen pixels
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

/** The image that is shown, its foci, and the markers of these. */
export let current = null;
export let foci = [];
export let markers = [];
/** Position at the middle of the stage, image pixels, and screen pixels per image pixel. */
export let view = { x: 0, y: 0, scale: 1 };

/**
 * Tells other scripts what happens in the viewer: "open" (an image is shown), "draw" (its findings
 * were drawn anew), "move" (the view has changed), "tool" (`detail` is the new tool of the pointer
 * or null), "select" (`detail` is the focus in the panel or null) and "close".
 */
export const viewerEvents = new EventTarget();
/** Functions that are given a focus and return true if it may be drawn; all must agree. */
export const focusFilters = [];
/**
 * What the pointer does on the picture instead of moving it, or null: an object with the functions
 * `down`, `move` and `up`, which are given the position in image pixels and the event.
 */
let tool = null;
let massTexts = []; // numbers of masses and the image pixels where they are written
let isFitted = true; // true if the whole picture is shown
let stageSize = "";

/** Show an image in the viewer. */
export function openImage(image) {
  current = image;
  foci = tableRows(image, "foci");
  byId("viewer-title").textContent = image.image;
  const index = filtered.indexOf(image);
  byId("previous").disabled = !neighbour(index, -1);
  byId("next").disabled = !neighbour(index, 1);
  if (!byId("viewer").open) byId("viewer").showModal();
  showFacts();
  showBase();
  drawAreas();
  drawMarkers();
  showLayers();
  showTables();
  showEvidence(null);
  byId("panel").scrollTop = 0;
  fit();
  stageSize = sizeOfStage();
  stage.focus();
  viewerEvents.dispatchEvent(new Event("open"));
}

/** Draw the findings again, after the foci that may be drawn have changed. */
export function redraw() {
  showFacts();
  drawAreas();
  drawMarkers();
  showLayers();
  updateView();
  viewerEvents.dispatchEvent(new Event("draw"));
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
  if (image.frames > 1) {
    facts.push(`${image.frames} frames analysed; frame ${image.key_frame} shown (counted from 0)`);
  }
  if (image.colour_flow === "yes") facts.push("colour flow");
  if (findingsAreHidden(image)) return facts;
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
function showBase() {
  const [left, top, width, height] = current.box;
  setAttributes(base, { x: left - 0.5, y: top - 0.5, width, height });
  byId("fallback").hidden = true;
  if (current.links.picture) base.setAttribute("href", data.root + current.links.picture);
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
  if (base.getAttribute("href") !== current.thumbnail) showThumbnail();
});

/** Draw outlines, extents of shadows, and numbers of masses. */
function drawAreas() {
  if (findingsAreHidden(current)) {
    massTexts = [];
    byId("areas").replaceChildren();
    return;
  }
  const outlines = Object.entries(current.outlines).map(([kind, d]) =>
    draw("path", { d, class: `area ${kind.split(" ")[0]}`, "data-layer": kind }));
  const strips = foci.map(shadowStrip).filter(Boolean).map((d) =>
    draw("path", { d, class: "shadow-strip", "data-layer": "shadow" }));
  massTexts = current.tops.map(([mass, x, y]) => {
    const attributes = { class: "marker-text", y: -5, "text-anchor": "middle", fill: "#e69f00" };
    const text = draw("text", attributes, `M${mass}`);
    return { group: draw("g", { "data-layer": "mass" }, text), x, y };
  });
  byId("areas").replaceChildren(...outlines, ...strips, ...massTexts.map(({ group }) => group));
}

/**
 * Return the extent of the shadow of a focus as an SVG path, or an empty string if it has none.
 * The strip is as wide as the focus and lies along the scan line.
 */
function shadowStrip(focus) {
  const { spacing_x_mm: sx, spacing_y_mm: sy, apex, geometry } = current;
  const measured = hasValue(focus.shadow_length_mm) && hasValue(focus.diameter_mm);
  if (focus.shadow !== "yes" || !measured || (geometry === "sector" && !apex)) return "";
  const scanLine = apex ? [(focus.x_px - apex[0]) * sx, (focus.y_px - apex[1]) * sy] : [0, 1];
  const [dx, dy] = scanLine.map((value) => value / Math.hypot(...scanLine));
  const half = focus.diameter_mm / 2, end = half + focus.shadow_length_mm;
  const corner = (along, across) => {
    const x = focus.x_px + (along * dx - across * dy) / sx;
    const y = focus.y_px + (along * dy + across * dx) / sy;
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  return `M${corner(half, -half)}L${corner(end, -half)} ${corner(end, half)} ${corner(half, half)}`;
}

/** Draw the markers of the foci. */
function drawMarkers() {
  const drawn = foci.filter((focus) => focusFilters.every((passes) => passes(focus)));
  markers = drawn.map(makeMarker);
  byId("markers").replaceChildren(...markers.map((marker) => marker.group));
}

/** Make the marker of a focus. */
function makeMarker(focus) {
  const onOtherFrame = current.frames > 1 && focus.frame !== current.key_frame;
  const parts = {
    hit: draw("circle", { class: "hit" }),
    rim: draw("path", { class: "rim" }),
    ring: draw("path", { class: "ring" }),
  };
  const number = String(focus.focus);
  const text = draw("text", { class: "marker-text", "data-layer": "numbers" }, number);
  const confidence = formatNumber(focus.confidence, 2);
  const group = draw("g", {
    class: `marker ${focus.label}${onOtherFrame ? " other-frame" : ""}`,
    tabindex: 0,
    role: "button",
    "data-layer": focus.label,
    "data-focus": focus.focus,
    "aria-label":
      `Focus ${focus.focus}, ${focus.label}, confidence ${confidence}. ${focus.label_reason}`,
    "aria-describedby": "tip",
  }, parts.hit, parts.rim, parts.ring, text);
  if (focus.shadow === "yes") {
    parts.shadow = draw("path", { class: "sign", "data-layer": "shadow" });
    group.append(parts.shadow);
  }
  if (["yes", "possible"].includes(focus.twinkling)) {
    const kind = focus.twinkling === "yes" ? "sign filled" : "sign";
    parts.twinkling = draw("path", { class: kind, "data-layer": "twinkling" });
    group.append(parts.twinkling);
  }
  const marker = { focus, group, text, parts };
  group.addEventListener("mouseenter", () => showTip(marker));
  group.addEventListener("mouseleave", hideTip);
  group.addEventListener("focus", () => showTip(marker));
  group.addEventListener("blur", hideTip);
  group.addEventListener("click", () => {
    selectFocus(focus, false);
    hideTip(); // the panel now has the same content, and the tip would cover the surroundings
  });
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    selectFocus(focus, false);
  });
  return marker;
}

/** Return the ring of a label as an SVG path; its shape differs as well as its colour. */
function ringPath(label, radius) {
  const r = radius.toFixed(1), side = (0.92 * radius).toFixed(1);
  if (label === "intramass") {
    return `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  }
  if (label === "extramass") {
    return `M${-side} ${-side}h${2 * side}v${2 * side}h${-2 * side}z`;
  }
  const top = (-1.35 * radius).toFixed(1), bottom = (0.85 * radius).toFixed(1);
  const right = (1.2 * radius).toFixed(1), left = (-1.2 * radius).toFixed(1);
  return `M0 ${top}L${right} ${bottom}H${left}z`;
}

/** Return the outline of a clump around its centre as an SVG path, in pixels of the screen. */
function outlinePath(focus) {
  const corners = focus.outline_px.split(" ").map((corner) => {
    const [x, y] = corner.split(",").map(Number);
    const dx = (x - focus.x_px) * view.scale, dy = (y - focus.y_px) * view.scale;
    return `${dx.toFixed(1)} ${dy.toFixed(1)}`;
  });
  return `M${corners.join("L")}z`;
}

// ---- zoom ----

/** Place the picture and everything on it for the current view. */
function updateView() {
  const { width, height } = stage.getBoundingClientRect();
  if (!width || !height) return;
  const left = view.x - width / 2 / view.scale, top = view.y - height / 2 / view.scale;
  scene.setAttribute("viewBox",
    `${left} ${top} ${width / view.scale} ${height / view.scale}`);
  for (const { focus, group, text, parts } of markers) {
    const radius = Math.max(LEAST_RADIUS, (focus.diameter_px / 2) * view.scale + 5);
    const path = focus.outline_px ? outlinePath(focus) : ringPath(focus.label, radius);
    placeGroup(group, focus.x_px, focus.y_px);
    parts.hit.setAttribute("r", radius + 4);
    parts.rim.setAttribute("d", path);
    parts.ring.setAttribute("d", path);
    setAttributes(text, { x: (1.1 * radius + 4).toFixed(1), y: 4.5 });
    parts.shadow?.setAttribute("d", `M0 ${radius + 3}v9`);
    parts.twinkling?.setAttribute("d", `M${-radius - 12} 0l4.5-4.5 4.5 4.5-4.5 4.5z`);
  }
  hideTip(); // its marker has moved
  for (const { group, x, y } of massTexts) placeGroup(group, x, y);
  showScaleBar(width);
  const least = fittingScale();
  byId("zoom-out").disabled = byId("zoom-fit").disabled = view.scale <= least * NEARLY;
  byId("zoom-in").disabled = view.scale >= least * MOST_ZOOM / NEARLY;
  viewerEvents.dispatchEvent(new Event("move"));
}

/** Move a group to an image pixel; its content keeps its size on the screen. */
function placeGroup(group, x, y) {
  group.setAttribute("transform", `translate(${x} ${y}) scale(${1 / view.scale})`);
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
export function fittingScale() {
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
