// The decisions of the readers: kept in memory and in the browser's storage, with undo and redo.

import { data } from "./dom.js";

// The prefix keeps the runs apart, since browsers share one storage between all local files.
const STORE_PREFIX = `usmicro-review ${data.review.run} `;
const SETTINGS_KEY = `usmicro-review-settings ${data.review.run}`;
const DEFAULT_SETTINGS = { reader: "", blind: false, random: false, seed: "1" };

/**
 * Tells what happens to the review: "change" (decisions on the images in `detail` have changed),
 * "reader" (another reader works), "settings" and "unstored" (the browser could not store).
 */
export const reviewEvents = new EventTarget();
/** Name of the reader who works, blind mode, and whether the order is random, with its seed. */
export const reviewSettings = { ...DEFAULT_SETTINGS };

const records = new Map(); // reader, then image, to the decisions on this image
const EMPTY_RECORD = Object.freeze({});
const undoneSteps = []; // steps that redo brings back, the next one last
const doneSteps = []; // steps that undo takes back, the next one last
/** Why the browser does not store the decisions; empty while it does. */
export let storageProblem = "";

/**
 * Return the decisions of a reader on an image. An object with any of: `calcification`,
 * `reviewed`, `comment`, `revealed` (read blind, findings shown since), `blind` (reviewed without
 * the findings), `foci` and `masses` (by number), `added` (foci) and `drawn` (masses).
 * Never change it; use `changeRecord`.
 */
export function recordOf(image, reader = reviewSettings.reader) {
  return records.get(reader)?.get(image) ?? EMPTY_RECORD;
}

/** Return the names of the readers who have decisions. */
export function knownReaders() {
  return [...records].filter(([, images]) => images.size).map(([reader]) => reader).toSorted();
}

/** Return the decisions of a reader as pairs of image and record. */
export function recordsOf(reader) {
  return [...(records.get(reader) ?? [])];
}

/**
 * Return a copy of a record whose tables may be changed. Their entries are shared with the record:
 * they are replaced, not changed, so that a step of undo needs little memory.
 */
function copyOf(record) {
  const copy = {};
  for (const [name, value] of Object.entries(record)) {
    if (Array.isArray(value)) copy[name] = [...value];
    else copy[name] = typeof value === "object" ? Object.assign({}, value) : value;
  }
  return copy;
}

/**
 * Change the decisions of the reader on one image; `edit` is given a copy whose values, tables and
 * lists it may change, but not the entries in them.
 */
export function changeRecord(image, edit) {
  const after = copyOf(recordOf(image));
  edit(after);
  applyChanges([{ reader: reviewSettings.reader, image, after: tidyRecord(after) }]);
}

/**
 * Apply changes as one step of undo; each has `reader`, `image` and the new record `after`.
 * `isLoaded` says that they come from a file.
 */
export function applyChanges(changes, isLoaded = false) {
  const step = changes
    .map((change) => ({ ...change, before: recordOf(change.image, change.reader) }))
    .filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after));
  if (!step.length) return;
  step.isLoaded = isLoaded;
  doneSteps.push(step);
  undoneSteps.length = 0;
  putRecords(step, "after");
}

/** Take the last step back, or bring the last undone one back. Return its images. */
export function undoReview(redo = false) {
  const step = (redo ? undoneSteps : doneSteps).pop();
  if (!step) return [];
  (redo ? doneSteps : undoneSteps).push(step);
  const [{ reader }] = step;
  if (step.every((change) => change.reader === reader)) changeReader(reader);
  putRecords(step, redo ? "after" : "before");
  return step.map(({ image }) => image);
}

/** Return whether there is a step to undo, and one to redo. */
export function undoState() {
  return { canUndo: doneSteps.length > 0, canRedo: undoneSteps.length > 0 };
}

/** Remove what is empty, so that equal decisions are equal records. */
export function tidyRecord(record) {
  const tidied = {};
  for (const key of Object.keys(record).toSorted()) {
    const value = record[key];
    const isEmpty = value === "" || value === null || value === undefined || value === false
      || (typeof value === "object" && !Object.keys(value).length);
    if (!isEmpty) tidied[key] = value;
  }
  return tidied;
}

/** Let another reader work. */
export function changeReader(reader) {
  if (reader === reviewSettings.reader) return;
  changeSettings({ reader });
  reviewEvents.dispatchEvent(new Event("reader"));
}

/** Change settings of the review and store them. */
export function changeSettings(changes) {
  Object.assign(reviewSettings, changes);
  store(SETTINGS_KEY, JSON.stringify(reviewSettings));
  reviewEvents.dispatchEvent(new Event("settings"));
}

/** Put the records "before" or "after" the changes of a step in place. */
function putRecords(step, which) {
  for (const change of step) {
    // an image whose findings were seen cannot be read blind again, also after undo
    const wasSeen = !step.isLoaded && recordOf(change.image, change.reader).revealed;
    const record = wasSeen ? tidyRecord({ ...change[which], revealed: true }) : change[which];
    putRecord(change.reader, change.image, record);
    const key = storageKey(change.reader, change.image);
    store(key, Object.keys(record).length ? JSON.stringify(record) : null);
  }
  tellChange(step.map(({ image }) => image));
}

/** Keep a record in memory; an empty one is forgotten. */
function putRecord(reader, image, record) {
  if (!records.has(reader)) records.set(reader, new Map());
  if (Object.keys(record).length) records.get(reader).set(image, record);
  else records.get(reader).delete(image);
}

/** Tell other scripts that decisions on images have changed. */
function tellChange(images) {
  reviewEvents.dispatchEvent(new CustomEvent("change", { detail: images }));
}

/** Return the key under which the browser stores a record. */
function storageKey(reader, image) {
  return STORE_PREFIX + JSON.stringify([reader, image]);
}

/** Store a text in the browser, or delete it if null; remember why if that fails. */
function store(key, text) {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch (error) {
    storageProblem = error.name === "QuotaExceededError"
      ? "the storage of the browser is full" : "the browser forbids storage for this page";
    reviewEvents.dispatchEvent(new Event("unstored"));
  }
}

/** Return the parsed JSON of a stored text, or null if it is damaged. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Take a stored record into memory; return its image, or null if the key is another one. */
function takeStored(key, text) {
  const names = key.startsWith(STORE_PREFIX) ? parsed(key.slice(STORE_PREFIX.length)) : null;
  const record = text === null ? {} : parsed(text);
  if (!names || record === null) return null;
  putRecord(names[0], names[1], record);
  return names[1];
}

/** Read what the browser has stored of this run. */
function readStored() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(STORE_PREFIX)) takeStored(key, localStorage.getItem(key));
    }
    Object.assign(reviewSettings, parsed(localStorage.getItem(SETTINGS_KEY)) ?? {});
  } catch {
    storageProblem = "the browser forbids storage for this page";
  }
}

// another tab, or another page of the report, has stored decisions
window.addEventListener("storage", (event) => {
  if (event.key === null) return;
  if (event.key === SETTINGS_KEY) {
    const { blind = false } = parsed(event.newValue) ?? {};
    if (blind !== reviewSettings.blind) changeSettings({ blind });
    return;
  }
  const image = takeStored(event.key, event.newValue);
  if (image !== null) tellChange([image]);
});
window.addEventListener("beforeunload", (event) => {
  if (storageProblem && doneSteps.length) event.preventDefault();
});
readStored();
