"""The jobs of a run, one for each input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import UserFunction
from usmicro.batch.jobs import Job
from usmicro.batch.pseudonyms import pseudonym
from usmicro.errors import ScanError, UsageError
from usmicro.loading.dicom.references import image_uid_in_head
from usmicro.loading.dicom.web import find_instances, is_dicomweb
from usmicro.loading.discover import Input, search_scans
from usmicro.loading.file_kinds import DICOM_HEAD_BYTES
from usmicro.loading.groups import Groups, read_groups
from usmicro.loading.masks import match_masks
from usmicro.loading.spacing import read_spacing
from usmicro.loading.zip_archive import member_head
from usmicro.model.scan import SpacingLike
from usmicro.model.warnings import MOST_EXAMPLES, RunWarning, WarningCode
from usmicro.settings import Settings
from usmicro.writing.names import file_stems

if TYPE_CHECKING:
    from usmicro.foci.user_detector import DetectorFunction

Inputs = (
    str
    | Path
    | Sequence[str | Path]
    | ArrayLike
    | Iterable[ArrayLike]
    | Mapping[str, ArrayLike]
    | Iterable[tuple[str, ArrayLike]]
    | Iterable[tuple[str, ArrayLike, SpacingLike]]
)
"""What a run takes: paths or arrays."""


def make_jobs(
    inputs: Sequence[str | Path],
    *,
    out: Path,
    settings: Settings,
    spacing: str | Path | SpacingLike | None = None,
    masks: Path | None = None,
    mask_function: UserFunction[MaskFunction] | None = None,
    detector: UserFunction[DetectorFunction] | None = None,
    group: str | Path | None = None,
    key: bytes | None = None,
    optional_outputs: tuple[str, ...] = (),
) -> tuple[list[Job], list[str], list[RunWarning]]:
    """Find the inputs and make a job for each.

    Parameters
    ----------
    inputs, spacing, group
        As given to `usmicro.run`.
    masks : path, optional
        Folder of the user's masks.
    mask_function, detector : UserFunction, optional
        Functions of the user.
    out : path
        Output folder.
    settings : Settings
    key : bytes, optional
        Key of the pseudonyms that replace the names of the inputs.
    optional_outputs : tuple of str
        Any of "dicom" and "coco".

    Returns
    -------
    list of Job
        Sorted by name.
    list of str
        Remarks on the arguments for the user.
    list of RunWarning
        Arguments and files that match nothing.

    Raises
    ------
    UsageError
        If there is no input, two inputs have the same name, or `spacing`, `masks` or `group` is
        wrong.
    """
    found, remarks, warnings = _find_inputs(inputs, with_names=key is None)
    counts = Counter(item.name for item in found)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise UsageError(
            f"{len(repeated)} inputs have the name of another, such as {repeated[0]}; "
            "give their common parent folder as INPUT"
        )
    spacings = read_spacing(spacing)
    if unused := spacings.unused(item.name for item in found):
        examples = () if key else unused[:MOST_EXAMPLES]
        warnings.append(RunWarning(WarningCode.SPACING_WITHOUT_SCAN, len(unused), examples))
    if masks is not None and not masks.is_dir():
        raise UsageError(
            f"--masks {masks}: expected a folder of masks, "
            f"found {'a file' if masks.exists() else 'nothing there'}"
        )
    uids: dict[str, str] = {}
    if masks is not None:
        uids = _uids_in_archives(found)
        warnings += _mask_warnings(masks, found, uids, with_names=key is None)
    groups = None if group is None else read_groups(group, [item.name for item in found])
    if groups is not None:
        warnings += _group_warnings(groups, with_names=key is None)
    named = [(pseudonym(item.name, key) if key else item.name, item) for item in found]
    named.sort(key=lambda pair: pair[0])
    stems = file_stems([name for name, _ in named])
    jobs = []
    for (name, item), stem in zip(named, stems, strict=True):
        image_spacing, spacing_wins = spacings.for_image(item.name)
        jobs.append(
            Job(
                name=name,
                path=item.path,
                out=out,
                stem=stem,
                settings=settings,
                spacing=image_spacing,
                spacing_wins=spacing_wins,
                masks=masks,
                mask_function=mask_function,
                detector=detector,
                real_name=item.name if key else "",
                group=None if groups is None else groups.of_image.get(item.name, ""),
                member=item.member,
                image_uid=uids.get(item.name, ""),
                address=item.address,
                optional_outputs=optional_outputs,
            )
        )
    return jobs, remarks, warnings


def _uids_in_archives(found: list[Input]) -> dict[str, str]:
    """Return the SOPInstanceUIDs of the DICOM files in zip archives, by the names of the images."""
    uids = {}
    for item in found:
        if item.member is None:
            continue
        with suppress(ScanError, OSError):  # the image fails with this message
            uid = image_uid_in_head(member_head(item.path, item.member, DICOM_HEAD_BYTES))
            if uid is not None:
                uids[item.name] = uid
    return uids


def _mask_warnings(
    folder: Path, found: list[Input], uids: Mapping[str, str], *, with_names: bool
) -> list[RunWarning]:
    """Return the warnings about masks without an image and images without a mask.

    Raises
    ------
    UsageError
        If the folder cannot be read.
    """
    images = (
        (item.name, None if item.address or item.member is not None else item.path)
        for item in found
    )
    try:
        matches = match_masks(folder, images, uids)
    except OSError as error:
        raise UsageError(f"--masks {folder}: cannot be read: {error.strerror or error}") from error
    counted = (
        (WarningCode.MASK_WITHOUT_SCAN, matches.without_scan),
        (WarningCode.MASK_SHARED, matches.shared),
        (WarningCode.MASK_MISSING, matches.images_without),
    )
    return [
        RunWarning(code, len(names), names[:MOST_EXAMPLES] if with_names else ())
        for code, names in counted
        if names
    ]


def _group_warnings(groups: Groups, *, with_names: bool) -> list[RunWarning]:
    """Return the warnings about rows of groups without an image and images without a group."""
    counted = (
        (WarningCode.GROUP_WITHOUT_SCAN, groups.unused),
        (WarningCode.GROUP_MISSING, groups.without),
    )
    return [
        RunWarning(code, len(names), names[:MOST_EXAMPLES] if with_names else ())
        for code, names in counted
        if names
    ]


def _find_inputs(
    inputs: Sequence[str | Path], *, with_names: bool
) -> tuple[list[Input], list[str], list[RunWarning]]:
    """Find the scans in folders, at addresses and on DICOMweb servers.

    Returns the inputs, sorted by name, and remarks and warnings on the search for the user, which
    name no file unless `with_names` is True.
    """
    dicomweb = [address for address in inputs if is_dicomweb(address)]
    others = [place for place in inputs if place not in dicomweb]
    found: list[Input] = []
    remarks: list[str] = []
    warnings: list[RunWarning] = []
    if others or not dicomweb:
        search = search_scans(others)
        found += search.scans
        remarks += search.remarks(with_names=with_names)
        warnings += search.warnings(with_names=with_names)
    for address in dicomweb:
        instances, more = find_instances(str(address))
        remarks += more
        found += [
            Input(Path(instance.name), instance.name, instance.address) for instance in instances
        ]
    return sorted(found, key=lambda item: item.name), remarks, warnings
