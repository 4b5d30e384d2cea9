"""The file `unseen.json`: which mass network has not been trained on which images.

`python -m training.masses` writes it beside its networks. The accuracy benchmark and the fits of
the confidences read it, so that each image is analysed by a network that has not been trained on
that patient. A key of the file is the file name of an image without suffix, or the name of a data
set followed by `/*`, which stands for all its images that have no key of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from usmicro.errors import UsageError

HELD_OUT_FILE = "unseen.json"
"""Name of the file, beside the networks."""


def write_held_out_networks(folder: Path, networks: Mapping[str, str]) -> None:
    """Write the file name of the network for each key."""
    text = json.dumps(dict(networks), indent=1)
    (folder / HELD_OUT_FILE).write_text(text + "\n", encoding="utf-8")


def read_held_out_networks(folder: Path) -> dict[str, Path]:
    """Read the path of the network for each key; `held_out_network` looks up an image in them.

    Raises
    ------
    UsageError
        If the folder has no such file.
    """
    file = folder / HELD_OUT_FILE
    if not file.is_file():
        raise UsageError(
            f"{file}: no such file; expected the folder in which "
            "`python -m training.masses` wrote its networks"
        )
    networks = json.loads(file.read_text(encoding="utf-8"))
    return {image: folder / name for image, name in networks.items()}


def held_out_network(networks: Mapping[str, Path], source: str, stem: str) -> Path | None:
    """Return the network that was not trained on an image, or None if there is none.

    Parameters
    ----------
    networks : mapping of str to Path
        Those of `read_held_out_networks`.
    source : str
        Data set from which the image comes: `LabelledImage.source`, or `dataset` if that is None.
    stem : str
        File name of the image without suffix.
    """
    return networks.get(stem) or networks.get(f"{source}/*")
