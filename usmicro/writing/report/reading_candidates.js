// The candidates near the pointer, with the reason why they are not shown.

import { byId, draw, formatNumber, hasValue, make, tableRows } from "./dom.js";
import { hideTip } from "./evidence.js";
import { markers } from "./markers.js";
import { shownFrame } from "./player.js";
import { detailsOf } from "./reading_details.js";
import { findingsAreHidden } from "./reviewblind.js";
import { addTool, isActive } from "./reading_tools.js";
import { current, foci, move, scene, stage, view, viewerEvents } from "./viewer.js";

const REACH = 22; // candidates are found within this many screen pixels
const MOST_NEAR = 3; // number of candidates that are described
const CLICK_DISTANCE = 4; // a drag of more screen pixels moves the picture
const SMALL = matchMedia("(max-width: 900px)"); // where the panel is below the picture
const CROSS = 4; // half of the size of a cross, screen pixels
const crosses = draw("g", { id: "candidates" });
const candidateCard = make("div", { class: "candidate-card", role: "status" });
let candidates = []; // of the current image
let omitted = 0; // number of candidates that the run did not store
let tapStart = null; // where the pointer went down and was last, screen pixels

candidateCard.hidden = true;
scene.append(crosses);
stage.append(candidateCard);

/** Load and draw the candidates of the current image. */
async function showCandidates() {
  const image = current;
  if (!isKeyFrame() || findingsAreHidden(image)) return; // other frames have none stored
  const stored = await detailsOf(image);
  if (image !== current || !isActive(candidatesTool) || !isKeyFrame()) return;
  omitted = stored?.omitted ?? 0;
  candidates = [...hiddenFoci(image), ...storedCandidates(stored)];
  drawCrosses();
  if (stored) return;
  showCard([make("p", {}, image.links.details
    ? "The candidates of this image are not beside this file (report/details)."
    : "The run stored no candidates of this image; run usmicro again to store them.")]);
}

/** Return true if the frame that is shown is the one with stored candidates. */
function isKeyFrame() {
  return shownFrame() === current.key_frame;
}

/** Return the candidates that the run stored, as objects. */
function storedCandidates(stored) {
  if (!stored) return [];
  return stored.candidates.map((row) =>
    Object.fromEntries(stored.columns.map((name, index) => [name, row[index]])));
}

/** Return the foci that the slider hides, as candidates. */
function hiddenFoci(image) {
  const shown = new Set(foci.map((focus) => focus.focus));
  return tableRows(image.listed, "foci")
    .filter((focus) => !shown.has(focus.focus) && focus.frame === image.key_frame)
    .map((focus) => Object.assign(focus, { reason: "Listed in foci.csv as focus "
      + `${focus.focus}, but below the confidence from which foci are shown. `
      + `${focus.confidence_reason ?? ""}` }));
}

/** Draw a cross at each candidate. */
function drawCrosses() {
  const r = CROSS / view.scale;
  const d = candidates.map(({ x_px: x, y_px: y }) =>
    `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`).join("");
  crosses.replaceChildren(draw("path", { d, class: "rim" }), draw("path", { d, class: "ring" }));
}

/** Show what is known of the candidates near a position, or that there are none. */
function describeNear(point) {
  if (findingsAreHidden(current)) return; // it would tell a reader where the program found them
  const distance = ({ x_px: x, y_px: y }) => Math.hypot(x - point.x, y - point.y) * view.scale;
  // of foci, the positions on the frame that is shown
  const shown = markers.map(({ focus, x, y }) =>
    Object.assign({}, focus, { x_px: x, y_px: y }));
  const near = [...shown, ...candidates].filter((item) => distance(item) <= REACH);
  near.sort((one, other) => distance(one) - distance(other));
  const parts = near.slice(0, MOST_NEAR).map((item) => (shown.includes(item)
    ? describeCandidate(`Focus ${item.focus}`, item, `Listed. ${item.confidence_reason ?? ""}`)
    : describeCandidate("Candidate", item, item.reason)));
  if (!parts.length) {
    const rest = omitted
      ? ` The ${omitted.toLocaleString("en")} least confident candidates are not stored.` : "";
    const none = "No candidate here: no bright point stands out of the speckle.";
    parts.push(make("p", {}, isKeyFrame() ? none + rest
      : `No focus here. Candidates are known of the key frame alone, frame ${current.key_frame}.`));
  }
  showCard(parts);
}

/** Describe a candidate: its measurements and a reason. */
function describeCandidate(name, item, reason) {
  const size = hasValue(item.diameter_mm) ? `${formatNumber(item.diameter_mm, 2)} mm`
    : `${formatNumber(item.diameter_px, 1)} px`;
  const confidence = hasValue(item.confidence) ? item.confidence.toPrecision(2) : "unknown";
  const facts = [`confidence ${confidence}`, `size ${size}`,
    `contrast ${formatNumber(item.contrast, 1)}`];
  return make("div", {}, make("strong", {}, `${name}: ${facts.join(", ")}`),
    make("p", {}, reason));
}

/** Show the card over the picture, or in the panel where the picture is small. */
function showCard(content) {
  hideTip();
  candidateCard.replaceChildren(...content);
  candidateCard.hidden = false;
  if (!SMALL.matches) {
    stage.append(candidateCard);
    return;
  }
  byId("panel").prepend(candidateCard);
  byId("panel").scrollTop = 0;
}

const candidatesTool = {
  down: (_, event) => { tapStart = { x: event.clientX, y: event.clientY, moved: 0 }; },
  move: (_, event) => {
    if (!tapStart) return;
    const dx = event.clientX - tapStart.x, dy = event.clientY - tapStart.y;
    const moved = tapStart.moved + Math.hypot(dx, dy);
    if (moved < CLICK_DISTANCE) return;
    tapStart = { x: event.clientX, y: event.clientY, moved };
    move(-dx / view.scale, -dy / view.scale);
  },
  up: (point, event) => {
    const isTap = tapStart && tapStart.moved < CLICK_DISTANCE && event.type === "pointerup";
    if (isTap) describeNear(point);
    tapStart = null;
  },
};
addTool(candidatesTool, "Candidates", "P",
  "Why is this not listed? Click at a place in the picture");
viewerEvents.addEventListener("tool", () => {
  candidateCard.hidden = true;
  if (isActive(candidatesTool)) showCandidates();
  else crosses.replaceChildren();
});
for (const name of ["open", "draw"]) {
  viewerEvents.addEventListener(name, () => {
    candidateCard.hidden = true;
    crosses.replaceChildren();
    candidates = [];
    if (isActive(candidatesTool)) showCandidates();
  });
}
viewerEvents.addEventListener("move", () => {
  if (crosses.firstChild) drawCrosses();
});
