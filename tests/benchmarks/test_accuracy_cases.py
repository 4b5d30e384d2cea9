import json
from collections import Counter
from typing import get_args

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.cases import (
    CLIP_KINDS,
    Case,
    find_cases,
    open_case,
    phantom_cases,
    select_cases,
    with_unseen_networks,
)
from usmicro.errors import UsageError
from usmicro.evaluation.datasets import write_held_out_networks
from usmicro.evaluation.targets import Target
from usmicro.phantom.sets import SetKind


@pytest.fixture
def data(tmp_path):
    """A folder with a few images in the layout of each data set."""
    image, mask = np.full((40, 50), 90, np.uint8), np.zeros((40, 50), np.uint8)
    mask[10:20, 10:30] = 255
    for folder in (
        "breast-lesions-usg/images",
        "breast-lesions-usg/masks",
        "bus-bra/images",
        "bus-bra/masks",
        "echogenic-foci-marks/images",
    ):
        (tmp_path / folder).mkdir(parents=True)
    rows = ["Image_filename,Pixel_size,Posterior_features,Calcifications"]
    for name, posterior, calcification in (
        ("a", "no", "in a mass"),
        ("b", "shadowing", "indefinable"),
        ("c", "not applicable", "no"),
    ):
        rows.append(f"{name}.png,0.008,{posterior},{calcification}")
        cv2.imwrite(str(tmp_path / f"breast-lesions-usg/images/{name}.png"), image)
    (tmp_path / "breast-lesions-usg/cases.csv").write_text("\n".join(rows))
    cv2.imwrite(str(tmp_path / "breast-lesions-usg/masks/a_tumor1.png"), mask)
    cv2.imwrite(str(tmp_path / "breast-lesions-usg/masks/a_tumor2.png"), np.roll(mask, 15, axis=0))
    cv2.imwrite(str(tmp_path / "breast-lesions-usg/masks/a_other1.png"), image)
    cv2.imwrite(str(tmp_path / "bus-bra/images/bus_0001-l.jpg"), image)
    cv2.imwrite(str(tmp_path / "bus-bra/masks/mask_0001-l.png"), mask)
    cv2.imwrite(str(tmp_path / "echogenic-foci-marks/images/n.png"), image)
    marks = {
        "n": {
            "path": "echogenic-foci-marks/images/n.png",
            "both": [{"x": 5, "y": 6, "d": 4}],
            "one": [{"x": 9, "y": 9, "d": 3}],
        },
        "a": {"path": "breast-lesions-usg/images/a.png", "both": [], "one": []},
        "gone": {"path": "echogenic-foci-marks/images/gone.png", "both": [], "one": []},
    }
    (tmp_path / "echogenic-foci-marks/marks.json").write_text(json.dumps(marks))
    return tmp_path


def test_the_cases_of_every_data_set_are_listed(data):
    cases = find_cases(data)
    assert [(case.dataset, case.name) for case in cases] == [
        ("breast-lesions-usg", "a.png"),
        ("breast-lesions-usg", "b.png"),
        ("breast-lesions-usg", "c.png"),
        ("bus-bra", "bus_0001-l.jpg"),
        ("echogenic-foci-marks", "a"),
        ("echogenic-foci-marks", "n"),
    ]
    assert cases[5].outlines is None
    assert [path.name for path in cases[0].other_outlines] == ["a_other1.png"]
    assert [case.calcification for case in cases[:3]] == ["in a mass", None, "none"]
    assert [case.posterior for case in cases[:3]] == ["none", "shadowing", None]
    assert cases[0].spacing.x_mm == pytest.approx(0.08)
    assert not cases[3].spacing.known
    assert cases[4].spacing == cases[0].spacing
    assert cases[4].targets == ()
    assert cases[5].targets == (Target(x=(5,), y=(6,), diameter=4),)
    assert len(cases[5].ignored) == 1


@pytest.fixture
def more_data(data):
    """The same folder with a few images of BUSI, BUS-UCLM and the visual readings."""
    image = np.tile(np.arange(50, dtype=np.uint8), (40, 1))
    for name in ("busi/images/normal_001", "bus-uclm/images/ABCD_001", "visual-readings/images/r1"):
        (data / name).parent.mkdir(parents=True)
        cv2.imwrite(str(data / f"{name}.png"), image)
    (data / "busi/cases.csv").write_text("image\nnormal_001.png")
    (data / "bus-uclm/cases.csv").write_text(
        "image,patient,doppler,mask_fits\nABCD_001.png,ABCD,no,no"
    )
    box = {"x0": 10, "y0": 5, "x1": 30, "y1": 25, "posterior": ["shadowing", "shadowing"]}
    entry = {"both": [], "one": [], "lesions": [box], "lesions_one": [], "calcified": ["no", "no"]}
    readings = {
        "r1": {**entry, "path": "visual-readings/images/r1.png", "set": "multirez"},
        "s1": {
            **entry,
            "path": "bus-uclm/images/ABCD_001.png",
            "set": "uclm",
            "lesions": [],
            "lesions_one": [box],
            "calcified": ["in a mass", "outside a mass"],
        },
    }
    (data / "visual-readings/readings.json").write_text(json.dumps(readings))
    return data


def test_the_readings_are_listed_by_the_source_of_the_image(more_data):
    cases = find_cases(more_data)
    first, second = (case for case in cases if case.dataset.startswith("visual-readings"))
    assert first.dataset == "visual-readings multirez"
    assert first.lesion_boxes == ((10, 5, 30, 25),)
    assert (first.calcification, first.posterior) == ("none", "shadowing")
    assert second.dataset == "visual-readings bus-uclm"
    assert (second.lesion_boxes, second.ignored_boxes) == ((), ((10, 5, 30, 25),))
    assert (second.calcification, second.posterior) == ("present", None)
    assert select_cases(cases, None, ["visual-readings"]) == [first, second]


def test_masses_are_unknown_where_they_are_not_outlined_and_absent_on_a_normal_image(more_data):
    outlines = {case.dataset: case.outlines for case in find_cases(more_data)}
    assert outlines["busi"] == ()
    assert outlines["bus-uclm"] is outlines["visual-readings multirez"] is None


def test_each_image_has_a_network_that_was_not_trained_on_its_source(more_data):
    write_held_out_networks(
        more_data, {"busi/*": "b.onnx", "bus-uclm/*": "u.onnx", "a": "1.onnx", "b": "2.onnx"}
    )
    images = more_data / "echogenic-foci-marks/images"
    (images / "n.png").rename(images / "busi_benign_1.png")
    marks = more_data / "echogenic-foci-marks/marks.json"
    marks.write_text(marks.read_text().replace("images/n.png", "images/busi_benign_1.png"))
    cases = [*find_cases(more_data), *phantom_cases(1, clips=0)[:1]]
    kept = with_unseen_networks(cases, more_data)
    networks = [(case.dataset, case.name, case.mass_network) for case in kept]
    assert [(*names, path and path.name) for *names, path in networks] == [
        ("breast-lesions-usg", "a.png", "1.onnx"),
        ("breast-lesions-usg", "b.png", "2.onnx"),
        ("busi", "normal_001.png", "b.onnx"),
        ("bus-uclm", "ABCD_001.png", "u.onnx"),
        ("echogenic-foci-marks", "a", "1.onnx"),
        ("echogenic-foci-marks", "n", "b.onnx"),
        ("visual-readings multirez", "r1", None),  # its hospital is not used for training
        ("visual-readings bus-uclm", "s1", "u.onnx"),
        (kept[-1].dataset, kept[-1].name, None),
    ]


def test_the_masses_of_a_case_are_numbered_in_a_label_image(data):
    scan, truth = open_case(find_cases(data)[0])
    assert (scan.rows, scan.columns) == truth.masses.shape == (40, 50)
    assert [(truth.masses == number).sum() for number in (1, 2)] == [200, 200]
    assert scan.spacing.source == "given"


def test_a_normal_image_of_busi_has_no_mass(data):
    (data / "echogenic-foci-marks/images/n.png").rename(
        data / "echogenic-foci-marks/images/busi_normal_1.png"
    )
    marks = data / "echogenic-foci-marks/marks.json"
    marks.write_text(marks.read_text().replace("images/n.png", "images/busi_normal_1.png"))
    case = find_cases(data)[5]
    assert case.outlines == ()
    _, truth = open_case(case)
    assert truth.masses.shape == (40, 50)
    assert not truth.masses.any()


def test_the_folder_of_one_data_set_may_be_given(data):
    assert find_cases(data / "bus-bra") == [
        case for case in find_cases(data) if case.dataset == "bus-bra"
    ]


def test_an_error_is_raised_for_a_folder_without_data_and_for_a_mask_of_another_size(
    data, tmp_path
):
    with pytest.raises(
        UsageError, match="expected a folder with one or more of breast-lesions-usg"
    ):
        find_cases(tmp_path / "bus-bra" / "images")
    cv2.imwrite(str(data / "bus-bra/masks/mask_0001-l.png"), np.zeros((4, 5), np.uint8))
    with pytest.raises(
        UsageError, match="expected a mask of 40 x 50 pixels, found a mask of 4 x 5"
    ):
        open_case(find_cases(data)[3])


def test_simulated_cases_have_their_truth():
    cases = phantom_cases(8)
    assert Counter(case.dataset for case in cases) == {
        f"phantom {kind}": 2 if kind in CLIP_KINDS else 8 for kind in get_args(SetKind)
    }
    assert len({case.name for case in cases}) == len(cases)
    assert [case.dataset for case in phantom_cases(0, clips=1)] == [
        f"phantom {kind}" for kind in CLIP_KINDS
    ]
    scan, truth = open_case(Case(dataset="phantom mixed", name="x", phantom=("mixed", 3)))
    assert truth.masses.shape == (scan.rows, scan.columns)
    for target in truth.targets:
        x, y, diameter = target.at(0)
        assert 0 <= x < scan.columns
        assert 0 <= y < scan.rows
        assert diameter > 1
        assert target.label in ("intramass", "extramass", "intraductal")
