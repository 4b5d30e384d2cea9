"""Pictures on which a measure could become infinite or undefined, through the whole program."""

import csv
import json
import math

import cv2
import numpy as np
import pytest

from tests.helpers.run_outputs import table
from usmicro import Scan, analyze
from usmicro.cli import main
from usmicro.foci.false_alarm import SpeckleResponses

ROWS, COLUMNS = 560, 640
DOT = (300, 250)


def speckle(level, spread, seed=1):
    """Speckle with a black margin; `level` and `spread` are its mean and standard deviation."""
    noise = np.log(np.random.default_rng(seed).rayleigh(1.0, (ROWS - 80, COLUMNS - 80)) + 0.05)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    picture = np.zeros((ROWS, COLUMNS))
    picture[40:-40, 40:-40] = level + spread * (smooth - smooth.mean()) / smooth.std()
    return np.clip(picture, 0, 255)


def with_dot(picture, amplitude=200.0, sigma=3.0):
    y, x = np.mgrid[:ROWS, :COLUMNS]
    dot = amplitude * np.exp(-((x - DOT[0]) ** 2 + (y - DOT[1]) ** 2) / (2 * sigma**2))
    return np.maximum(picture, dot)


PICTURES = {
    "clean_dot": with_dot(speckle(40, 2)),
    "dot": with_dot(speckle(40, 8)),
    "black": np.zeros((ROWS, COLUMNS)),
    "white": np.full((ROWS, COLUMNS), 255.0),
    "grey": np.full((ROWS, COLUMNS), 90.0),
    "saturated": speckle(220, 80),
    "two_levels": np.where(speckle(128, 60) > 128, 255.0, 0.0),
    "chequered": np.indices((ROWS, COLUMNS)).sum(axis=0) % 2 * 255.0,
    "ramp": np.tile(np.linspace(0, 255, COLUMNS), (ROWS, 1)),
}


@pytest.mark.parametrize("spread", [1e-12, 0.0])
def test_probability_of_a_false_alarm_is_never_zero(spread):
    responses = SpeckleResponses(1000, 0.8, 0.8 + spread)
    probability = responses.false_alarm(np.array([0.8, 1.0, 1e9]))
    assert (probability > 0).all()
    assert np.isfinite(np.log(-np.log10(probability))).all()


def test_clean_dot_on_dark_speckle_is_the_first_focus():
    focus = analyze(Scan.of_array(PICTURES["clean_dot"].astype(np.uint8), spacing=0.07)).foci[0]
    assert (focus.x_px, focus.y_px) == pytest.approx(DOT, abs=1)
    assert focus.confidence > 0.5
    assert 0 < focus.false_alarm < 1e-50


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run over the pictures with every candidate listed, and its exit status."""
    folder = tmp_path_factory.mktemp("unusual")
    (folder / "scans").mkdir()
    for name, picture in PICTURES.items():
        cv2.imwrite(str(folder / "scans" / f"{name}.png"), picture.astype(np.uint8))
    options = ("--spacing=0.07", "--workers=1", "--set=foci.minimum_confidence=0", "--quiet")
    status = main(["run", str(folder / "scans"), "--out", str(folder / "r"), *options])
    return folder / "r", status


def test_no_table_holds_nan_or_infinity(finished):
    folder, _ = finished
    for name in ("images", "masses", "foci", "clusters"):
        for row in table(folder / f"{name}.csv"):
            for column, text in row.items():
                assert text.lower() not in ("nan", "inf", "-inf"), (name, row["image"], column)
    record = (folder / "run.json").read_text(encoding="utf-8")
    json.loads(record, parse_constant=lambda constant: pytest.fail(constant))


def test_every_focus_and_every_image_has_its_scores(finished):
    folder, _ = finished
    images = {row["image"]: row for row in table(folder / "images.csv")}
    assert set(images) == {f"{name}.png" for name in PICTURES}
    listed = dict.fromkeys(images, 0)
    for row in table(folder / "foci.csv"):
        listed[row["image"]] += 1
        assert int(row["focus"]) == listed[row["image"]]
        assert 0 <= float(row["confidence"]) <= 1
    for name, row in images.items():
        if row["status"] == "ok":
            assert math.isfinite(float(row["calcification_score"]))
            assert int(row["foci"]) == listed[name]
        else:
            assert "no tissue found" in row["error"]
    assert images["clean_dot.png"]["status"] == images["dot.png"]["status"] == "ok"
    assert images["saturated.png"]["status"] == "ok"
    assert images["black.png"]["status"] == "failed"


def test_report_and_evaluation_are_made(finished, tmp_path):
    folder, status = finished
    assert status == 1  # some pictures show no tissue
    assert "clean_dot.png" in (folder / "report.html").read_text(encoding="utf-8")
    truth = tmp_path / "truth.csv"
    truth.write_text(f"image,x_px,y_px\nclean_dot.png,{DOT[0]},{DOT[1]}\n", encoding="utf-8")
    assert main(["evaluate", str(folder), str(truth), "--out", str(tmp_path / "e")]) == 0


@pytest.fixture
def older(finished, tmp_path):
    """The same results as version 0.1.0 wrote them: fewer columns, empty scores of some images."""
    folder, _ = finished
    later = {"shadow_reason", "twinkling_reason", "source", "warnings"}
    later |= {"manufacturer", "model", "transducer"}
    for name in ("images", "masses", "foci", "clusters"):
        rows = table(folder / f"{name}.csv")
        columns = [c for c in rows[0] if c not in later] if rows else None
        with open(tmp_path / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            if columns is None:  # the header alone
                header = (folder / f"{name}.csv").read_text(encoding="utf-8").split("\n")[0]
                file.write(",".join(c for c in header.split(",") if c not in later) + "\n")
                continue
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for row in rows:
                if row["image"] == "clean_dot.png" and name == "images":
                    row["calcification_score"] = ""
                writer.writerow(row)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["warnings"]
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return tmp_path


def test_tables_of_version_0_1_0_are_reported_and_evaluated(older, capsys):
    assert main(["report", str(older)]) == 0
    truth = older / "truth.csv"
    truth.write_text(
        "image,calcification\nclean_dot.png,outside a mass\ndot.png,outside a mass\n"
        "saturated.png,none\n",
        encoding="utf-8",
    )
    assert main(["evaluate", str(older), str(truth), "--out", str(older / "e")]) == 0
    assert "1 labelled images have no calcification score" in capsys.readouterr().out
