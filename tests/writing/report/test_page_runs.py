"""Reports of real runs, of many images, and of folders without a finished run."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

import usmicro
from tests.helpers.made_run import make_run, report_data, tables
from usmicro.errors import UsageError
from usmicro.writing.report import page as report
from usmicro.writing.report.page import remove_report, write_report


def text_of(folder: Path) -> str:
    """Write the report of a run and return its text."""
    return write_report(folder).read_text(encoding="utf-8")


def count(text: str, name: str) -> int:
    """Return a number of the summary."""
    found = re.search(rf'<dd id="count-{name}"[^>]*>([^<]*)</dd>', text)
    return int(found[1].replace(",", ""))


@pytest.fixture
def folder(tmp_path, make_analysis) -> Path:
    return make_run(tmp_path / "r", make_analysis())


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert left == [
        "report/details/mass_linear.js",
        "report/images/mass_linear.jpg",
        "report/thumbnails/mass_linear.json",
    ]
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
