// Tools of the pointer: move and size findings, add a focus, add a mass.

import { byId, draw } from "./dom.js";
import { pause } from "./player.js";
import { addFocus, addMass, allFindings, isSame } from "./reviewactions.js";
import { moveFinding, selectFinding, selectedFinding, valuesHere } from "./reviewactions.js";
import { draftLayer, polygonPath, ringRadius } from "./reviewmarks.js";
import { move, setTool, stage, view, viewerEvents } from "./viewer.js";

const CLICK_SLOP = 5; // a pointer that moves less, in screen pixels, clicks
const GRAB_REACH = 12; // distance from a mark at which the pointer grabs it, screen pixels
const GRAB_RIM = 5; // half of the width of the ring that sizes a focus, screen pixels

/** Name of the tool in use: "edit", "focus", "mass", or empty. */
export let reviewTool = "";
let dragged = null; // what a drag began with: `from`, the last position, and what it moves
let corners = []; // corners of the polygon that is being drawn

/** Return true if two positions are one click apart or less. */
function isClick(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y) * view.scale < CLICK_SLOP;
}

/** Return the finding that the pointer grabs at a position, and whether at its ring, or null. */
function grabbed(point) {
  let best = null;
  for (const finding of allFindings()) {
    const values = valuesHere(finding);
    if (!values) continue; // on other frames of the cine
    const distance = Math.hypot(point.x - values.x, point.y - values.y) * view.scale;
    const hasRing = finding.kind === "focus" || finding.kind === "added";
    const radius = hasRing ? ringRadius(values.diameter ?? 0) : 0;
    const isRing = hasRing && radius > GRAB_REACH && Math.abs(distance - radius) <= GRAB_RIM;
    if (distance > GRAB_REACH && !isRing) continue;
    // the selected finding comes first, so that it can be told from one beneath it
    const rank = isSame(finding, selectedFinding) ? -1 : distance;
    if (!best || rank < best.rank) best = { finding, values, isRing, rank };
  }
  return best;
}

const TOOLS = {
  edit: {
    down(point, event) {
      dragged = { pointer: event.pointerId, from: point, last: point, grab: grabbed(point) };
      if (dragged.grab) selectFinding(dragged.grab.finding);
    },
    move(point, event) {
      if (dragged?.pointer !== event.pointerId) return;
      if (!dragged.grab) {
        // the picture follows the pointer, so that `from` stays beneath it
        move(dragged.from.x - point.x, dragged.from.y - point.y);
        return;
      }
      dragged.last = point;
      const { x, y, diameter } = editedValues();
      draftLayer.replaceChildren(draftRing(x, y, diameter));
    },
    up(point, event) {
      if (!endsDrag(event)) return;
      dragged.last = point;
      const { grab, from } = dragged;
      if (grab && !isClick(from, point)) moveFinding(grab.finding, editedValues());
      endDrag();
    },
  },
  focus: {
    down(point, event) {
      dragged = { pointer: event.pointerId, from: point };
    },
    move(point, event) {
      if (dragged?.pointer !== event.pointerId) return;
      draftLayer.replaceChildren(draftRing(dragged.from.x, dragged.from.y, dragDiameter(point)));
    },
    up(point, event) {
      if (!endsDrag(event)) return;
      const { from } = dragged;
      endDrag();
      if (isClick(from, point)) addFocus(from);
      else addFocus({ ...from, diameter: dragDiameter(point, from) });
    },
  },
  mass: {
    down(point, event) {
      dragged = { pointer: event.pointerId, from: point };
    },
    move(point, event) {
      if (corners.length) drawDraft([...corners, [point.x, point.y]]);
      if (dragged?.pointer !== event.pointerId || corners.length) return;
      if (!isClick(dragged.from, point)) drawDraft(boxCorners(dragged.from, point));
    },
    up(point, event) {
      if (!endsDrag(event)) return;
      const { from } = dragged;
      dragged = null;
      if (!corners.length && !isClick(from, point)) {
        finishTool();
        addMass(boxCorners(from, point));
        return;
      }
      // the second click of a double click adds no corner
      const last = corners.at(-1);
      if (!last || !isClick({ x: last[0], y: last[1] }, point)) corners.push([point.x, point.y]);
      drawDraft(corners);
    },
  },
};

/** Return true if an event ends the drag; one that the browser takes away is forgotten. */
function endsDrag(event) {
  if (dragged?.pointer !== event.pointerId) return false;
  if (event.type !== "pointercancel") return true;
  endDrag();
  return false;
}

/** Return where the dragged finding is to be, and its diameter if its ring is dragged. */
function editedValues() {
  const { from, last, grab: { values, isRing } } = dragged;
  if (isRing) {
    const before = Math.hypot(from.x - values.x, from.y - values.y);
    const after = Math.hypot(last.x - values.x, last.y - values.y);
    const diameter = (values.diameter ?? 0) + 2 * (after - before);
    return { x: values.x, y: values.y, diameter };
  }
  const x = values.x + last.x - from.x, y = values.y + last.y - from.y;
  return { x, y, diameter: values.diameter };
}

/** Return the diameter of a focus whose edge is at a position. */
function dragDiameter(point, from = dragged.from) {
  return 2 * Math.hypot(point.x - from.x, point.y - from.y);
}

/** Return the corners of a box. */
function boxCorners(one, other) {
  return [[one.x, one.y], [other.x, one.y], [other.x, other.y], [one.x, other.y]];
}

/** Make the ring that shows where a focus is going to be. */
function draftRing(cx, cy, diameter) {
  const r = Math.max(diameter ?? 0, 2 / view.scale) / 2;
  return draw("circle", { class: "draft", cx, cy, r });
}

/** Draw the outline that shows where a mass is going to be. */
function drawDraft(points) {
  const dots = points.map(([cx, cy]) =>
    draw("circle", { class: "draft", cx, cy, r: 3 / view.scale }));
  const d = points.length > 1 ? polygonPath(points) : null;
  draftLayer.replaceChildren(draw("path", { class: "draft", d }), ...dots);
}

/** Forget a drag and what was drawn for it. */
function endDrag() {
  dragged = null;
  corners = [];
  draftLayer.replaceChildren();
}

/** Use a tool of the review, or none for an empty name. */
export function useTool(name) {
  if (name) pause(); // a mark belongs to the frame that is shown
  if (name || reviewTool) setTool(TOOLS[name] ?? null);
}

/** Leave the tool after what it does once. */
function finishTool() {
  useTool("");
}

/** Close the polygon that is being drawn. Return true if there is one of at least 3 corners. */
export function closePolygon() {
  if (reviewTool !== "mass" || corners.length < 3) return false;
  const closed = corners;
  finishTool();
  addMass(closed);
  return true;
}

/** Remove the last corner of the polygon that is being drawn. Return true if there is one. */
export function removeCorner() {
  if (!corners.length) return false;
  corners.pop();
  drawDraft(corners);
  return true;
}

/** Add a focus in the middle of the stage, for readers without a pointer. */
export function addFocusInMiddle() {
  addFocus({ x: view.x, y: view.y });
}

// before the viewer, which zooms on a double click
stage.addEventListener("dblclick", (event) => {
  if (!reviewTool || event.target.closest("button")) return;
  event.stopImmediatePropagation();
  closePolygon();
}, { capture: true });
// other scripts have tools of the pointer too
viewerEvents.addEventListener("tool", ({ detail: tool }) => {
  endDrag();
  reviewTool = Object.keys(TOOLS).find((name) => TOOLS[name] === tool) ?? "";
  stage.dataset.reviewTool = reviewTool;
});
viewerEvents.addEventListener("open", () => useTool(""));
byId("viewer").addEventListener("cancel", (event) => {
  if (!reviewTool) return;
  event.preventDefault(); // Escape leaves the tool, not the viewer
  useTool("");
});
