"""Files that the search for scans passes over, counted by kind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from usmicro.loading.formats import UNSUPPORTED_SUFFIXES
from usmicro.model.warnings import RunWarning, WarningCode

OTHER_SUFFIXES = frozenset(
    (
        *(".csv", ".tsv", ".json", ".txt", ".xml", ".toml", ".yaml", ".yml", ".md", ".rst", ".bib"),
        *(".pdf", ".html", ".htm", ".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".ods"),
        *(".odt", ".rtf", ".log", ".ini", ".cfg", ".db", ".sqlite", ".parquet", ".url", ".lnk"),
        *(".py", ".ipynb", ".r", ".m", ".sh", ".bat", ".css", ".js", ".md5", ".sha256"),
    )
)
"""Suffixes of files that are neither images nor videos, unless their content says so."""
UNEXAMINED_SUFFIXES = frozenset(
    (
        *(".csv", ".tsv", ".json", ".txt", ".xml", ".md", ".pdf", ".html", ".htm"),
        *(".docx", ".pptx", ".xlsx"),
    )
)
"""Suffixes of files whose content is not examined. The others may be those of DICOM files, which
often end in a number, initials or a part of a name: IMG0001.M, IM7.DB."""
_COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""Suffixes of compressed files, before which the suffix of the content may stand."""
_WELL_KNOWN = UNSUPPORTED_SUFFIXES | {
    *(".npy", ".npz", ".mat", ".h5", ".hdf5", ".zarr", ".pkl", ".mhd", ".raw", ".hdr", ".img"),
    *(".vol", ".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".bin", ".dat"),
    *(".exe", ".dll", ".svg", ".ico", ".eps", ".psd", ".mp3", ".wav"),
}
"""Suffixes that are shown even if no name may be: others may be a part of a person's name."""
_MOST_KINDS = 8
"""Largest number of kinds that a remark lists. Chosen by judgement."""


def suffix_of(name: str) -> str:
    """Return the suffix of a file name in lower case, such as .npy or .nii.gz; it may be empty."""
    path = PurePosixPath(name.lower())
    inner = PurePosixPath(path.stem).suffix
    if path.suffix in _COMPRESSED_SUFFIXES and re.fullmatch(r"\.[a-z][a-z0-9]{0,4}", inner):
        return inner + path.suffix
    return path.suffix


@dataclass
class PassedOver:
    """Files that were passed over, by kind: a suffix, a format or a class of DICOM objects."""

    unread: Counter[str] = field(default_factory=Counter)
    """Numbers of files that may be scans in a format that is not read."""
    others: Counter[str] = field(default_factory=Counter)
    """Numbers of files that are no scans, such as tables, texts and DICOM reports."""
    examples: dict[str, str] = field(default_factory=dict)
    """Name of the first file of each kind."""

    def add(self, kind: str, name: str, *, may_be_scan: bool) -> None:
        """Count a file."""
        (self.unread if may_be_scan else self.others)[kind] += 1
        self.examples.setdefault(kind, name)

    def warning(self, *, with_names: bool) -> RunWarning | None:
        """Return the warning about files that may be scans; None if there is none."""
        if not self.unread:
            return None
        text = self._listed(self.unread, with_names=with_names)
        return RunWarning(WarningCode.FILES_PASSED_OVER, self.unread.total(), (text,))

    def remark(self) -> str | None:
        """Return the remark on files that are no scans; None if there is none."""
        if not self.others:
            return None
        number = self.others.total()
        return (
            f"{number} other {'file was' if number == 1 else 'files were'} passed over: "
            f"{self._listed(self.others, with_names=False)}"
        )

    def _listed(self, counts: Counter[str], *, with_names: bool) -> str:
        """Return the kinds with their numbers, the most frequent first."""
        shown: Counter[str] = Counter()
        for kind, count in counts.items():
            is_private = not with_names and kind.startswith(".") and not _is_well_known(kind)
            shown["of another type" if is_private else kind] += count
        ranked = sorted(shown.items(), key=lambda item: (-item[1], item[0]))
        parts = [
            f"{count} {kind} ({self.examples[kind]})"
            if with_names and kind in self.examples
            else f"{count} {kind}"
            for kind, count in ranked[:_MOST_KINDS]
        ]
        if rest := sum(count for _, count in ranked[_MOST_KINDS:]):
            parts.append(f"{rest} of other types")
        return ", ".join(parts)


def _is_well_known(suffix: str) -> bool:
    """Return True if a suffix, each part of it in a compressed file, says nothing but the type."""
    parts = {f".{part}" for part in suffix.strip(".").split(".")}
    return parts <= _WELL_KNOWN | OTHER_SUFFIXES
