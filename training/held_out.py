"""Scans that the second mass network is not trained on.

Figures and confidences are taken from these scans, because a network does better on scans that it
has been trained on. This module is not a program.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from training.outlines import PHANTOM
from training.pictures import Picture
from usmicro.evaluation.datasets import BREAST_LESIONS_USG, write_held_out_networks

HELD_OUT_NETWORK = "masses-unseen.onnx"
"""File name, in WORK, of the mass network that is not trained on the scans held out."""

HELD_OUT_FOLD = 1
"""Fold of every source that is held out."""


def is_held_out(picture: Picture) -> bool:
    """Return True if the second mass network is not trained on a scan.

    That is one fold of five, for other patients of the same hospitals, and the whole of BrEaST, for
    another hospital.
    """
    return picture.source == BREAST_LESIONS_USG or picture.fold == HELD_OUT_FOLD


def write_held_out(work: Path, pictures: Iterable[Picture]) -> None:
    """Write WORK/unseen.json: the network for each scan of the data sets that is held out."""
    networks = {
        picture.image: HELD_OUT_NETWORK
        for picture in pictures
        if picture.source != PHANTOM and is_held_out(picture)
    }
    write_held_out_networks(work, networks)
