// The review in the gallery: reader, progress, filter, random order, saving and loading.

import { byId, count, data, make } from "./dom.js";
import { cardParts, imageFilters, imageOrders, refreshCard, updateGallery } from "./gallery.js";
import { decidedCount, reviewableCount } from "./reviewactions.js";
import { findingsAreHidden, randomPlace } from "./reviewblind.js";
import { readReviewCsv, reviewCsv } from "./reviewcsv.js";
import { applyChanges, changeReader, changeSettings, knownReaders } from "./reviewstore.js";
import { recordOf, recordsOf, reviewEvents, reviewSettings } from "./reviewstore.js";
import { storageProblem } from "./reviewstore.js";
import { showKeys } from "./reviewpanel.js";
import { viewerEvents } from "./viewer.js";

const MOST_REMARKS = 5; // remarks on a loaded file that are shown
const MOST_REFRESHED = 50; // with more images, all cards are made anew
const FINDING_FIELDS = ["foci-filter", "mass-filter"]; // would tell what is found on an image
const FINDING_STATUS = "warned"; // warnings on masks tell that there are masses
const FINDING_ORDERS = new Set(["image", "random"]); // orders that tell nothing of the findings

const REVIEW_FILTERS = {
  "": () => true,
  yes: (record) => Boolean(record.reviewed),
  no: (record) => !record.reviewed,
  comment: hasComment,
  rejected: (record) => entriesOf(record).some(({ decision }) => decision === "rejected"),
};
const FILTER_NAMES = {
  "": "any", yes: "reviewed", no: "not reviewed", comment: "with my comments",
  rejected: "with rejected findings",
};

/** Return the decisions on listed findings in a record. */
function entriesOf(record) {
  return [...Object.values(record.foci ?? {}), ...Object.values(record.masses ?? {})];
}

/** Return true if a record has a comment. */
function hasComment(record) {
  const marks = [...entriesOf(record), ...(record.added ?? []), ...(record.drawn ?? [])];
  return Boolean(record.comment) || marks.some(({ comment }) => comment);
}

/** Return how many images the reader has reviewed, in words. */
export function progressText() {
  const reviewed = recordsOf(reviewSettings.reader).filter(([, record]) => record.reviewed).length;
  const reader = reviewSettings.reader ? ` by ${reviewSettings.reader}` : "";
  return `${reviewed.toLocaleString("en")} of ${
    count(reviewableCount(), "image", "images")} reviewed${reader}`;
}

/** Make the line of a card with the state of the review, or null. */
function reviewLine(image) {
  const record = recordOf(image.image);
  const parts = [];
  if (record.reviewed) parts.push("\u2713 reviewed");
  const { decided, total } = decidedCount(image);
  if (!findingsAreHidden(image) && decided) parts.push(`${decided} of ${total} decided`);
  const own = (record.added?.length ?? 0) + (record.drawn?.length ?? 0);
  if (own) parts.push(count(own, "own mark", "own marks"));
  if (record.calcification) parts.push(`calcification: ${record.calcification}`);
  if (hasComment(record)) parts.push("comment");
  if (!parts.length) return null;
  return make("span", { class: `review-line${record.reviewed ? " done" : ""}` },
    parts.join(" \u00b7 "));
}
cardParts.push(reviewLine);

// ---- the controls ----

const readerField = make("input", { type: "text", id: "reader", maxlength: 80, size: 12,
  autocomplete: "off", spellcheck: "false", list: "readers", value: reviewSettings.reader });
const blindField = make("input", { type: "checkbox", id: "blind" });
const seedField = make("input", { type: "text", id: "seed", maxlength: 40, size: 6,
  autocomplete: "off", value: reviewSettings.seed });
const fileField = make("input", { type: "file", id: "review-file", accept: ".csv,text/csv",
  hidden: "" });
const exportScope = make("select", { id: "review-scope", "aria-label": "Readers to save" },
  make("option", { value: "mine" }, "this reader"), make("option", { value: "all" },
    "all readers"));
byId("card-count").before(make("section", { id: "review-bar", class: "review-bar",
  "aria-label": "Review" },
make("p", { id: "review-warning", class: "note warn", role: "alert", hidden: "" }),
make("div", { class: "controls" },
  make("label", {}, "Reader", readerField, make("datalist", { id: "readers" })),
  make("label", {}, "Random order, seed", seedField),
  make("label", { class: "check" }, "Blind mode", blindField),
  pageButton("Save review.csv", "save-review", saveReview), exportScope,
  pageButton("Load review.csv", "load-review", () => fileField.click()),
  pageButton("Keys", "page-keys", showKeys), fileField),
make("p", { id: "progress", class: "note", role: "status" }),
make("p", { class: "note" }, "Decisions are stored in this browser and sent nowhere. ",
  "Save review.csv to keep them."),
make("p", { id: "review-file-message", class: "note", role: "status" })));
byId("reset").before(make("label", {}, "Review", make("select", { id: "review-filter" },
  ...Object.entries(FILTER_NAMES).map(([value, text]) => make("option", { value }, text)))));
byId("sort").append(make("option", { value: "random" }, "random order"));

/** Make a button of the gallery. */
function pageButton(text, id, action) {
  const button = make("button", { type: "button", id }, text);
  button.addEventListener("click", action);
  return button;
}

/** Return the comparison of images in the random order of the seed. */
function randomOrder() {
  const places = new Map(data.images.map((image) =>
    [image, randomPlace(reviewSettings.seed, image.image)]));
  return (one, other) => places.get(one) - places.get(other) || one.index - other.index;
}

/** Show the state of the review in the gallery. */
function showReviewState() {
  byId("progress").textContent = progressText();
  readerField.value = reviewSettings.reader;
  blindField.checked = reviewSettings.blind;
  seedField.value = reviewSettings.seed;
  byId("readers").replaceChildren(...knownReaders().map((value) => make("option", { value })));
  exportScope.hidden = knownReaders().filter((name) => name !== reviewSettings.reader).length === 0;
  document.body.classList.toggle("blind", reviewSettings.blind);
  for (const id of FINDING_FIELDS) byId(id).disabled = reviewSettings.blind;
  for (const option of byId("status-filter").options) {
    if (option.value === FINDING_STATUS) option.disabled = reviewSettings.blind;
  }
  for (const option of byId("sort").options) {
    option.disabled = reviewSettings.blind && !FINDING_ORDERS.has(option.value);
  }
  byId("review-warning").hidden = !storageProblem;
  byId("review-warning").textContent = storageProblem && `Your decisions are not stored: ${
    storageProblem}. Save review.csv before you close or reload this page.`;
}

/** Let the fields that would tell the findings tell nothing. */
function clearFindingFields() {
  for (const id of FINDING_FIELDS) byId(id).value = "";
  if (byId("status-filter").value === FINDING_STATUS) byId("status-filter").value = "";
  if (!FINDING_ORDERS.has(byId("sort").value)) byId("sort").value = "image";
}

/** Put the settings of the review into effect in the gallery. */
function applySettings() {
  if (reviewSettings.blind) clearFindingFields();
  if (reviewSettings.random) byId("sort").value = "random";
  imageOrders.random = randomOrder();
  showReviewState();
  updateGallery();
}

// ---- saving and loading ----

/** Save review.csv as a download. */
function saveReview() {
  const isAll = !exportScope.hidden && exportScope.value === "all";
  const readers = isAll ? knownReaders() : [reviewSettings.reader];
  const blob = new Blob([reviewCsv(readers)], { type: "text/csv" });
  const link = make("a", { href: URL.createObjectURL(blob), download: "review.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  tellFile("review.csv is saved to the folder of your downloads.");
}

/** Show a message on a file. */
function tellFile(text) {
  byId("review-file-message").textContent = text;
}

/** Load a review.csv and merge it with the stored decisions. */
async function loadReview(file) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    const { changes, decisions, readers, remarks } = readReviewCsv(text);
    applyChanges(changes, true);
    const names = readers.map((reader) => reader || "a reader without name").join(", ");
    const lost = remarks.length
      ? ` Not taken: ${remarks.length}. ${remarks.slice(0, MOST_REMARKS).join("; ")}` : "";
    const from = names ? ` of ${names}` : "";
    tellFile(`${file.name}: ${count(decisions, "row", "rows")}${from} loaded.${lost}`);
  } catch (error) {
    const reason = error instanceof TypeError ? "it is not UTF-8 text" : error.message;
    tellFile(`${file.name} was not loaded: ${reason}`);
  }
}

fileField.addEventListener("change", async () => {
  if (fileField.files.length) await loadReview(fileField.files[0]);
  fileField.value = "";
});
readerField.addEventListener("change", () => changeReader(readerField.value.trim()));
blindField.addEventListener("change", () => changeSettings({ blind: blindField.checked }));
seedField.addEventListener("change", () => {
  changeSettings({ seed: seedField.value.trim(), random: true });
});
byId("sort").addEventListener("input", () => {
  changeSettings({ random: byId("sort").value === "random" });
});
// the fields are reset after this event
byId("controls").addEventListener("reset", () => setTimeout(() =>
  changeSettings({ random: false })));
byId("review-filter").addEventListener("input", updateGallery);
imageFilters.push((image) => {
  const wanted = byId("review-filter").value;
  return !wanted || (image.status === "ok" && REVIEW_FILTERS[wanted](recordOf(image.image)));
});

let touched = new Set(); // images whose cards are to be made anew when the viewer closes
const reviewedImages = new Map(data.images.map((image) => [image.image, image]));

/** Make the cards of the touched images anew; the filter may pass other images now. */
function refreshReviewed() {
  if (!touched.size) return;
  if (byId("review-filter").value || touched.size > MOST_REFRESHED) updateGallery();
  else for (const image of touched) refreshCard(image);
  touched = new Set();
}

reviewEvents.addEventListener("change", ({ detail: images }) => {
  for (const name of images) touched.add(reviewedImages.get(name));
  touched.delete(undefined); // an image of another page
  showReviewState();
  if (!byId("viewer").open) refreshReviewed();
});
viewerEvents.addEventListener("close", refreshReviewed);
reviewEvents.addEventListener("unstored", showReviewState);
for (const name of ["reader", "settings"]) {
  reviewEvents.addEventListener(name, applySettings);
}
// the gallery was made before this script; its cards are made anew if they have changed by it
applySettings();
