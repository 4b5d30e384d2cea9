"""Find the images of a run by the names that labels use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from usmicro.loading.mask_names import composed


class ImageNames:
    """The names of the images of a run.

    A file name, with or without its suffix, is accepted if only one image of the run has it. Names
    match in composed and in decomposed Unicode.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._by_short_name = {
            **_by_unique_short_name(self._names, lambda name: composed(PurePosixPath(name).stem)),
            **_by_unique_short_name(self._names, lambda name: composed(PurePosixPath(name).name)),
            **_by_unique_short_name(self._names, composed),
        }

    def find(self, name: str) -> str | None:
        """Return the name of the image in the run; None if no image has it."""
        return name if name in self._names else self._by_short_name.get(composed(name))


def _by_unique_short_name(names: Iterable[str], short: Callable[[str], str]) -> dict[str, str]:
    """Return the names by their short name, without those that share a short name."""
    counts = Counter(map(short, names))
    return {short(name): name for name in names if counts[short(name)] == 1}
