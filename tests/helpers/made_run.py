"""The files of a finished run (tables, record and pictures), made without an analysis."""

import csv
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import usmicro
from usmicro.labelling.clusters import measure_clusters
from usmicro.result import Analysis
from usmicro.settings import Settings
from usmicro.writing import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    encode_png,
    table_writer,
    write_atomically,
)
from usmicro.writing.names import file_stems
from usmicro.writing.report.details import details_file, encode_details
from usmicro.writing.report.page import picture_file
from usmicro.writing.report.pictures import encode_picture
from usmicro.writing.tables import plain

HOSTILE = (
    "<script>alert(1)<b>.png",
    "a/\"' onload='x()' & #1?%41.png",
    "e </script><img src=x onerror=alert(1)>.dcm",
    "zä\u2028 \U0001f600.png",
)
NOT_UTF8 = r"caf\udce9.png"  # what a run calls a file whose name is not UTF-8


def report_data(text: str) -> dict[str, Any]:
    """Return the data that a page of the report embeds."""
    found = re.search(
        r'<script type="application/json" id="report-data">(.*?)</script>', text, re.DOTALL
    )
    assert found
    return dict(json.loads(found[1]))


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return the tables of a run; all values are text."""
    found = {}
    for name in ("images", "masses", "foci", "clusters"):
        with open(folder / f"{name}.csv", encoding="utf-8", newline="") as lines:
            found[name] = list(csv.DictReader(lines))
    return found


def make_run(
    folder: Path,
    analysis: Analysis,
    *,
    copies: int = 0,
    pictures: bool = True,
    recorded: dict[str, Any] | None = None,
) -> Path:
    """Write the files of a run: four images with hostile names, a failed one, and plain copies.

    `recorded` is added to run.json.
    """
    marked = [
        replace(focus, cluster=1, twinkling=twinkling)
        for focus, twinkling in zip(analysis.foci, ("yes", "possible", "no"), strict=True)
    ]
    clusters = measure_clusters(marked)
    good = sorted(
        [
            *HOSTILE[:2],
            HOSTILE[3],
            NOT_UTF8,
            *(f"plain/{number:05d}.png" for number in range(copies)),
        ]
    )
    names = sorted([*good, HOSTILE[2]])
    folder.mkdir(parents=True)
    columns = {
        "images": IMAGES_COLUMNS,
        "masses": MASSES_COLUMNS,
        "foci": FOCI_COLUMNS,
        "clusters": CLUSTERS_COLUMNS,
    }
    files = {name: open(folder / f"{name}.csv", "wb") for name in columns}  # noqa: SIM115
    add = {name: table_writer(files[name], columns[name]) for name in columns}
    for name in names:
        failed = name not in good
        summary = {} if failed else plain(analysis.summary)
        status = (
            {"status": "failed", "error": "refused <b>for</b> a test & more"}
            if failed
            else {"status": "ok"}
        )
        add["images"](
            {**dict.fromkeys(IMAGES_COLUMNS), "image": name, **status, **summary, "seconds": 0.25}
        )
        if failed:
            continue
        for table, rows in (("masses", analysis.masses), ("foci", marked), ("clusters", clusters)):
            for row in rows:
                add[table]({"image": name, **plain(row)})
    for file in files.values():
        file.close()
    if pictures:
        overlay, mask = encode_png(analysis.overlay()), encode_png(analysis.labels)
        picture = encode_picture(analysis.image, analysis.labels)
        details = encode_details(analysis, Settings().report.details)
        for name, stem in zip(names, file_stems(names), strict=True):
            if name in good:
                write_atomically(folder / "overlays" / f"{stem}.png", overlay)
                write_atomically(folder / "masks" / f"{stem}.png", mask)
                write_atomically(picture_file(folder, stem), picture)
                write_atomically(details_file(folder, stem), details)
    else:
        (folder / "report" / "images").mkdir(parents=True)
    record = {
        "usmicro": usmicro.__version__,
        "complete": True,
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "options": {"spacing": None, "masks": "<i>outlines</i>", "workers": 2},
        "settings": asdict(Settings()),
        "remarks": ["--spacing: 1 rows name no input, such as <gone>.png"],
        "counts": {},
        "seconds": {"foci": 12.5, "total": 61.0},
        "decoders": {"Pillow": len(good)},
        "images": {
            names[0]: {
                "notes": ["spacing <unknown>"],
                "warnings": [{"code": "deep-field", "text": "the scan is 9 cm deep"}],
            }
        },
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
        "platform": {"system": "Linux", "machine": "x86_64"},
    }
    (folder / "run.json").write_text(json.dumps({**record, **(recorded or {})}, indent=1))
    return folder
