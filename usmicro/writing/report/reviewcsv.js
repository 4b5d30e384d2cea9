// The table review.csv: docs/outputs.md describes its rows.

import { data, hasValue, tableRows } from "./dom.js";
import { knownReaders, recordOf, recordsOf, tidyRecord } from "./reviewstore.js";

const CSV_COLUMNS = [
  "image", "frame", "focus", "x_px", "y_px", "diameter_px", "decision", "label", "shadow",
  "twinkling", "mass", "calcification", "reader", "comment", "outline_px", "mass_number",
  "reviewed", "run", "blind",
];
const NEEDED_COLUMNS = CSV_COLUMNS.slice(0, 14);
export const VERDICTS = {
  label: ["intramass", "extramass", "intraductal"],
  shadow: ["yes", "no", "not assessable"],
  twinkling: ["yes", "possible", "no", "not assessable"],
};
const ALLOWED_VALUES = {
  ...VERDICTS,
  decision: ["accepted", "rejected", "added"],
  mass: ["accepted", "rejected"],
  calcification: ["yes", "no", "unsure"],
  reviewed: ["yes"],
  blind: ["yes"],
};
// a spreadsheet takes such a text for a formula; an apostrophe in front prevents it
const FORMULA = /^'*[=+\-@\t\r]/, ESCAPED_FORMULA = /^'(?='*[=+\-@\t\r])/;
/** Distance, in pixels, within which two marks are of one focus; as in `usmicro evaluate`. */
const LEAST_MATCH = 6;

/** Return review.csv with the decisions of the readers. */
export function reviewCsv(readers = knownReaders()) {
  const entries = readers.flatMap((reader) =>
    recordsOf(reader).map(([image, record]) => ({ reader, image, record })));
  entries.sort((one, other) =>
    compareTexts(one.image, other.image) || compareTexts(one.reader, other.reader));
  const lines = entries.flatMap(recordRows).map((row) =>
    CSV_COLUMNS.map((column) => csvCell(column, row[column])).join(","));
  return `${[CSV_COLUMNS.join(","), ...lines].join("\n")}\n`;
}

/** Compare two texts in the same way everywhere. */
function compareTexts(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Return the rows of one reader on one image. */
function recordRows({ reader, image, record }) {
  const rows = [];
  const add = (cells) => rows.push({ image, reader, run: data.review.run, ...cells });
  const { calcification, reviewed, comment } = record, blind = record.revealed || record.blind;
  if (calcification || reviewed || comment || blind) {
    add({ calcification, comment, reviewed: flagCell(reviewed), blind: flagCell(blind) });
  }
  for (const [number, focus] of numbered(record.foci)) add({ focus: number, ...focusCells(focus) });
  for (const focus of record.added ?? []) add({ ...focusCells(focus), decision: "added" });
  for (const [number, mass] of numbered(record.masses)) {
    add({ mass_number: number, ...massCells(mass) });
  }
  for (const mass of record.drawn ?? []) add({ ...massCells(mass), mass: "accepted" });
  return rows;
}

/** Return the cell of a mark that is set or not. */
function flagCell(value) {
  return value ? "yes" : "";
}

/** Return the cells of a focus. */
function focusCells(focus) {
  const { decision, label, shadow, twinkling } = focus;
  return { ...markCells(focus), decision, label, shadow, twinkling };
}

/** Return the cells of a mass. */
function massCells(mass) {
  return { ...markCells(mass), mass: mass.decision, outline_px: outlineText(mass.outline) };
}

/** Return the cells that foci and masses have in common. */
function markCells({ frame, x, y, diameter, comment, blind }) {
  const place = { x_px: rounded(x, 2), y_px: rounded(y, 2), diameter_px: rounded(diameter, 2) };
  return { frame, ...place, comment, blind: flagCell(blind) };
}

/** Return the entries of an object whose keys are numbers, in their order. */
function numbered(entries) {
  return Object.entries(entries ?? {}).toSorted(([one], [other]) => one - other);
}

/** Return a number with at most some decimals, or null. */
export function rounded(value, decimals) {
  return hasValue(value) ? Number(value.toFixed(decimals)) : null;
}

/** Return corners as "x,y x,y ...". */
function outlineText(corners) {
  return (corners ?? []).map(([x, y]) => `${rounded(x, 1)},${rounded(y, 1)}`).join(" ");
}

/** Return a cell of the table, with quotes if it needs them. */
function csvCell(column, value) {
  if (!hasValue(value)) return "";
  let text = String(value);
  if (["reader", "comment"].includes(column) && FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Return the cells of each line of a CSV text (RFC 4180). */
function parseCsv(text) {
  const lines = [];
  let line = [], cell = "", quoted = false;
  const endLine = () => {
    line.push(cell);
    if (line.length > 1 || line[0]) lines.push(line);
    line = [];
    cell = "";
  };
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[index + 1] === '"') {
        cell += '"';
        index += 1;
      } else quoted = false;
    } else if (character === '"' && !cell) quoted = true;
    else if (character === ",") {
      line.push(cell);
      cell = "";
    } else if (character === "\n") endLine();
    else if (character !== "\r" || text[index + 1] !== "\n") cell += character;
  }
  if (quoted) throw new Error("a quoted cell is not closed; the file may be cut off");
  endLine();
  return lines;
}

/**
 * Read a review.csv.
 *
 * Return `changes` for `applyChanges`, the number of `decisions`, the `readers`, and `remarks` on
 * decisions that could not be taken. What the file says replaces the stored decision on the same
 * finding; everything else is kept. Throws an Error that says what is wrong with the file.
 */
export function readReviewCsv(text) {
  const [columns, ...lines] = parseCsv(text.replace(/^\uFEFF/, ""));
  const missing = NEEDED_COLUMNS.filter((column) => !columns?.includes(column));
  if (missing.length) {
    throw new Error(`expected a review.csv of this report; it has no column ${missing.join(", ")}`);
  }
  const images = new Map(data.images.map((image) => [image.image, image]));
  const edited = new Map(), remarks = [];
  let decisions = 0;
  for (const [index, line] of lines.entries()) {
    const row = Object.fromEntries(columns.map((column, at) => [column, line[at] ?? ""]));
    for (const column of ["reader", "comment"]) {
      row[column] = row[column].replace(ESCAPED_FORMULA, "");
    }
    checkRow(row, index + 2);
    const key = JSON.stringify([row.reader, row.image]);
    if (!edited.has(key)) edited.set(key, structuredClone(recordOf(row.image, row.reader)));
    const remark = takeRow(row, edited.get(key), images.get(row.image));
    if (remark) remarks.push(`${row.image}: ${remark}`);
    else decisions += 1;
  }
  const changes = [...edited].map(([key, record]) => {
    const [reader, image] = JSON.parse(key);
    return { reader, image, after: tidyRecord(record) };
  });
  const readers = [...new Set(changes.map(({ reader }) => reader))].toSorted();
  return { changes, decisions, readers, remarks };
}

/** Throw an Error if a row has a value that is not allowed. */
function checkRow(row, number) {
  const fail = (column, expected) => {
    const found = row[column] || "nothing";
    throw new Error(`line ${number}: expected ${expected} in column ${column}, found ${found}`);
  };
  if (!row.image) fail("image", "the name of an image");
  for (const [column, values] of Object.entries(ALLOWED_VALUES)) {
    if (row[column] && !values.includes(row[column])) fail(column, values.join(", "));
  }
  const isListed = row.focus || row.mass_number; // perhaps with a comment alone
  const isPlaced = row.decision || (row.mass && !row.outline_px) || isListed;
  for (const column of ["x_px", "y_px", "diameter_px", "frame", "focus", "mass_number"]) {
    const needed = isPlaced && ["x_px", "y_px"].includes(column);
    if (needed && !row[column]) fail(column, "a number");
    if (row[column] && !Number.isFinite(Number(row[column]))) fail(column, "a number");
  }
  if (row.outline_px && cornersOf(row.outline_px).length < 3) {
    fail("outline_px", "three corners or more");
  }
}

/** Return the corners of a text "x,y x,y ..."; none if it is damaged. */
function cornersOf(text) {
  const corners = text.trim().split(/\s+/).map((corner) => corner.split(",").map(Number));
  return corners.every((corner) => corner.length === 2 && corner.every(Number.isFinite))
    ? corners : [];
}

/** Put a row into a record. Return why it could not be taken, or an empty text. */
function takeRow(row, record, image) {
  const isOtherRun = Boolean(row.run) && row.run !== data.review.run;
  if (!image && isOtherRun) return "this page has no such image";
  const number = (column) => (row[column] ? Number(row[column]) : null);
  const mark = tidyRecord({
    frame: number("frame"), x: number("x_px"), y: number("y_px"), diameter: number("diameter_px"),
    label: row.label, shadow: row.shadow, twinkling: row.twinkling, comment: row.comment,
    blind: row.blind === "yes",
  });
  if (row.decision) return takeFocus(row, { ...mark, decision: row.decision }, record, image);
  if (row.mass) return takeMass(row, { ...mark, decision: row.mass }, record, image);
  if (row.focus) return takeFocus(row, mark, record, image);
  if (row.mass_number) return takeMass(row, mark, record, image);
  if (row.calcification) record.calcification = row.calcification;
  if (row.comment) record.comment = row.comment;
  if (row.reviewed === "yes") record.reviewed = true;
  if (row.blind === "yes") record.revealed = true;
  return "";
}

/** Put a row about a focus into a record. */
function takeFocus(row, focus, record, image) {
  let number = row.focus;
  if (number && image) {
    const foci = tableRows(image.listed ?? image, "foci");
    const listed = foci.find((other) => String(other.focus) === number);
    if (row.run !== data.review.run && !(listed && isNear(focus, listed))) {
      // another run numbers its foci differently
      number = String(foci.find((other) => isNear(focus, other))?.focus ?? "");
      if (!number && focus.decision === "rejected") return "a rejected focus is not in this run";
      if (!number && !focus.decision) return "a focus with a comment is not in this run";
    }
  }
  if (number && focus.decision !== "added") {
    record.foci = { ...record.foci, [number]: merged(record.foci?.[number], focus) };
    return "";
  }
  const { decision: _, ...added } = focus;
  record.added = withMark(record.added, added);
  return "";
}

/** Return the entry for a row about a listed finding; one with a comment alone decides nothing. */
function merged(stored, read) {
  return tidyRecord(stored && !read.decision ? { ...stored, comment: read.comment } : read);
}

/** Put a row about a mass into a record. */
function takeMass(row, mass, record, image) {
  const outline = row.outline_px ? cornersOf(row.outline_px) : null;
  if (!row.mass_number && outline) {
    const { decision: _, ...drawn } = mass;
    const place = centroid(outline);
    record.drawn = withMark(record.drawn, tidyRecord({ ...drawn, ...place, outline }));
    return "";
  }
  const masses = image ? tableRows(image, "masses") : [];
  let number = row.mass_number;
  if (image && (!number || row.run !== data.review.run)) {
    const isSame = (other) => Math.hypot(other.x_px - mass.x, other.y_px - mass.y) <= LEAST_MATCH;
    number = String(masses.find(isSame)?.mass ?? "");
  }
  if (!number) return "a mass is not in this run";
  record.masses = { ...record.masses, [number]: merged(record.masses?.[number],
    { ...mass, outline }) };
  return "";
}

/** Return true if a mark and a listed focus are of one focus. */
export function isNear(mark, focus) {
  const reach = Math.max(LEAST_MATCH, (mark.diameter ?? 0) / 2, (focus.diameter_px ?? 0) / 2);
  return (mark.frame ?? focus.frame) === focus.frame
    && Math.hypot(mark.x - focus.x_px, mark.y - focus.y_px) <= reach;
}

/** Return marks with one more, which replaces a mark at the same place. */
function withMark(marks, mark) {
  const isOther = (other) =>
    other.x !== mark.x || other.y !== mark.y || (other.frame ?? 0) !== (mark.frame ?? 0);
  return [...(marks ?? []).filter(isOther), mark];
}

/** Return the centroid of a polygon as x and y, with two decimals. */
export function centroid(corners) {
  let area = 0, x = 0, y = 0;
  for (const [index, [ax, ay]] of corners.entries()) {
    const [bx, by] = corners[(index + 1) % corners.length];
    const cross = ax * by - bx * ay;
    area += cross / 2;
    x += ((ax + bx) * cross) / 6;
    y += ((ay + by) * cross) / 6;
  }
  if (Math.abs(area) < 1e-9) [x, y, area] = [corners[0][0], corners[0][1], 1];
  return { x: rounded(x / area, 2), y: rounded(y / area, 2) };
}
