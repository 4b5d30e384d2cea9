// The data of the page, and helpers to make elements. Text is always set as text, never as HTML.

export const data = JSON.parse(document.getElementById("report-data").textContent);
export const LABELS = { intramass: "circle", extramass: "square", intraductal: "triangle" };
const SVG = document.querySelector("svg").namespaceURI;

/** Return the element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Make an HTML element. Attributes without a value are left out. */
export function make(name, attributes = {}, ...children) {
  const element = setAttributes(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

/** Make an SVG element. Attributes without a value are left out. */
export function draw(name, attributes = {}, ...children) {
  const element = setAttributes(document.createElementNS(SVG, name), attributes);
  element.append(...children);
  return element;
}

/** Set the attributes that have a value; return the element. */
export function setAttributes(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (hasValue(value)) element.setAttribute(key, value);
  }
  return element;
}

/** Make the symbol of a label. */
export function icon(label, attributes = {}) {
  const use = draw("use", { href: `#shape-${LABELS[label]}` });
  return draw("svg", { class: `icon ${label}`, "aria-hidden": "true", ...attributes }, use);
}

/** Return true for a value that was measured. */
export function hasValue(value) {
  return value !== null && value !== undefined;
}

/** Return a number with a fixed number of digits, or a dash if it was not measured. */
export function formatNumber(value, digits) {
  return hasValue(value) ? value.toFixed(digits) : "\u2013";
}

/** Return a count with its noun, such as "1 mass" or "2 masses". */
export function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Return the rows of a table of an image ("foci", "masses" or "clusters") as objects. */
export function tableRows(image, table) {
  const columns = data.columns[table];
  const rows = image.tables?.[table] ?? [];
  return rows.map((values) =>
    Object.fromEntries(columns.map((column, index) => [column, values[index]])));
}

/** Return true if a key event goes to a field in which the reader types or chooses. */
export function isTyping(event) {
  const field = event.target.closest?.("input, textarea, select");
  return Boolean(field) && !["checkbox", "radio", "range"].includes(field.type);
}
