import json

import cv2
import numpy as np
import pytest

from usmicro.errors import UsageError
from usmicro.evaluation.datasets import read_echogenic_foci_marks, read_visual_readings
from usmicro.evaluation.targets import Target


def lesion(x0, y0, x1, y1, *posterior):
    return {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "certainty": 3, "posterior": list(posterior)}


def reading(folder, name, source, **more):
    return {
        "path": f"{folder}/images/{name}.png",
        "set": source,
        "both": [],
        "one": [],
        "lesions": [],
        "lesions_one": [],
        "calcified": ["no", "no"],
        **more,
    }


def write_images(data, entries):
    for entry in entries.values():
        path = data / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((40, 50), np.uint8))


@pytest.fixture
def read_entries(tmp_path):
    """Return a function that writes readings with their images and reads them, by name."""

    def read(**entries):
        write_images(tmp_path, entries)
        (tmp_path / "visual-readings").mkdir(exist_ok=True)
        (tmp_path / "visual-readings/readings.json").write_text(json.dumps(entries))
        return {image.name: image for image in read_visual_readings(tmp_path)}

    return read


def test_marks_and_boxes_of_both_readers_are_told_from_those_of_one(read_entries):
    entry = reading(
        "visual-readings",
        "r001",
        "multirez",
        both=[{"x": 5, "y": 6.5, "d": 4}],
        one=[{"x": 9, "y": 9, "d": 3}, {"x": 1, "y": 2, "d": 3}],
        lesions=[lesion(10, 5.2, 30, 24.9, "none", "none")],
        lesions_one=[lesion(0, 0, 4, 5, "none")],
    )
    image = read_entries(r001=entry)["r001"]
    assert image.foci == (Target(x=(5,), y=(6.5,), diameter=4),)
    assert len(image.uncertain_foci) == 2
    assert image.lesion_boxes == ((10, 5, 30, 25),)
    assert image.uncertain_lesion_boxes == ((0, 0, 4, 5),)


def test_an_image_without_lesion_has_no_boxes_but_is_known_to_be_read(read_entries):
    image = read_entries(r001=reading("visual-readings", "r001", "multirez"))["r001"]
    assert image.lesion_boxes == image.foci == ()
    assert image.posterior is None
    assert image.mass_masks is None


def test_calcification_is_known_only_if_the_readers_agree(read_entries):
    answers = {
        ("no", "no"): False,
        ("in a mass", "in a mass"): True,
        ("in a mass", "in a mass+outside a mass"): True,
        ("no", "outside a mass"): None,
        ("in a mass", "no"): None,
    }
    images = read_entries(
        **{
            f"r{i}": reading("visual-readings", f"r{i}", "multirez", calcified=list(pair))
            for i, pair in enumerate(answers)
        }
    )
    assert [image.calcified for image in images.values()] == list(answers.values())


def test_the_posterior_feature_is_that_of_the_largest_lesion_if_the_readers_agree(read_entries):
    small = lesion(0, 0, 5, 5, "none", "none")
    agreed = lesion(10, 10, 40, 30, "shadowing", "shadowing")
    unclear = lesion(10, 10, 40, 30, "combined", "shadowing")
    images = read_entries(
        a=reading("visual-readings", "a", "multirez", lesions=[small, agreed]),
        b=reading("visual-readings", "b", "multirez", lesions=[agreed, small]),
        c=reading("visual-readings", "c", "multirez", lesions=[small, unclear]),
    )
    assert [image.posterior for image in images.values()] == ["shadowing", "shadowing", None]
    assert [image.lesion_posteriors for image in images.values()] == [
        ("none", "shadowing"),
        ("shadowing", "none"),
        ("none", None),
    ]


def test_source_and_patient_of_an_image_are_named(read_entries, tmp_path):
    (tmp_path / "bus-uclm").mkdir()
    (tmp_path / "bus-uclm/cases.csv").write_text(
        "image,patient,doppler,mask_fits\nABCD_001.png,ABCD,no,yes"
    )
    images = read_entries(
        a=reading("visual-readings", "a", "multirez", patient="77"),
        b=reading("bus-uclm", "ABCD_001", "uclm"),
        c=reading("busi", "benign_001", "busi"),
    )
    assert [(image.source, image.patient) for image in images.values()] == [
        ("multirez", "77"),
        ("bus-uclm", "ABCD"),
        ("busi", None),
    ]
    assert {image.dataset for image in images.values()} == {"visual-readings"}


def test_readings_of_a_data_set_that_is_absent_are_left_out(read_entries, tmp_path):
    entries = {
        "a": reading("visual-readings", "a", "multirez"),
        "b": reading("bus-bra", "bus_0001-l", "bus-bra"),
    }
    assert list(read_entries(**entries)) == ["a", "b"]
    (tmp_path / "bus-bra/images/bus_0001-l.png").unlink()
    assert [image.name for image in read_visual_readings(tmp_path)] == ["a"]


def test_marked_images_name_the_data_set_from_which_they_come(tmp_path):
    paths = {
        "busi_normal_3": "echogenic-foci-marks/images/busi_normal_3.png",
        "busi_benign_4": "echogenic-foci-marks/images/busi_benign_4.png",
        "case005": "breast-lesions-usg/images/case005.png",
    }
    entries = {name: {"path": path, "both": [], "one": []} for name, path in paths.items()}
    write_images(tmp_path, entries)
    (tmp_path / "echogenic-foci-marks/marks.json").write_text(json.dumps(entries))
    images = read_echogenic_foci_marks(tmp_path)
    assert [image.source for image in images] == ["busi", "busi", "breast-lesions-usg"]
    assert [image.mass_masks for image in images] == [(), None, None]


@pytest.mark.parametrize(
    ("read", "file"),
    [(read_echogenic_foci_marks, "marks.json"), (read_visual_readings, "readings.json")],
)
def test_an_error_names_the_missing_file(tmp_path, read, file):
    with pytest.raises(UsageError, match=f"{file}: no such file"):
        read(tmp_path)
