// The details of an image, which are loaded when needed, and the shadow profile of a focus.

import { byId, data, draw, hasValue, make } from "./dom.js";
import { selectedFocus } from "./reading_tools.js";
import { findingsAreHidden } from "./reviewblind.js";
import { current, viewerEvents } from "./viewer.js";

const PLOT = { width: 340, height: 170, left: 34, right: 8, top: 10, bottom: 32 };
const MOST_TICKS = 6; // of an axis
const TICK_STEPS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200];
const detailsByImage = new Map(); // promise of the details of each image
const waitingDetails = new Map(); // what to do with the details of a script

// a page that is opened from a folder may not read a JSON file, but it may add a script
globalThis.usmicroDetails = (content) => waitingDetails.get(document.currentScript)?.(content);

/** Return a promise of the details of an image; null if the run stored none. */
export function detailsOf(image) {
  if (!detailsByImage.has(image)) detailsByImage.set(image, loadDetails(image.links?.details));
  return detailsByImage.get(image);
}

/** Load a script of details. */
function loadDetails(address) {
  if (!address) return Promise.resolve(null);
  const script = make("script", { src: data.root + address });
  const loading = new Promise((resolve) => {
    waitingDetails.set(script, resolve);
    script.addEventListener("error", () => resolve(null));
    script.addEventListener("load", () => resolve(null)); // does nothing once it is resolved
  });
  document.head.append(script);
  return loading.finally(() => {
    waitingDetails.delete(script);
    script.remove();
  });
}

viewerEvents.addEventListener("select", async ({ detail: focus }) => {
  if (!focus?.focus || focus.shadow === "not assessable") return;
  const image = current;
  if (findingsAreHidden(image)) return;
  const profile = (await detailsOf(image))?.profiles[focus.focus];
  if (!profile || image !== current || selectedFocus !== focus) return;
  byId("evidence").querySelector(".profile")?.remove();
  byId("evidence").append(profileFigure(profile, focus));
});

/** Make the plot of grey levels against depth behind a focus. */
function profileFigure(profile, focus) {
  const { width, height, left, right, top, bottom } = PLOT;
  const levels = [...profile.strip, ...profile.left, ...profile.right].filter(hasValue);
  const most = Math.max(...profile.depth);
  const low = Math.min(...levels), high = Math.max(...levels, low + 1);
  const x = (depth) => left + (depth / most) * (width - left - right);
  const y = (level) => height - bottom - ((level - low) / (high - low)) * (height - top - bottom);
  const line = (name) => draw("path", { class: `profile-${name}`, d: linePath(
    profile.depth, profile[name], x, y) });
  const words = "Grey level behind the focus and in both flanks against depth";
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${words}. ${focus.shadow_reason ?? ""}` });
  picture.append(
    ...axisTicks(0, most).flatMap((value) => [
      draw("path", { class: "axis", d: `M${x(value)} ${height - bottom}v4` }),
      draw("text", { x: x(value), y: height - bottom + 15, "text-anchor": "middle" },
        String(value))]),
    ...axisTicks(low, high).flatMap((value) => [
      draw("path", { class: "grid", d: `M${left} ${y(value)}H${width - right}` }),
      draw("text", { x: left - 5, y: y(value) + 3.5, "text-anchor": "end" }, String(value))]),
    draw("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    draw("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" },
      `depth behind the focus, ${profile.unit}`),
  );
  const end = profile.unit === "mm" ? focus.shadow_length_mm : null;
  if (hasValue(end)) {
    picture.append(draw("path", { class: "profile-end",
      d: `M${x(Math.min(end, most))} ${top}V${height - bottom}` },
      draw("title", {}, "End of the shadow")));
  }
  picture.append(line("left"), line("right"), line("strip"));
  return make("figure", { class: "profile" },
    make("figcaption", {}, "Grey level behind the focus"), picture,
    make("p", { class: "note" }, lineKey("strip"), "behind ", lineKey("left"), "left flank ",
      lineKey("right"), "right flank ",
      ...(hasValue(end) ? [lineKey("end"), "end of the shadow"] : [])));
}

/** Return a line through the known levels as an SVG path. */
function linePath(depths, levels, x, y) {
  let isDown = false;
  return levels.map((level, index) => {
    const command = isDown ? "L" : "M";
    isDown = hasValue(level);
    return isDown ? `${command}${x(depths[index]).toFixed(1)} ${y(level).toFixed(1)}` : "";
  }).join("");
}

/** Return round values between two values. */
function axisTicks(low, high) {
  const step = TICK_STEPS.find((size) => (high - low) / size < MOST_TICKS) ?? high - low;
  const values = [];
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) values.push(i * step);
  return values;
}

/** Make the sample of a line for the key of the plot. */
function lineKey(name) {
  return draw("svg", { viewBox: "0 0 20 8", class: "profile-key", "aria-hidden": "true" },
    draw("path", { d: "M0 4h20", class: `profile-${name}` }));
}
