import csv
import io
from dataclasses import replace

import pytest

from usmicro.batch.groups import GROUPS_COLUMNS
from usmicro.model.findings import Focus, column_names
from usmicro.writing.tables import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    TRACKS_COLUMNS,
    cell,
    not_finite,
    plain,
    table_writer,
)


def written(columns, rows):
    file = io.BytesIO()
    add = table_writer(file, columns)
    for row in rows:
        add(row)
    return file.getvalue()


def read(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"))))


def test_columns_are_those_of_the_documentation(contract):
    assert contract == {
        "images.csv": IMAGES_COLUMNS,
        "masses.csv": MASSES_COLUMNS,
        "foci.csv": FOCI_COLUMNS,
        "clusters.csv": CLUSTERS_COLUMNS,
        "tracks.csv": TRACKS_COLUMNS,
        "groups.csv": GROUPS_COLUMNS,
    }


def test_columns_do_not_change():
    assert ",".join(IMAGES_COLUMNS) == (
        "image,status,error,frames,rows,columns,spacing_x_mm,spacing_y_mm,spacing_source,"
        "geometry,colour_flow,foci,intramass,extramass,intraductal,masses,calcification,"
        "calcification_score,seconds,warnings,manufacturer,model,transducer"
    )
    assert ",".join(MASSES_COLUMNS) == (
        "image,frame,mass,x_px,y_px,width_mm,height_mm,area_mm2,orientation,posterior,"
        "posterior_score,confidence,foci,source"
    )
    assert ",".join(FOCI_COLUMNS) == (
        "image,frame,focus,x_px,y_px,x_mm,depth_mm,diameter_mm,diameter_px,contrast,false_alarm,"
        "confidence,kind,label,label_confidence,label_reason,mass,duct,nonmass,"
        "distance_to_mass_mm,cluster,shadow,shadow_drop,shadow_p,shadow_length_mm,twinkling,"
        "twinkling_score,track,seen_frames,origin,shadow_reason,twinkling_reason,"
        "confidence_reason,outline_px"
    )
    assert (
        ",".join(CLUSTERS_COLUMNS)
        == "image,frame,cluster,foci,x_px,y_px,x_mm,depth_mm,width_mm,height_mm,label"
    )
    assert ",".join(TRACKS_COLUMNS) == "image,focus,frame,time_s,x_px,y_px,x_mm,depth_mm,confidence"


def test_a_focus_is_read_back_from_the_table(focus):
    row = read(written(FOCI_COLUMNS, [{"image": 'ä, "b".png', **plain(focus)}]))[0]
    assert row.pop("image") == 'ä, "b".png'
    for name in column_names(Focus):
        expected = getattr(focus, name)
        found = row.pop(name)
        if expected is None:
            assert found == ""
        elif isinstance(expected, float):
            assert float(found) == pytest.approx(expected, rel=1e-5)
        else:
            assert found == str(expected)
    assert row == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.1 + 0.2, "0.3"),
        (1.23456789e-7, "1.23457e-07"),
        ("yes", "yes"),
    ],
)
def test_numbers_have_six_digits_and_none_is_empty(value, text):
    assert cell(value) == text


def test_values_that_are_not_finite_become_empty_and_are_named(focus):
    odd = replace(focus, shadow_p=float("nan"), contrast=float("inf"))
    assert (plain(odd)["shadow_p"], plain(odd)["contrast"]) == (None, None)
    assert not_finite(odd) == ["contrast", "shadow_p"]
    assert not_finite(focus) == []


def test_numpy_scalars_become_python_numbers(focus):
    import numpy as np

    row = plain(replace(focus, mass=np.int64(3), contrast=np.float32(0.5)))
    assert (type(row["mass"]), type(row["contrast"])) == (int, float)


def test_a_row_without_a_column_is_an_error(mass):
    with pytest.raises(KeyError):
        written(MASSES_COLUMNS, [{"image": "a.png"}])


def test_a_name_that_is_not_utf_8_is_escaped(mass):
    assert rb"caf\udce9.png" in written(
        MASSES_COLUMNS,
        [{"image": b"caf\xe9.png".decode("utf-8", "surrogateescape"), **plain(mass)}],
    )
