"""The files of one input in the output folder, and its result."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.anatomy.user_masks import MaskFunction, MasksLike
from usmicro.batch.failures import without_paths
from usmicro.batch.jobs import Job, file_hash
from usmicro.batch.memory import memory_used
from usmicro.batch.pseudonyms import without_names
from usmicro.batch.results import Result
from usmicro.model.scan import Scan
from usmicro.model.warnings import ScanWarning
from usmicro.result import Analysis, Table

if TYPE_CHECKING:
    from usmicro.model.findings import Focus, Mass, Summary
    from usmicro.writing.optional_outputs import FramesAt, OptionalOutputs


def write_result(
    job: Job,
    analysis: Analysis,
    scan: Scan,
    optional: OptionalOutputs,
    *,
    read_again: FramesAt,
    start: float,
    user_masks: MasksLike | MaskFunction | None = None,
    fingerprint: str = "",
    seconds: Mapping[str, float] | None = None,
) -> Result:
    """Write the files of an analysed input and return its result.

    Parameters
    ----------
    job : Job
    analysis : Analysis
    scan : Scan
        What was analysed.
    optional : OptionalOutputs
        Writes the optional outputs; it has seen the frames of the analysis.
    read_again : function
        Reads frames with the given numbers once more; yields (number, frame).
    start : float
        Time at which the job began, in s of `time.perf_counter`.
    user_masks : optional
        The user's masks; the names of their files are left out if the input has a pseudonym.
    fingerprint : str
        Fingerprint of the job; empty if the result must not be taken over by another run.
    seconds : mapping, optional
        Time in s of what was done before the analysis.

    Raises
    ------
    UsageError
        If a file cannot be written.
    """
    from usmicro.writing import encode_labels, encode_with_drawing
    from usmicro.writing.cine_outputs import write_cine
    from usmicro.writing.report.details import encode_details
    from usmicro.writing.report.pictures import encode_picture
    from usmicro.writing.report.thumbnails import encode_thumbnail
    from usmicro.writing.tables import not_finite

    analysed = time.perf_counter()
    picture = encode_picture(analysis.image, analysis.labels)
    contents = (
        encode_with_drawing(analysis.overlay()),
        encode_labels(analysis.labels),
        picture,
        encode_details(analysis, job.settings.report.details),
        encode_thumbnail(analysis, picture),
    )
    hashes = tuple(
        write_and_hash(content, file) for content, file in zip(contents, job.files, strict=True)
    )
    optional_files, optional_notes = optional.write(analysis, read_again)
    optional_files["cine"] = write_cine(
        analysis,
        read_again,
        out=job.out,
        stem=job.stem,
        film_frames=job.settings.report.frames,
    )
    end = time.perf_counter()
    findings: list[Focus | Mass | Summary] = [analysis.summary, *analysis.foci, *analysis.masses]
    left_empty = dict.fromkeys(name for finding in findings for name in not_finite(finding))
    notes, warnings = analysis.notes, analysis.warnings
    if job.real_name:
        notes = tuple(without_mask_names(note, user_masks) for note in notes)
        warnings = tuple(
            ScanWarning(warning.code, without_mask_names(warning.text, user_masks))
            for warning in warnings
        )
    return Result(
        image=job.name,
        status="ok",
        summary=analysis.summary,
        foci=Table(replace(focus, shadow_profile=None) for focus in analysis.foci),
        masses=analysis.masses,
        tracks=analysis.tracks,
        key_frame=analysis.frame,
        notes=(
            *(without_paths(note, job) for note in notes),
            *optional_notes,
            *(f"{name} was not a finite number and is left empty" for name in left_empty),
        ),
        warnings=tuple(
            ScanWarning(warning.code, without_paths(warning.text, job)) for warning in warnings
        ),
        device=scan.device,
        decoder=scan.decoder,
        seconds={
            **(seconds or {}),
            **analysis.seconds,
            "writing": end - analysed,
            "total": end - start,
        },
        fingerprint=fingerprint,
        written=hashes,
        memory_mb=memory_used(),
        overlay_file=job.overlay_file,
        mask_file=job.mask_file,
        optional_files={
            name: {file.relative_to(job.out).as_posix(): file_hash(file) for file in files}
            for name, files in optional_files.items()
        },
    )


def without_mask_names(note: str, user_masks: MasksLike | MaskFunction | None) -> str:
    """Return a note without the names of the files that masks were read from."""
    from usmicro.model.scan import UserMasks

    for source in user_masks.sources if isinstance(user_masks, UserMasks) else ():
        note = without_names(note, Path(source).name, "a mask")
    return note


def write_and_hash(content: bytes, file: Path) -> str:
    """Write a file and return the SHA-256 hash of its content, in hexadecimal digits."""
    from usmicro.writing import write_atomically

    write_atomically(file, content)
    return hashlib.sha256(content).hexdigest()
