"""Real scans: the geometry that a reader sees, and foci that readers marked."""

import csv
import json

import cv2
import numpy as np
import pytest

from usmicro.model.scan import Spacing
from usmicro.preparation import prepare
from usmicro.preparation.graphics.text import find_graphics

pytestmark = pytest.mark.slow

SECTORS = {5, 62, 77, 100, 101, 103, 116, 132, 142, 144, 151, 167, 207, 215, 241, 253}
"""CaseID of the scans that are sectors, as seen by eye."""


def test_the_geometry_of_every_breast_lesion_scan_is_right(data_folder):
    folder = data_folder / "breast-lesions-usg"
    with (folder / "cases.csv").open(encoding="utf-8") as file:
        cases = list(csv.DictReader(file))
    assert len(cases) == 128
    for case in cases:
        frame = cv2.imread(str(folder / "images" / case["Image_filename"]), cv2.IMREAD_COLOR)[
            ..., ::-1
        ]
        pixel_mm = 10 * float(case["Pixel_size"])
        (view,) = prepare(np.ascontiguousarray(frame), spacing=Spacing(pixel_mm, pixel_mm, "given"))
        assert (view.scan_lines.geometry == "sector") == (int(case["CaseID"]) in SECTORS), case[
            "CaseID"
        ]
        assert view.colour is None or not view.colour.mask.any(), case["CaseID"]
        assert view.tissue.mean() > 0.7, case["CaseID"]
        assert view.graphics.mean() < 0.001, case["CaseID"]


def test_foci_marked_by_readers_are_not_masked(data_folder):
    folder = data_folder / "echogenic-foci-marks"
    marks = json.loads((folder / "marks.json").read_text(encoding="utf-8"))
    covered = total = 0
    for entry in marks.values():
        image = cv2.imread(str(data_folder / entry["path"]), cv2.IMREAD_GRAYSCALE)
        mask = find_graphics(image, np.ones(image.shape, dtype=bool))
        for x, y, *_ in (
            mark.values() if isinstance(mark, dict) else mark for mark in entry["both"]
        ):
            total += 1
            covered += bool(mask[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].any())
    assert total > 40
    assert covered <= 1  # one lies under the dotted line of a caliper


def test_the_error_of_the_nominal_scale_is_small(data_folder):
    folder = data_folder / "breast-lesions-usg"
    errors = []
    with (folder / "cases.csv").open(encoding="utf-8") as file:
        for case in list(csv.DictReader(file))[::4]:
            frame = cv2.imread(
                str(folder / "images" / case["Image_filename"]), cv2.IMREAD_GRAYSCALE
            )
            (view,) = prepare(frame)
            errors.append(
                np.log(view.grid.pixel_mm / view.grid.step_x / (10 * float(case["Pixel_size"])))
            )
    assert np.median(np.abs(errors)) < 0.12
    assert np.percentile(np.abs(errors), 90) < 0.3
