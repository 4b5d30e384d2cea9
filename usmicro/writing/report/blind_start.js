// Hides counts of findings in blind mode before the browser draws the first of them. The gallery
// may take seconds to load, and the main page of several has no other script for it.

/** Hide what tells the findings if the reader works blind; the settings are those of the review. */
function hideFindings() {
  let isBlind = false;
  try {
    isBlind = Boolean(JSON.parse(localStorage.getItem(BLIND_KEY))?.blind);
  } catch {
    // without storage there is no blind mode from an earlier page
  }
  document.body.classList.toggle("blind", isBlind);
}

const BLIND_KEY = `usmicro-review-settings ${document.documentElement.dataset.run}`;
globalThis.addEventListener("storage", ({ key }) => {
  if (key === BLIND_KEY) hideFindings(); // changed on another page of the report
});
hideFindings();
