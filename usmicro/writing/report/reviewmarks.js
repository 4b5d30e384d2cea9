// What the reader decided, drawn on the picture: ticks, strikes, own marks and outlines.

import { byId, draw, setAttributes } from "./dom.js";
import { commentOn, currentRecord, decisionOn, frameShown, isSame } from "./reviewactions.js";
import { listedMasses, listedValues, massOutline, topOf, valuesHere } from "./reviewactions.js";
import { selectFinding, selectedFinding, valuesOf } from "./reviewactions.js";
import { markers } from "./markers.js";
import { reopenFilm } from "./player.js";
import { findingsAreHidden } from "./reviewblind.js";
import { reviewEvents } from "./reviewstore.js";
import { showTables } from "./tables.js";
import { current, focusFilters, redraw, view, viewerEvents } from "./viewer.js";

const LEAST_MARK_RADIUS = 7; // smallest radius of a mark of the reader, screen pixels
const MARK_MARGIN = 3; // distance of the ring from the edge of the focus, screen pixels
const TICK_PATH = "M-6 0l4 5 8-10";
const BADGE_RADIUS = 11; // of the sign beside the number of a mass, screen pixels
const BADGE_OFFSET = 34; // distance of this sign from the top of its mass, screen pixels

const reviewLayer = draw("g", { id: "review-marks" });
/** Group in which a tool draws what it is about to add. */
export const draftLayer = draw("g", { id: "review-draft" });
byId("markers").after(reviewLayer, draftLayer);
let placedMarks = []; // functions that place the marks for the view
let wasHidden = false; // true if the findings were hidden when they were drawn last

/** Draw all decisions on the image that is shown. */
export function drawReview() {
  if (!current) return;
  const isHidden = findingsAreHidden(current);
  wasHidden = isHidden;
  byId("viewer").classList.toggle("blind", isHidden);
  for (const marker of markers) showState(marker);
  drawMarks(isHidden);
  markRows();
}

/** Draw the marks of the reader and the signs of the masses, which differ if they are selected. */
function drawMarks(isHidden) {
  placedMarks = [];
  const record = currentRecord();
  const masses = isHidden ? [] : listedMasses().flatMap((mass) => massSigns(mass));
  const drawn = (record.drawn ?? []).flatMap((mass, key) =>
    (isOnFrame(mass) ? [drawnMass(mass, key)] : []));
  const moved = isHidden ? [] : Object.entries(record.foci ?? {})
    .flatMap(([key, focus]) => movedFocus(Number(key), focus));
  const added = (record.added ?? []).flatMap((focus, key) =>
    (isOnFrame(focus) ? [ownFocus({ kind: "added", key }, focus, `+${key + 1}`)] : []));
  reviewLayer.replaceChildren(...masses, ...drawn, ...moved, ...added);
  placeReview();
}

/** Return true if a mark belongs to the frame that is shown. */
function isOnFrame({ frame = 0 }) {
  return frame === frameShown();
}

/** Show the decision on a listed focus at its marker. */
function showState({ focus, group, parts }) {
  const finding = { kind: "focus", key: focus.focus };
  const decision = decisionOn(finding);
  const label = decision === "accepted" ? valuesOf(finding).label ?? "" : focus.label;
  if (parts.state === decision + label) return; // most of very many foci do not change
  parts.state = decision + label;
  group.classList.toggle("accepted", decision === "accepted");
  group.classList.toggle("rejected", decision === "rejected");
  group.dataset.relabelled = label === focus.label ? "" : label;
  group.dataset.decision = decision;
  parts.decision?.remove();
  parts.decision = decision ? draw("path", { class: "decision-sign" }) : null;
  parts.decisionScale = null;
  if (parts.decision) group.append(parts.decision);
}

/** Make the outline, and the sign with the decision, of a listed mass. */
function massSigns({ mass }) {
  const finding = { kind: "mass", key: mass };
  const decision = decisionOn(finding), values = valuesHere(finding);
  if (!values) return []; // on other frames of the cine
  const outline = massOutline(finding), listed = listedValues(finding);
  const own = valuesOf(finding);
  const isMoved = isOnFrame(own)
    && (Boolean(own.outline) || own.x !== listed.x || own.y !== listed.y);
  const top = topOf(mass);
  const at = top && !isMoved ? { x: top[1], y: top[2] } : values;
  const sign = draw("g", {
    class: `mass-sign ${decision}${isSame(finding, selectedFinding) ? " selected" : ""}`,
    tabindex: 0, role: "button", "data-mass": mass,
    "aria-label": `Mass ${mass}: ${decision || "not decided"}`,
  }, draw("circle", { r: BADGE_RADIUS, cx: top ? BADGE_OFFSET : 0, cy: top ? -9 : 0 }),
  draw("path", { class: "decision-sign", d: signPath(decision),
    transform: `translate(${top ? BADGE_OFFSET : 0} ${top ? -9 : 0})` }));
  makeSelectable(sign, finding);
  placedMarks.push(() => placeMark(sign, at));
  if (!outline || !decision) return [sign];
  const kind = isMoved ? "moved" : decision;
  return [draw("path", { class: `mass-decision ${kind}`, d: polygonPath(outline) }), sign];
}

/** Return the sign of a decision as an SVG path around its middle. */
function signPath(decision) {
  if (decision === "accepted") return TICK_PATH;
  if (decision === "rejected") return "M-5-5L5 5M5-5L-5 5";
  return "M-1 0h2";
}

/** Make the outline of a mass of the reader, with a grip in its middle. */
function drawnMass(mass, key) {
  const finding = { kind: "drawn", key };
  const grip = draw("g", { class: "own-grip", tabindex: 0, role: "button",
    "aria-label": `Your mass ${key + 1}` },
  draw("circle", { r: BADGE_RADIUS }), draw("text", { class: "marker-text", x: 0, y: 4.5,
    "text-anchor": "middle" }, `+M${key + 1}`));
  const group = draw("g", { class: markClass("own-mass", finding), "data-drawn": key },
    draw("path", { class: "own-outline", d: polygonPath(mass.outline) }), grip);
  makeSelectable(grip, finding);
  placedMarks.push(() => placeMark(grip, mass));
  return group;
}

/** Make the mark where the reader moved a listed focus, and a line to where it was. */
function movedFocus(key, focus) {
  const listed = listedValues({ kind: "focus", key });
  const isMoved = listed && focus.decision === "accepted" && isOnFrame(focus)
    && ["frame", "x", "y", "diameter"].some((name) => focus[name] !== listed[name]);
  if (!isMoved) return [];
  const marker = markers.find((other) => other.focus.focus === key);
  const lines = marker ? [draw("path", { class: "move-line",
    d: `M${marker.x} ${marker.y}L${focus.x} ${focus.y}` })] : [];
  return [...lines, ownFocus({ kind: "focus", key }, focus, "")];
}

/** Make the ring of a focus of the reader. */
function ownFocus(finding, focus, name) {
  const ring = draw("circle", { class: "own-ring" }), rim = draw("circle", { class: "rim" });
  const hit = draw("circle", { class: "hit" });
  const text = draw("text", { class: "marker-text" }, name);
  const group = draw("g", {
    class: `${markClass("own-focus", finding)} ${focus.label ?? ""}`,
    tabindex: 0, role: "button", [`data-${finding.kind === "added" ? "added" : "moved"}`]:
      finding.key,
    "aria-label": name ? `Your focus ${finding.key + 1}, ${focus.label ?? "no label"}`
      : `Your position of focus ${finding.key}`,
  }, hit, rim, ring, text);
  makeSelectable(group, finding);
  placedMarks.push(() => {
    const radius = ringRadius(focus.diameter ?? 0);
    for (const circle of [rim, ring]) circle.setAttribute("r", radius);
    hit.setAttribute("r", radius + 5);
    setAttributes(text, { x: radius + 4, y: -radius });
    placeMark(group, focus);
  });
  return group;
}

/** Return the radius of the ring around a focus of a diameter, in screen pixels. */
export function ringRadius(diameter) {
  return Math.max(LEAST_MARK_RADIUS, (diameter / 2) * view.scale + MARK_MARGIN);
}

/** Return the class of a mark of the reader. */
function markClass(name, finding) {
  const selected = isSame(finding, selectedFinding) ? " selected" : "";
  return `${name}${selected}`;
}

/** Let the pointer and the keyboard select a finding by its mark. */
function makeSelectable(element, finding) {
  element.addEventListener("click", () => selectFinding(finding));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    selectFinding(finding);
  });
}

/** Return a polygon as an SVG path. */
export function polygonPath(corners) {
  return `M${corners.map(([x, y]) => `${x} ${y}`).join("L")}z`;
}

/** Place a mark; its content keeps its size on the screen. */
function placeMark(group, { x, y }) {
  group.setAttribute("transform", `translate(${x} ${y}) scale(${1 / view.scale})`);
}

/** Place all marks for the view. */
function placeReview() {
  for (const place of placedMarks) place();
  for (const { group, parts } of markers) {
    if (!parts.decision || parts.decisionScale === view.scale) continue;
    parts.decisionScale = view.scale;
    const radius = Number(parts.hit.getAttribute("r")) - 2;
    if (group.dataset.decision === "accepted") {
      setAttributes(parts.decision, { d: TICK_PATH,
        transform: `translate(${-radius - 3} ${-radius - 1})` });
    } else {
      const end = 0.8 * radius;
      parts.decision.setAttribute("d", `M${-end} ${end}L${end} ${-end}`);
    }
  }
}

/** Show the decisions in the tables of the image. */
export function markRows() {
  for (const [kind, name] of [["focus", "data-focus"], ["mass", "data-mass"]]) {
    for (const row of byId("tables").querySelectorAll(`tr[${name}]`)) {
      const key = Number(row.getAttribute(name));
      const decision = decisionOn({ kind, key });
      row.classList.toggle("accepted", decision === "accepted");
      row.classList.toggle("rejected", decision === "rejected");
      const comment = commentOn({ kind, key });
      row.classList.toggle("commented", Boolean(comment));
      const title = [decision, comment].filter(Boolean).join(": ");
      if (row.title !== title) row.title = title;
    }
  }
}

focusFilters.push(() => !findingsAreHidden(current));
for (const name of ["open", "draw"]) viewerEvents.addEventListener(name, drawReview);
viewerEvents.addEventListener("select", () => drawMarks(findingsAreHidden(current)));
viewerEvents.addEventListener("move", placeReview);
viewerEvents.addEventListener("rows", () => {
  markRows();
  if (!selectedFinding) return;
  const { kind, key } = selectedFinding;
  byId("tables").querySelector(`tr[data-${kind}="${key}"]`)?.classList.add("selected");
});
reviewEvents.addEventListener("change", ({ detail: images }) => {
  if (!current || !images.includes(current.image)) return;
  if (wasHidden === findingsAreHidden(current)) drawReview();
  else drawAnew();
});
for (const name of ["reader", "settings"]) reviewEvents.addEventListener(name, drawAnew);

/** Draw the image anew, after its findings were hidden or shown. */
function drawAnew() {
  if (!current || !byId("viewer").open) return;
  if (wasHidden !== findingsAreHidden(current)) reopenFilm(); // another choice of frames
  showTables();
  redraw();
  selectFinding(null);
}
