// What was measured: the tip of a focus, the evidence in the panel, and tables whose rows find a focus in the picture.

// what a pointer that rests on a name is told; docs/outputs.md tells more
const MEANINGS = {
  "Confidence": "How sure it is that this is what it is listed as, 0 to 1; for a focus: an echogenic focus",
  "Label confidence": "How sure it is that the focus lies where the label says, 0 to 1",
  "Label": "Where it lies: in a mass, outside of masses, or in a duct",
  "Contrast": "Brightness above the surrounding ring, in units of that ring's own spread: (peak - median) / (upper quartile - median); free of the gain",
  "Size": "Diameter of a circle that covers as much as the focus does above half of its height",
  "Depth": "Distance from the transducer face along the beam",
  "Shadow": "Posterior acoustic shadow, and the probability p of such a fall of brightness from speckle alone",
  "Twinkling": "Twinkling artefact on colour Doppler, 0 to 1; absence rules nothing out",
  "Listed for": "What makes it listed: its echo, or its twinkling where the echo is too weak or hidden",
  "Shadow drop": "Fall of brightness behind the focus against both sides, in units of the local spread; positive is darker",
  "Shadow length": "How far behind the focus the shadow reaches",
  "Lateral position": "From the middle of the transducer face, positive to the right of the image",
  "Column, row": "Position in the input image, counted from 0",
  "Distance to a mass": "To the edge of the nearest mass; 0 inside",
  "Cluster": "Number of the cluster of foci that it belongs to",
  "False alarm": "Probability that a bright blob of speckle alone responds as strongly",
  "Seen on": "Frames of the cine on which it was seen",
  "Track": "Its number across the frames of the cine",
  "Orientation": "Parallel to the skin (wider than tall) or not",
  "Posterior": "Posterior feature of the mass: enhancement, shadowing, both or none",
};
const meaning = (name) => MEANINGS[name.replace("Conf.", "Confidence").replace(/, (mm|px)$/, "")] ?? null;

const size = (focus) => (known(focus.diameter_mm) ? `${number(focus.diameter_mm, 2)} mm` : `${number(focus.diameter_px, 1)} px`);
const verdict = (words, details) => [words, ...details.filter(([value]) => known(value)).map(([value, text]) => text(value))].join(", ");

function shortFacts(focus) {
  const facts = [["Confidence", number(focus.confidence, 2)], ["Label confidence", number(focus.label_confidence, 2)],
    ...(known(focus.contrast) ? [["Contrast", `${number(focus.contrast, 1)} local units`], ["Size", `${size(focus)}, ${focus.kind}`]] : [])];
  if (known(focus.depth_mm)) facts.push(["Depth", `${number(focus.depth_mm, 1)} mm`]);
  facts.push(["Shadow", verdict(focus.shadow, [[focus.shadow_p, (p) => `p ${p.toPrecision(2)}`]])]);
  facts.push(["Twinkling", verdict(focus.twinkling, [[focus.twinkling_score, (score) => `score ${score.toFixed(2)}`]])]);
  return facts;
}

function allFacts(focus) {
  const facts = shortFacts(focus);
  const add = (name, value, text) => { if (known(value)) facts.push([name, text(value)]); };
  const mm = (value) => `${value.toFixed(1)} mm`;
  add("Listed for", focus.origin, (value) => (value === "echo" ? "its echo" : "its twinkling alone"));
  add("Shadow drop", focus.shadow_drop, (value) => value.toFixed(2));
  add("Shadow length", focus.shadow_length_mm, mm);
  add("Lateral position", focus.x_mm, mm);
  add("Column, row", focus.x_px, () => `${number(focus.x_px, 1)}, ${number(focus.y_px, 1)} px`);
  add("Mass", focus.mass, String);
  add("Duct", focus.duct, String);
  add("In a nonmass area", focus.nonmass, String);
  add("Distance to a mass", focus.distance_to_mass_mm, mm);
  add("Cluster", focus.cluster, String);
  add("False alarm", focus.false_alarm, (value) => (value === 0 ? "0" : value.toExponential(1)));
  if (current.frames > 1) {
    add("Frame", focus.frame, String);
    add("Seen on", focus.seen_frames, (value) => count(value, "frame", "frames"));
    add("Track", focus.track, String);
  }
  return facts;
}

const pairs = (facts) => facts.map(([name, value]) => make("div", {}, make("dt", { title: meaning(name) }, name), make("dd", {}, value)));

function showTip({ focus, group }) {
  const flat = shortFacts(focus).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  tip.replaceChildren(make("strong", {}, `Focus ${focus.focus}: ${focus.label}`), make("p", {}, focus.label_reason), make("dl", {}, ...flat));
  tip.hidden = false;
  const around = stage.getBoundingClientRect(), at = group.querySelector(".hit").getBoundingClientRect();
  const right = at.right - around.left + 8, left = at.left - around.left - 8 - tip.offsetWidth;
  tip.style.left = `${Math.max(4, right + tip.offsetWidth < around.width ? right : left)}px`;
  tip.style.top = `${Math.max(4, Math.min(at.top - around.top - 10, around.height - tip.offsetHeight - 6))}px`;
}

function hideTip() {
  tip.hidden = true;
}

function showEvidence(focus) {
  const panel = byId("evidence");
  panel.hidden = !foci.length;
  if (!focus) {
    panel.replaceChildren(make("p", { class: "note" }, "Choose a focus in the picture or in the table for all that was measured of it."));
    return;
  }
  panel.replaceChildren(make("h3", {}, icon(focus.label), `Focus ${focus.focus}: ${focus.label}`), make("p", {}, focus.label_reason),
    make("dl", {}, ...pairs(allFacts(focus))));
}

/** Choose a focus; with `find` also bring it to the middle of the picture. */
function pick(focus, find) {
  picked = focus;
  reveal(focus.label);
  for (const mark of marks) mark.group.classList.toggle("chosen", mark.focus === focus);
  for (const row of byId("tables").querySelectorAll("tr[data-focus]")) row.classList.toggle("chosen", Number(row.dataset.focus) === focus.focus);
  showEvidence(focus);
  if (find) move(focus.x_px - view.x, focus.y_px - view.y, Math.max(view.scale, Math.min(fitting() * 3, MOST_ZOOM)));
  else byId("tables").querySelector(`tr[data-focus="${focus.focus}"]`)?.scrollIntoView({ block: "nearest" });
}

// ---- tables ----

function showTables() {
  const parts = [], mm = foci.some((focus) => known(focus.diameter_mm)), deep = foci.some((focus) => known(focus.depth_mm));
  const numeric = (name, key, digits) => ({ name, key, text: (row) => number(row[key], digits), numeric: true });
  if (foci.length) {
    const columns = [
      { name: "#", key: "focus", text: (row) => String(row.focus), numeric: true, button: true },
      { name: "Label", key: "label", text: (row) => row.label, symbol: (row) => icon(row.label) },
      numeric("Conf.", "confidence", 2),
      numeric(mm ? "Size, mm" : "Size, px", mm ? "diameter_mm" : "diameter_px", mm ? 2 : 1),
      ...(deep ? [numeric("Depth, mm", "depth_mm", 1)] : []),
      numeric("Contrast", "contrast", 1),
      { name: "Shadow", key: "shadow", text: (row) => row.shadow.replace("not assessable", "n/a") },
      { name: "Twinkling", key: "twinkling", text: (row) => row.twinkling.replace("not assessable", "n/a") },
      ...(current.frames > 1 ? [numeric("Frame", "frame", 0)] : []),
    ];
    const more = current.foci > foci.length ? ` (the surest ${foci.length.toLocaleString("en")} of ${current.foci.toLocaleString("en")}; all are in foci.csv)` : "";
    parts.push(make("h3", {}, `Foci${more}`), table(columns, foci, (focus) => pick(focus, true)));
    if (foci.some((focus) => focus.shadow === "not assessable" || focus.twinkling === "not assessable")) parts.push(make("p", { class: "note" }, "n/a: not assessable"));
  } else parts.push(make("h3", {}, "Foci"), make("p", { class: "note" }, "None listed."));
  const cine = current.frames > 1 ? [numeric("Frame", "frame", 0)] : [], masses = rows(current, "masses"), clusters = rows(current, "clusters");
  if (masses.length) {
    parts.push(make("h3", {}, "Masses"), table([numeric("#", "mass", 0), numeric("Conf.", "confidence", 2), numeric("Width, mm", "width_mm", 1),
      numeric("Height, mm", "height_mm", 1), { name: "Orientation", key: "orientation", text: (row) => row.orientation },
      { name: "Posterior", key: "posterior", text: (row) => row.posterior.replace("not assessable", "n/a") }, numeric("Foci", "foci", 0), ...cine], masses));
  }
  if (clusters.length) {
    parts.push(make("h3", {}, "Clusters of foci"), table([numeric("#", "cluster", 0), { name: "Label", key: "label", text: (row) => row.label, symbol: (row) => icon(row.label) },
      numeric("Foci", "foci", 0), numeric("Width, mm", "width_mm", 1), numeric("Height, mm", "height_mm", 1), numeric("Depth, mm", "depth_mm", 1)], clusters));
  }
  if (current.notes) parts.push(make("h3", {}, "Notes"), ...current.notes.map((note) => make("p", { class: "note" }, note)));
  const links = [["overlay", "Overlay (PNG)"], ["mask", "Label image (PNG)"], ["picture", "Picture without findings (JPEG)"]].filter(([kind]) => current.links[kind]);
  if (links.length && byId("fallback").hidden) {
    parts.push(make("p", { class: "files" }, ...links.map(([kind, words]) => make("a", { href: data.root + current.links[kind], target: "_blank", rel: "noopener" }, words))));
  }
  byId("tables").replaceChildren(...parts);
}

/** A table that is sorted by a click on a heading; `find`, if given, is told which row is chosen. */
function table(columns, items, find = null) {
  const body = make("tbody");
  const lines = items.map((item) => {
    const line = make("tr", find ? { class: "finds", "data-focus": item.focus } : {});
    for (const { text, numeric, button, symbol } of columns) {
      const content = button ? make("button", { type: "button", "aria-label": `Find focus ${text(item)} in the picture` }, text(item)) : text(item);
      line.append(make("td", { class: numeric ? "number" : null }, ...(symbol ? [symbol(item)] : []), content));
    }
    if (find) line.addEventListener("click", () => find(item));
    return { item, line };
  });
  const heads = columns.map(({ name, key, numeric }) => {
    const button = make("button", { type: "button", title: [meaning(name), "click to sort"].filter(Boolean).join("; ") }, name), head = make("th", { scope: "col", class: numeric ? "number" : null }, button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      lines.sort(({ item: one }, { item: other }) => {
        const a = one[key], b = other[key];
        if (!known(a) || !known(b)) return known(b) - known(a);
        return sign * (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
      });
      body.append(...lines.map(({ line }) => line));
    });
    return head;
  });
  body.append(...lines.map(({ line }) => line));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body));
}
