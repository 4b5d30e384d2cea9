// What the player says about a film: how much of the cine is stored, and where it jumps.

import { count, make } from "./dom.js";
import { ASSUMED_RATE, hasAssumedRate } from "./film.js";
import { film } from "./player.js";
import { findingsAreHidden } from "./reviewblind.js";
import { current } from "./viewer.js";

const MORE_FRAMES = "--set report.frames=N";

/**
 * Return the note on how much of the cine is stored; `others` is the number of foci that lie on
 * other frames than the key frame.
 */
export function filmNote(others) {
  if (current.frames <= 1) return [];
  if (!film) {
    const parts = others ? [make("span", { class: "other-foci" },
      `${count(others, "focus lies", "foci lie")} on other frames and cannot be shown. `)] : [];
    return [make("p", { class: "note" }, ...parts, "Only the key frame can be shown: the frames of "
      + `this cine are not stored. A new run with ${MORE_FRAMES} stores up to N of them.`)];
  }
  if (findingsAreHidden(current)) return [blindNote()];
  const { frames, analysed, bytes } = film.cine;
  const size = bytes >= 5e4 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
  const all = frames.length >= analysed;
  const stored = all ? `all ${count(analysed, "frame", "frames")}`
    : `${frames.length} of ${count(analysed, "frame", "frames")}`;
  const more = all ? "" : ` \u00b7 more: ${MORE_FRAMES}`;
  const rate = hasAssumedRate(film)
    ? ` \u00b7 no times in the file: ${ASSUMED_RATE} frames a second` : "";
  return [make("p", { class: "note", id: "film-note" }, `film: ${stored}, ${size}${more}${rate}`)];
}

/** Return the note on the film of a reader who must not see the findings. */
function blindNote() {
  const { frames, hints, cine: { analysed } } = film;
  const spread = frames.length < analysed ? ", spread evenly" : "";
  const text = hints ? "The frames of this film were chosen by the findings, and so tell where "
    + "findings are. A new run stores evenly spread frames for blind mode."
    : `film: ${frames.length} of ${count(analysed, "frame", "frames")}${spread}`;
  return make("p", { class: hints ? "note warn" : "note", id: "film-note" }, text);
}

/** Return the message on a step between two stored frames, or null if no frames lie between. */
export function jumpText({ frames, usual }, from, to) {
  const ends = [frames[from].frame, frames[to].frame];
  const one = Math.min(...ends), other = Math.max(...ends);
  if (Math.abs(from - to) !== 1 || other - one <= usual) return null;
  return other - one === 2 ? `Jumped over frame ${one + 1}, which is not stored.`
    : `Jumped over frames ${one + 1} to ${other - 1}, which are not stored.`;
}
