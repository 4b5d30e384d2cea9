"""A finished run without an analysis, of which everything is known."""

import json
from dataclasses import asdict, fields

import numpy as np

import usmicro
from usmicro.model.findings import Focus, Mass, Summary
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
FAILED = "failed.png"
SAID = {
    "a.png": (0.9, "in a mass"),
    "sub/b.png": (0.2, "none"),
    "c.png": (0.6, "outside a mass"),
    "d.png": (0.1, "none"),
}


def make_run(folder, names=NAMES, shape=(80, 100)):
    """On each image two foci, at (30, 30) in the mass and at (60, 40), and a mass of 20 x 20 px; one more image that failed."""
    folder.mkdir(parents=True)
    columns = {
        "images": IMAGES_COLUMNS,
        "masses": MASSES_COLUMNS,
        "foci": FOCI_COLUMNS,
        "clusters": CLUSTERS_COLUMNS,
    }
    files = {name: open(folder / f"{name}.csv", "wb") for name in columns}  # noqa: SIM115
    add = {name: table_writer(files[name], columns[name]) for name in columns}
    everything = sorted((*names, FAILED))
    for name, stem in zip(everything, file_stems(everything), strict=True):
        row = dict.fromkeys(IMAGES_COLUMNS)
        if name == FAILED:
            add["images"]({**row, "image": name, "status": "failed", "error": "made for a test"})
            continue
        score, calcification = SAID.get(name, (0.5, "in a mass"))
        known = {"frames": 1, "rows": shape[0], "columns": shape[1], "foci": 2, "masses": 1}
        row |= {
            "image": name,
            "status": "ok",
            **known,
            "calcification": calcification,
            "calcification_score": score,
        }
        add["images"](row)
        add["masses"](
            {
                **blank(Mass),
                "image": name,
                "frame": 0,
                "mass": 1,
                "x_px": 29.5,
                "y_px": 29.5,
                "confidence": 0.9,
            }
        )
        for number, (x, y, confidence, label) in enumerate(
            [(30, 30, 0.9, "intramass"), (60, 40, 0.5, "extramass")], start=1
        ):
            words = {
                "label": label,
                "kind": "punctate",
                "shadow": "no",
                "twinkling": "not assessable",
                "nonmass": "no",
            }
            place = {
                "frame": 0,
                "focus": number,
                "x_px": float(x),
                "y_px": float(y),
                "diameter_px": 4.0,
                "confidence": confidence,
            }
            add["foci"]({**blank(Focus), "image": name, **place, **words})
        labels = np.zeros(shape, np.uint8)
        labels[20:40, 20:40] = 1
        write_atomically(folder / "masks" / f"{stem}.png", encode_png(labels))
    for file in files.values():
        file.close()
    record = {
        key: {} for key in ("images", "versions", "seconds", "options", "decoders", "platform")
    }
    record |= {"usmicro": usmicro.__version__, "complete": True, "settings": asdict(Settings())}
    (folder / "run.json").write_text(json.dumps(record))
    assert {field.name for field in fields(Summary)} <= set(IMAGES_COLUMNS)
    return folder


def blank(kind):
    return dict.fromkeys(kind.__dataclass_fields__)
