// What of the picture is shown.

const AREAS = { mass: "mass outlines", duct: "duct outlines", "nonmass area": "nonmass areas" };
const hidden = new Set(); // layers switched off; stays so from image to image
let bare = false; // nothing but the picture

/** A layer that can be switched: what it is called, its symbol, and what a pointer that rests on it is told. */
function layersOf(image) {
  const line = (kind) => draw("svg", { viewBox: "0 0 20 16", "aria-hidden": "true" }, draw("path", { d: "M0 8h20", class: `line ${kind.split(" ")[0]}` }));
  const sign = (path, kind) => draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: path, class: `sign ${kind}` }));
  const layers = [];
  for (const label of Object.keys(LABELS)) {
    const found = foci.filter((focus) => focus.label === label).length;
    if (found) layers.push([label, `${label} foci (${found})`, icon(label), `Echogenic foci that are ${label}`]);
  }
  for (const [kind, words] of Object.entries(AREAS)) {
    if (image.outlines[kind]) layers.push([kind, words, line(kind), `Outlines of each ${kind} that was found`]);
  }
  if (foci.some((focus) => focus.shadow === "yes")) {
    layers.push(["shadow", "posterior shadows", sign("M8 2v12", ""), "A tick below each focus with a posterior acoustic shadow, and where the shadow lies"]);
  }
  if (foci.some((focus) => ["yes", "possible"].includes(focus.twinkling))) {
    const sure = foci.some((focus) => focus.twinkling === "yes");
    layers.push(["twinkling", "twinkling", sign("M2 8l6-6 6 6-6 6z", sure ? "sure" : ""), "A diamond beside each focus that twinkles on colour Doppler; open: possible"]);
  }
  if (foci.length) layers.push(["numbers", "numbers", null, "Numbers of the foci, as in the tables"]);
  if (image.colour_flow === "yes") layers.push(["colour", "colours", null, "Switched off, colour flow and everything else in colour is shown in grey"]);
  return layers;
}

function showLayers() {
  const fieldset = byId("layers");
  const box = (words, symbol, title, attributes, change) => {
    const input = make("input", { type: "checkbox", ...attributes });
    input.addEventListener("change", () => { change(input.checked); applyLayers(); });
    return make("label", { title }, input, ...(symbol ? [symbol] : []), words);
  };
  const layers = layersOf(current);
  fieldset.replaceChildren(make("legend", {}, "Layers"),
    box("findings (H)", null, "All of them at once (key H): nothing but the picture, and back", { id: "findings" }, (on) => { bare = !on; }),
    ...layers.map(([layer, words, symbol, title]) => box(words, symbol, title, { "data-toggles": layer },
      (on) => { bare &&= layer === "colour"; if (on) hidden.delete(layer); else hidden.add(layer); })));
  fieldset.hidden = !layers.length;
  const key = [];
  if (foci.some((focus) => focus.twinkling === "possible")) key.push("open diamond: possible twinkling");
  if (document.querySelector(".mark.elsewhere")) key.push("dashed: seen best on another frame");
  byId("key").textContent = key.join(" \u00b7 ");
  applyLayers();
}

function applyLayers() {
  for (const element of scene.querySelectorAll("[data-layer]")) element.style.display = hidden.has(element.dataset.layer) ? "none" : "";
  for (const input of byId("layers").querySelectorAll("[data-toggles]")) {
    input.checked = !hidden.has(input.dataset.toggles);
  }
  byId("findings").checked = !bare;
  for (const element of [scene, byId("layers")]) element.classList.toggle("bare", bare);
  base.classList.toggle("grey", hidden.has("colour"));
}

/** Switch a layer on again, where one asks for something on it. */
function reveal(layer) {
  bare = false;
  hidden.delete(layer);
  applyLayers();
}
