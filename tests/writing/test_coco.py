import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from usmicro.model.findings import Mass
from usmicro.result import Table
from usmicro.writing.coco import CocoWriter, encode_image
from usmicro.writing.polygons import divide_among, polygons

LABELS = {"mass": 1, "duct": 2, "nonmass area": 3}


def coco_of(tmp_path, *analyses):
    """Write a COCO file of some analyses; return it as read by the reference implementation."""
    api = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    file = io.BytesIO()
    with CocoWriter(file) as writer:
        for number, analysis in enumerate(analyses):
            writer.add(f"images/{number}.png", f"{number}.dcm", analysis.labels, analysis)
    (tmp_path / "coco.json").write_bytes(file.getvalue())
    return api.COCO(str(tmp_path / "coco.json"))


def test_areas_are_read_back_as_the_label_image(tmp_path):
    analysis = made_analysis()
    coco = coco_of(tmp_path, analysis, analysis)
    assert len(coco.getImgIds()) == 2
    for image in coco.getImgIds():
        for name, value in LABELS.items():
            true = analysis.labels == value
            drawn = np.zeros_like(true)
            for annotation in coco.loadAnns(coco.getAnnIds(image, catIds=coco.getCatIds([name]))):
                drawn |= coco.annToMask(annotation) > 0
            assert true.any()
            assert (drawn & true).sum() / (drawn | true).sum() > 0.995


def test_foci_are_key_points_with_their_measurements(tmp_path):
    analysis = made_analysis()
    coco = coco_of(tmp_path, analysis)
    names = {category["id"]: category["name"] for category in coco.dataset["categories"]}
    drawn = [one for one in coco.dataset["annotations"] if "keypoints" in one]
    assert len(drawn) == len(analysis.foci)
    for annotation, focus in zip(drawn, analysis.foci, strict=True):
        assert names[annotation["category_id"]] == f"{focus.label} focus"
        assert annotation["keypoints"] == [round(focus.x_px, 2), round(focus.y_px, 2), 2]
        left, top, width, height = annotation["bbox"]
        np.testing.assert_allclose(
            (left + width / 2, top + height / 2), (focus.x_px + 0.5, focus.y_px + 0.5), atol=0.02
        )
        assert annotation["attributes"]["label"] == focus.label
        assert ("depth_mm" in annotation["attributes"]) == (focus.depth_mm is not None)
        assert annotation["attributes"]["shadow_reason"] == focus.shadow_reason


def test_a_clump_has_its_outline(tmp_path):
    analysis = made_analysis()
    outline = "10.0,10.0 19.0,10.0 19.0,15.0 10.0,15.0"
    clump = replace(analysis.foci[0], x_px=14.5, y_px=12.5, outline_px=outline)
    coco = coco_of(tmp_path, replace(analysis, foci=Table([clump])))
    (annotation,) = [one for one in coco.dataset["annotations"] if "keypoints" in one]
    assert annotation["bbox"] == [10.5, 10.5, 9.0, 5.0]
    assert annotation["area"] == 45
    assert "outline_px" not in annotation["attributes"]
    rows, columns = np.nonzero(coco.annToMask(annotation))
    assert abs(columns.mean() - 14.5) < 1
    assert abs(rows.mean() - 12.5) < 1


def test_annotations_are_numbered_and_equal_input_gives_an_equal_file(tmp_path):
    analysis = made_analysis()
    first = coco_of(tmp_path, analysis, analysis)
    content = (tmp_path / "coco.json").read_bytes()
    ids = [annotation["id"] for annotation in first.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    coco_of(tmp_path, analysis, analysis)
    assert (tmp_path / "coco.json").read_bytes() == content


def test_masses_without_an_outline_on_the_picture_are_listed():
    analysis = made_analysis()
    analysis.labels[analysis.labels == 1] = 0
    file = io.BytesIO()
    with CocoWriter(file) as writer:
        writer.add("a.png", "a.dcm", analysis.labels, analysis)
    (image,) = json.loads(file.getvalue())["images"]
    assert image["masses_without_outline"] == [mass.mass for mass in analysis.masses]


def test_a_run_without_images_gives_a_valid_file():
    file = io.BytesIO()
    with CocoWriter(file):
        pass
    content = json.loads(file.getvalue())
    assert content["images"] == content["annotations"] == []
    assert len(content["categories"]) == 6


def test_the_picture_has_the_full_size_and_is_black_outside_the_tissue():
    cv2 = pytest.importorskip("cv2")
    analysis = made_analysis()
    picture = cv2.imdecode(
        np.frombuffer(encode_image(analysis.image, analysis.labels), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert picture.shape[:2] == analysis.labels.shape
    assert analysis.image[analysis.labels == 255].any()
    assert not picture[analysis.labels == 255].any()


@pytest.mark.parametrize("seed", range(5))
def test_a_polygon_covers_its_area(seed):
    cv2 = pytest.importorskip("cv2")
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((90, 120)), (0, 0), 6)
    area = noise > np.quantile(noise, 0.7)
    outlines = polygons(area)
    covered = sum(
        abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        for x, y in (outline.T for outline in outlines)
    )
    filled = cv2.drawContours(
        np.zeros(area.shape, np.uint8),
        cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0],
        -1,
        1,
        -1,
    )
    assert abs(covered - filled.sum()) < 0.03 * filled.sum()


def test_pixels_belong_to_the_mass_in_their_part_or_to_the_nearest():
    area = np.zeros((40, 60), bool)
    area[5:15, 5:25] = area[20:30, 40:55] = True
    first, second, far = (
        mass_at(number, x, y)
        for number, (x, y) in enumerate([(8, 10), (22, 10), (50, 37)], start=1)
    )
    shared = divide_among(area, [first, second, far])
    assert (shared > 0).tolist() == area.tolist()
    assert shared[10, 6] == 1
    assert shared[10, 24] == 2
    assert shared[25, 50] == 3


def mass_at(number, x, y):
    nothing = dict.fromkeys(Mass.__dataclass_fields__)
    return Mass(**{**nothing, "frame": 0, "mass": number, "x_px": float(x), "y_px": float(y)})
