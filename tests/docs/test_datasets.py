"""The commands for public data sets run on small stand-ins with the layout of each data set."""

import csv
import shutil

import cv2
import numpy as np
import pytest

from tests.helpers.examples import ROOT, Reader, blocks
from usmicro.results import read_results

PAGE = ROOT / "docs" / "datasets.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def add_scan(sample_data):
    """Copy a sample scan to a file, with an outline of its mass."""

    def add(scan, mask):
        scan.parent.mkdir(parents=True, exist_ok=True)
        mask.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample_data / "mass_linear.png", scan)
        rows, columns = cv2.imread(str(scan), cv2.IMREAD_GRAYSCALE).shape
        outline = np.zeros((rows, columns), np.uint8)
        cv2.ellipse(outline, (columns // 2, rows // 2), (90, 60), 0, 0, 360, 255, -1)
        cv2.imwrite(str(mask), outline)

    return add


def shell_block(data_set, heading="##"):
    """Return the shell block of a data set's section."""
    text = PAGE.read_text(encoding="utf-8")
    line = text[: text.index(f"{heading} {data_set}\n")].count("\n")
    return next(b for b in blocks(PAGE) if b.language == "sh" and b.line > line)


def run_block(folder, data_set, heading="##"):
    return Reader(folder, {}).run(shell_block(data_set, heading))


def test_busi(folder, add_scan):
    benign = folder / "Dataset_BUSI_with_GT" / "benign"
    add_scan(benign / "benign (1).png", benign / "benign (1)_mask.png")
    assert "masses, mean Dice" in run_block(folder, "BUSI")
    assert read_results(folder / "results-busi").names == ["benign/benign (1).png"]


def test_busi_with_networks_that_have_not_seen_it(folder, add_scan):
    benign = folder / "Dataset_BUSI_with_GT" / "benign"
    add_scan(benign / "benign (1).png", benign / "benign (1)_mask.png")
    (folder / "training").symlink_to(ROOT / "training")
    assert "masses, mean Dice" in run_block(folder, "Public data sets", heading="#")
    settings = read_results(folder / "results-unseen").record["settings"]
    assert settings["foci"]["models"].endswith("foci-without-busi")


def test_bus_uclm(folder, add_scan):
    add_scan(folder / "BUS-UCLM" / "images" / "A_1.png", folder / "BUS-UCLM" / "masks" / "A_1.png")
    assert "masses, mean Dice" in run_block(folder, "BUS-UCLM")


def test_bus_bra(folder, add_scan):
    add_scan(
        folder / "BUSBRA" / "Images" / "bus_0001-l.png",
        folder / "BUSBRA" / "Masks" / "mask_0001-l.png",
    )
    assert "masses, mean Dice" in run_block(folder, "BUS-BRA")


def test_breast(folder, add_scan):
    for number in ("002", "003", "004"):
        file = folder / "BrEaST" / f"case{number}.png"
        add_scan(file, folder / "BrEaST" / f"case{number}_tumor.png")
    columns = ("CaseID", "Image_filename", "Pixel_size", "Calcifications")
    with open(folder / "BrEaST" / "cases.csv", "w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows(
            [
                columns,
                ("2", "case002.png", "0.008", "in a mass"),
                ("3", "case003.png", "0.008", "no"),
                ("4", "case004.png", "0.008", "indefinable"),
            ]
        )
    reader = Reader(folder, {})
    (tables,) = (block for block in blocks(PAGE) if block.language == "python")
    reader.run(tables)
    printed = reader.run(shell_block("BrEaST"))
    assert "masses, mean Dice" in printed
    assert "calcification" in printed
    rows = read_results(folder / "results-breast").rows("images")
    assert [row["spacing_x_mm"] for row in rows] == [pytest.approx(0.08)] * 3
    truth = (folder / "breast-truth.csv").read_text(encoding="utf-8").split()
    assert truth == ["image,calcification", "case002.png,in", "a", "mass", "case003.png,none"]
