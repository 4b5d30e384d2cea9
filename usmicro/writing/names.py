"""What the files of an input are called in the output folder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

SUFFIX = re.compile(r"(?<=[^/])\.[A-Za-z][A-Za-z0-9]{0,4}$")
"""A file type; not the last number of a name such as 1.2.840.113."""


ENDINGS = (".png", ".jpg")
"""Of the files that a run writes for an input."""
LONGEST = 240
"""Bytes of a part of a path, of the 255 that file systems allow, the rest being for endings."""


def file_stems(names: Sequence[str]) -> list[str]:
    """Names without the file type, below which the files of an input are written.

    The type stays where two would be the same without it, as for a.png beside a.dcm, or where a file would have the name of a folder. A
    part that is too long for a file system with the endings that are added is cut and has a hash in the place of its end.
    """
    stems = [SUFFIX.sub("", name) for name in names]
    counts = Counter(stem.casefold() for stem in stems)
    folders = {parent.casefold() for name in names for parent in _parents(name)}

    def alone(stem: str) -> bool:
        return counts[stem.casefold()] == 1 and not any(
            f"{stem.casefold()}{ending}" in folders for ending in ENDINGS
        )

    return [
        _shortened(stem if alone(stem) else name) for stem, name in zip(stems, names, strict=True)
    ]


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _shortened(name: str) -> str:
    if len(name) <= LONGEST // 4:  # no character takes more than four bytes
        return name
    return "/".join(_cut(part) for part in name.split("/"))


def _cut(part: str) -> str:
    encoded = part.encode("utf-8", "surrogateescape")
    if len(encoded) <= LONGEST:
        return part
    return f"{encoded[: LONGEST - 17].decode('utf-8', 'ignore')}-{hashlib.sha256(encoded).hexdigest()[:16]}"
