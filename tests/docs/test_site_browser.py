"""The documentation site, opened from its folder in Chromium."""

from pathlib import Path

import pytest

from tests.helpers.chromium import BROWSER, MISSING, Chromium

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


def test_every_page_opens_without_errors_and_fits_a_phone(site, chromium):
    # 404.html is for servers: its addresses start at /
    pages = sorted(page for page in site.glob("*.html") if page.name != "404.html")
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} == {page.stem for page in pages}
    chromium.resize(420, 900)
    for page in pages:
        chromium.open(page)
        assert chromium.console_messages() == [], page.name
        assert chromium.get("document.documentElement.scrollWidth") <= 420, page.name
        broken_images = (
            "[...document.images]"
            ".filter((image) => image.complete && !image.naturalWidth)"
            ".map((image) => image.src)"
        )
        assert chromium.get(broken_images) == [], page.name


def test_the_site_can_be_switched_to_dark(site, chromium):
    chromium.resize(1400, 1000)
    chromium.open(site / "index.html")
    mode = "document.documentElement.dataset.bsTheme"
    assert chromium.get(mode) == "light"
    chromium.click("#theme-menu")
    chromium.click("[data-bs-theme-value='dark']")
    assert chromium.get(mode) == "dark"
