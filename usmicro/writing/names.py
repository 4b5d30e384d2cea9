"""What the files of an input are called in the output folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

SUFFIX = re.compile(r"(?<=[^/])\.[A-Za-z][A-Za-z0-9]{0,4}$")
"""A file type; not the last number of a name such as 1.2.840.113."""


def file_stems(names: Sequence[str]) -> list[str]:
    """Names without the file type; it stays where two would be the same without it, as for a.png beside a.dcm."""
    stems = [SUFFIX.sub("", name) for name in names]
    counts = Counter(stem.casefold() for stem in stems)
    return [stem if counts[stem.casefold()] == 1 else name for stem, name in zip(stems, names, strict=True)]
