// The bar of reading tools below the picture, their keys, and which of them has the pointer.

import { byId, make } from "./dom.js";
import { selectFocus, showEvidence } from "./evidence.js";
import { foci, setTool, viewerEvents } from "./viewer.js";

const toolbar = make("div", { class: "reading", id: "reading", role: "toolbar",
  "aria-label": "Reading tools" });
const toolButtons = new Map(); // the button of each tool
const toolKeys = new Map(); // what each key does
/** The focus in the panel, or null. */
export let selectedFocus = null;

byId("fallback").before(toolbar);

/** Add elements to the bar. */
export function addToBar(...elements) {
  toolbar.append(...elements);
}

/** Let a key do something while the viewer is open. */
export function onKey(key, action) {
  toolKeys.set(key, action);
}

/** Make a button of the bar with a key. */
export function barButton(text, key, title, action) {
  const button = make("button", { type: "button", title: key ? `${title} (${key})` : title,
    "aria-keyshortcuts": key }, text);
  button.addEventListener("click", action);
  if (key) onKey(key.toLowerCase(), action);
  addToBar(button);
  return button;
}

/** Add a tool that takes the pointer from the picture, with its button and key. */
export function addTool(tool, text, key, title) {
  const toggle = () => setTool(isActive(tool) ? null : tool);
  const button = barButton(text, key, title, toggle);
  button.setAttribute("aria-pressed", "false");
  toolButtons.set(tool, button);
  return button;
}

/** Return true if a tool has the pointer. */
export function isActive(tool) {
  return toolButtons.get(tool).getAttribute("aria-pressed") === "true";
}

/** Select the focus with the same number, after the foci have been drawn anew. */
export function selectFocusAgain(focus) {
  if (!focus) return;
  const same = foci.find((item) => item.focus === focus.focus);
  if (same) selectFocus(same, false);
  else showEvidence(null);
}

viewerEvents.addEventListener("tool", ({ detail }) => {
  for (const [tool, button] of toolButtons) {
    button.setAttribute("aria-pressed", String(tool === detail));
  }
});
viewerEvents.addEventListener("select", ({ detail }) => { selectedFocus = detail; });
viewerEvents.addEventListener("close", () => {
  if ([...toolButtons.keys()].some(isActive)) setTool(null);
});
document.addEventListener("keydown", (event) => {
  if (!byId("viewer").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("textarea, select, input:not([type=range], [type=checkbox])")) return;
  const action = toolKeys.get(event.key.toLowerCase());
  if (!action) return;
  event.preventDefault();
  action();
});
