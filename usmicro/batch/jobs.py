"""Jobs: one input of a run each, and the hashes that show whether a result is still valid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from usmicro import __version__
from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import UserFunction
from usmicro.batch.results import Result
from usmicro.loading.zip_archive import ZipMember
from usmicro.model.scan import Scan, Spacing
from usmicro.settings import LimitSettings, Settings, TableSettings

if TYPE_CHECKING:
    from usmicro.foci.user_detector import DetectorFunction

OnProgress = Callable[[int, int], None]
"""Function that is called with the number of frames that are done and the number of frames that
the file declares."""


@dataclass(frozen=True, slots=True)
class Job:
    """One input of a run with everything that its analysis needs."""

    name: str
    """Name of the image in the tables."""
    path: Path
    """File of the scan, unless `address` is given."""
    out: Path
    """Output folder of the run on this machine."""
    stem: str
    """Path of its files below the folders of the output, without suffix."""
    settings: Settings
    spacing: Spacing | None = None
    """Spacing given by the user."""
    spacing_wins: bool = False
    """True if the user's spacing replaces the one in the file."""
    masks: Path | None = None
    """Folder of the user's masks."""
    mask_function: UserFunction[MaskFunction] | None = None
    """The user's function that returns masks; given instead of a folder."""
    detector: UserFunction[DetectorFunction] | None = None
    """The user's detector of foci."""
    real_name: str = ""
    """Path of the input below INPUT if `name` is a pseudonym; otherwise empty."""
    member: ZipMember | None = None
    """File in the zip archive `path` that is the scan; None if `path` is the scan itself."""
    image_uid: str = ""
    """SOPInstanceUID of a DICOM file in a zip archive, by which its masks are found; empty without
    a folder of masks."""
    address: str = ""
    """Address of an input that is not a local file: of a DICOMweb instance, or one that fsspec
    reads. Otherwise empty."""
    group: str | None = None
    """Group of the image in groups.csv; empty if it has none, None if no groups are given."""
    scan: Scan | None = None
    """The scan itself, if it is an array; `path` then has its frames."""
    fault: str = ""
    """Reason why the input cannot be analysed; empty if it can."""
    optional_outputs: tuple[str, ...] = ()
    """Outputs to write in addition to overlay and mask: "dicom", "coco"."""

    @property
    def own_name(self) -> str:
        """Path of the input below INPUT, by which the user's masks are found."""
        return self.real_name or self.name

    @property
    def function_hashes(self) -> tuple[str, str]:
        """Hashes of the user's functions for masks and foci; empty texts if none are given."""
        masks, detector = self.mask_function, self.detector
        return masks.hash if masks else "", detector.hash if detector else ""

    @property
    def scan_file(self) -> Path | None:
        """File of the scan on this machine; None if it is at an address or in a zip archive."""
        return None if self.address or self.member is not None else self.path

    @property
    def overlay_file(self) -> Path:
        """Path of the overlay."""
        return self.out / "overlays" / f"{self.stem}.png"

    @property
    def mask_file(self) -> Path:
        """Path of the label image."""
        return self.out / "masks" / f"{self.stem}.png"

    @property
    def picture_file(self) -> Path:
        """Path of the picture without drawings, which the report shows."""
        from usmicro.writing.report.page import picture_file

        return picture_file(self.out, self.stem)

    @property
    def details_file(self) -> Path:
        """Path of the candidates and shadow profiles, which the report shows."""
        from usmicro.writing.report.details import details_file

        return details_file(self.out, self.stem)

    @property
    def thumbnail_file(self) -> Path:
        """Path of the thumbnail and the outlines, which the report embeds."""
        from usmicro.writing.report.thumbnails import thumbnail_file

        return thumbnail_file(self.out, self.stem)

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of the files that are written for every input."""
        of_report = self.picture_file, self.details_file, self.thumbnail_file
        return self.overlay_file, self.mask_file, *of_report

    @property
    def optional_files(self) -> dict[str, tuple[Path, ...]]:
        """Paths of the files of each optional output; some inputs have none, such as no DICOM."""
        from usmicro.writing.optional_outputs import optional_files

        frames = self.settings.coco.frames
        return {
            name: optional_files(self.out, self.stem, name, coco_frames=frames)
            for name in self.optional_outputs
        }

    @property
    def coco_folder(self) -> Path | None:
        """Path of the folder for the frames of a cine in coco.json; None if none are written."""
        from usmicro.writing.optional_outputs import coco_folder

        if "coco" not in self.optional_outputs or not self.settings.coco.frames:
            return None
        return coco_folder(self.out, self.stem)

    @property
    def cine_files(self) -> tuple[Path, Path]:
        """Paths of the contact sheet of a cine, and of the folder for the frames of its film."""
        from usmicro.writing.cine_outputs import contact_sheet_file, film_folder

        return contact_sheet_file(self.out, self.stem), film_folder(self.out, self.stem)


def fingerprint_of(job: Job) -> str:
    """Return a hash of everything that the result of a job depends on.

    Raises
    ------
    OSError, ScanError
        If the input or its masks cannot be read.
    """
    from usmicro.foci.models import read_focus_models
    from usmicro.loading.masks import find_masks
    from usmicro.loading.zip_archive import member_hash

    # what an input may cost and how tables are written does not change its result
    settings = asdict(replace(job.settings, limits=LimitSettings(), tables=TableSettings()))
    of_masks, of_detector = job.function_hashes
    digest = hashlib.sha256(
        f"{__version__}\n{json.dumps(settings)}\n{job.spacing}\n{job.spacing_wins}\n"
        f"{of_masks}\n{of_detector}".encode()
    )

    def update(name: str, content_hash: str) -> None:
        digest.update(f"{name}\n".encode("utf-8", "backslashreplace"))
        digest.update(bytes.fromhex(content_hash))

    files: list[Path] = []
    if job.address:
        digest.update(f"{_source_version(job.address)}\n".encode())
    elif job.member is not None:
        # the same as of the unpacked file, so that its result stays valid when it is unpacked
        largest = job.settings.loading.largest_inflated
        name = PurePosixPath(job.member.name).name
        update(name, member_hash(job.path, job.member, largest_mb=largest))
    else:
        files.append(job.path)
    if job.scan is not None:
        digest.update(f"{job.scan}\n".encode())  # all but its frames
    if job.masks is not None:
        files += find_masks(job.masks, job.own_name, job.scan_file, uid=job.image_uid or None)
    if job.settings.anatomy.mass_network:
        files.append(Path(job.settings.anatomy.mass_network))
    if job.settings.foci.models:
        files += read_focus_models(job.settings.foci.models).files
    for file in files:
        update(file.name, file_hash(file))
    return digest.hexdigest()


def _source_version(address: str) -> str:
    """Return a text that changes when the input at an address changes, without fetching it.

    A DICOMweb address contains the UIDs of its instance, so the address itself is enough.
    """
    from usmicro.loading import remote
    from usmicro.loading.dicom import web as dicomweb

    return address if dicomweb.is_dicomweb(address) else remote.file_version(address)


def file_hash(file: Path) -> str:
    """Return the SHA-256 hash of a file, in hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def has_intact_files(job: Job, result: Result) -> bool:
    """Return True if all files of a stored result are there and unchanged.

    A power cut may leave a file empty, and a new optional output has no files yet.
    """
    if len(result.written) != len(job.files):
        return False
    if not set(job.optional_outputs) <= set(result.optional_files):
        return False
    hashes = dict(zip(job.files, result.written, strict=True))
    for files in result.optional_files.values():
        hashes |= {job.out / name: digest for name, digest in files.items()}
    try:
        return all(file_hash(file) == digest for file, digest in hashes.items())
    except OSError:
        return False
