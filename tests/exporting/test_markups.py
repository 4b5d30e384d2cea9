import json

from tests.helpers.finished_analysis import made_analysis
from usmicro.exporting.markups import encode_markups


def read(rows):
    (markups,) = json.loads(encode_markups(rows))["markups"]
    return markups


def test_positions_are_column_and_row_of_each_focus():
    rows = made_analysis().foci.to_rows()
    markups = read(rows)
    assert markups["coordinateSystem"] == "LPS"
    points = markups["controlPoints"]
    assert [point["position"] for point in points] == [[r["x_px"], r["y_px"], 0] for r in rows]
    assert [point["label"] for point in points] == [f"{r['focus']} {r['label']}" for r in rows]


def test_an_image_without_foci_has_an_empty_list():
    markups = read([])
    assert markups["controlPoints"] == []
    assert markups["lastUsedControlPointNumber"] == 0


def test_what_was_not_measured_is_not_described():
    (row, *_) = made_analysis().foci.to_rows()
    (point,) = read([{**row, "diameter_px": None}])["controlPoints"]
    assert "diameter" not in point["description"]
    assert "None" not in point["description"]
