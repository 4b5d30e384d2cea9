// The tables of an image. A click on a row selects its focus in the picture.

import { byId, data, formatNumber, hasValue, icon, make, tableRows } from "./dom.js";
import { meaning, selectFocus } from "./evidence.js";
import { selectFinding } from "./reviewactions.js";
import { findingsAreHidden } from "./reviewblind.js";
import { current, foci, viewerEvents } from "./viewer.js";

const MOST_ROWS = 200; // rows that are shown at first; browsers are slow with thousands
const LINKS = [
  ["overlay", "Overlay (PNG)"],
  ["contact_sheet", "Contact sheet of all foci (PNG)"],
  ["mask", "Label image (PNG)"],
  ["picture", "Picture without findings (JPEG)"],
];

/** Return a column of numbers. */
function numberColumn(name, key, digits) {
  return { name, key, numeric: true, text: (row) => formatNumber(row[key], digits) };
}

/** Return a column of words. */
function wordColumn(name, key) {
  return { name, key, text: (row) => row[key].replace("not assessable", "n/a") };
}

/** Return the column of labels. */
function labelColumn() {
  return { ...wordColumn("Label", "label"), symbol: (row) => icon(row.label) };
}

/** Show the tables, notes and links of the current image. */
export function showTables() {
  if (findingsAreHidden(current)) {
    byId("tables").replaceChildren(make("p", { class: "note" },
      "Blind mode: the findings are shown after you have made your own marks."));
    return;
  }
  byId("tables").replaceChildren(
    ...warnings(), ...fociTable(), ...massesTable(), ...clustersTable(), ...notes(),
    ...fileLinks());
}

/** Return the column of frames, for a cine. */
function frameColumn() {
  return current.frames > 1 ? [numberColumn("Frame", "frame", 0)] : [];
}

/** Make the table of foci. */
function fociTable() {
  if (!foci.length) {
    return [make("h3", {}, "Foci"), make("p", { class: "note" }, "None listed.")];
  }
  const inMm = foci.some((focus) => hasValue(focus.diameter_mm));
  const hasDepth = foci.some((focus) => hasValue(focus.depth_mm));
  const columns = [
    { ...numberColumn("#", "focus", 0), button: true },
    labelColumn(),
    numberColumn("Conf.", "confidence", 2),
    inMm ? numberColumn("Size, mm", "diameter_mm", 2) : numberColumn("Size, px", "diameter_px", 1),
    ...(hasDepth ? [numberColumn("Depth, mm", "depth_mm", 1)] : []),
    numberColumn("Contrast", "contrast", 1),
    wordColumn("Shadow", "shadow"),
    wordColumn("Twinkling", "twinkling"),
    ...frameColumn(),
  ];
  const shown = foci.length.toLocaleString("en"), total = current.foci.toLocaleString("en");
  const omitted = current.foci > foci.length
    ? ` (the ${shown} most confident of ${total}; all are in foci.csv)` : "";
  const parts = [make("h3", {}, `Foci${omitted}`),
    table(columns, foci, (focus) => selectFocus(focus, true))];
  if (foci.some((focus) => [focus.shadow, focus.twinkling].includes("not assessable"))) {
    parts.push(make("p", { class: "note" }, "n/a: not assessable"));
  }
  return parts;
}

/** Select a mass and move it into the picture. */
function findMass({ mass }) {
  selectFinding({ kind: "mass", key: mass }, true);
}

/** Make the table of masses; empty if there are none. */
function massesTable() {
  const masses = tableRows(current, "masses");
  const columns = [
    { ...numberColumn("#", "mass", 0), button: true },
    numberColumn("Conf.", "confidence", 2),
    numberColumn("Width, mm", "width_mm", 1),
    numberColumn("Height, mm", "height_mm", 1),
    wordColumn("Orientation", "orientation"),
    wordColumn("Posterior", "posterior"),
    numberColumn("Foci", "foci", 0),
    ...(masses.some((mass) => mass.source === "given") ? [wordColumn("Source", "source")] : []),
    ...frameColumn(),
  ];
  return masses.length ? [make("h3", {}, "Masses"), table(columns, masses, findMass)] : [];
}

/** Make the table of clusters; empty if there are none. */
function clustersTable() {
  const clusters = tableRows(current, "clusters");
  const columns = [
    numberColumn("#", "cluster", 0),
    labelColumn(),
    numberColumn("Foci", "foci", 0),
    numberColumn("Width, mm", "width_mm", 1),
    numberColumn("Height, mm", "height_mm", 1),
    numberColumn("Depth, mm", "depth_mm", 1),
  ];
  return clusters.length ? [make("h3", {}, "Clusters of foci"), table(columns, clusters)] : [];
}

/** Make the warnings on the current image; empty if there are none. */
function warnings() {
  if (!current.warnings) return [];
  return [make("h3", {}, "Warnings"),
    ...current.warnings.map((warning) => make("p", { class: "note warn" }, warning))];
}

/** Make the notes on the current image; empty if there are none. */
function notes() {
  if (!current.notes) return [];
  return [make("h3", {}, "Notes"),
    ...current.notes.map((note) => make("p", { class: "note" }, note))];
}

/** Make the links to the files of the current image; empty if they are missing. */
function fileLinks() {
  const links = LINKS.filter(([kind]) => current.links[kind]);
  if (!links.length || !byId("fallback").hidden) return [];
  const anchors = links.map(([kind, text]) => {
    const href = data.root + current.links[kind];
    return make("a", { href, target: "_blank", rel: "noopener" }, text);
  });
  return [make("p", { class: "files" }, ...anchors)];
}

/** Make a table that is sorted by a click on a heading. A click on a row calls `onSelect`. */
function table(columns, items, onSelect = null) {
  const body = make("tbody");
  const lines = items.map((item) => ({ item, line: null }));
  const more = make("button", { type: "button", class: "all-rows" },
    `Show all ${items.length.toLocaleString("en")} rows`);
  let most = MOST_ROWS;
  const showRows = () => {
    const shown = lines.slice(0, most);
    for (const row of shown) row.line ??= tableLine(columns, row.item, onSelect);
    body.replaceChildren(...shown.map(({ line }) => line));
    more.hidden = lines.length <= most;
    viewerEvents.dispatchEvent(new Event("rows"));
  };
  more.addEventListener("click", () => {
    most = lines.length;
    showRows();
  });
  const heads = columns.map(({ name, key, numeric }) => {
    const title = [meaning(name), "click to sort"].filter(Boolean).join("; ");
    const button = make("button", { type: "button", title }, name);
    const head = make("th", { scope: "col", class: numeric ? "number" : null }, button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      lines.sort((one, other) => compareValues(one.item[key], other.item[key], sign));
      showRows();
    });
    return head;
  });
  showRows();
  const head = make("thead", {}, make("tr", {}, ...heads));
  return make("div", { class: "scroll" }, make("table", {}, head, body), more);
}

/** Make a line of a table. */
function tableLine(columns, item, onSelect) {
  const kind = hasValue(item.focus) ? "focus" : "mass";
  const line = make("tr", onSelect ? { class: "selectable", [`data-${kind}`]: item[kind] } : {});
  for (const { text, numeric, button, symbol } of columns) {
    const label = `Find ${kind} ${text(item)} in the picture`;
    const content = button
      ? make("button", { type: "button", "aria-label": label }, text(item)) : text(item);
    const symbols = symbol ? [symbol(item)] : [];
    line.append(make("td", { class: numeric ? "number" : null }, ...symbols, content));
  }
  if (onSelect) line.addEventListener("click", () => onSelect(item));
  return line;
}

/** Compare two numbers or two words; `sign` is -1 for descending order, unknown values go last. */
function compareValues(a, b, sign) {
  if (!hasValue(a) || !hasValue(b)) return hasValue(b) - hasValue(a);
  if (typeof a === "number") return sign * (a - b);
  if (a === b) return 0;
  return a < b ? -sign : sign;
}
