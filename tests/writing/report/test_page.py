"""The pages of the report, for made-up runs; test_browser.py and test_input.py use a browser."""

import csv
import json
import re
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

import usmicro
from tests.helpers.made_run import HOSTILE, make_run, report_data, tables
from usmicro.errors import UsageError
from usmicro.writing.report import page as report
from usmicro.writing.report.embedding import safe_json
from usmicro.writing.report.page import remove_report, write_report
from usmicro.writing.report.pictures import (
    encode_picture,
    outline_path,
    read_picture,
    sector_apex,
    tissue_box,
)
from usmicro.writing.report.plots import bars, bins, histogram


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


# ---- pictures ----


def test_the_stored_picture_is_black_outside_the_tissue(make_analysis):
    analysis = make_analysis()
    picture = cv2.imdecode(
        np.frombuffer(encode_picture(analysis.image, analysis.labels), np.uint8),
        cv2.IMREAD_GRAYSCALE,
    )
    _, top, width, height = tissue_box(analysis.labels)
    assert picture.shape == (height, width)
    holed = analysis.labels.copy()
    holed[200:300, 100:300] = 255
    printed = analysis.image.copy()
    printed[200:300, 100:300] = np.random.default_rng(3).integers(0, 255, (100, 200), np.uint8)
    printed[:top] = 255
    assert encode_picture(printed, holed) == encode_picture(analysis.image, holed)


@pytest.mark.parametrize("kind", ["grey", "colour", "deep"])
def test_the_stored_picture_shows_the_scan(make_analysis, kind):
    analysis = make_analysis(rows=1600, columns=1200)
    smooth = cv2.GaussianBlur(analysis.image, (0, 0), 9)
    frame = {
        "grey": smooth,
        "deep": smooth.astype(np.uint16) << 8,
        "colour": np.dstack([smooth, smooth // 2, smooth // 4]),
    }[kind]
    picture = cv2.imdecode(
        np.frombuffer(encode_picture(frame, analysis.labels), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert max(picture.shape) == 900
    assert picture.ndim == (3 if kind == "colour" else 2)
    left, top, width, height = tissue_box(analysis.labels)
    expected = cv2.resize(
        smooth[top : top + height, left : left + width],
        picture.shape[1::-1],
        interpolation=cv2.INTER_AREA,
    )
    found = picture[..., 2] if kind == "colour" else picture
    assert abs(found.astype(float) - expected)[10:-10, 10:-10].mean() < 3


def test_outlines_surround_an_area_and_its_holes():
    area = np.zeros((100, 120), bool)
    area[20:61, 30:91] = True
    assert outline_path(area) == "M30 20l0 40 60 0 0 -40z"
    area[35:46, 50:61] = False
    assert outline_path(area).count("M") == 2
    assert outline_path(np.zeros((5, 5), bool)) == ""


def test_outlines_of_ragged_areas_are_short():
    ragged = np.random.default_rng(5).random((600, 800)) > 0.5
    assert len(outline_path(ragged)) < 2_000_000
    smooth = cv2.GaussianBlur(ragged.astype(np.float32), (0, 0), 6) > 0.5
    assert 0 < len(outline_path(smooth)) < 40_000


def test_the_thumbnail_of_a_missing_picture_is_empty(tmp_path):
    assert read_picture(tmp_path / "a.jpg", tmp_path / "a.png", []).thumbnail == ""


@pytest.mark.parametrize("crop", [0, 60], ids=["whole", "cut at the left"])
def test_the_apex_of_a_sector_is_where_its_sides_meet(crop):
    y, x = np.mgrid[:460, :800]
    away, angle = np.hypot(x - 390, y + 200), np.arctan2(x - 390, y + 200)
    labels = np.where((away > 260) & (away < 620) & (abs(angle) < 0.6), 0, 255).astype(np.uint8)[
        :, crop:
    ]
    column, row = sector_apex(labels)
    assert (column, row) == (pytest.approx(390 - crop, abs=3), pytest.approx(-200, abs=5))


def test_scans_without_slanted_sides_and_dual_views_have_no_apex():
    labels = np.full((300, 400), 255, np.uint8)
    assert sector_apex(labels) is None
    labels[20:280, 30:370] = 0
    assert sector_apex(labels) is None
    y, x = np.mgrid[:300, :400]
    labels[(abs(x - 100) < 30 + y / 4) | (abs(x - 300) < 30 + y / 4)] = 1
    labels[:, 190:210] = 255
    labels[abs(x - 200) > 180 + y / 20] = 255
    assert sector_apex(labels) is None


# ---- plots ----


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([0, 0, 1, 7], True),
        ([0.1, 0.25, 3.0], False),
        ([5.0], False),
        ([0], True),
        ([2.0] * 9, False),
    ],
)
def test_every_value_has_a_bin(values, whole):
    edges, beyond = bins(values, whole=whole)
    assert edges == sorted(set(edges))
    assert edges[0] <= min(values)
    assert beyond or max(values) < edges[-1] or max(values) == pytest.approx(edges[-1])
    assert len(edges) <= 23
    counted = [
        int(text)
        for text in re.findall(
            r"<title>[^<]*: ([\d,]+)</title>", histogram(values, "t", "a", whole=whole)
        )
    ]
    assert sum(counted) == len(values)


def test_an_outlier_goes_into_an_open_ended_bin():
    edges, beyond = bins([*range(1, 200), 100_000], whole=True)
    assert beyond
    assert edges[-1] <= 240


def test_bars_have_a_name_and_a_number():
    text = bars([("intramass", 3, "intramass"), ("a<b", 1, "plain")], "Labels")
    assert "75 %" in text
    assert "a&lt;b" in text
    assert "shape-circle" in text
    assert "No values" in bars([("no", 0, "plain")], "t")
    assert "No values" in histogram([], "t", "a")


# ---- many images ----


def test_2000_images_make_one_page_of_limited_size(tmp_path, make_analysis):
    folder = make_run(tmp_path / "r", make_analysis(), copies=1995, pictures=False)
    text = text_of(folder)
    assert len(report_data(text)["images"]) == 2000
    assert len(text) < 5_000_000
    assert not list((folder / "report").glob("page-*"))


def test_more_images_are_divided_into_pages(tmp_path, make_analysis):
    folder = make_run(tmp_path / "r", make_analysis(), copies=2100, pictures=False)
    index = text_of(folder)
    assert 'id="report-data"' not in index
    pages = sorted((folder / "report").glob("page-*.html"))
    assert re.findall(r'href="(report/[^"]+)"', index) == [
        page.relative_to(folder).as_posix() for page in pages
    ]
    listed = [image["image"] for page in pages for image in report_data(page.read_text())["images"]]
    assert listed == [row["image"] for row in tables(folder)["images"]]
    assert max(len(report_data(page.read_text())["images"]) for page in pages) == 500
    assert all(
        report_data(page.read_text())["root"] == "../" and "Research use only" in page.read_text()
        for page in pages
    )
    assert "page-002.html" in pages[0].read_text()
    assert len(index) < 200_000
    remove_report(folder)
    assert not list(folder.rglob("*.html"))
    assert (folder / "report" / "images").is_dir()


def test_many_foci_end_a_page_and_their_list_is_cut(folder, monkeypatch):
    monkeypatch.setattr(report, "MOST_FOCI", 4)
    monkeypatch.setattr(report, "MOST_FOCI_AN_IMAGE", 2)
    write_report(folder)
    pages = [
        report_data(page.read_text())["images"]
        for page in sorted((folder / "report").glob("page-*.html"))
    ]
    assert len(pages) > 1
    assert (
        max(
            sum(len(image["tables"]["foci"]) for image in page if "tables" in image)
            for page in pages
        )
        == 4
    )
    assert all(
        len(image["tables"]["foci"]) == 2 and image["foci"] == 3
        for page in pages
        for image in page
        if "tables" in image
    )


# ---- no finished run ----


@pytest.mark.parametrize(
    "case", ["no folder", "empty", "no table", "stopped", "no record", "other columns", "cut"]
)
def test_a_folder_without_a_finished_run_is_an_error(folder, case, tmp_path):
    if case == "no folder":
        folder = tmp_path / "gone"
    elif case == "empty":
        folder = tmp_path / "empty"
        folder.mkdir()
    elif case == "no table":
        (folder / "foci.csv").unlink()
    elif case == "no record":
        (folder / "run.json").write_text("[1]")
    elif case == "other columns":
        (folder / "masses.csv").write_text("image,weight\n")
    elif case == "cut":
        with open(folder / "foci.csv", "a") as file:
            file.write("a.png,0,1\n")
    else:
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**record, "complete": False}))
    with pytest.raises(UsageError, match=folder.name):
        write_report(folder)
    assert not (folder / "report.html").exists()


# ---- real runs ----


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scans") / "scans"
    folder.mkdir()
    for name in ("mass_linear.png", "colour_cine.dcm", "dual_view.dcm"):
        (folder / name).write_bytes((Path(__file__).parents[3] / "sample_data" / name).read_bytes())
    (folder / "text.dcm").write_text("no scan")
    return folder


def unmeasured(text: str) -> str:
    """Return a report without times and number of workers, which differ between equal runs."""
    return re.sub(r'(<(dd|td)[^>]*class="measured"[^>]*>).*?</\2>', r"\1", text)


def test_the_report_does_not_depend_on_the_number_of_workers(scans, tmp_path):
    texts = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        results = list(usmicro.run(scans, out=out, workers=workers))
        texts.append((out / "report.html").read_bytes())
        assert write_report(out).read_bytes() == texts[-1]
    one, two = (unmeasured(text.decode()) for text in texts)
    assert one == two
    images = {image["image"]: image for image in report_data(one)["images"]}
    assert list(images) == [result.image for result in results]
    cine = next(result for result in results if result.image == "colour_cine.dcm")
    assert images["colour_cine.dcm"]["key_frame"] == cine.key_frame > 0
    assert len(images["colour_cine.dcm"]["tables"]["foci"]) == len(cine.foci)
    assert all(image["thumbnail"] for image in images.values() if image["status"] == "ok")
    assert images["text.dcm"]["error"]


def test_resumed_runs_have_a_complete_report_and_stopped_runs_none(scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "whole", workers=1))
    for _ in usmicro.run(scans, out=tmp_path / "r", workers=1):
        break
    assert not (tmp_path / "r" / "report.html").exists()
    assert (tmp_path / "r" / "report" / "images" / "colour_cine.jpg").exists()
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, resume=True))
    whole, resumed = (
        unmeasured((tmp_path / name / "report.html").read_text()) for name in ("whole", "r")
    )
    assert resumed == whole
    for path in (tmp_path / "r" / "report" / "images").iterdir():
        assert (
            path.read_bytes() == (tmp_path / "whole" / "report" / "images" / path.name).read_bytes()
        )
    (tmp_path / "r" / "report" / "page-001.html").write_text("of an earlier run")
    list(usmicro.run(scans / "mass_linear.png", out=tmp_path / "r", workers=1, overwrite=True))
    left = sorted(
        path.relative_to(tmp_path / "r").as_posix()
        for path in (tmp_path / "r" / "report").rglob("*")
        if path.is_file()
    )
    assert left == ["report/details/mass_linear.js", "report/images/mass_linear.jpg"]
    with open(tmp_path / "r" / "images.csv", encoding="utf-8", newline="") as lines:
        assert [row["image"] for row in csv.DictReader(lines)] == ["mass_linear.png"]


def test_the_report_of_all_candidates_begins_with_the_default_confidence(tmp_path, make_analysis):
    analysis = make_analysis()
    foci = [
        replace(focus, confidence=confidence)
        for focus, confidence in zip(analysis.foci, (0.9, 0.06, 0.01), strict=True)
    ]
    recorded = {"listed_from_confidence": 0.0, "shown_from_confidence": 0.05}
    run = make_run(tmp_path / "r", replace(analysis, foci=foci), recorded=recorded)
    text = write_report(run).read_text(encoding="utf-8")
    assert '<dd id="count-foci" class="">8</dd>' in text
    assert "foci.csv lists 12 foci from confidence 0 on" in text
    assert "Foci from confidence 0.05 on: 8 of 12 in foci.csv." in text
    data = report_data(text)
    assert data["confidence"] == {"listed": 0.0, "shown": 0.05}
    assert [
        len(image["tables"]["foci"]) for image in data["images"] if image["status"] == "ok"
    ] == [3] * 4  # the page holds them all, and its slider shows them


def test_a_report_that_shows_all_that_is_listed_says_nothing_of_it(tmp_path, make_analysis):
    text = write_report(make_run(tmp_path / "r", make_analysis())).read_text(encoding="utf-8")
    assert 'id="listing-note"' not in text
    assert "in foci.csv." not in text.split('id="distributions"')[1].split("</section>")[0]


def test_the_details_of_each_image_are_linked_and_a_run_without_them_has_no_link(
    tmp_path, make_analysis
):
    run = make_run(tmp_path / "r", make_analysis())
    images = [
        image
        for image in report_data(write_report(run).read_text(encoding="utf-8"))["images"]
        if image["status"] == "ok"
    ]
    for image in images:
        assert (run / unquote(image["links"]["details"])).is_file()
        assert image["links"]["details"].startswith("report/details/")
    without = make_run(tmp_path / "w", make_analysis(), pictures=False)
    images = report_data(write_report(without).read_text(encoding="utf-8"))["images"]
    assert all("details" not in image.get("links", {}) for image in images)


def test_the_names_of_each_page_are_in_a_script_that_goes_with_the_pages(tmp_path, make_analysis):
    run = make_run(tmp_path / "r", make_analysis(), copies=2100, pictures=False)
    write_report(run)
    script = (run / "report" / "pages.js").read_text(encoding="ascii")
    pages = json.loads(script.removeprefix("usmicroPages(").removesuffix(");\n"))
    assert [name for name, _ in pages][:2] == ["report/page-001.html", "report/page-002.html"]
    names = [row["image"] for row in tables(run)["images"]]
    assert [name for _, of_page in pages for name in of_page] == names
    remove_report(run)
    assert not (run / "report" / "pages.js").exists()
