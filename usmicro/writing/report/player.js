// The frame of a cine that is shown, with its findings.

import { foci, current } from "./viewer.js";

/** Return the number of the frame that is shown; for a still, that of its only frame. */
export function shownFrame() {
  return current.key_frame;
}

/** Prepare the film of the current image. */
export function openFilm() {}

/** Return the address of the picture of the frame that is shown; empty if there is none. */
export function shownPicture() {
  return current.links.picture ?? "";
}

/** Tell that the picture of a frame cannot be shown; return true if the reader was told so. */
export function pictureFailed() {
  return false;
}

/**
 * Return what was found on the frame that is shown: `spots`, the foci with their position and
 * confidence on this frame, `outlines` of areas by kind, and `tops`, the numbers of masses with
 * the position of their upper edge.
 */
export function shownFindings() {
  const here = current.frames > 1 ? foci.filter(({ frame }) => frame === shownFrame()) : foci;
  const spots = here.map((focus) =>
    ({ focus, x: focus.x_px, y: focus.y_px, confidence: focus.confidence }));
  return { spots, outlines: current.outlines, tops: current.tops };
}
