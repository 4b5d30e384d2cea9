// Blind mode, and the random order of the images.

import { recordOf, reviewSettings } from "./reviewstore.js";

/** Return true if the findings of an image are hidden until the reader has made own marks. */
export function findingsAreHidden(image) {
  return reviewSettings.blind && !recordOf(image.image).revealed;
}

/**
 * Return the place of a name in the random order of a seed, 0 to 1.
 *
 * A hash of seed and name. Only 32-bit integers are used, which every browser computes alike, and
 * the order of two images does not depend on the other images or on the page that lists them.
 * The mixing steps are those of MurmurHash3 (Appleby, public domain).
 */
export function randomPlace(seed, name) {
  return (mixedHash(`${seed}\n${name}`, 1) + mixedHash(`${seed}\n${name}`, 2) / 2 ** 32) / 2 ** 32;
}

/** Return a 32-bit hash of a text. */
function mixedHash(text, start) {
  let hash = start;
  for (let index = 0; index < text.length; index += 1) {
    let unit = Math.imul(text.charCodeAt(index), 0xcc9e2d51);
    unit = Math.imul((unit << 15) | (unit >>> 17), 0x1b873593);
    hash ^= unit;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
