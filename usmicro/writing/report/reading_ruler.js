// Rulers on the picture, in mm, or in pixels where the spacing is unknown.

import { draw, hasValue } from "./dom.js";
import { addTool, barButton, onKey } from "./reading_tools.js";
import { base, current, scene, view, viewerEvents } from "./viewer.js";

const GRAB = 14; // an end of a ruler is taken from this many screen pixels
const LEAST_LENGTH = 4; // a shorter drag, in screen pixels, makes no ruler
const TICK = 5; // half of the length of the line across an end, screen pixels
const rulersOf = new WeakMap(); // rulers of each image
const rulerLayer = draw("g", { id: "rulers" });
let heldRuler = null; // the ruler that is drawn, and the end that moves

scene.append(rulerLayer);

/** Return the rulers of the current image. */
function rulers() {
  if (!rulersOf.has(current)) rulersOf.set(current, []);
  return rulersOf.get(current);
}

/** Return the length of a ruler as text. */
export function lengthText({ ends: [one, other] }) {
  const { spacing_x_mm: sx, spacing_y_mm: sy } = current;
  const dx = other.x - one.x, dy = other.y - one.y;
  if (!hasValue(sx) || !hasValue(sy)) return `${Math.hypot(dx, dy).toFixed(1)} px`;
  const mm = Math.hypot(dx * sx, dy * sy);
  return `${mm.toFixed(mm < 10 ? 2 : 1)} mm`;
}

/** Draw all rulers. */
function drawRulers() {
  rulerLayer.replaceChildren(...rulers().map(drawRuler));
  deleteRulers.disabled = !rulers().length;
}

/** Draw a ruler: a line with ends, its length, and a cross that deletes it. */
function drawRuler(ruler) {
  const [one, other] = ruler.ends;
  const dx = (other.x - one.x) * view.scale, dy = (other.y - one.y) * view.scale;
  const length = Math.hypot(dx, dy) || 1;
  const tx = (-dy / length) * TICK, ty = (dx / length) * TICK;
  const tick = (x, y) => `M${x - tx} ${y - ty}L${x + tx} ${y + ty}`;
  const d = `M0 0L${dx} ${dy}${tick(0, 0)}${tick(dx, dy)}`;
  // the length is written beside the right end
  const right = dx >= 0 ? { x: dx, y: dy } : { x: 0, y: 0 };
  const text = draw("text", { class: "marker-text", x: right.x + 10, y: right.y + 4.5 },
    lengthText(ruler));
  const cross = draw("g", { class: "ruler-delete",
    transform: `translate(${right.x + 16} ${right.y + 18})` },
    draw("title", {}, "Delete this ruler"), draw("circle", { r: 9 }),
    draw("path", { d: "M-3.5-3.5l7 7m0-7l-7 7" }));
  cross.ruler = ruler;
  return draw("g", { class: "ruler",
    transform: `translate(${one.x} ${one.y}) scale(${1 / view.scale})` },
    draw("path", { d, class: "rim" }), draw("path", { d, class: "ring" }), text, cross);
}

/** Return the ruler with an end near a position, and the index of the end; or null. */
function endAt({ x, y }) {
  for (const ruler of rulers()) {
    const near = ({ x: endX, y: endY }) =>
      Math.hypot(endX - x, endY - y) * view.scale <= GRAB;
    const end = ruler.ends.findIndex(near);
    if (end >= 0) return { ruler, end };
  }
  return null;
}

/** Delete one ruler. */
function removeRuler(ruler) {
  rulers().splice(rulers().indexOf(ruler), 1);
  drawRulers();
}

/** Return a position within the picture. */
function withinPicture({ x, y }) {
  const [left, top, width, height] = ["x", "y", "width", "height"].map((name) =>
    Number(base.getAttribute(name)));
  return {
    x: Math.min(left + width, Math.max(left, x)),
    y: Math.min(top + height, Math.max(top, y)),
  };
}

addTool({
  down: (point, event) => {
    const cross = event.target.closest(".ruler-delete");
    if (cross) {
      removeRuler(cross.ruler);
      return;
    }
    heldRuler = endAt(point);
    if (heldRuler) return;
    const ruler = { ends: [withinPicture(point), withinPicture(point)] };
    rulers().push(ruler);
    heldRuler = { ruler, end: 1 };
  },
  move: (point) => {
    if (!heldRuler) return;
    heldRuler.ruler.ends[heldRuler.end] = withinPicture(point);
    drawRulers();
  },
  up: (point, event) => {
    if (!heldRuler) return;
    if (event.type === "pointerup") heldRuler.ruler.ends[heldRuler.end] = withinPicture(point);
    const [one, other] = heldRuler.ruler.ends;
    const length = Math.hypot(other.x - one.x, other.y - one.y) * view.scale;
    if (length < LEAST_LENGTH) removeRuler(heldRuler.ruler);
    else drawRulers();
    heldRuler = null;
  },
}, "Ruler", "L", "Measure: drag from point to point; drag an end to correct it");
const deleteRulers = barButton("Delete rulers", null, "Delete all rulers of this image", () => {
  rulers().length = 0;
  drawRulers();
});
onKey("delete", () => {
  if (rulers().length) removeRuler(rulers().at(-1));
});
for (const name of ["open", "move"]) viewerEvents.addEventListener(name, drawRulers);
viewerEvents.addEventListener("close", () => { heldRuler = null; });
