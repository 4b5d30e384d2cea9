// Links to single images and foci: report.html#image=NAME&focus=3.

import { byId, data, make, tableRows } from "./dom.js";
import { selectFocus } from "./evidence.js";
import { images } from "./gallery.js";
import { confidenceSlider, showFrom, stepConfidence } from "./reading_confidence.js";
import { addToBar, barButton, onKey, selectedFocus } from "./reading_tools.js";
import { findingsAreHidden } from "./reviewblind.js";
import { current, foci, openImage, viewerEvents } from "./viewer.js";

const SAID_MS = 1500; // time for which the button says that the link was copied
const imagesByName = new Map(images.map((image) => [image.image, image]));
const linkNote = make("p", { id: "link-note", class: "note warn", role: "status" });
let isViewing = false; // true while the viewer is open
let isFollowing = false; // true while an address is followed, which must not change it

linkNote.hidden = true;
byId("cards").before(linkNote);

/** Return the image and the focus that the address names, or null. */
function linkTarget() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const name = parts.get("image");
  return name === null ? null : { name, focus: Number(parts.get("focus")) || null };
}

/** Return the part of an address that names what the viewer shows. */
function currentHash() {
  const focus = selectedFocus?.focus ? `&focus=${selectedFocus.focus}` : "";
  return `#image=${encodeURIComponent(current.image)}${focus}`;
}

/** Write what the viewer shows into the address. */
function writeHash() {
  if (isFollowing) return;
  if (isViewing || linkTarget()) history.replaceState(history.state, "", currentHash());
  else {
    history.scrollRestoration = "manual"; // going back must not scroll away from the last card
    history.pushState({ viewer: true }, "", currentHash());
  }
}

/** Open what the address names, or close the viewer if it names nothing. */
function followLink() {
  const named = linkTarget();
  linkNote.hidden = true;
  if (!named) {
    if (byId("viewer").open) byId("viewer").close();
    return;
  }
  const image = imagesByName.get(named.name);
  if (image?.status === "ok") {
    isFollowing = true;
    if (!byId("viewer").open || current !== image) openImage(image);
    if (named.focus && !findingsAreHidden(image)) followFocus(image, named.focus);
    isFollowing = false;
  } else if (!image && data.root) {
    location.replace(`${data.root}report.html${location.hash}`); // it knows the page of each image
  } else {
    linkNote.textContent = image ? `${named.name} failed, so that it has no picture.`
      : `This report has no image ${named.name}.`;
    linkNote.hidden = false;
    linkNote.scrollIntoView({ block: "center" });
  }
}

/** Select a focus by its number; show foci of its confidence if they are hidden. */
function followFocus(image, number) {
  const hidden = tableRows(image.listed, "foci")
    .find((focus) => focus.focus === number);
  if (hidden && !foci.some((focus) => focus.focus === number)) showFrom(hidden.confidence);
  const focus = foci.find((item) => item.focus === number);
  if (focus) selectFocus(focus, true);
}

/** Copy the address of what the viewer shows. */
async function copyLink() {
  const address = location.href.split("#")[0] + currentHash();
  let text = "Copied";
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    // a browser may forbid it on a page from a folder
    const field = make("textarea", { readonly: "" });
    field.value = address;
    byId("viewer").append(field);
    field.select();
    if (!document.execCommand("copy")) text = "Copy it from the address bar";
    field.remove();
  }
  copyButton.textContent = text;
  setTimeout(() => { copyButton.textContent = "Copy link"; }, SAID_MS);
}

addToBar(confidenceSlider());
const copyButton = barButton("Copy link", null,
  "Copy a link to this image, and to the selected focus", copyLink);
onKey("[", () => stepConfidence(-1));
onKey("]", () => stepConfidence(1));
viewerEvents.addEventListener("open", () => {
  writeHash();
  isViewing = true;
});
viewerEvents.addEventListener("select", () => {
  if (isViewing && byId("viewer").open) writeHash();
});
viewerEvents.addEventListener("close", () => {
  isViewing = false;
  if (!linkTarget()) return; // the reader went back, which closed the viewer
  if (history.state?.viewer) history.back();
  else history.replaceState(null, "", location.pathname + location.search);
});
globalThis.addEventListener("popstate", () => {
  if (!linkTarget()) history.scrollRestoration = "auto";
  followLink();
});
if (linkTarget()) followLink();
