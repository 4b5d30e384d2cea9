// The player: the frames of a cine as a film, with the findings of the frame that is shown.

import { byId, data, draw, hasValue, isTyping, make, tableRows } from "./dom.js";
import { filmOf, nearestIndex, timeAt } from "./film.js";
import { filmNote, jumpText } from "./filmnotes.js";
import { buildTimeline, frameSlider, moveTimeline } from "./timeline.js";
import { findingsAreHidden } from "./reviewblind.js";
import { base, current, foci, focusFilters, redrawFrame, showBase } from "./viewer.js";
import { stage, viewerEvents } from "./viewer.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const AHEAD = 12; // number of frames that are loaded before they are shown
const MOST_LAG = 0.25; // a film that is late by more seconds goes on from where it is
const MESSAGE_SECONDS = 2.5; // time for which a message on a jump stays while the film plays
const ICONS = {
  play: "M5 3v14l12-7z",
  pause: "M4 3h4v14h-4zM12 3h4v14h-4z",
  back: "M3 3h3v14h-3zM17 3v14l-10-7z",
  forward: "M14 3h3v14h-3zM3 3v14l10-7z",
};

/** The film of the current image, or null for a still and for a cine without stored frames. */
export let film = null;
let filmIndex = 0; // index of the stored frame that is shown
export let isPlaying = false;
let isLooping = true, filmSpeed = 1;
let tickRequest = 0; // the frame of the screen that is waited for
let usesPointer = false; // true if the pointer was used after the keys that move the keyboard
let shownSince = 0; // when the frame was due, ms
let messageSince = 0; // when the last message was written, ms
/** Picture of each address, with the `state` "loading", "ready" or "missing". */
let filmPictures = new Map();

const missingNote = make("p", { class: "missing-picture", role: "status", hidden: "" });
const filmMessage = make("p", { id: "film-message", class: "film-message", role: "status" });
stage.append(missingNote, filmMessage); // over the picture, which would else move
const timeSlot = make("div", { class: "film" }); // holds the timeline
byId("panel").prepend(timeSlot);
const smallWindow = matchMedia("(max-width: 900px), (max-height: 820px)"); // too small for both

// ---- what is shown ----

/** Return the number of the frame that is shown; for a still, that of its only frame. */
export function shownFrame() {
  return film ? film.frames[filmIndex].frame : current.key_frame;
}

/** Return the address of the picture of the frame that is shown; empty if there is none. */
export function shownPicture() {
  const still = current.links.picture ?? "";
  // the picture of the key frame has the most detail, but would differ from those around it, and
  // a reader who must not see the findings must not see which frame it is
  const showsStill = still && !isPlaying && !findingsAreHidden(current);
  if (!film || (showsStill && shownFrame() === current.key_frame)) return still;
  return film.frames[filmIndex].address;
}

/** Tell that the picture of a frame cannot be shown; return true if the reader was told so. */
export function pictureFailed() {
  const address = film?.frames[filmIndex].address;
  if (!film || base.getAttribute("href") !== data.root + address) return false;
  base.removeAttribute("href");
  missingNote.textContent = `The picture of frame ${shownFrame()} is missing: ${address}. `
    + "Keep the folder \u201creport\u201d beside this file.";
  missingNote.hidden = false;
  return true;
}

/** Return those of some foci that were measured on the key frame, as spots. */
function keySpots(some) {
  const here = current.frames > 1 ? some.filter(({ frame }) => frame === current.key_frame) : some;
  return here.map((focus) =>
    ({ focus, x: focus.x_px, y: focus.y_px, confidence: focus.confidence }));
}

/**
 * Return what was found on the frame that is shown: `spots`, the foci with their position and
 * confidence on this frame, `outlines` of areas by kind, and `tops`, the numbers of masses with
 * the position of their upper edge.
 */
export function shownFindings() {
  if (!film) return { spots: keySpots(foci), outlines: current.outlines, tops: current.tops };
  const { foci: found, outlines, tops } = film.frames[filmIndex];
  const listed = new Map(foci.map((focus) => [focus.focus, focus]));
  const spots = found.filter(([number]) => listed.has(number)).map(([number, x, y, confidence]) =>
    ({ focus: listed.get(number), x, y, confidence }));
  return { spots, outlines, tops };
}

/** Return the places of foci on a stored frame, by the number of the focus. */
export function placesOn(frame) {
  const stored = film?.frames.find((other) => other.frame === frame);
  return new Map((stored?.foci ?? []).map(([number, x, y]) => [number, { x, y }]));
}

/** Return the foci that may be drawn on any frame, by their number. */
export function drawableFoci() {
  const drawable = foci.filter((focus) => focusFilters.every((passes) => passes(focus)));
  return new Map(drawable.map((focus) => [focus.focus, focus]));
}

/** Return the kinds of areas that are outlined on any frame of the current image. */
export function outlinedKinds() {
  const frames = film ? film.frames : [current];
  return new Set(frames.flatMap(({ outlines }) => Object.keys(outlines)));
}

/**
 * Prepare the film of the current image, or say why there is none. It opens on its key frame, or on
 * its first frame if the findings are hidden, since the key frame is chosen by the findings.
 */
export function openFilm(frame = null) {
  isPlaying = false;
  filmPictures = new Map();
  missingNote.hidden = true;
  const listed = tableRows(current.listed ?? current, "foci"); // also those that the page hides
  const isBlind = findingsAreHidden(current);
  film = filmOf(current, keySpots(listed).map(({ focus, x, y, confidence }) =>
    [focus.focus, x, y, confidence]), isBlind);
  const start = frame ?? (isBlind ? 0 : current.key_frame);
  filmIndex = film ? nearestIndex(film, start) : 0;
  filmMessage.textContent = "";
  byId("film").hidden = current.frames <= 1;
  byId("film").replaceChildren(...(film ? [controls(), frameSlider()] : []));
  const others = foci.length - keySpots(foci).length;
  timeSlot.replaceChildren(...(film ? [buildTimeline()] : []), ...filmNote(others));
  placeTimeline();
  byId("viewer").classList.toggle("with-film", film !== null);
  if (!film) return;
  preload();
  updateControls();
}

/** Prepare the film anew, after findings were hidden or shown, and stay where it is. */
export function reopenFilm() {
  openFilm(film ? shownFrame() : null);
  showBase();
}

/** Place the timeline below the picture, or in the panel where the window is small. */
function placeTimeline() {
  if (smallWindow.matches) byId("review-actions").after(timeSlot);
  else byId("film").append(timeSlot);
}
smallWindow.addEventListener("change", placeTimeline);

// ---- moving to a frame ----

/** Show a stored frame, given its index. */
function showIndex(index, text = null) {
  const before = filmIndex;
  filmIndex = index;
  if (text !== null || performance.now() - messageSince > 1000 * MESSAGE_SECONDS || !isPlaying) {
    sayInFilm(text ?? "");
  }
  if (index === before) return;
  missingNote.hidden = true;
  showBase();
  redrawFrame();
  preload();
  updateControls();
  viewerEvents.dispatchEvent(new Event("frame"));
}

/** Write a message below the picture. */
function sayInFilm(text) {
  filmMessage.textContent = text;
  messageSince = performance.now();
}

/** Show the next (1) or previous (-1) stored frame. */
export function stepFrame(by) {
  pause();
  const index = filmIndex + by;
  if (film.frames[index]) showIndex(index, jumpText(film, filmIndex, index));
}

/** Stop playing and show the stored frame that is nearest to a frame; nothing without a film. */
export function showNearest(frame) {
  if (!film) return;
  pause();
  showIndex(nearestIndex(film, frame));
}

/** Return a focus with its position on the frame that is shown, or null if it is not on it. */
function spotOf(focus) {
  return shownFindings().spots.find((spot) => spot.focus.focus === focus.focus) ?? null;
}

/**
 * Show the best frame of a focus, or the nearest stored frame with the focus. Return its position
 * there, or null if no stored frame shows it.
 */
export function goToFocus(focus) {
  if (!film) return spotOf(focus);
  pause();
  const shows = ({ foci: found }) => found.some(([number]) => number === focus.focus);
  const withFocus = [...film.frames.keys()].filter((index) => shows(film.frames[index]));
  const index = nearestIndex(film, focus.frame, withFocus)
    ?? nearestIndex(film, focus.frame);
  const shown = film.frames[index].frame;
  const without = withFocus.length ? "" : `, which does not show focus ${focus.focus}`;
  showIndex(index, shown === focus.frame ? "" : `Frame ${focus.frame}, the best of focus `
    + `${focus.focus}, is not stored. The nearest is frame ${shown}${without}.`);
  return spotOf(focus);
}

// ---- playing ----

/** Play from the frame that is shown, or from the first if it is the last. */
function play() {
  if (!film || film.frames.length < 2) return;
  isPlaying = true;
  if (filmIndex === film.frames.length - 1) showIndex(0);
  else showBase();
  shownSince = performance.now();
  updateControls();
  cancelAnimationFrame(tickRequest); // after a quick pause, the last one is still waited for
  tickRequest = requestAnimationFrame(tick);
}

/** Stop playing. */
export function pause() {
  if (!isPlaying) return;
  isPlaying = false;
  showBase();
  updateControls();
}

/** Show the frame that is due. */
function tick(now) {
  if (!isPlaying || !byId("viewer").open) return;
  let index = filmIndex, text = null;
  while (now >= shownSince + milliseconds(index)) {
    const next = following(index);
    if (next === null) {
      showIndex(index, text);
      pause();
      return;
    }
    if (loadPicture(next).state === "loading") break; // the film waits, rather than flickers
    shownSince += milliseconds(index);
    text = (next > index ? jumpText(film, index, next) : null) ?? text;
    index = next;
    if (now - shownSince > 1000 * MOST_LAG) shownSince = now;
  }
  if (index !== filmIndex) showIndex(index, text);
  tickRequest = requestAnimationFrame(tick);
}

/** Return for how long a frame is shown, in ms. */
function milliseconds(index) {
  return (1000 * film.seconds[index]) / filmSpeed;
}

/** Return the index of the frame after another, or null at the end of a film without a loop. */
function following(index) {
  if (index + 1 < film.frames.length) return index + 1;
  return isLooping ? 0 : null;
}

/** Load the frames that come next. */
function preload() {
  for (let ahead = 0; ahead <= AHEAD; ahead += 1) {
    loadPicture((filmIndex + ahead) % film.frames.length);
  }
  if (filmIndex > 0) loadPicture(filmIndex - 1);
}

/** Load the picture of a frame; return it. */
function loadPicture(index) {
  const { address } = film.frames[index];
  const known = filmPictures.get(address);
  if (known) return known;
  const picture = Object.assign(new Image(), { src: data.root + address, state: "loading" });
  filmPictures.set(address, picture);
  picture.decode().then(() => { picture.state = "ready"; }, () => { picture.state = "missing"; });
  return picture;
}

/** Change the speed by steps of the list. */
function changeSpeed(by) {
  const index = SPEEDS.indexOf(filmSpeed) + by;
  filmSpeed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, index))];
  shownSince = performance.now();
  updateControls();
}

// ---- controls ----

/** Make a button with an icon or a text. */
function filmButton(id, content, title, action) {
  const isIcon = content in ICONS;
  const path = isIcon ? draw("path", { d: ICONS[content] }) : null;
  const children = isIcon ? draw("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, path)
    : content;
  const element = make("button", { type: "button", id, title, "aria-label": title }, children);
  element.addEventListener("click", action);
  // a click leaves the keyboard with the picture, so that Space goes on to play and pause
  element.addEventListener("mousedown", (event) => event.preventDefault());
  return element;
}

/** Make the buttons of the player, and the lines that say what is shown. */
function controls() {
  const buttons = make("div", { class: "film-buttons", role: "group", "aria-label": "Film" },
    filmButton("film-back", "back", "Step back (,)", () => stepFrame(-1)),
    filmButton("film-play", "play", "Play (Space)", togglePlaying),
    filmButton("film-forward", "forward", "Step forward (.)", () => stepFrame(1)),
    filmButton("film-slower", "\u2212", "Slower (<)", () => changeSpeed(-1)),
    make("output", { id: "film-speed", "aria-label": "Speed" }),
    filmButton("film-faster", "+", "Faster (>)", () => changeSpeed(1)),
    filmButton("film-loop", "Loop", "Loop: start again after the last frame", toggleLoop));
  return make("div", { class: "film-controls" }, buttons,
    make("span", { id: "film-frame" }));
}

/** Play or pause. */
function togglePlaying() {
  if (isPlaying) pause();
  else play();
}

/** Switch the loop on or off. */
function toggleLoop() {
  isLooping = !isLooping;
  updateControls();
}

/** Show the state of the player in its controls. */
function updateControls() {
  const name = isPlaying ? "Pause (Space)" : "Play (Space)";
  const playButton = byId("film-play");
  if (playButton.title !== name) {
    playButton.title = name;
    playButton.setAttribute("aria-label", name);
    playButton.querySelector("path").setAttribute("d", isPlaying ? ICONS.pause : ICONS.play);
  }
  const last = film.frames.length - 1;
  playButton.disabled = last === 0;
  // while it plays, the messages on jumps would be read out again and again
  filmMessage.setAttribute("aria-live", isPlaying ? "off" : "polite");
  byId("film-back").disabled = filmIndex === 0;
  byId("film-forward").disabled = filmIndex === last;
  byId("film-slower").disabled = filmSpeed === SPEEDS[0];
  byId("film-faster").disabled = filmSpeed === SPEEDS.at(-1);
  byId("film-speed").textContent = `${filmSpeed}\u00d7`;
  byId("film-loop").setAttribute("aria-pressed", isLooping);
  byId("film-frame").textContent = frameText();
  moveTimeline(shownFrame(), frameText());
}

/** Return the number of the frame that is shown, its time, and whether it is the key frame. */
function frameText() {
  const seconds = timeAt(film, shownFrame());
  const time = hasValue(seconds) ? ` \u00b7 ${seconds.toFixed(2)} s` : "";
  const isKey = shownFrame() === current.key_frame && !findingsAreHidden(current);
  const key = isKey ? " \u00b7 key frame" : "";
  return `frame ${shownFrame()}${time}${key}`;
}

const FILM_KEYS = {
  " ": togglePlaying,
  ",": () => stepFrame(-1),
  ".": () => stepFrame(1),
  "<": () => changeSpeed(-1),
  ">": () => changeSpeed(1),
  Home: () => showNearest(film.first),
  End: () => showNearest(film.last),
};
document.addEventListener("keydown", (event) => {
  if (!film || !byId("viewer").open || event.defaultPrevented || isTyping(event)) return;
  if (event.ctrlKey || event.metaKey || event.altKey || !FILM_KEYS[event.key]) return;
  // the space bar presses the control that was reached by keyboard
  const isControl = event.target.closest("button, a, summary, [type=checkbox], [role=button]");
  if (event.key === " " && isControl) {
    if (!usesPointer) return;
    stage.focus(); // the control would be pressed when the key is released
  }
  event.preventDefault();
  FILM_KEYS[event.key]();
});
document.addEventListener("pointerdown", () => { usesPointer = true; }, { capture: true });
document.addEventListener("keydown", ({ key }) => {
  if (key === "Tab" || key.startsWith("Arrow")) usesPointer = false;
}, { capture: true });
byId("viewer").addEventListener("close", () => { isPlaying = false; });
