// The stored frames of a cine as a film: their order, times and gaps.

import { hasValue } from "./dom.js";

export const ASSUMED_RATE = 10; // frames per second of a cine that states no times; chosen by eye

/**
 * Return the film of an image, or null for a still and for a cine without stored frames.
 *
 * With `isBlind`, the film has only frames that were chosen whatever was found, since the others
 * tell where findings are. A run of an earlier version does not say which these are; `hints` is
 * then true, and all frames are in the film.
 *
 * A film has its `frames` in order, each with its `address`, the numbers of the `first` and `last`
 * frame of the cine, the `usual` distance of stored frames, and their duration in `seconds`. The
 * key frame is added if it is not stored among the frames.
 */
export function filmOf(image, keyFindings, isBlind = false) {
  const cine = image.cine;
  if (!cine?.frames?.length) return null;
  const hints = isBlind && !cine.even && cine.frames.length < cine.analysed;
  const even = isBlind && cine.even ? new Set(cine.even) : null;
  const frames = cine.frames.filter(({ frame }) => !even || even.has(frame)).map((frame) =>
    Object.assign({}, frame, { address: `${cine.folder}/${frame.picture}` }));
  if (!frames.length) return null;
  const hasKey = frames.some(({ frame }) => frame === image.key_frame);
  if (!hasKey && !isBlind && image.links.picture) {
    const { outlines, tops } = image;
    frames.push({ frame: image.key_frame, time_s: null, address: image.links.picture,
      foci: keyFindings, outlines, tops });
  }
  frames.sort((one, other) => one.frame - other.frame);
  const film = {
    cine,
    hints,
    frames,
    first: Math.min(cine.first_frame, frames[0].frame),
    last: Math.max(cine.last_frame, frames.at(-1).frame),
    usual: usualStep(frames),
  };
  const fallback = film.usual / rateOf(film);
  film.seconds = frames.map((frame, index) => {
    const next = frames[index + 1];
    if (!next || next.frame - frame.frame > film.usual) return fallback; // a gap is jumped over
    const known = hasValue(frame.time_s) && hasValue(next.time_s) && next.time_s > frame.time_s;
    return known ? next.time_s - frame.time_s : (next.frame - frame.frame) / rateOf(film);
  });
  return film;
}

/** Return the most common distance of neighbouring frames; the smaller one if two are as common. */
function usualStep(frames) {
  const counts = new Map();
  for (let index = 1; index < frames.length; index += 1) {
    const step = frames[index].frame - frames[index - 1].frame;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const steps = [...counts];
  steps.sort((one, other) => other[1] - one[1] || one[0] - other[0]);
  return steps[0]?.[0] ?? 1;
}

/** Return the number of frames per second, from the file, from the times, or assumed. */
function rateOf({ cine, frames }) {
  if (cine.frame_rate > 0) return cine.frame_rate;
  const timed = frames.filter(({ time_s: time }) => hasValue(time));
  const [start, end] = [timed[0], timed.at(-1)];
  const seconds = timed.length ? end.time_s - start.time_s : 0;
  return seconds > 0 ? (end.frame - start.frame) / seconds : ASSUMED_RATE;
}

/** Return true if neither times nor the frame rate are known. */
export function hasAssumedRate({ cine, frames }) {
  return !cine.frame_rate && frames.filter(({ time_s: time }) => hasValue(time)).length < 2;
}

/**
 * Return the time of a frame in seconds, or null if it is unknown. It is interpolated between
 * stored frames with times; outside of them it follows from the frame rate of the file.
 */
export function timeAt({ cine, frames }, number) {
  const timed = frames.filter(({ time_s: time }) => hasValue(time));
  const after = timed.findIndex(({ frame }) => frame >= number);
  if (timed[after]?.frame === number) return timed[after].time_s;
  if (after > 0) {
    const one = timed[after - 1], other = timed[after];
    const share = (number - one.frame) / (other.frame - one.frame);
    return one.time_s + share * (other.time_s - one.time_s);
  }
  if (!cine.frame_rate) return null;
  const known = after === 0 ? timed[0] : timed.at(-1);
  const [frame, time] = known ? [known.frame, known.time_s] : [0, 0];
  return time + (number - frame) / cine.frame_rate;
}

/**
 * Return the index of the stored frame, out of `indexes`, that is nearest to a frame; the earlier
 * one of two, and null if there are no indexes.
 */
export function nearestIndex({ frames }, number, indexes = frames.keys()) {
  let best = null;
  for (const index of indexes) {
    const distance = Math.abs(frames[index].frame - number);
    if (best === null || distance < Math.abs(frames[best].frame - number)) best = index;
  }
  return best;
}

/** Return the stretches of stored frames without gaps as pairs of their first and last frame. */
export function stretches({ frames, usual }) {
  const found = [];
  for (const { frame } of frames) {
    const last = found.at(-1);
    if (last && frame - last[1] <= usual) last[1] = frame;
    else found.push([frame, frame]);
  }
  return found;
}

/** Return the share of the time axis, 0 to 1, at which a frame lies. */
export function shareOf({ first, last }, frame) {
  return (frame - first + 0.5) / (last - first + 1);
}
