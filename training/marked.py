"""The real images from which the confidence of foci learns. This module is not a program.

They are the images on which two readers marked foci (`echogenic-foci-marks`, `visual-readings` and
`training/readings.json`), and the normal images of BUSI and BUS-UCLM that nobody read. The latter
count as images without foci. The other images of BrEaST-Lesions-USG have only the radiologist's
descriptor, from which the score of the image learns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.held_out import NETWORKS
from usmicro.evaluation.datasets import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    LabelledImage,
    held_out_network,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
    read_echogenic_foci_marks,
    read_held_out_networks,
    read_readings,
    read_visual_readings,
    twin_groups,
)
from usmicro.evaluation.targets import Target

READINGS = Path(__file__).with_name("readings.json")
"""Marks of two readers on further images of the public data sets."""

MULTIREZ = "multirez"
"""Source of the images of `visual-readings` that belong to no other data set."""

SOURCES = (BREAST_LESIONS_USG, BUS_BRA, BUSI, BUS_UCLM, MULTIREZ)
"""Data sets from which the images come, each of other hospitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedImage:
    """An image whose foci are known."""

    image: LabelledImage
    source: str
    """Data set from which the image comes."""
    group: str
    """Images of one patient, or near twins, have the same group."""
    read: bool
    """True if two readers read the image."""
    further: bool
    """True for the images of READINGS, 166 of which were chosen for a high calcification score."""
    normal: bool
    """True if the data set says that the breast is normal."""
    calcification: str | None
    """Descriptor of the radiologist, see `LabelledImage.calcification`; None if not given."""

    @property
    def known(self) -> bool:
        """True if the foci of the image are known: it was read, or the breast is normal."""
        return self.read or self.normal

    @property
    def foci(self) -> tuple[Target, ...]:
        """The foci that both readers marked."""
        return self.image.foci or ()

    @property
    def mass_network(self) -> Path | None:
        """Mass network that has not seen the hospital; None for that of the package."""
        return held_out_network(read_held_out_networks(NETWORKS), self.source, self.image.path.stem)


def marked_images(data: Path) -> list[MarkedImage]:
    """List the images from which the confidence learns.

    An image that was read several times occurs once, with its first reading.

    Parameters
    ----------
    data : Path
        Folder with the data sets.
    """
    by_path = {
        image.path: image
        for read in (read_breast_lesions_usg, read_bus_bra, read_busi, read_bus_uclm)
        for image in read(data)
    }
    normal = {
        path: image
        for path, image in by_path.items()
        if image.dataset in (BUSI, BUS_UCLM) and image.mass_masks == () and not image.doppler
    }
    readings = [
        *((image, False) for image in read_echogenic_foci_marks(data)),
        *((image, False) for image in read_visual_readings(data)),
        *((image, True) for image in read_readings(READINGS, data)),
    ]
    found: dict[str, tuple[LabelledImage, bool, bool]] = {}
    for image, further in readings:
        found.setdefault(_key(image), (image, True, further))
    described = [image for image in by_path.values() if image.calcification is not None]
    for image in (*normal.values(), *described):
        found.setdefault(_key(image), (image, False, False))
    images = [image for image, _, _ in found.values()]
    groups = _groups(images, by_path)
    return [
        MarkedImage(
            image=image,
            source=image.source or image.dataset,
            group=group,
            read=read,
            further=further,
            normal=image.path in normal or image.path.name.startswith("busi_normal_"),
            calcification=known.calcification if (known := by_path.get(image.path)) else None,
        )
        for (image, read, further), group in zip(found.values(), groups, strict=True)
    ]


def _key(image: LabelledImage) -> str:
    """Return a key that is the same for all readings of an image."""
    source = image.source or image.dataset
    # the copies of BUSI are named normal_035.jpg and busi_normal_35.png
    stem = re.sub(r"_0+(?=\d)", "_", image.path.stem.removeprefix("busi_"))
    return f"{source} {stem}"


def _groups(images: Sequence[LabelledImage], by_path: dict[Path, LabelledImage]) -> list[str]:
    """Return the group of each image: its patient, or its near twins in BUSI, or itself."""
    of_busi = [i for i, image in enumerate(images) if (image.source or image.dataset) == BUSI]
    twins = dict(zip(of_busi, twin_groups([images[i].path for i in of_busi]), strict=True))
    groups = []
    for i, image in enumerate(images):
        source = image.source or image.dataset
        known = by_path.get(image.path)
        patient = image.patient or (known.patient if known else None)
        own = f"{source} {twins.get(i, patient or image.path.stem)}"
        groups.append(_group_of_bus_bra(image) if source == BUS_BRA else own)
    return groups


INSERTION_STEP = 5
"""Every so many images of BUS-BRA get inserted foci."""


def images_for_insertion(data: Path) -> list[MarkedImage]:
    """List the images into which foci are inserted: some of BUS-BRA, and all normal ones.

    The images of BUS-BRA that two readers read are left out, and so are those of their patients.
    """
    marked = marked_images(data)
    groups = {image.group for image in marked}
    images = [image for image in read_bus_bra(data) if _group_of_bus_bra(image) not in groups]
    return [
        *(image for image in marked if image.normal),
        *(
            MarkedImage(
                image=image,
                source=BUS_BRA,
                group=_group_of_bus_bra(image),
                read=False,
                further=False,
                normal=False,
                calcification=None,
            )
            for image in images[::INSERTION_STEP]
        ),
    ]


def _group_of_bus_bra(image: LabelledImage) -> str:
    """Return the patient of an image of BUS-BRA, whose stem is PATIENT-SIDE."""
    return f"{BUS_BRA} {image.path.stem.partition('-')[0]}"
