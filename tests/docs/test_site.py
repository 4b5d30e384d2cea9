"""The site that mkdocs builds from the documents."""

import re
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


class AddressParser(HTMLParser):
    """Collects the addresses that a page links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [
            value for name, value in attrs if name in ("href", "src", "action") and value
        ]


def addresses(page: Path) -> list[str]:
    """Return the addresses that a page links to or loads."""
    parser = AddressParser()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.addresses


def is_external(address: str) -> bool:
    """True if an address lies outside of the site."""
    return re.match(r"[a-z][a-z0-9+.-]*:|//", address) is not None


def test_every_document_is_a_page(site):
    assert {page.stem for page in PAGES} <= {page.stem for page in site.glob("*.html")}


def test_pages_link_to_and_load_nothing_external(site):
    external = {
        page.name: [address for address in addresses(page) if is_external(address)]
        for page in site.rglob("*.html")
    }
    assert {name: found for name, found in external.items() if found} == {}


def test_style_sheets_load_nothing_external(site):
    for sheet in site.rglob("*.css"):
        matches = re.findall(
            r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", sheet.read_text(encoding="utf-8")
        )
        loaded = [address for match in matches for address in match if address]
        assert [
            address
            for address in loaded
            if not address.startswith("data:") and is_external(address)
        ] == [], sheet.name


def test_files_that_pages_load_exist(site):
    for page in site.glob("*.html"):
        if page.name == "404.html":  # a server shows it at any depth: its addresses start at /
            continue
        files = [address.partition("#")[0].partition("?")[0] for address in addresses(page)]
        missing = [name for name in files if name and not (page.parent / name).exists()]
        assert missing == [], page.name


def test_the_test_finds_external_addresses(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<link href="css/own.css"><script src="https://example.org/a.js"></script>'
        '<img src="//example.org/b.png"><a href="#c">'
    )
    assert [address for address in addresses(page) if is_external(address)] == [
        "https://example.org/a.js",
        "//example.org/b.png",
    ]
