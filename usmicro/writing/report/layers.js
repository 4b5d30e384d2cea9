// Layers of the picture that the reader can switch.

import { LABELS, byId, draw, icon, make } from "./dom.js";
import { outlinedKinds } from "./player.js";
import { base, current, foci, scene } from "./viewer.js";

const AREA_LAYERS = {
  mass: "mass outlines",
  duct: "duct outlines",
  "nonmass area": "nonmass areas",
};
const hidden = new Set(); // layers that are switched off; also for the next images
let findingsHidden = false; // true if only the picture is shown

/** Draw the line of an area for its checkbox. */
function lineSymbol(kind) {
  const path = draw("path", { d: "M0 8h20", class: `line ${kind.split(" ")[0]}` });
  return draw("svg", { viewBox: "0 0 20 16", "aria-hidden": "true" }, path);
}

/** Draw the sign of a verdict for its checkbox. */
function signSymbol(d, kind) {
  const path = draw("path", { d, class: `sign ${kind}` });
  return draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
}

/** Return the layers of an image: name, text, symbol or null, and explanation. */
function layersOf(image) {
  const layers = [];
  for (const label of Object.keys(LABELS)) {
    const number = foci.filter((focus) => focus.label === label).length;
    if (number) {
      layers.push([label, `${label} foci (${number})`, icon(label),
        `Echogenic foci that are ${label}`]);
    }
  }
  const outlined = outlinedKinds();
  for (const [kind, text] of Object.entries(AREA_LAYERS)) {
    if (outlined.has(kind)) {
      layers.push([kind, text, lineSymbol(kind), `Outline of each ${kind}`]);
    }
  }
  if (foci.some((focus) => focus.shadow === "yes")) {
    const where = image.frames > 1 ? ", on the frame on which it was measured" : "";
    layers.push(["shadow", "posterior shadows", signSymbol("M8 2v12", ""),
      "A tick below each focus with a posterior acoustic shadow, and the extent of the shadow"
      + where]);
  }
  if (foci.some((focus) => ["yes", "possible"].includes(focus.twinkling))) {
    const kind = foci.some((focus) => focus.twinkling === "yes") ? "filled" : "";
    layers.push(["twinkling", "twinkling", signSymbol("M2 8l6-6 6 6-6 6z", kind),
      "A diamond beside each focus that twinkles on colour Doppler; open if only possible"]);
  }
  if (foci.length) {
    layers.push(["numbers", "numbers", null, "Numbers of the foci, as in the tables"]);
  }
  if (image.colour_flow === "yes") {
    layers.push(["colour", "colours", null,
      "Colour flow and all other colours; grey if switched off"]);
  }
  return layers;
}

/** Make a checkbox with a text. */
function checkbox(text, symbol, title, attributes, onChange) {
  const input = make("input", { type: "checkbox", ...attributes });
  input.addEventListener("change", () => {
    onChange(input.checked);
    applyLayers();
  });
  return make("label", { title }, input, ...(symbol ? [symbol] : []), text);
}

/** Show the checkboxes of the current image and its legend. */
export function showLayers() {
  const layers = layersOf(current);
  const all = checkbox("findings (H)", null, "Show or hide all findings (key H)",
    { id: "findings" }, (on) => { findingsHidden = !on; });
  const boxes = layers.map(([layer, text, symbol, title]) =>
    checkbox(text, symbol, title, { "data-toggles": layer }, (on) => {
      if (layer !== "colour") findingsHidden = false;
      if (on) hidden.delete(layer);
      else hidden.add(layer);
    }));
  byId("layers").replaceChildren(make("legend", {}, "Layers"), all, ...boxes);
  byId("layers").hidden = !layers.length;
  const legend = [];
  if (foci.some((focus) => focus.twinkling === "possible")) {
    legend.push("open diamond: possible twinkling");
  }
  byId("legend").textContent = legend.join(" \u00b7 ");
  applyLayers();
}

/** Show and hide the layers as they are switched. */
export function applyLayers() {
  for (const element of scene.querySelectorAll("[data-layer]")) {
    element.style.display = hidden.has(element.dataset.layer) ? "none" : "";
  }
  for (const input of byId("layers").querySelectorAll("[data-toggles]")) {
    input.checked = !hidden.has(input.dataset.toggles);
  }
  byId("findings").checked = !findingsHidden;
  for (const element of [scene, byId("layers")]) {
    element.classList.toggle("no-findings", findingsHidden);
  }
  base.classList.toggle("grey", hidden.has("colour"));
}

/** Hide all findings, or show them again. */
export function toggleFindings() {
  findingsHidden = !findingsHidden;
  applyLayers();
}

/** Switch a layer on. */
export function showLayer(layer) {
  findingsHidden = false;
  hidden.delete(layer);
  applyLayers();
}
