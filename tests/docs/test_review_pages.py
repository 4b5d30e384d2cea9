"""The commands that need a review of several images run: README, review, calibration, models."""

import csv
import re
import shutil
import zipfile

import cv2
import numpy as np
import pytest

from tests.helpers.examples import ROOT, blocks
from tests.helpers.reviews import focus_review, image_review, write_review

ELSEWHERE = ("tcp://", "s3://", "https://")
"""Parts of the commands that need a server or other machines; these are not run here."""
COPIES = 12
"""Number of scans; at 0.5 false foci per image, calibration needs 10."""
DETECTOR = """
import numpy as np


def detect(frame, spacing):
    return [100], [200], [8], [0.9]
"""


def add_copies(folder):
    """Fill a folder with copies of a scan until it has enough of them for a calibration."""
    for number in range(COPIES - len(list(folder.iterdir()))):
        shutil.copy(folder.parent / "scans" / "mass_linear.png", folder / f"copy{number}.png")


@pytest.fixture
def scans(reader):
    """Put twelve scans into `scans`, which a review may be about, and two into `more-scans`."""
    shutil.copytree("scans", "more-scans")
    add_copies(reader.folder / "scans")


def review_all(run):
    """Write the review of a reader who accepts the first focus of each image of a run."""
    with open(run / "foci.csv", encoding="utf-8", newline="") as table:
        first = [row for row in csv.DictReader(table) if row["focus"] == "1"]
    rows = [focus_review(1, row["x_px"], row["y_px"], image=row["image"]) for row in first]
    rows += [image_review(row["image"], calcification="yes") for row in first]
    return write_review(run.parent / "review.csv", *rows)


def run_commands(reader, block):
    """Run the commands of a block; the report of the run `all` is reviewed as soon as it exists."""
    for command in block.commands:
        reader.run_command(command.replace("usmicro run", "usmicro run --workers 1"))
        if "--out all" in command:
            review_all(reader.folder / "all")


def test_the_page_of_calibration_runs(reader, scans):
    shell, python = (b for b in blocks(ROOT / "docs" / "calibration.md") if b.language)
    run_commands(reader, shell)
    assert "calibrated" in (reader.folder / "calibration.toml").read_text(encoding="utf-8")
    assert (reader.folder / "results" / "report.html").is_file()
    first, *images = reader.run(python).splitlines()
    _, rate, low, high = map(float, first.split())
    assert 0 <= low <= rate <= high
    assert len(images) == 2


@pytest.mark.slow
def test_the_commands_of_the_review_page_run(reader, scans):
    start, use = (b for b in blocks(ROOT / "docs" / "review.md") if b.language == "sh")
    run_commands(reader, start)
    reader.run_command("usmicro run scans --out all --workers 1 --set foci.minimum_confidence=0")
    review_all(reader.folder / "all")
    run_commands(reader, use)
    assert (reader.folder / "calibrated" / "comparison" / "comparison.html").is_file()


def test_the_python_of_the_models_page_prints_the_checksums(reader):
    page = ROOT / "docs" / "models.md"
    (python,) = (b for b in blocks(page) if b.language == "python")
    printed = dict(line.split()[::-1] for line in reader.run(python).splitlines())
    stated = re.findall(r"`usmicro/(\S+)` \|.*`(\w{64})`", page.read_text(encoding="utf-8"))
    assert printed == dict(stated)


@pytest.fixture
def inputs_of_the_readme(reader, sample_data):
    """Make the files that the list of commands in the README names."""
    with zipfile.ZipFile("export.zip", "w") as archive:
        archive.write("scans/mass_linear.png")
    for folder in ("outlines", "cines", "reviewed"):
        (reader.folder / folder).mkdir()
    add_copies(reader.folder / "reviewed")
    for scan in (reader.folder / "scans").glob("*.png"):
        mask = np.zeros(cv2.imread(str(scan)).shape[:2], np.uint8)
        mask[100:200, 100:200] = 255
        cv2.imwrite(f"outlines/{scan.name}", mask)
    shutil.copy(sample_data / "colour_cine.dcm", "cines")
    (reader.folder / "my_module.py").write_text(DETECTOR, encoding="utf-8")
    (reader.folder / "groups.csv").write_text("image,group\nmass_linear.png,a\n", encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_readme_run(reader, inputs_of_the_readme):
    (block,) = (b for b in blocks(ROOT / "README.md") if "usmicro inspect" in b.text)
    commands = [c for c in block.commands if not any(word in c for word in ELSEWHERE)]
    assert len(commands) > 18
    reader.run_command("usmicro run reviewed --out all --workers 1 --set foci.minimum_confidence=0")
    review = review_all(reader.folder / "all")
    shutil.copytree("all", "results-new")
    for command in commands:
        if command.startswith("usmicro run") and "--resume" not in command:
            shutil.rmtree("results", ignore_errors=True)
        if command.startswith("usmicro calibrate"):  # needs every candidate
            shutil.rmtree("results")
            shutil.copytree("all", "results")
            (reader.folder / "truth" / "truth.json").unlink()
            shutil.move(review, reader.folder / "truth")
        reader.run_command(command.replace("usmicro run", "usmicro run --workers 1"))
    assert (reader.folder / "site.toml").is_file()
    assert (reader.folder / "results" / "geojson").is_dir()
