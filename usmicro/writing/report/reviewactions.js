// What a reader can do with the findings of the image that is shown: select, decide, change, add.

import { byId, data, hasValue, tableRows } from "./dom.js";
import { selectFocus, showEvidence } from "./evidence.js";
import { findingsAreHidden } from "./reviewblind.js";
import { VERDICTS, centroid, isNear, rounded } from "./reviewcsv.js";
import { changeRecord, recordOf, tidyRecord } from "./reviewstore.js";
import { markers } from "./markers.js";
import { placesOn, showNearest, shownFindings, shownFrame } from "./player.js";
import { current, focusFilters, foci, move, view, viewerEvents } from "./viewer.js";

const DEFAULT_DIAMETER_MM = 0.5; // of an added focus: the size of a typical microcalcification
const DEFAULT_DIAMETER_SHARE = 0.012; // the same as a share of the width, if no spacing is known
const LEAST_DIAMETER = 1; // pixels

/**
 * The finding that the keys act on, or null: `kind` is "focus" or "mass" (listed by the program),
 * "added" (a focus of the reader) or "drawn" (a mass of the reader); `key` is its number, or its
 * index among the marks of the reader.
 */
export let selectedFinding = null;

/** Return the frame on which the reader works; 0 for a still image. */
export function frameShown() {
  return current.frames > 1 ? shownFrame() : 0;
}

/** Return the decisions on the image that is shown. */
export function currentRecord() {
  return recordOf(current.image);
}

/** Return the masses that the program lists on the image that is shown. */
export function listedMasses() {
  return tableRows(current, "masses");
}

// the findings that the program lists on this image, by number; an image may have thousands
const program = { image: null, foci: new Map(), masses: new Map() };

/** Return the listed findings of the image, also those that the page hides. */
function listedFindings() {
  if (program.image !== current) {
    const rows = tableRows(current.listed ?? current, "foci");
    program.foci = new Map(rows.map((focus) => [focus.focus, focus]));
    program.masses = new Map(listedMasses().map((mass) => [mass.mass, mass]));
    program.image = current;
  }
  return program;
}

/** Return the listed foci that a frame shows, each with its place on this frame. */
function listedFociOn(frame) {
  const listed = [...listedFindings().foci.values()];
  if (current.frames <= 1) return listed;
  const places = placesOn(frame);
  return listed.flatMap((focus) => {
    if (focus.frame === frame) return [focus];
    const place = places.get(focus.focus);
    return place ? [Object.assign({}, focus, { frame, x_px: place.x, y_px: place.y })] : [];
  });
}

/** Return all findings of the image and marks of the reader, in the order of reading. */
export function allFindings() {
  const ofProgram = findingsAreHidden(current) ? [] : [
    ...foci.map((focus) => ({ kind: "focus", key: focus.focus })),
    ...listedMasses().map((mass) => ({ kind: "mass", key: mass.mass })),
  ];
  const { added = [], drawn = [] } = currentRecord();
  return [
    ...ofProgram,
    ...added.map((_, key) => ({ kind: "added", key })),
    ...drawn.map((_, key) => ({ kind: "drawn", key })),
  ];
}

/** Return the decision on a finding of an image, such as "accepted", or an empty text. */
export function decisionOn({ kind, key }, record = currentRecord()) {
  if (kind === "added" || kind === "drawn") return "added";
  return record[tableOf(kind)]?.[key]?.decision ?? "";
}

/** Return the number of decided findings of an image, and of all its findings. */
export function decidedCount(image) {
  const record = recordOf(image.image);
  const shown = [
    ...tableRows(image, "foci").map((focus) => ({ kind: "focus", key: focus.focus })),
    ...tableRows(image, "masses").map((mass) => ({ kind: "mass", key: mass.mass })),
  ];
  const decided = shown.filter((finding) => decisionOn(finding, record)).length;
  return { decided, total: shown.length };
}

/** Return the values of a finding as the reader left them, or as the program lists them. */
export function valuesOf({ kind, key }) {
  const record = currentRecord();
  if (kind === "added") return record.added?.[key] ?? null;
  if (kind === "drawn") return record.drawn?.[key] ?? null;
  const own = record[tableOf(kind)]?.[key], listed = listedValues({ kind, key });
  if (own?.decision) return own;
  return listed && own ? { ...listed, comment: own.comment } : listed;
}

/** Return the table of a record with the decisions on listed findings of a kind. */
function tableOf(kind) {
  return kind === "focus" ? "foci" : "masses";
}

/** Return the values that the program lists for a finding, or null. */
export function listedValues({ kind, key }) {
  const row = listedFindings()[tableOf(kind)].get(key);
  if (!row) return null;
  const { frame, label, shadow, twinkling } = row;
  const place = { frame, x: rounded(row.x_px, 2), y: rounded(row.y_px, 2) };
  if (kind === "mass") return place;
  return { ...place, diameter: rounded(row.diameter_px, 2), label, shadow, twinkling };
}

/** Return the values of a finding with its place on the shown frame; null if it has none. */
export function valuesHere(finding) {
  const values = valuesOf(finding), frame = frameShown();
  if (!values || (values.frame ?? 0) === frame) return values;
  if (finding.kind === "focus") {
    const marker = markers.find(({ focus }) => focus.focus === finding.key);
    return marker ? { ...values, frame, x: marker.x, y: marker.y } : null;
  }
  const top = finding.kind === "mass" && topOf(finding.key);
  if (!top) return null;
  const corners = outlineAt(shownMasses(), top[1], top[2]);
  return { ...values, frame, ...(corners ? centroid(corners) : { x: top[1], y: top[2] }) };
}

/** Return the number of a mass with the top of its outline on the shown frame, or undefined. */
export function topOf(number) {
  return shownFindings().tops.find(([mass]) => mass === number);
}

/** Return the outlines of the masses on the shown frame as an SVG path. */
function shownMasses() {
  return shownFindings().outlines.mass ?? "";
}

/** Select a finding, or nothing for null. With `find`, also move it into the picture. */
export function selectFinding(finding, find = false) {
  selectedFinding = finding;
  const focus = finding?.kind === "focus" && foci.find((other) => other.focus === finding.key);
  if (focus) {
    selectFocus(focus, find);
    return;
  }
  for (const marker of markers) marker.group.classList.remove("selected");
  const isChosen = (row) => finding?.kind === "mass" && Number(row.dataset.mass) === finding.key;
  for (const row of byId("tables").querySelectorAll("tr.selectable")) {
    row.classList.toggle("selected", isChosen(row));
  }
  showEvidence(null);
  const values = finding && find && valuesOf(finding);
  if (!values) return;
  if (current.frames > 1 && hasValue(values.frame)) showNearest(values.frame);
  move(values.x - view.x, values.y - view.y);
}

// the viewer selects a focus by a click on its marker or on its row
viewerEvents.addEventListener("select", ({ detail: focus }) => {
  if (focus) selectedFinding = { kind: "focus", key: focus.focus };
  else if (selectedFinding?.kind === "focus") selectedFinding = null;
});
viewerEvents.addEventListener("open", () => { selectedFinding = null; });

/** Return true if two findings are the same. */
export function isSame(one, other) {
  return one?.kind === other?.kind && one?.key === other?.key;
}

// ---- decisions on a finding ----

/** Accept or reject a listed finding. */
export function decide(finding, decision) {
  changeRecord(current.image, (record) => putDecision(record, finding, decision));
}

/** Accept or reject all listed findings that are not decided yet and that no filter hides. */
export function decideRemaining(decision) {
  const remaining = allFindings().filter(isReachable).filter((finding) => !decisionOn(finding));
  changeRecord(current.image, (record) => {
    for (const finding of remaining) putDecision(record, finding, decision);
  });
  return remaining.length;
}

/** Put a decision into a record. */
function putDecision(record, { kind, key }, decision) {
  const table = tableOf(kind), listed = listedValues({ kind, key });
  const stored = record[table]?.[key];
  const own = stored?.decision ? stored : takeBlindMark(record, { kind, key });
  const kept = tidyRecord({ comment: stored?.comment ?? own?.comment, blind: own?.blind });
  let values = { ...listed, ...own, ...kept };
  if (decision === "rejected") {
    // what is no focus has no label, and lies where the program put it
    const { frame, x, y, diameter } = listed;
    values = { frame, x, y, diameter, ...kept };
  }
  record[table] = { ...record[table], [key]: tidyRecord({ ...values, decision }) };
}

/** Return the frame of a mark. */
function frameOf(mark) {
  return mark.frame ?? 0;
}

/**
 * Take the mark that the reader made blind on a focus out of a record, and return it. Returns null
 * if there is none, as usual: `revealFindings` has dealt with the marks, unless it was not asked.
 */
function takeBlindMark(record, { kind, key }) {
  if (kind !== "focus") return null;
  const mark = record.added?.find((other) => other.blind && listedFociOn(frameOf(other))
    .some((focus) => focus.focus === key && isNear(other, focus)));
  if (!mark) return null;
  record.added = record.added.filter((other) => other !== mark);
  return mark;
}

/** Set the label, shadow or twinkling of a focus; a listed focus is thereby accepted. */
export function setVerdict({ kind, key }, column, value) {
  changeRecord(current.image, (record) => {
    if (kind === "added") {
      record.added[key] = tidyRecord({ ...record.added[key], [column]: value });
      return;
    }
    putDecision(record, { kind, key }, "accepted");
    record.foci[key] = { ...record.foci[key], [column]: value };
  });
}

/** Set the next value of the shadow or twinkling of a focus. */
export function cycleVerdict(finding, column) {
  const values = VERDICTS[column];
  const index = values.indexOf(valuesOf(finding)[column]);
  setVerdict(finding, column, values[(index + 1) % values.length]);
}

/** Take the decision on a listed finding back, or remove a mark of the reader. */
export function removeDecision({ kind, key }) {
  changeRecord(current.image, (record) => {
    if (kind === "added" || kind === "drawn") record[kind].splice(key, 1);
    else putUndecided(record, { kind, key }, record[tableOf(kind)]?.[key]?.comment);
  });
  if (kind === "added" || kind === "drawn") selectFinding(null);
}

/** Leave a listed finding in a record without a decision, with its comment if it has one. */
function putUndecided(record, { kind, key }, comment) {
  const table = tableOf(kind), { frame, x, y } = listedValues({ kind, key });
  record[table] = { ...record[table] };
  if (comment) record[table][key] = tidyRecord({ frame, x, y, comment });
  else delete record[table][key];
}

/** Return the comment on a listed finding, or an empty text. */
export function commentOn({ kind, key }) {
  return currentRecord()[tableOf(kind)]?.[key]?.comment ?? "";
}

/** Set the comment on a finding; it decides nothing. */
export function setComment({ kind, key }, comment) {
  changeRecord(current.image, (record) => {
    if (kind === "added" || kind === "drawn") {
      record[kind][key] = tidyRecord({ ...record[kind][key], comment });
    } else if (decisionOn({ kind, key }, record)) {
      record[tableOf(kind)][key] = tidyRecord({ ...record[tableOf(kind)][key], comment });
    } else putUndecided(record, { kind, key }, comment);
  });
}

/** Move a finding to a position; a focus may also get another diameter. */
export function moveFinding({ kind, key }, { x, y, diameter }) {
  const from = valuesHere({ kind, key }), before = massOutline({ kind, key });
  changeRecord(current.image, (record) => {
    if (kind === "focus" || kind === "mass") putDecision(record, { kind, key }, "accepted");
    const marks = { focus: record.foci, mass: record.masses }[kind] ?? record[kind];
    const moved = { ...marks[key], frame: frameShown(), x: rounded(x, 2), y: rounded(y, 2) };
    if (diameter) moved.diameter = rounded(Math.max(LEAST_DIAMETER, diameter), 2);
    if (before) {
      const shift = ([column, row]) =>
        [rounded(column + x - from.x, 1), rounded(row + y - from.y, 1)];
      moved.outline = before.map(shift);
    }
    marks[key] = tidyRecord(moved);
  });
}

/** Return the outline of a mass on the shown frame as corners, or null if there is none. */
export function massOutline({ kind, key }) {
  if (kind !== "mass" && kind !== "drawn") return null;
  const own = valuesOf({ kind, key });
  if (own?.outline && (own.frame ?? 0) === frameShown()) return own.outline;
  const top = kind === "mass" && topOf(key);
  return top ? outlineAt(shownMasses(), top[1], top[2]) : null;
}

/** Return the closed line of an SVG path (M, l, z) whose highest corner is nearest a position. */
function outlineAt(path, x, y) {
  let nearest = null, least = Infinity;
  for (const part of path.split("M").slice(1)) {
    const numbers = part.replaceAll(/[lz]/g, " ").trim().split(/\s+/).map(Number);
    const corners = [];
    for (let index = 0; index + 1 < numbers.length; index += 2) {
      const [px, py] = corners.at(-1) ?? [0, 0];
      corners.push([px + numbers[index], py + numbers[index + 1]]);
    }
    for (const [cx, cy] of corners) {
      const distance = Math.hypot(cx - x, cy - y);
      if (distance < least) [least, nearest] = [distance, corners];
    }
  }
  return nearest;
}

// ---- marks of the reader ----

/** Add a focus that the program does not list, and select it. */
export function addFocus({ x, y, diameter = null }) {
  const spacing = current.spacing_x_mm;
  const usual = hasValue(spacing) ? DEFAULT_DIAMETER_MM / spacing
    : DEFAULT_DIAMETER_SHARE * current.columns;
  const focus = {
    frame: frameShown(), x: rounded(x, 2), y: rounded(y, 2),
    diameter: rounded(Math.max(LEAST_DIAMETER, diameter ?? usual), 2),
    blind: findingsAreHidden(current),
  };
  changeRecord(current.image, (record) => {
    record.added = [...(record.added ?? []), tidyRecord(focus)];
  });
  selectFinding({ kind: "added", key: currentRecord().added.length - 1 });
}

/** Add a mass by its corners, and select it. */
export function addMass(corners) {
  const outline = corners.map(([x, y]) => [rounded(x, 1), rounded(y, 1)]);
  const mass = {
    ...centroid(outline), frame: frameShown(), outline, blind: findingsAreHidden(current),
  };
  changeRecord(current.image, (record) => {
    record.drawn = [...(record.drawn ?? []), tidyRecord(mass)];
  });
  selectFinding({ kind: "drawn", key: currentRecord().drawn.length - 1 });
}

/**
 * Show the findings of an image that is read blind. A mark of the reader that hits a listed focus
 * becomes the decision on that focus, so that no focus counts twice.
 */
export function revealFindings() {
  changeRecord(current.image, (record) => {
    record.revealed = true;
    const pairs = (record.added ?? []).flatMap((mark) => listedFociOn(frameOf(mark))
      .filter((focus) => isNear(mark, focus))
      .map((focus) => ({
        mark, focus, distance: Math.hypot(mark.x - focus.x_px, mark.y - focus.y_px),
      })));
    pairs.sort((one, other) => one.distance - other.distance);
    for (const { mark, focus } of pairs) {
      const isFree = record.added.includes(mark) && !record.foci?.[focus.focus]?.decision;
      if (!isFree) continue;
      const comment = mark.comment ?? record.foci?.[focus.focus]?.comment;
      const own = tidyRecord({ ...mark, comment, decision: "accepted" });
      record.foci = { ...record.foci, [focus.focus]: own };
      record.added = record.added.filter((other) => other !== mark);
    }
  });
}

// ---- the image as a whole ----

/** Set the calcification, comment or reviewed mark of the image that is shown. */
export function setAnswer(name, value) {
  changeRecord(current.image, (record) => { record[name] = value; });
}

/** Mark the image as reviewed or not; without its findings, it was read blind. */
export function setReviewed(reviewed) {
  const blind = reviewed && findingsAreHidden(current);
  changeRecord(current.image, (record) => Object.assign(record, { reviewed, blind }));
}

/** Return the next finding that is not decided, after the selected one, or null. */
export function nextUndecided() {
  const findings = allFindings().filter(isReachable);
  const start = findings.findIndex((finding) => isSame(finding, selectedFinding)) + 1;
  const ordered = [...findings.slice(start), ...findings.slice(0, start)];
  return ordered.find((finding) => !decisionOn(finding)) ?? null;
}

/** Return true if no filter hides a finding. */
function isReachable({ kind, key }) {
  const focus = kind === "focus" && listedFindings().foci.get(key);
  return !focus || focusFilters.every((passes) => passes(focus));
}

/** Return the number of images of the run that the reader can review. */
export function reviewableCount() {
  return data.review.images;
}
