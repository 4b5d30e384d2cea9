"""The files that a run writes about all its inputs: tables, coco.json, run.json and the report."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from usmicro.batch.groups import GROUPS, GROUPS_COLUMNS, GroupCounts
from usmicro.batch.jobs import Job
from usmicro.batch.record import Record
from usmicro.batch.results import Result
from usmicro.batch.store import COCO, RECORD, TABLES, ResultStore
from usmicro.model.warnings import ScanWarning, WarningCode
from usmicro.writing.coco import CocoWriter
from usmicro.writing.files import replacing
from usmicro.writing.parquet import write_parquet
from usmicro.writing.report.page import write_report
from usmicro.writing.tables import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    TRACKS_COLUMNS,
    plain,
    table_writer,
    warning_codes,
)


def write_outputs(
    jobs: list[Job],
    store: ResultStore,
    record: Record,
    *,
    outdated: frozenset[str] = frozenset(),
) -> None:
    """Write the tables and what is made of them; the report only if every input has a result.

    Parameters
    ----------
    jobs : list of Job
        Those without a stored result are left out.
    store : ResultStore
    record : Record
    outdated : frozenset of str
        Names of images whose results are of a former run with other settings or inputs.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    _write_tables(jobs, store, record, outdated)
    for name in TABLES:
        write_parquet(store.out / name)
    if any(job.group is not None for job in jobs):
        _write_groups(jobs, store, record)
    if jobs and "coco" in jobs[0].optional_outputs:
        _write_coco(jobs, store)
    if record.complete:
        write_report(store.out)


def _write_tables(
    jobs: list[Job], store: ResultStore, record: Record, outdated: frozenset[str]
) -> None:
    """Write the CSV tables and run.json."""
    mark = _mark(record)
    columns_of_tables = (
        IMAGES_COLUMNS,
        MASSES_COLUMNS,
        FOCI_COLUMNS,
        CLUSTERS_COLUMNS,
        TRACKS_COLUMNS,
    )
    with ExitStack() as stack:
        add_image, add_mass, add_focus, add_cluster, add_point = (
            _new_table(stack, store.out / name, columns, mark)
            for name, columns in zip(TABLES, columns_of_tables, strict=True)
        )
        empty: dict[str, Any] = dict.fromkeys(IMAGES_COLUMNS)
        for result in _results_so_far(jobs, store, outdated):
            summary = {} if result.summary is None else plain(result.summary)
            head = {"image": result.image, "status": result.status, "error": result.error or None}
            tail = {
                "seconds": result.seconds.get("total"),
                "warnings": warning_codes(result.warnings),
                **{name: value or None for name, value in asdict(result.device).items()},
            }
            add_image({**empty, **head, **summary, **tail})
            for mass in result.masses:
                add_mass({"image": result.image, **plain(mass)})
            for focus in result.foci:
                add_focus({"image": result.image, **plain(focus)})
            for cluster in result.clusters:
                add_cluster({"image": result.image, **plain(cluster)})
            for point in result.tracks:
                add_point({"image": result.image, **plain(point)})
            record.add(result)
    record.finished = datetime.now(UTC)
    with replacing(store.out / RECORD, durable=True) as file:
        record.write(file, _results_so_far(jobs, store, outdated))


def _mark(record: Record) -> bytes:
    """Return the byte-order mark with which the tables begin; empty by default."""
    return codecs.BOM_UTF8 if record.settings.tables.byte_order_mark else b""


def _new_table(
    stack: ExitStack, path: Path, columns: tuple[str, ...], mark: bytes
) -> Callable[[Mapping[str, Any]], None]:
    """Write the mark and the header of a table and return the function that writes a row."""
    file = stack.enter_context(replacing(path, durable=True))
    file.write(mark)
    return table_writer(file, columns)


def _write_coco(jobs: list[Job], store: ResultStore) -> None:
    """Write coco.json: the picture of each input, or the frames of a cine that have one."""
    images = store.out / "images"
    with replacing(store.out / COCO) as file, CocoWriter(file) as coco:
        for job in jobs:
            result = store.result(job)
            if result is None or result.summary is None:
                continue
            files = result.optional_files.get("coco", {})
            frames = next((name for name in files if name.endswith(".jsonl")), None)
            if frames is None:
                picture = job.optional_files["coco"][0].relative_to(images).as_posix()
                coco.add(picture, result.image, result.labels, result)
                continue
            with open(store.out / frames, "rb") as lines:
                for line in lines:
                    coco.add_annotated(**json.loads(line))


def _write_groups(jobs: list[Job], store: ResultStore, record: Record) -> None:
    """Write groups.csv; groups of inputs beyond --limit are left out."""
    counts = GroupCounts({job.group or "" for job in jobs})
    for job in jobs:
        if (result := store.result(job)) is not None:
            counts.add(job.group or "", result)
    with ExitStack() as stack:
        add = _new_table(stack, store.out / GROUPS, GROUPS_COLUMNS, _mark(record))
        for row in counts.rows():
            add(row)


def _results_so_far(
    jobs: list[Job], store: ResultStore, outdated: frozenset[str]
) -> Iterator[Result]:
    """Yield the stored results in the order of the jobs; outdated ones get a warning."""
    warning = ScanWarning(WarningCode.FORMER_RESULT, "computed by a former run")
    for job in jobs:
        result = store.result(job)
        if result is not None and job.name in outdated:
            result = replace(result, warnings=(*result.warnings, warning))
        if result is not None:
            yield result
