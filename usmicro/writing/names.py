"""Names of the files in the output folder that belong to an input."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence

SUFFIX = re.compile(r"(?<=[^/])\.[A-Za-z][A-Za-z0-9]{0,4}$")
"""The ending of a file name, as opposed to the last number of a name such as 1.2.840.113."""
ENDINGS = (".png", ".jpg", ".js", ".frames")
"""Endings of the files and folders that a run writes for an input."""
LONGEST_PART = 240
"""Largest length of a part of a path in bytes. File systems allow 255; the rest is for endings."""
HASH_DIGITS = 16
"""Number of digits of the hash at the end of a part that was cut: enough to be unique."""


def file_stems(names: Sequence[str]) -> list[str]:
    """Return the names without their endings, on which the names of output files are based.

    A name keeps its ending if two names would be equal without it, as with a.png and a.dcm, or if a
    file would get the name of a folder. A part that is too long for a file system is cut, and a
    hash replaces its end.
    """
    stems = [SUFFIX.sub("", name) for name in names]
    counts = Counter(stem.casefold() for stem in stems)
    folders = {parent.casefold() for name in names for parent in _parents(name)}

    def is_unique(stem: str) -> bool:
        return counts[stem.casefold()] == 1 and not any(
            f"{stem.casefold()}{ending}" in folders for ending in ENDINGS
        )

    return [
        _shortened(stem if is_unique(stem) else name)
        for stem, name in zip(stems, names, strict=True)
    ]


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _shortened(name: str) -> str:
    if len(name) <= LONGEST_PART // 4:  # a character takes four bytes at most
        return name
    return "/".join(_cut(part) for part in name.split("/"))


def _cut(part: str) -> str:
    encoded = part.encode("utf-8", "surrogateescape")
    if len(encoded) <= LONGEST_PART:
        return part
    start = encoded[: LONGEST_PART - HASH_DIGITS - 1].decode("utf-8", "ignore")
    return f"{start}-{hashlib.sha256(encoded).hexdigest()[:HASH_DIGITS]}"
