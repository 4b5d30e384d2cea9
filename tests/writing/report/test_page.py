"""The pages of the report, for made-up runs; test_browser.py and test_input.py use a browser."""

import json
import re
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import pytest

from tests.helpers.made_run import HOSTILE, make_run, report_data, tables
from usmicro.writing.report.embedding import safe_json
from usmicro.writing.report.page import write_report
from usmicro.writing.report.pictures import (
    tissue_box,
)


def text_of(folder: Path) -> str:
    """Write the report of a run and return its text."""
    return write_report(folder).read_text(encoding="utf-8")


def count(text: str, name: str) -> int:
    """Return a number of the summary."""
    found = re.search(rf'<dd id="count-{name}"[^>]*>([^<]*)</dd>', text)
    return int(found[1].replace(",", ""))


class Elements(HTMLParser):
    """Tags of a page with their attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


@pytest.fixture
def folder(tmp_path, make_analysis) -> Path:
    return make_run(tmp_path / "r", make_analysis())


def test_every_image_is_in_the_gallery_and_failed_ones_have_their_reason(folder):
    text = text_of(folder)
    images = report_data(text)["images"]
    rows = tables(folder)["images"]
    assert [image["image"] for image in images] == [row["image"] for row in rows]
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed
    for row in failed:
        assert (
            next(image for image in images if image["image"] == row["image"])["error"]
            == row["error"]
        )
        assert (
            f'<td class="path">{escape(row["image"])}</td><td>{escape(row["error"])}</td>' in text
        )


def test_counts_agree_with_the_tables(folder):
    text, found = text_of(folder), tables(folder)
    ok = [row for row in found["images"] if row["status"] == "ok"]
    assert count(text, "inputs") == len(found["images"])
    assert (count(text, "done"), count(text, "failed")) == (len(ok), len(found["images"]) - len(ok))
    assert count(text, "frames") == sum(int(row["frames"]) for row in ok)
    assert count(text, "foci") == len(found["foci"]) == sum(int(row["foci"]) for row in ok)
    for label in ("intramass", "extramass", "intraductal"):
        assert count(text, label) == sum(row["label"] == label for row in found["foci"])
    assert (count(text, "masses"), count(text, "clusters")) == (
        len(found["masses"]),
        len(found["clusters"]),
    )


def test_settings_versions_and_the_research_notice_are_shown(folder):
    text = text_of(folder)
    assert "Research use only: no diagnosis." in text
    record = json.loads((folder / "run.json").read_text())
    for name, value in {**record["settings"]["foci"], **record["versions"]}.items():
        assert f"<th>{name}</th><td>{value}" in text


def test_hostile_names_are_shown_as_text(folder):
    text = text_of(folder)
    elements = Elements(text)
    assert [
        tag
        for tag, _ in elements.tags
        if tag in ("img", "iframe", "object", "link", "base", "embed")
    ] == []
    scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
    assert scripts == [{}, {"type": "application/json", "id": "report-data"}, {}]
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    names = {image["image"] for image in report_data(text)["images"]}
    assert set(HOSTILE) <= names
    for name in HOSTILE:
        assert not re.search(r"[<>]", name) or name not in text


@pytest.mark.parametrize(
    "value", ["</script>", "<!--", "a&b", "\u2028\u2029", "\ud800", "\\u003c", "'\""]
)
def test_data_cannot_end_the_script_element(value):
    written = safe_json({"name": value})
    assert not set(written) & set("<>&\u2028\u2029")
    assert written.isascii()
    assert json.loads(written) == {"name": value}


def test_links_are_percent_encoded_and_their_files_exist(folder):
    images = report_data(text_of(folder))["images"]
    links = [link for image in images for link in image.get("links", {}).values()]
    assert len(links) == 4 * sum(image["status"] == "ok" for image in images)
    for link in links:
        assert re.fullmatch(r"[\w./%~-]+", link, re.ASCII)
        assert (folder / unquote(link)).is_file()


def test_the_page_has_no_external_address(folder):
    text = text_of(folder)
    assert not re.search(
        r"https?:|src\s*=\s*[\"']?//|href\s*=\s*[\"']?//|@import|\burl\((?![\"]#)",
        text,
        re.IGNORECASE,
    )


def test_the_page_has_no_path_of_the_machine(folder):
    assert str(folder.parent) not in unescape(text_of(folder))


def test_equal_files_give_equal_bytes(folder):
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_thumbnails_are_small_and_positions_are_those_of_the_image(folder):
    image = next(
        image for image in report_data(text_of(folder))["images"] if image["status"] == "ok"
    )
    assert image["thumbnail"].startswith("data:image/jpeg;base64,")
    assert len(image["thumbnail"]) < 20_000
    labels = cv2.imread(str(folder / unquote(image["links"]["mask"])), cv2.IMREAD_GRAYSCALE)
    assert tuple(image["box"]) == tissue_box(labels)
    assert set(image["outlines"]) == {"mass", "duct", "nonmass area"}
    assert [mass for mass, *_ in image["tops"]] == [1]


def test_an_image_without_its_files_is_shown(folder):
    for path in sorted((folder / "masks").rglob("*.png")):
        path.unlink()
    (next((folder / "report" / "images").rglob("*.jpg"))).write_bytes(b"damaged")
    images = [image for image in report_data(text_of(folder))["images"] if image["status"] == "ok"]
    assert all(
        image["thumbnail"] == "" and image["outlines"] == {} and "mask" not in image["links"]
        for image in images
    )
    assert all(image["box"][2:] == [image["columns"], image["rows"]] for image in images)
