import csv
import json
import re
import shutil
from html import unescape

import numpy as np
import pytest

import usmicro
from tests.helpers.chromium import BROWSER, MISSING, Chromium
from tests.helpers.evaluated_run import FAILED, MASS, make_run
from tests.helpers.reviews import focus_review, image_review, mass_review, write_review
from usmicro.cli import main
from usmicro.comparison import compare
from usmicro.comparison import page as comparison_page
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate, metrics
from usmicro.model.anatomy import AreaLabel
from usmicro.writing import encode_png, write_atomically
from usmicro.writing.report.page import PICTURES, write_report
from usmicro.writing.report.pictures import encode_picture


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 50)


@pytest.fixture
def runs(tmp_path):
    """Two equal runs; every image has foci 1 at (30, 30) and 2 at (60, 40), and one mass."""
    make_run(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    return tmp_path / "a", tmp_path / "b"


def edit(run, table, change):
    """Change the rows of a table of a run; `change` returns the rows that stay."""
    file = run / f"{table}.csv"
    with open(file, encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        columns, rows = reader.fieldnames, change([dict(row) for row in reader])
    with open(file, "w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def set_cells(run, table, number, image="a.png", **cells):
    """Set cells of one focus or mass of an image."""
    kind = {"foci": "focus", "masses": "mass"}[table]

    def change(rows):
        for row in rows:
            if row["image"] == image and row[kind] == str(number):
                row |= {name: str(value) for name, value in cells.items()}
        return rows

    edit(run, table, change)


def remove(run, table, number, image="a.png"):
    kind = {"foci": "focus", "masses": "mass"}[table]
    edit(
        run,
        table,
        lambda rows: [r for r in rows if (r["image"], r[kind]) != (image, str(number))],
    )


def changes(comparison):
    return [(row.image, row.kind, row.change, row.a, row.b) for row in comparison.rows]


def test_a_run_does_not_differ_from_itself(runs, tmp_path, capsys):
    a, b = runs
    comparison = compare(a, b, out=tmp_path / "out")
    assert comparison.rows == []
    assert comparison.records == []
    assert "no difference in the findings" in comparison.lines()
    assert (tmp_path / "out" / "comparison.csv").read_text().startswith("image,kind,change,a,b,")
    assert len((tmp_path / "out" / "comparison.csv").read_text().splitlines()) == 1
    assert main(["compare", str(a), str(a)]) == 0
    assert "no difference in the findings" in capsys.readouterr().out


def test_foci_are_gained_lost_moved_and_relabelled(runs):
    a, b = runs
    remove(b, "foci", 2)
    remove(a, "foci", 1, image="c.png")
    set_cells(b, "foci", 1, x_px=33)
    set_cells(b, "foci", 1, image="d.png", label="intraductal", shadow="yes", confidence=0.95)
    set_cells(b, "foci", 2, image="d.png", x_px=60.5, twinkling="yes")
    comparison = compare(a, b)
    assert changes(comparison) == [
        ("a.png", "focus", "lost", 2, None),
        ("a.png", "focus", "moved", 1, 1),
        ("c.png", "focus", "gained", None, 1),
        ("d.png", "focus", "label", 1, 1),
        ("d.png", "focus", "shadow", 1, 1),
        ("d.png", "focus", "twinkling", 2, 2),
    ]
    rows = comparison.rows
    assert rows[1].distance_px == pytest.approx(3)
    assert (rows[3].before, rows[3].after) == ("intramass", "intraductal")
    assert (rows[3].confidence_a, rows[3].confidence_b) == (0.9, 0.95)
    image = next(image for image in comparison.images if image.image == "d.png")
    assert (image.same_foci, image.other_confidence) == (2, 1)
    assert "foci: 6 in both runs, 1 gained, 1 lost, 1 moved" in "\n".join(comparison.lines())


def test_exchanging_the_runs_exchanges_gained_and_lost(runs):
    a, b = runs
    remove(b, "foci", 2)
    set_cells(b, "foci", 1, image="c.png", x_px=50, y_px=60)
    forward = {
        (image, change, one, other) for image, _, change, one, other in changes(compare(a, b))
    }
    other_way = {"gained": "lost", "lost": "gained"}
    back = {
        (image, other_way.get(change, change), other, one)
        for image, _, change, one, other in changes(compare(b, a))
    }
    assert forward == back
    assert len(forward) == 3


def test_masses_are_matched_by_their_outlines(runs):
    a, b = runs
    labels = np.zeros((80, 100), np.uint8)
    labels[MASS, 20:35] = AreaLabel.MASS  # Dice 0.86 with the former outline
    write_atomically(b / "masks" / "a.png", encode_png(labels))
    write_atomically(b / "masks" / "c.png", encode_png(np.zeros_like(labels)))
    remove(b, "masses", 1, image="c.png")
    set_cells(b, "masses", 1, image="d.png", posterior="shadowing")
    set_cells(a, "masses", 1, image="d.png", posterior="none")
    comparison = compare(a, b)
    assert changes(comparison) == [
        ("a.png", "mass", "outline", 1, 1),
        ("c.png", "mass", "lost", 1, None),
        ("d.png", "mass", "posterior", 1, 1),
    ]
    assert comparison.rows[0].dice == pytest.approx(2 * 300 / 700)


def test_images_of_only_one_run_and_of_other_status_are_listed(runs):
    a, b = runs
    edit(b, "images", lambda rows: [row for row in rows if row["image"] != "c.png"])
    edit(a, "images", lambda rows: [row for row in rows if row["image"] != "d.png"])

    def fail(rows):
        for row in rows:
            if row["image"] == "a.png":
                row["status"] = "failed"
            if row["image"] == "sub/b.png":
                row |= {"calcification": "in a mass"}
        return rows

    edit(b, "images", fail)
    comparison = compare(a, b)
    assert changes(comparison) == [
        ("a.png", "image", "status", None, None),
        ("c.png", "image", "only in A", None, None),
        ("d.png", "image", "only in B", None, None),
        ("sub/b.png", "image", "calcification", None, None),
    ]
    table = {row["image"]: row for row in comparison.images_table()}
    assert table["a.png"]["foci_lost"] is None  # it failed, so that its foci are not compared
    assert table["c.png"]["status_b"] is None
    assert table["sub/b.png"]["foci_same"] == 2
    assert table[FAILED]["foci_same"] is None


def test_an_image_of_another_size_is_not_compared(runs):
    a, b = runs

    def enlarge(rows):
        for row in rows:
            if row["image"] == "a.png":
                row["columns"] = "200"
        return rows

    edit(b, "images", enlarge)
    remove(b, "foci", 1)
    (row,) = compare(a, b).rows
    assert (row.change, row.before, row.after) == ("size", "100 x 80 x 1", "200 x 80 x 1")


def test_settings_and_versions_that_differ_are_listed(runs):
    a, b = runs
    record = json.loads((b / "run.json").read_text())
    record["settings"]["foci"]["smallest"] = 0.5
    record["usmicro"] = "9.9"
    record["options"] = {"workers": 3, "masks": "masks"}
    (b / "run.json").write_text(json.dumps(record))
    found = {row.name: (row.a, row.b) for row in compare(a, b).records}
    assert found == {
        "usmicro": (usmicro.__version__, "9.9"),
        "foci.smallest": ("0.2", "0.5"),
        "options.masks": ("", "masks"),
    }


def cine(run, places):
    """Make a cine of a.png whose foci have these tracks: number, best frame, places by frame."""

    def change(rows):
        for row in rows:
            if row["image"] == "a.png" and (row["focus"] in ("1", "2")):
                best, track = places[int(row["focus"])]
                x, y = track[best]
                row |= {"frame": best, "x_px": x, "y_px": y}
        return rows

    edit(run, "foci", change)
    lines = ["image,focus,frame,x_px,y_px"]
    for number, (_, track) in places.items():
        lines += [f"a.png,{number},{frame},{x},{y}" for frame, (x, y) in track.items()]
    (run / "tracks.csv").write_text("\n".join(lines) + "\n")


def test_foci_of_a_cine_are_the_same_only_if_a_frame_shows_both(runs):
    a, b = runs
    # both foci pass the same place, one after the other; focus 1 has another best frame in b
    first = {0: (30, 30), 1: (40, 30), 2: (50, 30)}
    second = {10: (30, 30), 11: (40, 30)}
    cine(a, {1: (0, first), 2: (10, second)})
    cine(b, {1: (2, first), 2: (11, second)})
    assert compare(a, b).rows == []
    cine(b, {1: (2, first), 2: (20, {20: (30, 30)})})
    assert changes(compare(a, b)) == [
        ("a.png", "focus", "lost", 2, None),
        ("a.png", "focus", "gained", None, 2),
    ]
    (b / "tracks.csv").write_text("image,focus\na.png,1\n")
    with pytest.raises(UsageError, match=r"tracks.csv: is damaged"):
        compare(a, b)


def test_measures_of_both_runs_have_paired_intervals(runs, tmp_path):
    a, b = runs
    for image in ("a.png", "c.png", "d.png"):
        remove(b, "foci", 2, image=image)
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "image,x_px,y_px,label\na.png,30,30,intramass\nc.png,30,30,extramass\nd.png,30,30,\n"
    )
    comparison = compare(a, b, truth=truth, out=tmp_path / "out")
    measures = {measure.name: measure for measure in comparison.measures}
    rate = measures["listed foci, false positives per image"]
    assert (rate.a, rate.b, rate.difference.value) == (1, 0, -1)
    # every image loses one false focus, so that the paired difference does not vary
    assert (rate.difference.low, rate.difference.high) == (-1, -1)
    sensitivity = measures["listed foci, sensitivity"]
    assert (sensitivity.difference.low, sensitivity.difference.high) == (0, 0)
    single = {row.measure: row.estimate.value for row in evaluate(b, truth).rows}
    assert {name: measure.b for name, measure in measures.items()} == {
        name: pytest.approx(value) for name, value in single.items() if name in measures
    }
    assert (tmp_path / "out" / "measures.csv").is_file()
    assert "<h2>Measures</h2>" in (tmp_path / "out" / "comparison.html").read_text()


def test_measures_cover_only_images_that_both_runs_have_analysed(runs, tmp_path):
    a, b = runs
    edit(b, "images", lambda rows: [row for row in rows if row["image"] != "c.png"])
    truth = tmp_path / "truth.csv"
    truth.write_text("image,x_px,y_px\na.png,30,30\nc.png,30,30\n")
    comparison = compare(a, b, truth=truth)
    assert {measure.images for measure in comparison.measures} == {1}
    assert any("c.png" in remark for remark in comparison.remarks)
    truth.write_text("image,x_px,y_px\nc.png,30,30\n")
    with pytest.raises(UsageError, match="no image"):
        compare(a, b, truth=truth)


@pytest.mark.parametrize("reviewed", [0, 1])
def test_a_review_of_either_run_is_the_truth_of_both(runs, tmp_path, reviewed):
    a, b = runs
    numbers = {1: 2, 2: 1}  # b has the same foci with other numbers

    def renumber(rows):
        for row in rows:
            row["focus"] = numbers[int(row["focus"])]
        return sorted(rows, key=lambda row: (row["image"], row["focus"]))

    edit(b, "foci", renumber)
    first, second = (1, 2) if reviewed == 0 else (2, 1)
    review = write_review(
        tmp_path / "review.csv",
        image_review(),
        focus_review(first, 30, 30),
        focus_review(second, 60, 40, "rejected"),
        mass_review(),
    )
    comparison = compare(a, b, truth=review)
    measures = {measure.name: measure for measure in comparison.measures}
    for name, value in (
        ("listed foci, sensitivity", 1),
        ("listed foci, false positives per image", 1),
        ("masses, mean Dice", 1),
    ):
        assert (measures[name].a, measures[name].b) == (value, value)


def test_the_error_for_what_is_no_run_says_what_is_expected(runs, tmp_path, capsys):
    a, b = runs
    assert main(["compare", str(a), str(tmp_path)]) == 2
    assert "contains no run of usmicro" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--distance 0"):
        compare(a, b, least_distance=0)
    make_run(tmp_path / "other", names=("elsewhere.png",))
    edit(
        tmp_path / "other",
        "images",
        lambda rows: [row for row in rows if row["image"] != FAILED],
    )
    with pytest.raises(UsageError, match=r"no image in common; found a.png and elsewhere.png"):
        compare(a, tmp_path / "other")
    record = json.loads((b / "run.json").read_text()) | {"complete": False}
    (b / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"finish it with usmicro run --resume"):
        compare(a, b)


@pytest.fixture
def pictured(runs):
    """Two runs with pictures and reports that differ in foci and a mass of a.png."""
    b = runs[1]
    labels = np.full((80, 100), AreaLabel.TISSUE, np.uint8)
    labels[MASS, MASS] = AreaLabel.MASS
    for run in runs:
        write_atomically(run / "masks" / "a.png", encode_png(labels))
        picture = encode_picture(np.full((80, 100), 90, np.uint8), labels)
        write_atomically(run / PICTURES / "a.jpg", picture)
    labels[MASS, 20:32] = AreaLabel.TISSUE
    labels[20:40, 35:60] = AreaLabel.MASS
    write_atomically(b / "masks" / "a.png", encode_png(labels))
    set_cells(b, "foci", 1, x_px=10, y_px=70)
    set_cells(b, "foci", 2, label="intramass")
    for run in runs:
        write_report(run)
    return runs


def test_the_page_shows_crops_with_links_to_both_reports(pictured, tmp_path, monkeypatch):
    a, b = pictured
    compare(a, b, out=b / "comparison")
    text = (b / "comparison" / "comparison.html").read_text(encoding="utf-8")
    assert "http" not in text
    headings = re.findall("<h2>([^<]*)</h2>", text)
    assert headings[-4:] == ["Gained foci", "Lost foci", "Relabelled foci", "Masses"]
    relabelled = text.partition("<h2>Relabelled foci</h2>")[2].partition("<h2>")[0]
    links = [unescape(link) for link in re.findall('href="([^"]*#[^"]*)"', relabelled)]
    assert links == [
        "../../a/report.html#image=a.png&focus=2",
        "../report.html#image=a.png&focus=2",
    ]
    assert "label extramass to intramass" in relabelled
    assert relabelled.count("<svg") == 1
    masses = text.partition("<h2>Masses</h2>")[2]
    assert masses.count('<path class="a"') == masses.count('<path class="b"') > 0
    monkeypatch.setattr(comparison_page, "MOST_TILES", 1)
    compare(a, b, out=tmp_path / "few")
    assert "1 more are in comparison.csv" in (tmp_path / "few" / "comparison.html").read_text()


def test_the_output_is_the_same_each_time(pictured, tmp_path):
    a, b = pictured
    written = []
    for _ in range(2):
        compare(a, b, out=tmp_path / "out")
        written.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"comparison.html", "comparison.csv", "images.csv", "settings.csv"}


def test_the_page_escapes_names_of_images(tmp_path):
    name = "<img src=x onerror=alert(1)>.png"
    a, b = make_run(tmp_path / "a", names=(name,)), make_run(tmp_path / "b", names=(name,))
    remove(b, "foci", 1, image=name)
    compare(a, b, out=tmp_path / "out")
    text = (tmp_path / "out" / "comparison.html").read_text()
    assert "<img" not in text
    assert "&lt;img" in text


@pytest.mark.skipif(BROWSER is None, reason=MISSING)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_opens_without_errors_and_its_links_open_the_image(pictured, dark):
    a, b = pictured
    compare(a, b, out=b / "comparison")
    chromium = Chromium()
    try:
        chromium.resize(420, 900, dark=dark)
        chromium.open(b / "comparison" / "comparison.html")
        assert chromium.console_messages() == []
        assert chromium.get("document.documentElement.scrollWidth") <= 420
        link = "document.querySelector('.tile figcaption a').href"
        chromium.get(f"location.assign({link})")
        chromium.wait_for("document.getElementById('viewer')?.open")
        assert chromium.get("document.getElementById('viewer-title').textContent") == "a.png"
    finally:
        chromium.close()


def test_compare_is_a_public_name(runs):
    a, b = runs
    assert usmicro.compare(a, b).rows == []
