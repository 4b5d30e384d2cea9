// One image: its picture with what was found drawn on it, and zoom. Layers, evidence and tables are in the scripts after this one.

const LEAST_RADIUS = 8, MOST_ZOOM = 40, STRIDE = 60;
let current = null, foci = [], marks = [], tops = [], view = { x: 0, y: 0, scale: 1 }, fitted = true, picked = null;

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
  for (const focus of foci) {
    const strip = shadowStrip(focus);
    if (strip) byId("areas").append(draw("path", { d: strip, class: "strip", "data-layer": "shadow" }));
  }
  for (const [mass, x, y] of current.tops) {
    const text = draw("text", { class: "written", y: -5, "text-anchor": "middle", fill: "#e69f00" }, `M${mass}`);
    const group = draw("g", { "data-layer": "mass" }, text);
    byId("areas").append(group);
    tops.push({ group, x, y });
  }
}

/** Where the shadow of a focus lies: as wide as the focus, along the beam, as long as it was measured. Empty where it has none. */
function shadowStrip(focus) {
  const { spacing_x_mm: sx, spacing_y_mm: sy, apex } = current;
  if (focus.shadow !== "yes" || !known(focus.shadow_length_mm) || !known(focus.diameter_mm) || (current.geometry === "sector" && !apex)) return "";
  const beam = apex ? [(focus.x_px - apex[0]) * sx, (focus.y_px - apex[1]) * sy] : [0, 1];
  const [dx, dy] = beam.map((value) => value / Math.hypot(...beam));
  const half = focus.diameter_mm / 2, end = half + focus.shadow_length_mm;
  const corner = (along, across) => `${(focus.x_px + (along * dx - across * dy) / sx).toFixed(1)} ${(focus.y_px + (along * dy + across * dx) / sy).toFixed(1)}`;
  return `M${corner(half, -half)}L${corner(end, -half)} ${corner(end, half)} ${corner(half, half)}`;
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
    if (focus.shadow === "yes") group.append((parts.shadow = draw("path", { class: "sign", "data-layer": "shadow" })));
    if (["yes", "possible"].includes(focus.twinkling)) {
      group.append((parts.twinkling = draw("path", { class: focus.twinkling === "yes" ? "sign sure" : "sign", "data-layer": "twinkling" })));
    }
    const mark = { focus, group, text, parts };
    group.addEventListener("mouseenter", () => showTip(mark));
    group.addEventListener("mouseleave", hideTip);
    group.addEventListener("focus", () => showTip(mark));
    group.addEventListener("blur", hideTip);
    group.addEventListener("click", () => { pick(focus, false); hideTip(); }); // the panel now tells more than the tip, which hides what is around
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
  fitted = true;
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
  fitted = false;
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
  if (fitted || view.scale < fitting()) fit(); else place();
}).observe(stage);
// of the whole page: a button that is switched off while it has the focus leaves none in the viewer
document.addEventListener("keydown", (event) => {
  if (!byId("viewer").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "PageDown" || event.key === "PageUp") { event.preventDefault(); turn(event.key === "PageDown" ? 1 : -1); }
  else if (event.key.toLowerCase() === "h") { hideTip(); bare = !bare; applyLayers(); }
});
byId("former").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("close").addEventListener("click", () => byId("viewer").close());
byId("viewer").addEventListener("close", () => [...byId("cards").children].find((item) => item.dataset.image === current.image)?.querySelector("button")?.focus());
