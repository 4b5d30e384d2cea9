// The timeline of a cine: its stored frames, a bar for each track of a focus, and an axis.

import { byId, formatNumber, icon, make } from "./dom.js";
import { selectFocus, chosenFocus } from "./evidence.js";
import { shareOf, stretches, timeAt } from "./film.js";
import { drawableFoci, film, goToFocus, shownFindings } from "./player.js";
import { showNearest, stepFrame } from "./player.js";
import { twinklingPlot, updateTwinkling } from "./twinkling.js";
import { current, lookAt, stage, view, viewerEvents } from "./viewer.js";

const ROW = 22; // height of a row of bars, pixels of the screen
const NUMBER_WIDTH = 38; // width that is kept free for the number beside a bar, pixels
const THUMB = 16; // width of the thumb of the slider, as in player.css
const TICK_WIDTH = 90; // width that the text of a tick needs, pixels of the screen
const NEAR = 0.7; // ticks nearer to an end than this share of their distance are left out
const AXIS_STEPS = [1, 2, 5];
const LEAST_DRAG = 4; // a pointer that moves by fewer pixels clicks, and does not drag
const SLIDER_STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
const BAR_STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

let trackButtons = []; // each track and its button, in the order of their first frames
let visibleTracks = ""; // numbers of the foci whose bars are not hidden

/** Return a share of the width as a percentage. */
function percentOf(share) {
  return `${(100 * share).toFixed(3)}%`;
}

/** Return the left side and the width of a stretch of frames on the time axis. */
function frameExtent(first, last) {
  const frames = film.last - film.first + 1;
  return { left: (first - film.first) / frames, width: (last - first + 1) / frames };
}

/** Make an element that covers a stretch of frames. */
function stretchElement(name, [first, last]) {
  const element = make("span", { class: name });
  const { left, width } = frameExtent(first, last);
  Object.assign(element.style, { left: percentOf(left), width: percentOf(width) });
  return element;
}

/** Make the timeline of the film. */
export function buildTimeline() {
  const stored = stretches(film);
  const body = make("div", { id: "timeline", class: "timeline" },
    make("div", { class: "gaps", "aria-hidden": "true" },
      ...gapsBetween(stored).map((gap) => stretchElement("gap", gap))),
    make("div", { class: "stored", title: "Frames that are stored; hatched: frames left out" },
      ...stored.map((frames) => stretchElement("run", frames))),
    ...trackBars(), ...twinklingPlot(),
    make("div", { id: "film-axis", class: "film-axis", "aria-hidden": "true" }),
    make("div", { id: "playhead", class: "playhead" }));
  body.addEventListener("pointerdown", startDrag);
  timelineResize.disconnect();
  timelineResize.observe(body);
  return make("div", { class: "film-time" }, body);
}

const timelineResize = new ResizeObserver(() => {
  if (!film) return;
  const tracks = byId("tracks");
  const scrollBar = tracks ? tracks.offsetWidth - tracks.clientWidth : 0;
  byId("viewer").style.setProperty("--gutter", `${scrollBar}px`);
  byId("film-axis").replaceChildren(...ticks());
});

/** Return the stretches of frames that are not stored. */
function gapsBetween(stored) {
  const starts = [film.first, ...stored.map(([, last]) => last + 1)];
  const ends = [...stored.map(([first]) => first - 1), film.last];
  return starts.map((start, index) => [start, ends[index]]).filter(([start, end]) => end >= start);
}

/** Make the slider. Its thumb lies above the frame on the time axis. */
export function frameSlider() {
  const element = make("input", { type: "range", id: "film-slider", "aria-label": "Frame",
    min: film.first, max: film.last, step: 1 });
  const half = shareOf(film, film.first);
  element.style.width = `calc(${percentOf(1 - 2 * half)} + ${THUMB}px)`;
  element.style.marginLeft = `calc(${percentOf(half)} - ${THUMB / 2}px)`;
  element.addEventListener("input", () => showNearest(Number(element.value)));
  element.addEventListener("keydown", (event) => {
    const by = SLIDER_STEPS[event.key];
    if (!by) return;
    event.preventDefault(); // the browser would stop at the next frame that is not stored
    stepFrame(by);
  });
  return make("div", { class: "film-time" }, make("div", { class: "film-slider" }, element));
}

/** Make the ticks of the axis. */
function ticks() {
  const most = Math.max(1, Math.floor(byId("film-axis").clientWidth / TICK_WIDTH));
  return tickFrames(most).map((frame) => {
    const seconds = timeAt(film, frame);
    const time = seconds === null ? "" : ` (${formatNumber(seconds, 1)} s)`;
    const tick = make("span", { class: "tick" }, `${frame}${time}`);
    const share = shareOf(film, frame);
    tick.style.left = percentOf(share);
    tick.style.transform = `translateX(${(-100 * share).toFixed(1)}%)`; // stays inside at both ends
    return tick;
  });
}

/** Return the frames with a tick: the first, the last, and round numbers between them. */
function tickFrames(most) {
  const span = film.last - film.first;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, span / most)));
  const apart = AXIS_STEPS.map((factor) => factor * power)
    .find((size) => span / size <= most) ?? 10 * power;
  const round = [];
  for (let frame = Math.ceil(film.first / apart) * apart; frame <= film.last; frame += apart) {
    // round numbers beside the first or last frame would be printed over it
    if (Math.min(frame - film.first, film.last - frame) > NEAR * apart) round.push(frame);
  }
  return span ? [film.first, ...round, film.last] : [film.first];
}

// ---- bars ----

/** Make the bars of the tracks; empty if there are none. */
function trackBars() {
  const tracks = [...film.cine.tracks];
  tracks.sort((one, other) => one.first - other.first || one.focus - other.focus);
  trackButtons = tracks.map((track) => ({ track, element: trackBar(track) }));
  visibleTracks = "";
  if (!tracks.length) return [];
  const lanes = make("div", { class: "lanes" }, ...trackButtons.map(({ element }) => element));
  const group = make("div", { id: "tracks", class: "tracks", role: "group",
    "aria-label": "Foci over the frames; arrow keys go from one to the next" }, lanes);
  group.addEventListener("keydown", moveAmongBars);
  return [group];
}

/** Place the bars that are not hidden in rows. */
function packBars() {
  const ends = []; // share of the width at which each row is free again
  const numberShare = NUMBER_WIDTH / stage.clientWidth; // as wide as the timeline
  for (const { track, element } of shownBars()) {
    const { left, width } = frameExtent(track.first, track.last);
    let place = "right"; // of the number
    if (left + width > 1 - numberShare) place = left >= numberShare ? "left" : "inside";
    const start = place === "left" ? left - numberShare : left;
    const free = ends.findIndex((end) => end <= start);
    const row = free < 0 ? ends.length : free;
    ends[row] = left + width + (place === "right" ? numberShare : 0);
    element.style.top = `${ROW * row}px`;
    element.dataset.number = place;
    // inside, at the end of the bar that is farther from the symbol of the best frame
    element.classList.toggle("number-last", 2 * track.best < track.first + track.last);
  }
  byId("tracks").firstChild.style.height = `${ROW * ends.length}px`;
}

/** Return the bars that are not hidden. */
function shownBars() {
  return trackButtons.filter(({ element }) => !element.hidden);
}

/** Make the bar of a track: a button with the stretches of frames that show its focus. */
function trackBar(track) {
  const { focus, label, first, last, best } = track;
  const spans = track.frames.length === 1 ? "" : ` in ${track.frames.length} stretches`;
  const name = `Focus ${focus}, ${label}, frames ${first} to ${last}${spans}, best on frame `
    + best;
  const element = make("button", { type: "button", tabindex: -1, class: `track ${label}`,
    "data-track": focus, title: name, "aria-label": name });
  const whole = frameExtent(first, last);
  element.style.left = percentOf(whole.left);
  element.style.width = percentOf(whole.width);
  const inside = (frame) => (frame - first) / (last - first + 1);
  for (const [start, end] of track.frames) {
    const part = make("span", { class: "seen" });
    part.style.left = percentOf(inside(start));
    part.style.width = percentOf(inside(end + 1) - inside(start));
    element.append(part);
  }
  const mark = icon(label);
  mark.style.left = percentOf(inside(best + 0.5));
  element.append(mark, make("span", { class: "track-number" }, String(focus)));
  element.addEventListener("mousedown", (event) => event.preventDefault());
  element.addEventListener("click", () => chooseBar(focus));
  return element;
}

/** Select the focus of a bar, on its best frame, and move it into the view. */
function chooseBar(number) {
  const focus = drawableFoci().get(number);
  selectFocus(focus, false);
  const spot = goToFocus(focus);
  if (!spot) return;
  const { width, height } = stage.getBoundingClientRect();
  const dx = spot.x - view.x, dy = spot.y - view.y;
  const isVisible = Math.abs(dx) * view.scale < width / 2 && Math.abs(dy) * view.scale < height / 2;
  if (!isVisible) lookAt(spot);
}

/** Move the keyboard from one bar to the next. */
function moveAmongBars(event) {
  const by = BAR_STEPS[event.key];
  if (!by) return;
  event.preventDefault();
  const shown = shownBars();
  const index = shown.findIndex(({ element }) => element === document.activeElement);
  const next = shown[index + by]?.element;
  if (!next) return;
  next.focus();
}

/** Let the Tab key reach one bar only: the one that had the keyboard last. */
document.addEventListener("focusin", (event) => {
  const focused = trackButtons.find(({ element }) => element === event.target);
  if (!focused) return;
  for (const { element } of trackButtons) element.tabIndex = element === event.target ? 0 : -1;
});

/** Show which bars belong to foci of the shown frame, are selected, or may not be drawn. */
function updateBars() {
  if (!film) return;
  const drawable = drawableFoci();
  const here = new Set(shownFindings().spots.map(({ focus }) => focus.focus));
  for (const { track: { focus }, element } of trackButtons) {
    element.hidden = !drawable.has(focus);
    element.classList.toggle("here", here.has(focus));
    element.classList.toggle("selected", focus === chosenFocus?.focus);
    element.setAttribute("aria-pressed", focus === chosenFocus?.focus);
  }
  const shown = shownBars(), numbers = shown.map(({ track }) => track.focus).join();
  if (numbers === visibleTracks) return;
  visibleTracks = numbers;
  packBars();
  updateTwinkling();
  const isReached = shown.some(({ element }) => element.tabIndex === 0);
  if (shown.length && !isReached) shown[0].element.tabIndex = 0;
}

// ---- the shown frame ----

/** Move the slider and the line of the timeline to a frame. */
export function moveTimeline(frame, text) {
  byId("film-slider").value = frame;
  byId("film-slider").setAttribute("aria-valuetext", text);
  byId("playhead").style.setProperty("--share", shareOf(film, frame));
}

/** Return the frame at a position of the pointer. */
function frameAt(event) {
  const { left, width } = byId("timeline").querySelector(".stored").getBoundingClientRect();
  const share = (event.clientX - left) / width;
  return Math.floor(film.first + share * (film.last - film.first + 1));
}

/** Show the frame at the pointer until it is released. A click on a bar is left to the bar. */
function startDrag(event) {
  const body = byId("timeline");
  const { right } = body.querySelector(".stored").getBoundingClientRect();
  if (event.button !== 0 || event.clientX > right) return; // right of it is the scroll bar
  const onBar = event.target.closest(".track");
  let isDragged = false;
  if (!onBar) showNearest(frameAt(event));
  const follow = (moved) => {
    if (!isDragged && Math.abs(moved.clientX - event.clientX) < LEAST_DRAG) return;
    isDragged = true;
    body.setPointerCapture(event.pointerId); // from here on, the bar gets no click
    showNearest(frameAt(moved));
  };
  const end = () => {
    body.removeEventListener("pointermove", follow);
    for (const kind of ["pointerup", "pointercancel"]) body.removeEventListener(kind, end);
  };
  body.addEventListener("pointermove", follow);
  for (const kind of ["pointerup", "pointercancel"]) body.addEventListener(kind, end);
}

viewerEvents.addEventListener("open", () => {
  updateBars();
  if (film) updateTwinkling();
});
viewerEvents.addEventListener("draw", updateBars);
viewerEvents.addEventListener("select", () => {
  if (!film || !current) return;
  updateBars();
  updateTwinkling();
  const selected = trackButtons.find(({ track }) => track.focus === chosenFocus?.focus);
  selected?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
});
