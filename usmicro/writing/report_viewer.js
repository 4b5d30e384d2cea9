// One image: its picture with layers that can be switched, zoom, the evidence of a focus, and tables that find it in the picture.

const AREAS = { mass: "mass outlines", duct: "duct outlines", "nonmass area": "nonmass areas" };
const hidden = new Set(); // layers switched off; stays so from image to image
const LEAST_RADIUS = 8, MOST_ZOOM = 40, STRIDE = 60;
let current = null, foci = [], marks = [], tops = [], view = { x: 0, y: 0, scale: 1 }, picked = null;

const stage = byId("stage"), scene = byId("scene"), base = byId("base"), tip = byId("tip");
const known = (value) => value !== null && value !== undefined;
const number = (value, digits) => (known(value) ? value.toFixed(digits) : "\u2013");

function openImage(image) {
  current = image;
  picked = null;
  foci = rows(image, "foci");
  byId("viewer-title").textContent = image.image;
  const facts = [`${image.columns} \u00d7 ${image.rows} px`, image.geometry, image.spacing_source === "none" ? "spacing unknown"
    : `${image.spacing_x_mm} \u00d7 ${image.spacing_y_mm} mm a pixel (${image.spacing_source})`];
  if (image.frames > 1) facts.push(`frame ${image.key_frame} shown, of ${image.frames} numbered from 0`);
  if (image.colour_flow === "yes") facts.push("colour flow");
  facts.push(`calcification: ${image.calcification.replaceAll("+", ", ")} (score ${image.calcification_score.toFixed(2)})`);
  byId("viewer-facts").textContent = facts.join(" \u00b7 ");
  const place = chosen.indexOf(image);
  byId("former").disabled = !neighbour(place, -1);
  byId("next").disabled = !neighbour(place, 1);
  if (!byId("viewer").open) byId("viewer").showModal();
  showBase();
  drawAreas();
  drawMarks();
  showLayers();
  showTables();
  showEvidence(null);
  byId("panel").scrollTop = 0;
  fit();
  stageSize = `${stage.clientWidth} ${stage.clientHeight}`;
  stage.focus();
}

/** The next image before or after, in the order of the gallery, that did not fail. */
function neighbour(place, step) {
  let index = place + step;
  while (chosen[index] && chosen[index].status !== "ok") index += step;
  return chosen[index];
}

function turn(step) {
  const image = neighbour(chosen.indexOf(current), step);
  if (image) openImage(image);
}

// ---- the picture ----

function showBase() {
  const [left, top, width, height] = current.box;
  filled(base, { x: left - 0.5, y: top - 0.5, width, height }, []);
  byId("fallback").hidden = true;
  if (current.links.picture) base.setAttribute("href", data.root + current.links.picture);
  else showThumbnail();
}

function showThumbnail() {
  if (current.thumbnail) base.setAttribute("href", current.thumbnail);
  else base.removeAttribute("href");
  byId("fallback").hidden = false;
  byId("fallback").textContent = current.thumbnail
    ? "The run's picture is not beside this file; its thumbnail is enlarged instead."
    : "The run's folder holds no picture of this image.";
  document.querySelector(".files")?.remove(); // what they lead to is not there either
}

base.addEventListener("error", () => {
  if (base.getAttribute("href") !== current.thumbnail) showThumbnail();
});

function drawAreas() {
  byId("areas").replaceChildren();
  for (const [kind, path] of Object.entries(current.outlines)) {
    byId("areas").append(draw("path", { d: path, class: `area ${kind.split(" ")[0]}`, "data-layer": kind }));
  }
  tops = [];
  const onFrame = new Set(rows(current, "masses").filter((mass) => mass.frame === current.key_frame).map((mass) => mass.mass));
  for (const [mass, x, y] of current.tops) {
    if (!onFrame.has(mass)) continue;
    const text = draw("text", { class: "written", y: -5, "text-anchor": "middle", fill: "#e69f00" }, `M${mass}`);
    const group = draw("g", { "data-layer": "mass" }, text);
    byId("areas").append(group);
    tops.push({ group, x, y });
  }
}

function drawMarks() {
  marks = foci.map((focus) => {
    const elsewhere = current.frames > 1 && focus.frame !== current.key_frame;
    const parts = { hit: draw("circle", { class: "hit" }), rim: draw("path", { class: "rim" }), ring: draw("path", { class: "ring" }) };
    const text = draw("text", { class: "written", "data-layer": "numbers" }, String(focus.focus));
    const group = draw("g", {
      class: `mark ${focus.label}${elsewhere ? " elsewhere" : ""}`, tabindex: 0, role: "button", "data-layer": focus.label, "data-focus": focus.focus,
      "aria-label": `Focus ${focus.focus}, ${focus.label}, confidence ${number(focus.confidence, 2)}. ${focus.label_reason}`, "aria-describedby": "tip",
    }, parts.hit, parts.rim, parts.ring, text);
    if (focus.shadow === "yes") group.append((parts.shadow = draw("path", { class: "sign" })));
    if (["yes", "possible"].includes(focus.twinkling)) {
      group.append((parts.twinkling = draw("path", { class: focus.twinkling === "yes" ? "sign sure" : "sign" })));
    }
    const mark = { focus, group, text, parts };
    group.addEventListener("mouseenter", () => showTip(mark));
    group.addEventListener("mouseleave", hideTip);
    group.addEventListener("focus", () => showTip(mark));
    group.addEventListener("blur", hideTip);
    group.addEventListener("click", () => pick(focus, false));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(focus, false); }
    });
    return mark;
  });
  byId("marks").replaceChildren(...marks.map((mark) => mark.group));
}

/** A ring in the shape of its label, so that colour is not the only difference. */
function ring(label, radius) {
  const r = radius.toFixed(1), side = (0.92 * radius).toFixed(1);
  if (label === "intramass") return `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  if (label === "extramass") return `M${-side} ${-side}h${2 * side}v${2 * side}h${-2 * side}z`;
  return `M0 ${(-1.35 * radius).toFixed(1)}L${(1.2 * radius).toFixed(1)} ${(0.85 * radius).toFixed(1)}H${(-1.2 * radius).toFixed(1)}z`;
}

function place() {
  const { width, height } = stage.getBoundingClientRect();
  if (!width || !height) return;
  scene.setAttribute("viewBox", `${view.x - width / 2 / view.scale} ${view.y - height / 2 / view.scale} ${width / view.scale} ${height / view.scale}`);
  for (const { focus, group, text, parts } of marks) {
    const radius = Math.max(LEAST_RADIUS, (focus.diameter_px / 2) * view.scale + 5), path = ring(focus.label, radius);
    group.setAttribute("transform", `translate(${focus.x_px} ${focus.y_px}) scale(${1 / view.scale})`);
    parts.hit.setAttribute("r", radius + 4);
    parts.rim.setAttribute("d", path);
    parts.ring.setAttribute("d", path);
    filled(text, { x: (1.1 * radius + 4).toFixed(1), y: 4.5 }, []);
    parts.shadow?.setAttribute("d", `M0 ${radius + 3}v9`);
    parts.twinkling?.setAttribute("d", `M${-radius - 12} 0l4.5-4.5 4.5 4.5-4.5 4.5z`);
  }
  hideTip(); // what it points at has moved
  for (const { group, x, y } of tops) group.setAttribute("transform", `translate(${x} ${y}) scale(${1 / view.scale})`);
  showScale(width);
  byId("zoom-out").disabled = byId("zoom-fit").disabled = view.scale <= fitting() * 1.0001;
  byId("zoom-in").disabled = view.scale >= fitting() * MOST_ZOOM * 0.9999;
}

/** A bar of a round length in mm, where the spacing is known. */
function showScale(width) {
  const pixels = known(current.spacing_x_mm) ? view.scale / current.spacing_x_mm : 0, bar = byId("bar-mm");
  const length = [50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1].find((mm) => mm * pixels <= width / 5);
  bar.hidden = !pixels || !length;
  if (bar.hidden) return;
  bar.style.width = `${length * pixels}px`;
  bar.textContent = `${length} mm`;
}

function fitting() {
  const { width, height } = stage.getBoundingClientRect();
  return Math.min(width / current.box[2], height / current.box[3]) || 1;
}

function fit() {
  const [left, top, width, height] = current.box;
  view = { x: left + (width - 1) / 2, y: top + (height - 1) / 2, scale: fitting() };
  place();
}

/** Zoom by a factor, keeping the point at (x, y) of the stage, its middle if not given, where it is. */
function zoom(factor, x = null, y = null) {
  const { width, height } = stage.getBoundingClientRect(), least = fitting();
  const scale = Math.min(least * MOST_ZOOM, Math.max(least, view.scale * factor));
  if (scale === least) return fit();
  const dx = (x ?? width / 2) - width / 2, dy = (y ?? height / 2) - height / 2;
  move(dx / view.scale - dx / scale, dy / view.scale - dy / scale, scale);
}

function move(dx, dy, scale = view.scale) {
  const [left, top, width, height] = current.box;
  const within = (value, low, size) => Math.min(low + size, Math.max(low, value));
  view = { x: within(view.x + dx, left, width), y: within(view.y + dy, top, height), scale };
  place();
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  zoom(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) * 0.003), event.clientX - left, event.clientY - top);
}, { passive: false });

let grip = null;
stage.addEventListener("pointerdown", (event) => {
  if (event.button === 0 && !event.target.closest("button, .mark")) { grip = event; stage.setPointerCapture(event.pointerId); stage.classList.add("dragging"); }
});
stage.addEventListener("pointermove", (event) => {
  if (!grip || event.pointerId !== grip.pointerId) return;
  move((grip.clientX - event.clientX) / view.scale, (grip.clientY - event.clientY) / view.scale);
  grip = event;
});
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { grip = null; stage.classList.remove("dragging"); });
stage.addEventListener("dblclick", (event) => {
  const { left, top } = stage.getBoundingClientRect();
  if (!event.target.closest("button, .mark")) zoom(2, event.clientX - left, event.clientY - top);
});
stage.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (steps) move((steps[0] * STRIDE) / view.scale, (steps[1] * STRIDE) / view.scale);
  else if (event.key === "+" || event.key === "=") zoom(1.4);
  else if (event.key === "-") zoom(1 / 1.4);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
});
byId("zoom-in").addEventListener("click", () => zoom(1.5));
byId("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
byId("zoom-fit").addEventListener("click", fit);
let stageSize = "";
new ResizeObserver(() => {
  const now = `${stage.clientWidth} ${stage.clientHeight}`;
  if (!byId("viewer").open || now === stageSize) return;
  stageSize = now;
  if (view.scale <= fitting() * 1.1) fit(); else place();
}).observe(stage);
byId("viewer").addEventListener("keydown", (event) => {
  if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); turn(event.key === "PageDown" ? 1 : -1); }
});
byId("former").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("close").addEventListener("click", () => byId("viewer").close());
byId("viewer").addEventListener("close", () => [...byId("cards").children].find((item) => item.dataset.image === current.image)?.querySelector("button")?.focus());

// ---- layers ----

function showLayers() {
  const fieldset = byId("layers");
  fieldset.replaceChildren(make("legend", {}, "Layers"));
  const add = (layer, words, symbol) => {
    const box = make("input", { type: "checkbox", "data-toggles": layer });
    box.checked = !hidden.has(layer);
    box.addEventListener("change", () => { if (box.checked) hidden.delete(layer); else hidden.add(layer); applyLayers(); });
    fieldset.append(make("label", {}, box, ...(symbol ? [symbol] : []), words));
  };
  for (const label of Object.keys(LABELS)) {
    const found = foci.filter((focus) => focus.label === label).length;
    if (found) add(label, `${label} foci (${found})`, icon(label));
  }
  for (const [kind, words] of Object.entries(AREAS)) {
    const line = () => draw("svg", { viewBox: "0 0 20 16", "aria-hidden": "true" }, draw("path", { d: "M0 8h20", class: `line ${kind.split(" ")[0]}` }));
    if (current.outlines[kind]) add(kind, words, line());
  }
  if (foci.length) add("numbers", "numbers", null);
  fieldset.hidden = fieldset.children.length === 1;
  const key = [];
  if (foci.some((focus) => focus.shadow === "yes")) key.push("tick below: posterior shadow");
  if (foci.some((focus) => focus.twinkling === "yes")) key.push("filled diamond at the left: twinkling");
  if (foci.some((focus) => focus.twinkling === "possible")) key.push("open diamond: possible twinkling");
  if (document.querySelector(".mark.elsewhere")) key.push("dashed: seen best on another frame");
  byId("key").textContent = key.length ? key.join(" \u00b7 ") : "";
  applyLayers();
}

function applyLayers() {
  for (const element of scene.querySelectorAll("[data-layer]")) element.style.display = hidden.has(element.dataset.layer) ? "none" : "";
}

/** Switch a layer on again, where one asks for something on it. */
function reveal(layer) {
  if (!hidden.delete(layer)) return;
  for (const box of byId("layers").querySelectorAll("input")) box.checked = !hidden.has(box.dataset.toggles);
  applyLayers();
}

// ---- evidence ----

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

const pairs = (facts) => facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));

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
    const button = make("button", { type: "button", title: `Sort by ${name}` }, name), head = make("th", { scope: "col", class: numeric ? "number" : null }, button);
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
