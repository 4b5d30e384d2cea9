// The findings on the picture: markers of foci, outlines of areas, and numbers of masses.

import { byId, draw, formatNumber, hasValue, setAttributes } from "./dom.js";
import { hideTip, selectFocus, chosenFocus, showTip } from "./evidence.js";
import { shownFindings, shownFrame } from "./player.js";
import { findingsAreHidden } from "./reviewblind.js";
import { current, focusFilters, stage, view } from "./viewer.js";

const LEAST_RADIUS = 8; // smallest radius of a marker, screen pixels
const VIEW_MARGIN = 60; // markers are drawn up to this far outside the stage, screen pixels
const MOST_NUMBERS = 300; // with more markers in view their numbers overlap, and browsers are slow

/** The markers that are drawn: the focus of each, its position on the frame, and its elements. */
export let markers = [];
let massTexts = []; // numbers of masses and the image pixels where they are written
let placedScale = null; // the scale for which the findings were placed last

/** Draw the findings of the frame that is shown, and only these. */
export function drawFindings() {
  const findings = shownFindings();
  const spots = findings.spots.filter(({ focus }) => focusFilters.every((passes) => passes(focus)));
  drawAreas(findings, spots);
  drawMarkers(spots);
}

/** Draw outlines, extents of shadows, and numbers of masses. */
function drawAreas(findings, spots) {
  if (findingsAreHidden(current)) {
    massTexts = [];
    byId("areas").replaceChildren();
    return;
  }
  const outlines = Object.entries(findings.outlines).map(([kind, d]) =>
    draw("path", { d, class: `area ${kind.split(" ")[0]}`, "data-layer": kind }));
  const measuredHere = spots.map(({ focus }) => focus).filter(isMeasuredHere);
  const strips = measuredHere.map(shadowStrip).filter(Boolean).map((d) =>
    draw("path", { d, class: "shadow-strip", "data-layer": "shadow" }));
  massTexts = findings.tops.map(([mass, x, y]) => {
    const attributes = { class: "marker-text", y: -5, "text-anchor": "middle", fill: "#e69f00" };
    const text = draw("text", attributes, `M${mass}`);
    return { group: draw("g", { "data-layer": "mass" }, text), x, y };
  });
  byId("areas").replaceChildren(...outlines, ...strips, ...massTexts.map(({ group }) => group));
}

/** Return true if shadow and outline of a focus were measured on the frame that is shown. */
function isMeasuredHere(focus) {
  return current.frames <= 1 || focus.frame === shownFrame();
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

/** Draw the markers of the foci. The marker with the keyboard keeps it if it is drawn again. */
function drawMarkers(spots) {
  const focused = document.activeElement?.closest(".marker")?.dataset.focus;
  markers = spots.map(makeMarker);
  placedScale = null;
  byId("markers").replaceChildren(...markers.map((marker) => marker.group));
  if (!focused) return;
  const again = markers.find(({ focus }) => String(focus.focus) === focused);
  (again?.group ?? stage).focus({ preventScroll: true });
}

/** Make the marker of a focus. */
function makeMarker({ focus, x, y, confidence }) {
  const parts = {
    hit: draw("circle", { class: "hit" }),
    rim: draw("path", { class: "rim" }),
    ring: draw("path", { class: "ring" }),
  };
  const number = String(focus.focus);
  const text = draw("text", { class: "marker-text", "data-layer": "numbers" }, number);
  const group = draw("g", {
    class: `marker ${focus.label}${focus.focus === chosenFocus?.focus ? " selected" : ""}`,
    tabindex: 0,
    role: "button",
    "data-layer": focus.label,
    "data-focus": focus.focus,
    "aria-label":
      `Focus ${number}, ${focus.label}, confidence ${formatNumber(focus.confidence, 2)}. `
      + focus.label_reason,
    "aria-describedby": "tip",
  }, parts.hit, parts.rim, parts.ring, text);
  if (focus.shadow === "yes" && isMeasuredHere(focus)) {
    parts.shadow = draw("path", { class: "sign", "data-layer": "shadow" });
    group.append(parts.shadow);
  }
  if (["yes", "possible"].includes(focus.twinkling)) {
    const kind = focus.twinkling === "yes" ? "sign filled" : "sign";
    parts.twinkling = draw("path", { class: kind, "data-layer": "twinkling" });
    group.append(parts.twinkling);
  }
  const marker = { focus, x, y, confidence, group, text, parts };
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

/** Place the markers and the numbers of masses for the current view. */
export function placeFindings() {
  // a browser lays out again all that is set, so that only a change of scale may set it
  if (placedScale !== view.scale) placeForScale();
  placedScale = view.scale;
  showMarkersInView();
}

/** Leave markers outside the view undrawn, and all numbers if there are very many. */
function showMarkersInView() {
  const { width, height } = stage.getBoundingClientRect();
  const reachX = (width / 2 + VIEW_MARGIN) / view.scale;
  const reachY = (height / 2 + VIEW_MARGIN) / view.scale;
  let number = 0;
  for (const marker of markers) {
    const radius = marker.focus.diameter_px / 2; // the outline of a clump may be large
    const isNear = Math.abs(marker.x - view.x) < reachX + radius
      && Math.abs(marker.y - view.y) < reachY + radius;
    const isIn = isNear || marker.group === document.activeElement; // else it would lose the keys
    if (isIn) number += 1;
    if (isIn === marker.isIn) continue;
    marker.isIn = isIn;
    marker.group.classList.toggle("outside", !isIn);
  }
  byId("markers").classList.toggle("crowded", number > MOST_NUMBERS);
}

/** Place the markers and the numbers of masses, whose content keeps its size on the screen. */
function placeForScale() {
  for (const { focus, x, y, group, text, parts } of markers) {
    const radius = Math.max(LEAST_RADIUS, (focus.diameter_px / 2) * view.scale + 5);
    const hasOutline = focus.outline_px && isMeasuredHere(focus);
    const path = hasOutline ? outlinePath(focus) : ringPath(focus.label, radius);
    placeGroup(group, x, y);
    parts.hit.setAttribute("r", radius + 4);
    parts.rim.setAttribute("d", path);
    parts.ring.setAttribute("d", path);
    setAttributes(text, { x: (1.1 * radius + 4).toFixed(1), y: 4.5 });
    parts.shadow?.setAttribute("d", `M0 ${radius + 3}v9`);
    parts.twinkling?.setAttribute("d", `M${-radius - 12} 0l4.5-4.5 4.5 4.5-4.5 4.5z`);
  }
  for (const { group, x, y } of massTexts) placeGroup(group, x, y);
}

/** Move a group to an image pixel; its content keeps its size on the screen. */
function placeGroup(group, x, y) {
  group.setAttribute("transform", `translate(${x} ${y}) scale(${1 / view.scale})`);
}
