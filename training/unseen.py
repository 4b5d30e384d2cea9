"""Which network has not seen a scan: figures and confidences come from scans that the network did not learn from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from training.pictures import Picture


def left_out(picture: Picture, number: int) -> bool:
    """Whether network 1 or 2 does not see a scan: each leaves out one fold of five, and of BrEaST two and three folds."""
    if picture.source == "breast-lesions-usg":
        return picture.fold in ((1, 2), (3, 4, 5))[number - 1]
    return picture.fold == number


def write_unseen(work: Path, pictures: Iterable[Picture]) -> None:
    """Write WORK/unseen.json: for scans of the data sets, by name, the network that has not seen the patient."""
    real = [picture for picture in pictures if picture.source != "phantom"]
    networks = {picture.image: f"masses-without-{number}.onnx" for number in (1, 2) for picture in real if left_out(picture, number)}
    (work / "unseen.json").write_text(json.dumps(networks, indent=1) + "\n", encoding="utf-8")


def unseen_networks(work: Path) -> dict[str, Path]:
    """What `write_unseen` wrote."""
    return {image: work / name for image, name in json.loads((work / "unseen.json").read_text(encoding="utf-8")).items()}
