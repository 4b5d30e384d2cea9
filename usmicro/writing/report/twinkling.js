// The evidence for twinkling over the frames of a cine.

import { byId, count, draw, make } from "./dom.js";
import { chosenFocus } from "./evidence.js";
import { drawableFoci, film } from "./player.js";

/** Make the plot of the evidence, below the bars; empty if no focus has any. */
export function twinklingPlot() {
  if (!Object.keys(film.cine.twinkling ?? {}).length) return [];
  const frames = film.last - film.first + 1;
  const plot = draw("svg", { id: "twinkling-plot", role: "img", preserveAspectRatio: "none",
    viewBox: `${film.first - 0.5} -0.06 ${frames} 1.12` });
  return [make("div", { class: "twinkling" },
    make("p", { id: "twinkling-title", class: "note" }),
    make("div", { class: "twinkling-area" }, plot,
      make("span", { class: "most", "aria-hidden": "true" }, "1"),
      make("span", { class: "least", "aria-hidden": "true" }, "0")))];
}

/** Show the evidence of the selected focus, or of all foci if it has none. */
export function updateTwinkling() {
  const plot = byId("twinkling-plot");
  if (!plot) return;
  const drawable = drawableFoci();
  const series = Object.entries(film.cine.twinkling)
    .map(([focus, points]) => [drawable.get(Number(focus)), points]).filter(([focus]) => focus);
  plot.closest(".twinkling").hidden = !series.length;
  const chosen = series.filter(([focus]) => focus.focus === chosenFocus?.focus);
  const shown = chosen.length ? chosen : series;
  const grid = [0, 0.5, 1].map((value) => draw("path",
    { class: "twinkling-grid", d: `M${film.first - 0.5} ${1 - value}H${film.last + 0.5}` }));
  plot.replaceChildren(...grid,
    ...shown.map(([focus, points]) => evidenceLine(focus.label, points)));
  const whose = chosen.length ? `focus ${chosenFocus.focus}`
    : count(series.length, "focus", "foci");
  const none = chosenFocus && !chosen.length ? `; focus ${chosenFocus.focus} has none` : "";
  byId("twinkling-title").textContent = `Twinkling of ${whose}: evidence, 0 to 1${none}`;
  plot.setAttribute("aria-label", shown.map(([focus, points]) => {
    const [frame, highest] = points.reduce((one, other) => (other[1] > one[1] ? other : one));
    return `Focus ${focus.focus}: evidence on ${count(points.length, "frame", "frames")}, highest `
      + `${highest.toFixed(2)} on frame ${frame}.`;
  }).join(" "));
}

/** Draw the evidence of a focus: a dot for each frame, joined where frames follow each other. */
function evidenceLine(label, points) {
  const steps = points.map(([frame, value], index) => {
    const isNext = index > 0 && frame - points[index - 1][0] <= film.usual;
    return `${isNext ? "L" : "M"}${frame} ${(1 - value).toFixed(3)}`;
  });
  const dots = points.map(([frame, value]) => `M${frame} ${(1 - value).toFixed(3)}h0`);
  return draw("g", { class: `twinkling-line ${label}` },
    draw("path", { class: "joined", d: steps.join("") }),
    draw("path", { class: "dots", d: dots.join("") }));
}
