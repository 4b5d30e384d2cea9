"""The tables as Parquet beside the CSV files, where pyarrow is installed."""

from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from usmicro.findings import Cluster, Focus, Mass, Summary
from usmicro.writing.files import cannot_write, replacing

ROWS_OF = {"images": Summary, "masses": Mass, "foci": Focus, "clusters": Cluster}
MORE_TYPES = {"seconds": "float"}
"""Columns that are no field of a finding and no text."""


def write_parquet(table: Path) -> Path | None:
    """Write a table of a run as Parquet, from its CSV file: the same numbers, with types, and null where a cell is empty.

    Parameters
    ----------
    table : Path
        A CSV file of a run, such as DIR/foci.csv.

    Returns
    -------
    Path or None
        The Parquet file; None where pyarrow is not installed. One of a former run, which would tell another story than the CSV file, is
        then deleted.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    target = table.with_suffix(".parquet")
    if find_spec("pyarrow") is None:
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(target, error) from error
        return None
    from pyarrow import csv
    from pyarrow.parquet import ParquetWriter

    types = _types(table.stem)
    convert = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True)
    # a block at a time in one thread, so that a table of any length takes little memory and gives the same bytes
    reading = csv.ReadOptions(use_threads=False)
    parsing = csv.ParseOptions(newlines_in_values=True)
    with (
        csv.open_csv(table, read_options=reading, parse_options=parsing, convert_options=convert) as rows,
        replacing(target) as file,
        ParquetWriter(file, rows.schema) as writer,
    ):
        for batch in rows:
            writer.write_batch(batch)
    return target


def _types(table: str) -> dict[str, Any]:
    """Type of each column, from the annotation of its field; other columns are text."""
    import pyarrow as pa

    by_name = {"int": pa.int64(), "float": pa.float64()}
    annotations = {"image": "str", "status": "str", "error": "str", **MORE_TYPES}
    annotations |= {field.name: str(field.type) for field in fields(ROWS_OF[table])}
    return {name: by_name.get(annotation.removesuffix(" | None"), pa.string()) for name, annotation in annotations.items()}
