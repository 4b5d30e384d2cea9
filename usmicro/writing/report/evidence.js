// The measurements of a focus: in a tip at the pointer, and in full in the panel.

import { byId, count, formatNumber, hasValue, icon, make } from "./dom.js";
import { showLayer } from "./layers.js";
import { markers } from "./markers.js";
import { goToFocus, isPlaying, shownFrame } from "./player.js";
import { current, foci, lookAt, stage, viewerEvents } from "./viewer.js";

const FOCUS_ZOOM = 3; // a focus that is found is enlarged by at least this factor
const tip = byId("tip");

/** The focus that was selected last, or null. */
export let chosenFocus = null;

// explanations that the browser shows at a name; docs/outputs.md has more
const MEANINGS = {
  "Confidence": "How certain it is that this is what it is listed as, 0 to 1; for a focus: an "
    + "echogenic focus",
  "Label confidence": "How certain it is that the focus lies where the label says, 0 to 1",
  "Label": "Position: in a mass, outside of masses, or in a duct",
  "Contrast": "Brightness above the surrounding ring in units of the spread in the ring: "
    + "(peak - median) / (upper quartile - median); does not depend on the gain",
  "Size": "Diameter of a circle with the area of the focus above half of its height",
  "Depth": "Distance from the transducer face along the scan line",
  "Shadow": "Posterior acoustic shadow, and the probability p that speckle alone causes such a "
    + "fall of brightness",
  "Twinkling": "Twinkling artefact on colour Doppler, 0 to 1; its absence rules nothing out",
  "Listed for": "Reason for the listing: the echo, or the twinkling if the echo is too weak or "
    + "hidden",
  "Shadow drop": "Fall of brightness behind the focus relative to both sides, in units of the "
    + "local spread; positive is darker",
  "Shadow length": "Length of the shadow behind the focus",
  "Lateral position": "Distance from the middle of the transducer face; positive to the right of "
    + "the image",
  "Column, row": "Position in the input image, counted from 0",
  "Distance to a mass": "Distance to the edge of the nearest mass; 0 inside",
  "Cluster": "Number of the cluster of foci that the focus belongs to",
  "False alarm": "Probability that a bright blob of speckle alone responds as strongly",
  "Seen on": "Number of frames of the cine that show the focus",
  "Track": "Number of the focus across the frames of the cine",
  "Orientation": "Parallel to the skin (wider than tall) or not",
  "Posterior": "Posterior feature of the mass: enhancement, shadowing, both or none",
};

/** Return the explanation of a name in a table or a list, or null. */
export function meaning(name) {
  const plain = name.replace("Conf.", "Confidence").replace(/, (mm|px)$/, "");
  return MEANINGS[plain] ?? null;
}

/** Return a length in mm. */
function millimetres(value) {
  return `${value.toFixed(1)} mm`;
}

/** Return the size of a focus in mm, or in pixels if the spacing is unknown. */
function sizeText(focus) {
  if (hasValue(focus.diameter_mm)) return `${formatNumber(focus.diameter_mm, 2)} mm`;
  return `${formatNumber(focus.diameter_px, 1)} px`;
}

/** Return the main measurements of a focus as pairs of name and text. */
function mainFacts(focus) {
  const facts = [
    ["Confidence", formatNumber(focus.confidence, 2)],
    ["Label confidence", formatNumber(focus.label_confidence, 2)],
  ];
  if (hasValue(focus.contrast)) {
    facts.push(["Contrast", `${formatNumber(focus.contrast, 1)} local units`]);
  }
  if (hasValue(focus.kind)) facts.push(["Size", `${sizeText(focus)}, ${focus.kind}`]);
  if (hasValue(focus.depth_mm)) facts.push(["Depth", millimetres(focus.depth_mm)]);
  const p = hasValue(focus.shadow_p) ? `, p ${focus.shadow_p.toPrecision(2)}` : "";
  facts.push(["Shadow", `${focus.shadow}${p}`]);
  const score = hasValue(focus.twinkling_score)
    ? `, score ${focus.twinkling_score.toFixed(2)}` : "";
  facts.push(["Twinkling", `${focus.twinkling}${score}`]);
  return facts;
}

/** Return all measurements of a focus as pairs of name and text. */
function allFacts(focus) {
  const facts = mainFacts(focus);
  const add = (name, value, text) => {
    if (hasValue(value)) facts.push([name, text(value)]);
  };
  add("Listed for", focus.origin,
    (value) => (value === "echo" ? "its echo" : "its twinkling alone"));
  add("Shadow drop", focus.shadow_drop, (value) => value.toFixed(2));
  add("Shadow length", focus.shadow_length_mm, millimetres);
  add("Lateral position", focus.x_mm, millimetres);
  add("Column, row", focus.x_px,
    (x) => `${formatNumber(x, 1)}, ${formatNumber(focus.y_px, 1)} px`);
  add("Mass", focus.mass, String);
  add("Duct", focus.duct, String);
  add("In a nonmass area", focus.nonmass, String);
  add("Distance to a mass", focus.distance_to_mass_mm, millimetres);
  add("Cluster", focus.cluster, String);
  add("False alarm", focus.false_alarm,
    (value) => (value === 0 ? "0" : value.toExponential(1)));
  if (current.frames > 1) {
    add("Frame", focus.frame, String);
    add("Seen on", focus.seen_frames, (value) => count(value, "frame", "frames"));
    add("Track", focus.track, String);
  }
  return facts;
}

/** Show the main measurements of a focus beside its marker. */
export function showTip({ focus, confidence, group }) {
  if (isPlaying) return; // the marker will have moved before it is read
  const pairs = mainFacts(focus);
  if (current.frames > 1 && focus.frame !== shownFrame()) {
    pairs.push(["On this frame", `confidence ${formatNumber(confidence, 2)}`],
      ["Measured on", `frame ${focus.frame}`]);
  }
  const facts = pairs.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
  tip.replaceChildren(make("strong", {}, `Focus ${focus.focus}: ${focus.label}`),
    make("p", {}, focus.label_reason), make("dl", {}, ...facts));
  tip.hidden = false;
  const frame = stage.getBoundingClientRect();
  const marker = group.querySelector(".hit").getBoundingClientRect();
  const right = marker.right - frame.left + 8;
  const left = marker.left - frame.left - 8 - tip.offsetWidth;
  const fitsRight = right + tip.offsetWidth < frame.width;
  const top = Math.min(marker.top - frame.top - 10, frame.height - tip.offsetHeight - 6);
  tip.style.left = `${Math.max(4, fitsRight ? right : left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

/** Hide the tip. */
export function hideTip() {
  tip.hidden = true;
}

/** Show all measurements of a focus in the panel, or a hint if no focus is selected. */
export function showEvidence(focus) {
  chosenFocus = focus;
  fillEvidence(focus);
  viewerEvents.dispatchEvent(new CustomEvent("select", { detail: focus }));
}

/** Fill the panel with all measurements of a focus, or with a hint. */
function fillEvidence(focus) {
  const panel = byId("evidence");
  panel.hidden = !foci.length;
  if (!focus) {
    panel.replaceChildren(make("p", { class: "note" },
      "Select a focus in the picture or in the table to see all its measurements."));
    return;
  }
  const facts = allFacts(focus).map(([name, text]) =>
    make("div", {}, make("dt", { title: meaning(name) }, name), make("dd", {}, text)));
  panel.replaceChildren(
    make("h3", {}, icon(focus.label), `Focus ${focus.focus}: ${focus.label}`),
    make("p", {}, focus.label_reason),
    ...reason("Confidence", focus.confidence_reason),
    ...reason("Shadow", focus.shadow_reason),
    ...reason("Twinkling", focus.twinkling_reason),
    make("dl", {}, ...facts),
  );
}

/** Make the paragraph with the reason of a verdict; empty if there is no reason. */
function reason(name, text) {
  return text ? [make("p", {}, make("strong", {}, `${name}: `), text)] : [];
}

/** Select a focus. With `find`, also go to its best frame and move it to the middle. */
export function selectFocus(focus, find) {
  showLayer(focus.label);
  for (const marker of markers) marker.group.classList.toggle("selected", marker.focus === focus);
  for (const row of byId("tables").querySelectorAll("tr.selectable")) {
    row.classList.toggle("selected", Number(row.dataset.focus) === focus.focus);
  }
  showEvidence(focus);
  if (find) {
    const spot = goToFocus(focus);
    if (spot) lookAt(spot, FOCUS_ZOOM); // else no frame shows it
  } else {
    byId("panel").scrollTop = 0; // the measurements are at its top
  }
}
