// The main page of a report of several pages: a link to an image leads to its page.

/** Go to the page of the image that the address names. */
function goToPage() {
  const name = new URLSearchParams(location.hash.slice(1)).get("image");
  if (name === null) return;
  globalThis.usmicroPages = (pages) => {
    const page = pages.find(([, names]) => names.includes(name));
    if (page) location.replace(page[0] + location.hash);
    else showMissing(name);
  };
  const script = document.createElement("script");
  script.src = "report/pages.js";
  document.head.append(script);
}

/** Say that the report has no such image. */
function showMissing(name) {
  const note = document.createElement("p");
  note.className = "note warn";
  note.setAttribute("role", "status");
  note.textContent = `This report has no image ${name}.`;
  document.getElementById("main").prepend(note);
}

globalThis.addEventListener("hashchange", goToPage);
goToPage();
