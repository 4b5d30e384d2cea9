"""coco.json: the findings of a run in the COCO format, for annotation tools and training code."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

import numpy as np

from usmicro import __version__
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, Frame, LabelImage, area_of
from usmicro.model.findings import Focus, Mass, Summary
from usmicro.writing.drawing import rgb_of
from usmicro.writing.masks import encode_png
from usmicro.writing.polygons import Polygon, divide_among, outline_corners, polygons
from usmicro.writing.tables import cell, plain

FOCUS_CATEGORY = {"intramass": 4, "extramass": 5, "intraductal": 6}
"""Category of a focus, by its label."""
CATEGORIES: tuple[dict[str, Any], ...] = (
    {"id": AreaLabel.MASS.value, "name": "mass", "supercategory": "anatomy"},
    {"id": AreaLabel.DUCT.value, "name": "duct", "supercategory": "anatomy"},
    {"id": AreaLabel.NONMASS.value, "name": "nonmass area", "supercategory": "anatomy"},
    *(
        {
            "id": number,
            "name": f"{label} focus",
            "supercategory": "echogenic focus",
            "keypoints": ["centre"],
            "skeleton": [],
        }
        for label, number in FOCUS_CATEGORY.items()
    ),
)
VISIBLE = 2
"""Flag of COCO for a key point that is labelled and visible."""


class ImageFindings(Protocol):
    """Findings on one image: an `Analysis`, or the `Result` of a run."""

    @property
    def summary(self) -> Summary | None:
        """Findings on the image as a whole."""

    @property
    def masses(self) -> Sequence[Mass]:
        """Masses, by number."""

    @property
    def foci(self) -> Sequence[Focus]:
        """Listed foci."""


def encode_image(frame: Frame, labels: ByteImage) -> bytes:
    """Encode a frame as PNG without findings.

    It is black outside the tissue, where names may be printed.
    """
    picture = rgb_of(frame)
    picture[area_of(labels, AreaLabel.NOT_TISSUE)] = 0
    grey = (picture[..., :1] == picture).all()
    return encode_png(np.ascontiguousarray(picture[..., 0] if grey else picture))


class CocoWriter:
    """Writes a COCO file image by image, so that runs of any size need little memory.

    As in COCO, the upper left pixel covers 0 to 1 in polygons and boxes, and key points are pixel
    indices. Other values are `attributes` of an annotation. Values that were not measured are left
    out.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._images = 0
        # annotations follow all images in the file, so that they wait here
        self._annotations: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._count = 0

    def __enter__(self) -> CocoWriter:
        info = {
            "description": f"usmicro {__version__}; for research only, not for diagnosis",
            "version": __version__,
        }
        head = {"info": info, "licenses": [], "categories": CATEGORIES}
        self._file.write(as_json(head)[:-1] + b',\n"images":[')
        return self

    def __exit__(self, *failed: object) -> None:
        with self._annotations:
            if failed[0] is None:
                self._file.write(b'\n],\n"annotations":[')
                self._annotations.seek(0)
                shutil.copyfileobj(self._annotations, self._file)
                self._file.write(b"\n]}\n")

    def add(self, file_name: str, name: str, labels: ByteImage, findings: ImageFindings) -> None:
        """Add an image and its findings.

        Parameters
        ----------
        file_name : str
            Path of the picture, relative to the folder of the pictures.
        name : str
            Name of the image in tables.
        labels : array, shape (rows, columns), uint8
            Label image; see `AreaLabel`.
        findings : Analysis or Result
            Findings on the image.
        """
        entry: dict[str, Any] = {
            "file_name": file_name,
            "width": labels.shape[1],
            "height": labels.shape[0],
        }
        shared = divide_among(area_of(labels, AreaLabel.MASS), findings.masses)
        drawn = [
            *mass_annotations(shared, findings.masses),
            *area_annotations(labels),
            *map(focus_annotation, findings.foci),
        ]
        if findings.summary is not None:
            entry["attributes"] = _rounded({"image": name, **plain(findings.summary)})
        outlined = {
            one["attributes"]["mass"] for one in drawn if one["category_id"] == AreaLabel.MASS
        }
        # the key frame of a cine may not show every mass
        if hidden := [mass.mass for mass in findings.masses if mass.mass not in outlined]:
            entry["masses_without_outline"] = hidden
        self.add_annotated(entry, drawn)

    def add_annotated(
        self, image: Mapping[str, Any], annotations: Iterable[Mapping[str, Any]]
    ) -> None:
        """Add an image and its annotations as they are; they get their identifiers here.

        Parameters
        ----------
        image, annotations
            As in COCO, without `id`, `image_id` and `iscrowd`.
        """
        self._images += 1
        entry = {"id": self._images, **image}
        self._file.write((b"," if self._images > 1 else b"") + b"\n" + as_json(entry))
        for annotation in annotations:
            self._count += 1
            self._annotations.write(
                (b"," if self._count > 1 else b"")
                + b"\n"
                + as_json({"id": self._count, "image_id": self._images, "iscrowd": 0, **annotation})
            )


def mass_annotations(shared: LabelImage, masses: Sequence[Mass]) -> Iterator[dict[str, Any]]:
    """Yield the annotations of masses, given their areas as from `divide_among`."""
    for number, mass in enumerate(masses, start=1):
        if outlines := polygons(shared == number):
            yield _area(
                AreaLabel.MASS.value, outlines, int((shared == number).sum()), _rounded(plain(mass))
            )


def area_annotations(labels: ByteImage) -> Iterator[dict[str, Any]]:
    """Yield the annotations of the ducts and nonmass areas of a label image."""
    for category in (AreaLabel.DUCT.value, AreaLabel.NONMASS.value):
        for outline in polygons(labels == category):
            yield _area(category, [outline], _polygon_area(outline), {})


def _area(
    category: int, outlines: Sequence[Polygon], area: float, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the annotation of an area; `area` is its number of pixels."""
    corners = np.vstack(outlines)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return {
        "category_id": category,
        "segmentation": [
            [round(float(value), 2) for value in outline.ravel()] for outline in outlines
        ],
        "bbox": [round(float(value), 2) for value in (left, top, right - left, bottom - top)],
        "area": round(float(area), 2),
        "attributes": dict(attributes),
    }


def _polygon_area(outline: Polygon) -> float:
    """Return the area that a polygon encloses, pixels."""
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def focus_annotation(focus: Focus) -> dict[str, Any]:
    """Return the annotation of a focus: a key point and a box; of a clump, also its outline."""
    side = focus.diameter_px or 0.0  # a focus without an echo has no diameter: the box is a point
    attributes = _rounded(plain(focus))
    keypoint = {
        "keypoints": [round(focus.x_px, 2), round(focus.y_px, 2), VISIBLE],
        "num_keypoints": 1,
    }
    if focus.outline_px is not None:
        del attributes["outline_px"]
        corners = outline_corners(focus.outline_px) + 0.5
        category = FOCUS_CATEGORY[focus.label]
        return _area(category, [corners], _polygon_area(corners), attributes) | keypoint
    return {
        "category_id": FOCUS_CATEGORY[focus.label],
        **keypoint,
        "bbox": [
            round(value, 2)
            for value in (focus.x_px + 0.5 - side / 2, focus.y_px + 0.5 - side / 2, side, side)
        ],
        "area": round(np.pi / 4 * side * side, 2),
        "attributes": attributes,
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with numbers rounded as in the tables, without values that are None."""
    return {
        name: float(cell(value)) if isinstance(value, float) else value
        for name, value in row.items()
        if value is not None
    }


def as_json(value: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
