// The controls of the review beside the picture, and their keys.

import { byId, make } from "./dom.js";
import { addFocusInMiddle, closePolygon, removeCorner } from "./reviewtools.js";
import { allFindings, currentRecord, cycleVerdict, decide } from "./reviewactions.js";
import { decideRemaining, decisionOn, nextUndecided, removeDecision } from "./reviewactions.js";
import { revealFindings, selectFinding, selectedFinding } from "./reviewactions.js";
import { setAnswer, setComment, setReviewed, setVerdict, valuesOf } from "./reviewactions.js";
import { findingsAreHidden } from "./reviewblind.js";
import { VERDICTS } from "./reviewcsv.js";
import { progressText } from "./reviewgallery.js";
import { changeSettings, reviewEvents, reviewSettings } from "./reviewstore.js";
import { undoReview, undoState } from "./reviewstore.js";
import { reviewTool, useTool } from "./reviewtools.js";
import { current, openImage, openNeighbour, stage, viewerEvents } from "./viewer.js";
import { filtered } from "./gallery.js";

const CONFIRM_SECONDS = 4; // time in which B must be pressed again to leave blind mode
const LEAST_SHOWN = 80; // height of the measurements that is to be in view, pixels
const CHOSEN_MARGIN = 24; // paddings between the controls of a finding, pixels
const VERDICT_NAMES = { label: "Label", shadow: "Shadow", twinkling: "Twinkling" };
const ANSWERS = ["yes", "no", "unsure"];
const KEY_HELP = [
  ["N", "next finding without a decision; after the last one, the next image"],
  ["A, R", "accept, reject the selected finding and go on to the next one"],
  ["Shift+A, Shift+R", "accept, reject all findings without a decision"],
  ["1, 2, 3", "label: intramass, extramass, intraductal"],
  ["S, T", "next value of the shadow, of the twinkling"],
  ["Backspace", "take the decision back, or remove your own mark"],
  ["U, Shift+U", "undo, redo (also Ctrl+Z, Ctrl+Y)"],
  ["M", "add a missed focus: click, or drag from its middle to its edge; Enter: in the middle"],
  ["G", "add a missed mass: drag a box, or click corners; Enter or double click closes"],
  ["E", "move: drag a finding, or the ring of a large focus to size it"],
  ["Escape", "leave the tool; without a tool, close the image"],
  ["Y", "calcification in the image: yes, no, unsure, not answered"],
  ["V", "image reviewed, or not"],
  ["C, Shift+C", "comment on the image, on the selected finding; Escape leaves the field"],
  ["F", "blind mode: own marks are complete, show the findings"],
  ["B", "blind mode on; twice: off"],
  ["H", "hide and show all findings"],
  ["0 + -, arrows", "zoom and move the picture"],
  ["W, I", "window and level of the grey levels, inversion"],
  ["L, Delete", "ruler, delete the last one"],
  ["P", "candidates: why a place is not listed"],
  ["[ ]", "lower, raise the confidence from which foci are shown"],
  ["Space , . < >", "film: play and pause, step back and forward, slower, faster"],
  ["Page Up, Page Down", "previous, next image"],
  ["?", "this help"],
];

/** Make a button of the review. */
function reviewButton(text, title, action, attributes = {}) {
  const button = make("button", { type: "button", title, ...attributes }, text);
  button.addEventListener("click", (event) => {
    action();
    // so that Space and Enter do not press the button again after a click of the pointer
    if (event.detail && document.activeElement === button) stage.focus({ preventScroll: true });
  });
  return button;
}

/** Make a field for a comment; Escape leaves it, which stores the comment. */
function makeCommentField(id, subject, key) {
  const field = make("textarea", { id, rows: 1, maxlength: 2000,
    placeholder: `Comment on the ${subject} (${key})`, "aria-label": `Comment on the ${subject}` });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    stage.focus();
  });
  return field;
}

/** Make a row of buttons that set one value, with the name of what they set. */
function choiceRow(name, values, id, choose) {
  const buttons = values.map((value) => reviewButton(value, `${name}: ${value}`,
    () => choose(value), { "data-value": value, "aria-pressed": "false" }));
  return make("div", { class: "choices", id, role: "group", "aria-label": name },
    make("span", {}, name), ...buttons);
}

const actionsRow = make("div", { id: "review-actions", class: "review choices" },
  reviewButton("Accept", "Accept (A)", () => decideSelected("accepted"),
    { id: "review-accept", "aria-pressed": "false" }),
  reviewButton("Reject", "Reject (R)", () => decideSelected("rejected"),
    { id: "review-reject", "aria-pressed": "false" }),
  reviewButton("Clear", "Take back the decision, or remove your mark (Backspace)", clearSelected,
    { id: "review-clear" }),
  reviewButton("Next", "Next finding without a decision, then the next image (N)", goOn,
    { id: "review-next" }),
  reviewButton("Undo", "Undo (U)", () => stepBack(false), { id: "review-undo" }));
const chosenPart = make("div", { class: "review-finding", id: "review-finding" },
  make("strong", { id: "review-selected" }),
  make("div", { class: "verdicts" },
    ...Object.entries(VERDICTS).map(([column, values]) =>
      choiceRow(VERDICT_NAMES[column], values, `review-${column}`,
        (value) => setVerdict(selectedFinding, column, value)))),
  makeCommentField("review-finding-comment", "finding", "Shift+C"));
const findingComment = chosenPart.querySelector("textarea");
const commentField = makeCommentField("review-comment", "image", "C");
const toolsRow = make("div", { class: "choices" },
  reviewButton("Move", "Drag findings (E)", () => toggleTool("edit"), { "data-tool": "edit" }),
  reviewButton("Add focus", "Add a missed focus (M)", () => toggleTool("focus"),
    { "data-tool": "focus" }),
  reviewButton("Add mass", "Add a missed mass (G)", () => toggleTool("mass"),
    { "data-tool": "mass" }),
  reviewButton("Close outline", "Close the outline (Enter)", closePolygon,
    { id: "review-close-outline" }),
  reviewButton("Redo", "Redo (Shift+U)", () => stepBack(true), { id: "review-redo" }),
  reviewButton("Keys", "All keys (?)", showKeys, { id: "review-keys" }));
const answerRow = choiceRow("Calcification", ANSWERS, "review-calcification", (value) =>
  setAnswer("calcification", currentRecord().calcification === value ? "" : value));
answerRow.append(reviewButton("Reviewed", "This image is reviewed (V)", toggleReviewed,
  { id: "review-done", "aria-pressed": "false" }));
byId("evidence").before(actionsRow, make("section",
  { id: "review", class: "review", "aria-label": "Review" },
  toolsRow,
  reviewButton("My marks are complete: show the findings", "Show the findings (F)", reveal,
    { id: "review-reveal" }),
  answerRow, commentField,
  make("p", { id: "review-message", class: "note", role: "status" }),
  make("p", { id: "review-progress", class: "note" }),
  chosenPart));
const keysDialog = make("dialog", { id: "review-help", "aria-label": "Keys" },
  make("h2", {}, "Keys"),
  make("dl", {}, ...KEY_HELP.flatMap(([key, text]) => [make("dt", {}, key), make("dd", {}, text)])),
  reviewButton("Close", "Close (Escape)", () => keysDialog.close(), { id: "review-help-close" }));
byId("viewer").after(keysDialog);

// ---- actions ----

/** Show a message on the last action. */
function tell(text) {
  byId("review-message").textContent = text;
}

/** Return true if the selected finding can be accepted and rejected. */
function isListed(finding) {
  return finding !== null && (finding.kind === "focus" || finding.kind === "mass");
}

/** Accept or reject the selected finding, and go on to the next one without a decision. */
function decideSelected(decision) {
  if (!isListed(selectedFinding)) {
    goOn();
    return;
  }
  decide(selectedFinding, decision);
  const next = nextUndecided();
  if (next) selectFinding(next, true);
  else {
    byId("panel").scrollTop = 0; // where the image as a whole is answered
    tell("All findings of this image are decided. V: reviewed, N: next image.");
  }
}

/** Select the next finding without a decision, or open the next image if there is none. */
function goOn() {
  const next = nextUndecided();
  if (next) {
    selectFinding(next, true);
    return;
  }
  const before = current;
  openNeighbour(1);
  if (current === before) tell("This is the last image.");
  else if (!findingsAreHidden(current)) selectFinding(nextUndecided(), true);
}

/** Decide all findings that are left. */
function decideAll(decision) {
  const number = decideRemaining(decision);
  tell(`${number} ${number === 1 ? "finding" : "findings"} ${decision}.`);
}

/** Take the decision on the selected finding back, or remove it if it is a mark of the reader. */
function clearSelected() {
  if (selectedFinding) removeDecision(selectedFinding);
}

/** Undo or redo a step, and show its image. */
function stepBack(redo) {
  const images = undoReview(redo);
  tell(images.length ? "" : `Nothing to ${redo ? "redo" : "undo"}.`);
  if (!images.length || images.includes(current.image)) return;
  const image = filtered.find((other) => other.image === images[0]);
  if (image) openImage(image);
  tell(`Changed in ${images.join(", ")}.`);
}

/** Use a tool, or put it away if it is in use. */
function toggleTool(name) {
  useTool(reviewTool === name ? "" : name);
  stage.focus();
}

/** Show the findings of an image that is read blind. */
function reveal() {
  if (!findingsAreHidden(current)) return;
  useTool("");
  revealFindings();
  tell("The findings are shown. Your marks that hit one are its position now.");
}

/** Mark the image as reviewed, or take the mark back. */
function toggleReviewed() {
  const reviewed = !currentRecord().reviewed;
  setReviewed(reviewed);
  const open = allFindings().filter((finding) => !decisionOn(finding)).length;
  if (!reviewed) tell("Not reviewed.");
  else if (findingsAreHidden(current)) tell("Reviewed without the findings. N: next image.");
  else tell(open ? `Reviewed, but ${open} without a decision.` : "Reviewed. N: next image.");
}

/** Give the next answer to the question for calcification. */
function cycleAnswer() {
  const index = ANSWERS.indexOf(currentRecord().calcification ?? "");
  setAnswer("calcification", ANSWERS[index + 1] ?? "");
}

let askedToLeave = 0; // time at which B was pressed in blind mode

/** Switch blind mode on, or off if asked twice: an image that was seen cannot be read blind. */
function toggleBlind() {
  if (reviewSettings.blind && Date.now() - askedToLeave > CONFIRM_SECONDS * 1000) {
    askedToLeave = Date.now();
    tell("Press B again to leave blind mode, which shows all findings.");
    return;
  }
  askedToLeave = 0;
  changeSettings({ blind: !reviewSettings.blind });
  tell(reviewSettings.blind ? "Blind mode: make your own marks, then press F." : "Blind mode off.");
}

/** Show all keys. */
export function showKeys() {
  if (!keysDialog.open) keysDialog.showModal();
}

// ---- state of the controls ----

/** Show the state of the review in its controls. */
function updatePanel() {
  if (!byId("viewer").open) return;
  const record = currentRecord(), isHidden = findingsAreHidden(current);
  const values = selectedFinding && valuesOf(selectedFinding);
  byId("review-progress").textContent = progressText();
  chosenPart.hidden = !values;
  if (values) {
    const isFocus = ["focus", "added"].includes(selectedFinding.kind);
    chosenPart.querySelector(".verdicts").hidden = !isFocus;
    byId("review-selected").textContent = `${findingName(selectedFinding)}: ${
      decisionOn(selectedFinding) || "not decided"}`;
    for (const column of Object.keys(VERDICTS)) pressChoice(`review-${column}`, values[column]);
    if (document.activeElement !== findingComment) findingComment.value = values.comment ?? "";
  }
  const decision = values ? decisionOn(selectedFinding) : "";
  const canDecide = Boolean(values) && isListed(selectedFinding);
  for (const [id, value] of [["review-accept", "accepted"], ["review-reject", "rejected"]]) {
    byId(id).disabled = !canDecide;
    byId(id).setAttribute("aria-pressed", String(decision === value));
  }
  byId("review-clear").disabled = !decision;
  byId("review-clear").textContent = decision === "added" ? "Remove" : "Clear";
  pressChoice("review-calcification", record.calcification);
  byId("review-done").setAttribute("aria-pressed", String(Boolean(record.reviewed)));
  if (document.activeElement !== commentField) commentField.value = record.comment ?? "";
  byId("review-reveal").hidden = !isHidden;
  const { canUndo, canRedo } = undoState();
  byId("review-undo").disabled = !canUndo;
  byId("review-redo").disabled = !canRedo;
  for (const button of toolsRow.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === reviewTool));
  }
  byId("review-close-outline").hidden = reviewTool !== "mass";
}

/** Scroll the panel of a small screen, so that the selected finding has its measurements below. */
function showChosen() {
  const frame = byId("panel").getBoundingClientRect();
  const { top } = byId("evidence").getBoundingClientRect();
  const hasTimeline = byId("panel").contains(byId("timeline")); // which is to stay in view
  if (!selectedFinding || hasTimeline || top < frame.bottom - LEAST_SHOWN) return;
  const above = actionsRow.offsetHeight + chosenPart.offsetHeight + CHOSEN_MARGIN;
  byId("panel").scrollTop += top - frame.top - above;
}

/** Return the name of a finding. */
function findingName({ kind, key }) {
  const names = { focus: `Focus ${key}`, mass: `Mass ${key}`, added: `Your focus ${key + 1}`,
    drawn: `Your mass ${key + 1}` };
  return names[kind];
}

/** Show which of the choices of a row holds. */
function pressChoice(id, value) {
  for (const button of byId(id).querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.value === value));
  }
}

commentField.addEventListener("change", () => setAnswer("comment", commentField.value.trim()));
let commented = null; // the image and finding whose comment the reader writes
findingComment.addEventListener("focus", () => {
  commented = { image: current.image, finding: selectedFinding };
});
findingComment.addEventListener("change", () => {
  if (commented?.image !== current.image) return;
  setComment(commented.finding, findingComment.value.trim());
});

// ---- keys ----

const KEY_ACTIONS = {
  a: () => decideSelected("accepted"),
  r: () => decideSelected("rejected"),
  A: () => decideAll("accepted"),
  R: () => decideAll("rejected"),
  n: goOn,
  u: () => stepBack(false),
  U: () => stepBack(true),
  1: () => setSelected("label", "intramass"),
  2: () => setSelected("label", "extramass"),
  3: () => setSelected("label", "intraductal"),
  s: () => setSelected("shadow"),
  t: () => setSelected("twinkling"),
  m: () => toggleTool("focus"),
  g: () => toggleTool("mass"),
  e: () => toggleTool("edit"),
  y: cycleAnswer,
  v: toggleReviewed,
  c: () => commentField.focus(),
  C: writeComment,
  f: reveal,
  b: toggleBlind,
  "?": showKeys,
  Backspace: () => { if (!removeCorner()) clearSelected(); },
};

/** Let the reader write a comment on the selected finding. */
function writeComment() {
  if (!selectedFinding) tell("Select a finding first (N).");
  else findingComment.focus();
}

/** Set a verdict of the selected focus, or its next value if none is given. */
function setSelected(column, value = null) {
  if (!["focus", "added"].includes(selectedFinding?.kind)) tell("Select a focus first (N).");
  else if (value) setVerdict(selectedFinding, column, value);
  else cycleVerdict(selectedFinding, column);
}

/** Return the action of a key, or null. */
function keyAction(event) {
  const { key } = event;
  const letter = key.toLowerCase();
  if (event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    if (letter === "z") return () => stepBack(event.shiftKey);
    return letter === "y" ? () => stepBack(true) : null;
  }
  if (key === "Enter" && event.target === stage) {
    if (reviewTool === "mass") return closePolygon;
    return reviewTool === "focus" ? addFocusInMiddle : null;
  }
  // with Shift only where it has a meaning of its own; capitals may also come from Caps Lock
  const name = event.shiftKey && "aruc".includes(letter) ? letter.toUpperCase() : letter;
  return KEY_ACTIONS[name.length === 1 ? name : key] ?? null;
}

document.addEventListener("keydown", (event) => {
  if (!byId("viewer").open || keysDialog.open) return;
  if (event.target.closest?.("input:not([type=checkbox], [type=range]), textarea, select")) return;
  const action = keyAction(event);
  if (!action) return;
  event.preventDefault();
  action();
  updatePanel();
});
for (const name of ["open", "draw", "select", "tool"]) {
  viewerEvents.addEventListener(name, updatePanel);
}
viewerEvents.addEventListener("open", () => tell(""));
// after the viewer has scrolled the panel
viewerEvents.addEventListener("select", () => queueMicrotask(showChosen));
for (const name of ["change", "reader", "settings"]) {
  reviewEvents.addEventListener(name, updatePanel);
}
