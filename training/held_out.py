"""The mass networks, and the scans from which each of them does not learn.

A network does better on scans on which it was trained. Figures and confidences therefore come from
networks that have not seen the scan. These networks lie in `training/networks`. They belong to the
repository but not to the package: whoever measures usmicro on one of the public data sets needs a
network that has not seen it. This module is not a program.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from training.outlines import PHANTOM
from training.pictures import Picture
from usmicro.anatomy.masses import NETWORK
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    write_held_out_networks,
)

HOSPITALS = (BREAST_LESIONS_USG, BUS_BRA, BUSI, BUS_UCLM)
"""Data sets of real scans, each from another hospital."""

NETWORKS = Path(__file__).with_name("networks")
"""Folder of the networks that have not seen some of the scans, with the file unseen.json."""

TRAINED_ON = NETWORKS / "trained_on.json"
"""Names of the images on which the networks were trained, by data set."""

ALL = "all"
"""Name of the network that learns from all scans; it is shipped."""

WITHOUT_FOLD = "without-fold"
"""Name of the network that does not learn from a fifth of the patients of every source."""

HELD_OUT_FOLD = 1
"""Fold from which the network `WITHOUT_FOLD` and the duct and nonmass networks do not learn."""

NAMES = (ALL, *(f"without-{hospital}" for hospital in HOSPITALS), WITHOUT_FOLD)
"""Names of all mass networks. Four of them each leave out one hospital."""


def network_file(name: str) -> Path:
    """Return the file of a mass network."""
    return NETWORK if name == ALL else NETWORKS / f"masses-{name}.onnx"


def network_without(source: str) -> str:
    """Return the name of the network that does not learn from a scan of a source.

    For a real scan that is the network that has not seen the hospital. For a simulated scan it is
    the network that has not seen the fold, so only scans of that fold may be used.
    """
    return WITHOUT_FOLD if source == PHANTOM else f"without-{source}"


def learns_from(name: str, picture: Picture) -> bool:
    """Return True if the network of this name learns from a picture."""
    if name == WITHOUT_FOLD:
        return picture.fold != HELD_OUT_FOLD
    return name != network_without(picture.source)


def write_trained_on(pictures: Iterable[Picture]) -> None:
    """Write trained_on.json: for each hospital, the names of the images that were trained on.

    Three of the data sets are halves of the published ones. The file tells which of the published
    images no network has seen. An image with several views has one name per view, which ends with
    the number of the view.
    """
    names: dict[str, set[str]] = {hospital: set() for hospital in HOSPITALS}
    for picture in pictures:
        if picture.source in names:
            names[picture.source].add(picture.image)
    lines = [f'"{name}": {json.dumps(sorted(images))}' for name, images in sorted(names.items())]
    TRAINED_ON.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_held_out() -> None:
    """Write unseen.json: for each data set, the network that has not seen it, if it is trained."""
    files = {hospital: network_file(network_without(hospital)) for hospital in HOSPITALS}
    networks = {f"{hospital}/*": file.name for hospital, file in files.items() if file.is_file()}
    write_held_out_networks(NETWORKS, networks)
