"""The documents as a site."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


class Addresses(HTMLParser):
    """Everything that a page links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [
            value for name, value in attrs if name in ("href", "src", "action") and value
        ]


def addresses(page: Path) -> list[str]:
    parser = Addresses()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def outside(address: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]*:|//", address) is not None


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(
        load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    )  # strict: a broken link or anchor raises
    return folder


def test_every_document_is_a_page(site):
    assert {page.stem for page in PAGES} <= {page.stem for page in site.glob("*.html")}


def test_the_pages_need_and_name_nothing_outside(site):
    assert {
        page.name: found
        for page in site.rglob("*.html")
        if (found := [a for a in addresses(page) if outside(a)])
    } == {}


def test_the_style_sheets_need_nothing_outside(site):
    for sheet in site.rglob("*.css"):
        loaded = re.findall(
            r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", sheet.read_text(encoding="utf-8")
        )
        assert [
            a for pair in loaded for a in pair if a and not a.startswith("data:") and outside(a)
        ] == [], sheet.name


def test_what_a_page_loads_is_there(site):
    for page in site.glob("*.html"):
        if page.name == "404.html":  # is served at any depth, so its addresses begin at the root
            continue
        files = [a.partition("#")[0].partition("?")[0] for a in addresses(page)]
        assert [name for name in files if name and not (page.parent / name).exists()] == [], (
            page.name
        )


def test_an_outside_address_is_noticed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<link href="css/own.css"><script src="https://example.org/a.js"></script><img src="//example.org/b.png"><a href="#c">'
    )
    assert [a for a in addresses(page) if outside(a)] == [
        "https://example.org/a.js",
        "//example.org/b.png",
    ]
