"""Reading of the masks of an image: pictures, label images and segmentations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from usmicro.loading.dicom.references import read_image_uid
from usmicro.loading.dicom.segmentation import Segmentation, Structure, read_segmentation
from usmicro.loading.formats import detect_format
from usmicro.loading.frame_masks import FrameMasks
from usmicro.loading.local_files import is_result
from usmicro.loading.mask_names import structure_in_name
from usmicro.loading.mask_pictures import LABELS, read_picture
from usmicro.loading.mask_search import MaskMatches, match_masks, search_masks
from usmicro.loading.picture_header import is_label_image
from usmicro.model.arrays import BoolImage
from usmicro.model.scan import UserMasks
from usmicro.model.warnings import Remark, separated

__all__ = ["LABELS", "FrameMasks", "MaskMatches", "find_masks", "match_masks", "read_masks"]


def find_masks(
    folder: Path, name: str, scan: Path | None = None, *, uid: str | None = None
) -> list[Path]:
    """Find the masks of an image in a folder.

    For `left/case1.png` the search looks first in `FOLDER/left`, then in `FOLDER`, for

    - `case1.png`: a label image as a run writes it, or a binary mask;
    - `case1_mask.png`, `case1_mask_1.png`: a mask of any structure;
    - `case1_tumor.png`, `case1_mass2.png`, `case1_duct.png`, `case1_nonmass.png`;
    - `mask_case1.png`, or `mask_1.png` for `case_1.png`, as BUS-BRA names its masks;
    - `case1_other.png`: a mask of another structure, which is found but not used.

    A scan in `FOLDER` or below may have its masks beside it, too. There a picture must look like a
    mask, since it may be another scan, and the scan is not taken for its own mask.

    DICOM Segmentation objects have the same names with the suffix .dcm or .seg.dcm, or without a
    suffix. If no mask has the name of a DICOM scan, the search takes all segmentations below
    `FOLDER` that refer to the scan's SOPInstanceUID. Other DICOM files are not taken.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    scan : Path, optional
        File of the image, for the search by UID.
    uid : str, optional
        SOPInstanceUID of an image whose file is not given.

    Returns
    -------
    list of Path
        Sorted; empty if the image has no mask.

    Raises
    ------
    ScanError
        If the folder, or a DICOM file with the name of the image, cannot be read.
    """
    return search_masks(folder, name, scan, uid=uid)


def read_masks(
    folder: Path,
    name: str,
    shape: tuple[int, int],
    *,
    scan: Path | None = None,
    uid: str | None = None,
    frames: int | None = 1,
) -> UserMasks | None:
    """Read the masks of an image, found as in `find_masks`.

    A picture whose name does not say its structure is a label image (0 tissue, 1 mass, 2 duct,
    3 nonmass area, 255 not tissue) if it is in the output folder of a run, or if it has 0 and a
    value of 2 or 3; with 255 also a value of 1 counts, but then two of the labels must have an area
    of 5 x 5 pixels, or one of them, and 255 must be at the border. Any other
    picture is a binary mask: black and one other value or colour, or red and green as in BUS-UCLM.
    Smooth edges and the artefacts of JPEG are cut at half of the largest value. Such a mask
    outlines masses unless its name says otherwise; one that is black everywhere says that there is
    none. Pictures of the same structure are combined, and connected areas are numbered.

    Each segment of a DICOM Segmentation is one mass or duct, whether connected or not. Where two
    segments overlap, the later one gets the pixels.

    In a cine, pictures and segmentations without frame numbers are used for all frames. A frame
    that a segmentation names has its own outlines.

    Parameters
    ----------
    folder : Path
    name : str
        Path of the image below INPUT.
    shape : tuple of int
        Rows and columns of the image.
    scan : Path, optional
        File of the image, for the search by UID.
    uid : str, optional
        SOPInstanceUID of an image whose file is not given.
    frames : int or None
        Number of frames of the image; None if it is unknown.

    Returns
    -------
    UserMasks or None
        None if the image has no mask. A structure that no mask outlines is None and is detected
        automatically.

    Raises
    ------
    ScanError
        If a mask cannot be read, has another size than the image, is inverted, or has values that
        are neither labels nor binary, or is a segmentation of another image.
    """
    remarks: list[Remark] = []
    areas: dict[Structure, BoolImage] = {}
    segmentations: list[Segmentation] = []
    sources = []
    image_uid = uid if scan is None else read_image_uid(scan)
    written_by_run = is_result(folder.parent) or is_result(folder)
    for path in search_masks(folder, name, scan, remarks, uid=uid):
        # a mask that was found by its UID may have any name
        structure = structure_in_name(path.name, name) or "any"
        if structure == "other":
            continue
        sources.append(path.relative_to(folder).as_posix())
        if detect_format(path) == "dicom":
            segmentation = read_segmentation(
                path, shape, frames=frames, image_uid=image_uid, structure=structure
            )
            segmentations.append(segmentation)
            remarks += segmentation.notes
            continue
        outlined = read_picture(
            path,
            shape,
            structure,
            written_by_run=written_by_run or is_label_image(path),
            remarks=remarks,
        )
        for part, area in outlined.items():
            areas[part] = areas.get(part, False) | area
    if not sources:
        notes, warnings = separated(remarks)
        return UserMasks(notes=notes, warnings=warnings) if remarks else None
    masks = FrameMasks(areas, segmentations, shape)
    has_general_masks = bool(areas) or any(item.outlines(None) for item in segmentations)
    if frames != 1 and len(masks) and not has_general_masks:
        remarks.append(
            f"{len(masks)} of {'the' if frames is None else frames} frames have masks; "
            "in the other frames, masses, ducts and nonmass areas were detected automatically"
        )
    notes, warnings = separated(remarks)
    return replace(
        masks.on(0 if frames == 1 else None),
        sources=tuple(sources),
        frames={} if frames == 1 else masks,
        notes=notes,
        warnings=warnings,
    )
