import json

import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from usmicro.exporting.geojson import encode_geojson
from usmicro.model.anatomy import AreaLabel
from usmicro.writing.polygons import divide_among

shapely = pytest.importorskip("shapely.geometry", reason="needs shapely, which reads GeoJSON")


@pytest.fixture(scope="module")
def analysis():
    return made_analysis()


@pytest.fixture(scope="module")
def features(analysis):
    shared = divide_among(analysis.labels == AreaLabel.MASS, analysis.masses)
    content = encode_geojson(
        analysis.labels, shared, analysis.masses.to_rows(), analysis.foci.to_rows()
    )
    collection = json.loads(content)
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def of_class(features, word):
    return [f for f in features if word in f["properties"]["classification"]["name"]]


@pytest.mark.parametrize(("word", "value"), [("mass", 1), ("duct", 2), ("nonmass", 3)])
def test_areas_cover_the_pixels_of_the_label_image(analysis, features, word, value):
    kinds = {"mass": ("mass",), "duct": ("duct",), "nonmass": ("nonmass area",)}[word]
    chosen = [f for f in features if f["properties"]["classification"]["name"] in kinds]
    shapes = [shapely.shape(f["geometry"]) for f in chosen]
    assert all(shape.is_valid for shape in shapes)
    area = analysis.labels == value
    assert bool(shapes) == bool(area.any())
    # outlines are simplified by less than half a pixel
    assert sum(shape.area for shape in shapes) == pytest.approx(area.sum(), rel=0.03, abs=4)
    for row, column in np.argwhere(area)[:: max(1, int(area.sum()) // 50)]:
        point = shapely.Point(column + 0.5, row + 0.5)
        assert min(shape.distance(point) for shape in shapes) < 0.8


def test_foci_are_points_at_their_pixels_with_measurements(analysis, features):
    points = of_class(features, "focus")
    assert len(points) == len(analysis.foci)
    for focus, feature in zip(analysis.foci, points, strict=True):
        properties = feature["properties"]
        if focus.outline_px is None:
            x, y = shapely.shape(feature["geometry"]).coords[0]
            assert (x, y) == pytest.approx((focus.x_px + 0.5, focus.y_px + 0.5), abs=0.01)
        assert feature["geometry"]["plane"]["t"] == focus.frame
        assert properties["measurements"]["confidence"] == focus.confidence
        assert properties["metadata"]["label"] == focus.label
        assert properties["classification"]["name"] == f"{focus.label} focus"


def test_values_that_were_not_measured_are_left_out(analysis, features):
    rows = analysis.foci.to_rows()
    for row, feature in zip(rows, of_class(features, "focus"), strict=True):
        stated = {**feature["properties"]["measurements"], **feature["properties"]["metadata"]}
        assert not {name for name, value in row.items() if value is None} & set(stated)
        assert all(
            isinstance(v, int | float) for v in feature["properties"]["measurements"].values()
        )
