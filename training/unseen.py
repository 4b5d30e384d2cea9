"""Which scans one mass network has not seen: figures and confidences come from scans that the network did not learn from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from training.pictures import Picture

UNSEEN_NETWORK = "masses-unseen.onnx"
"""In WORK: the mass network that has not seen what is left out."""


def left_out(picture: Picture) -> bool:
    """Whether the second network does not see a scan: one fold of five, and all of BrEaST, which then is another hospital."""
    return picture.source == "breast-lesions-usg" or picture.fold == 1


def write_unseen(work: Path, pictures: Iterable[Picture]) -> None:
    """Write WORK/unseen.json: for scans of the data sets, by name, the network that has not seen the patient."""
    networks = {
        picture.image: UNSEEN_NETWORK
        for picture in pictures
        if picture.source != "phantom" and left_out(picture)
    }
    (work / "unseen.json").write_text(json.dumps(networks, indent=1) + "\n", encoding="utf-8")


def unseen_networks(work: Path) -> dict[str, Path]:
    """What `write_unseen` wrote."""
    return {
        image: work / name
        for image, name in json.loads((work / "unseen.json").read_text(encoding="utf-8")).items()
    }
