"""Write a finished run with known results, without an analysis."""

import io
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np

import usmicro
from usmicro.model.anatomy import AreaLabel
from usmicro.model.findings import Focus, Mass
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

NAMES = ("a.png", "c.png", "d.png", "sub/b.png")
"""Images of the run."""

FAILED = "failed.png"
"""Image on which the run failed."""

CALCIFICATIONS = {
    "a.png": (0.9, "in a mass"),
    "sub/b.png": (0.2, "none"),
    "c.png": (0.6, "outside a mass"),
    "d.png": (0.1, "none"),
}
"""Score and descriptor of each image."""

FOCI = ((30.0, 30.0, 0.9, "intramass"), (60.0, 40.0, 0.5, "extramass"))
"""Foci of each image: column and row in pixels, confidence, label."""

LISTED_FROM = 0.08
"""Confidence from which the run lists foci."""

MASS = slice(20, 40)
"""Rows and columns of the mass of each image."""


def make_run(folder, names=NAMES, shape=(80, 100)):
    """Write the run into a folder and return the folder.

    Each of the images `names`, of `shape` (rows, columns), has the foci FOCI and one mass. One
    more image failed.
    """
    folder.mkdir(parents=True)
    images, masses, foci = [], [], []
    all_names = sorted((*names, FAILED))
    for name, stem in zip(all_names, file_stems(all_names), strict=True):
        images.append(image_row(name, shape))
        if name == FAILED:
            continue
        masses.append(mass_row(name))
        foci += focus_rows(name)
        labels = np.zeros(shape, np.uint8)
        labels[MASS, MASS] = AreaLabel.MASS
        write_atomically(folder / "masks" / f"{stem}.png", encode_png(labels))
    write_table(folder / "images.csv", IMAGES_COLUMNS, images)
    write_table(folder / "masses.csv", MASSES_COLUMNS, masses)
    write_table(folder / "foci.csv", FOCI_COLUMNS, foci)
    write_table(folder / "clusters.csv", CLUSTERS_COLUMNS, [])
    keys = ("images", "versions", "seconds", "options", "decoders", "platform")
    record: dict[str, Any] = {key: {} for key in keys}
    record |= {"usmicro": usmicro.__version__, "complete": True, "settings": asdict(Settings())}
    record["listed_from_confidence"] = LISTED_FROM
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def image_row(name, shape):
    row = dict.fromkeys(IMAGES_COLUMNS) | {"image": name}
    if name == FAILED:
        return row | {"status": "failed", "error": "failed for a test"}
    score, calcification = CALCIFICATIONS.get(name, (0.5, "in a mass"))
    return row | {
        "status": "ok",
        "frames": 1,
        "rows": shape[0],
        "columns": shape[1],
        "foci": len(FOCI),
        "masses": 1,
        "calcification": calcification,
        "calcification_score": score,
    }


def mass_row(name):
    centre = (MASS.start + MASS.stop - 1) / 2
    return empty_row(Mass) | {
        "image": name,
        "frame": 0,
        "mass": 1,
        "x_px": centre,
        "y_px": centre,
        "confidence": 0.9,
    }


def focus_rows(name):
    return [
        empty_row(Focus)
        | {
            "image": name,
            "frame": 0,
            "focus": number,
            "x_px": x,
            "y_px": y,
            "diameter_px": 4.0,
            "confidence": confidence,
            "label": label,
            "kind": "punctate",
            "shadow": "no",
            "twinkling": "not assessable",
            "nonmass": "no",
        }
        for number, (x, y, confidence, label) in enumerate(FOCI, start=1)
    ]


def empty_row(kind):
    return {field.name: None for field in fields(kind)}


def write_table(path, columns, rows):
    file = io.BytesIO()
    add = table_writer(file, columns)
    for row in rows:
        add(row)
    path.write_bytes(file.getvalue())
