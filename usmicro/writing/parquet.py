"""The tables of a run as Parquet files, if pyarrow is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from usmicro.writing.column_types import column_types
from usmicro.writing.files import cannot_write, replacing

LEFT_OUT = "seconds"
"""Column that is left out: a measured time, which differs between equal runs."""
GROUP_ROWS = 65536
"""Number of rows of a row group; it does not depend on the size of the blocks that are read."""


def write_parquet(table: Path) -> Path | None:
    """Write a table of a run as Parquet, from its CSV file.

    The values are the same, with types; an empty cell is null. The column `seconds` is left out,
    so that equal input and settings give equal bytes.

    Parameters
    ----------
    table : Path
        A CSV file of a run, such as DIR/foci.csv.

    Returns
    -------
    Path or None
        The Parquet file; None if pyarrow is not installed. In that case a file of an earlier run,
        which would not agree with the CSV file, is deleted.

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
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow.parquet import ParquetWriter

    types = _types(table.stem)
    convert = csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        strings_can_be_null=True,
        null_values=[""],
        quoted_strings_can_be_null=True,
    )
    reading, parsing = csv.ReadOptions(use_threads=False), csv.ParseOptions(newlines_in_values=True)
    with (
        csv.open_csv(
            table, read_options=reading, parse_options=parsing, convert_options=convert
        ) as blocks,
        replacing(target) as file,
        ParquetWriter(file, blocks.schema) as writer,
    ):
        # one block at a time, so that long tables need little memory
        waiting = pa.Table.from_batches([], blocks.schema)
        for block in blocks:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([block])])
            while waiting.num_rows >= GROUP_ROWS:
                writer.write_table(waiting.slice(0, GROUP_ROWS).combine_chunks())
                waiting = waiting.slice(GROUP_ROWS)
        writer.write_table(waiting.combine_chunks())
    return target


def _types(table: str) -> dict[str, Any]:
    """Return the type of each column but LEFT_OUT."""
    import pyarrow as pa

    parquet_types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    return {
        name: parquet_types[kind] for name, kind in column_types(table).items() if name != LEFT_OUT
    }
