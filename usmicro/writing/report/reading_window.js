// Window and level of the grey levels, on the picture alone.

import { draw, make, setAttributes } from "./dom.js";
import { addTool, addToBar, barButton, isActive } from "./reading_tools.js";
import { base, current, scene, stage, viewerEvents } from "./viewer.js";

const FULL = { level: 127.5, width: 255, inverted: false }; // grey levels as they are
const LEAST_WINDOW = 2, MOST_WINDOW = 510, MOST_LEVEL = 255;
const ARROW_GREY = 8; // grey levels of one press of an arrow key
const windowChannels = ["R", "G", "B"].map((name) => draw(`feFunc${name}`, { type: "linear" }));
let greyWindow = { ...FULL };
let windowDrag = null; // where the drag began on the screen, and the window there
let windowedImage = null; // the image for which the window was set

scene.prepend(draw("filter", {
  // the picture itself, without a margin, so that the browser filters no more than it shows
  id: "window-filter", x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB",
}, draw("feComponentTransfer", {}, ...windowChannels)));

/** Set the window and show it. */
function setWindow(changes) {
  greyWindow = { ...greyWindow, ...changes };
  greyWindow.width = Math.min(MOST_WINDOW, Math.max(LEAST_WINDOW, greyWindow.width));
  greyWindow.level = Math.min(MOST_LEVEL, Math.max(0, greyWindow.level));
  const sign = greyWindow.inverted ? -1 : 1;
  const slope = (sign * FULL.width) / greyWindow.width;
  const intercept = 0.5 - (sign * greyWindow.level) / greyWindow.width;
  for (const channel of windowChannels) setAttributes(channel, { slope, intercept });
  const isFull = Object.entries(FULL).every(([name, value]) => greyWindow[name] === value);
  base.classList.toggle("windowed", !isFull);
  invertButton.setAttribute("aria-pressed", String(greyWindow.inverted));
  resetWindow.disabled = isFull;
  readout.textContent = isFull ? ""
    : `window ${Math.round(greyWindow.width)}, level ${Math.round(greyWindow.level)}`;
}

const windowTool = {
  down: (_, event) => { windowDrag = { x: event.clientX, y: event.clientY, grey: greyWindow }; },
  move: (_, event) => {
    if (!windowDrag) return;
    setWindow({
      width: windowDrag.grey.width + event.clientX - windowDrag.x,
      level: windowDrag.grey.level + event.clientY - windowDrag.y,
    });
  },
  up: () => { windowDrag = null; },
};
addTool(windowTool, "Window", "W",
  "Set the grey levels: drag to the side for the window, up and down for its level; or arrow keys");
const invertButton = barButton("Invert", "I", "Show bright as dark",
  () => setWindow({ inverted: !greyWindow.inverted }));
const resetWindow = barButton("Reset", null, "Show the grey levels as they are",
  () => setWindow(FULL));
const keepWindow = make("input", { type: "checkbox", id: "keep-window" });
const readout = make("output", { class: "readout" });
addToBar(make("label", { title: "Keep window, level and inversion for the next image" }, keepWindow,
  "keep"), readout);
setWindow(FULL);

viewerEvents.addEventListener("open", () => {
  if (windowedImage !== current && !keepWindow.checked) setWindow(FULL);
  windowedImage = current;
});
// before the keys of the viewer, which move the picture
stage.addEventListener("keydown", (event) => {
  const change = {
    ArrowLeft: { width: greyWindow.width - ARROW_GREY },
    ArrowRight: { width: greyWindow.width + ARROW_GREY },
    ArrowUp: { level: greyWindow.level - ARROW_GREY },
    ArrowDown: { level: greyWindow.level + ARROW_GREY },
  }[event.key];
  if (!change || !isActive(windowTool)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  setWindow(change);
}, { capture: true });
