import csv
import sys

import pytest

from tests.helpers.finished_analysis import made_analysis
from usmicro.writing.parquet import write_parquet
from usmicro.writing.tables import FOCI_COLUMNS, plain, table_writer


def write_foci(path, foci, image='a "b", c\nd.png'):
    with open(path, "wb") as file:
        add = table_writer(file, FOCI_COLUMNS)
        for focus in foci:
            add({"image": image, **plain(focus)})
    return path


def test_parquet_has_the_values_of_the_table_with_types_and_nulls(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    table = write_foci(tmp_path / "foci.csv", made_analysis().foci)
    rows = parquet.read_table(write_parquet(table)).to_pylist()
    with open(table, newline="", encoding="utf-8") as lines:
        cells = list(csv.DictReader(lines))
    assert len(rows) == len(cells) > 0
    for row, line in zip(rows, cells, strict=True):
        assert list(row) == list(line)
        for name, text in line.items():
            assert row[name] == (None if text == "" else type(row[name])(text)), name
    assert isinstance(rows[0]["x_px"], float)
    assert isinstance(rows[0]["focus"], int)


def test_an_empty_table_has_the_same_types(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write_parquet(write_foci(tmp_path / "foci.csv", [])))
    assert table.num_rows == 0
    assert table.schema.field("depth_mm").type == pyarrow.float64()


def test_equal_tables_give_equal_bytes(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    table = write_foci(tmp_path / "foci.csv", made_analysis().foci)
    first = write_parquet(table).read_bytes()
    assert write_parquet(table).read_bytes() == first


def test_without_pyarrow_a_file_of_an_earlier_run_is_deleted(tmp_path, monkeypatch):
    table = write_foci(tmp_path / "foci.csv", made_analysis().foci)
    (tmp_path / "foci.parquet").write_bytes(b"of an earlier run")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("usmicro.writing.parquet.find_spec", lambda name: None)
    assert write_parquet(table) is None
    assert not (tmp_path / "foci.parquet").exists()
