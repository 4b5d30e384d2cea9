"""Areas that a run has stored: label images, and the share of each mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2

from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import ByteImage, LabelImage, area_of
from usmicro.model.findings import Mass
from usmicro.writing.polygons import divide_among
from usmicro.writing.report.pictures import stored_picture
from usmicro.writing.report.run import Run
from usmicro.writing.tables import MASSES_COLUMNS


def read_label_image(run: Run, row: Mapping[str, Any]) -> ByteImage:
    """Read the label image of an image, shape (rows, columns)."""
    return stored_picture(run.file("masks", row["image"], ".png"), cv2.IMREAD_GRAYSCALE)


def masses_of(run: Run, image: str) -> list[Mass]:
    """Return the masses of an image, as in masses.csv."""
    return [
        Mass(**{column: row[column] for column in MASSES_COLUMNS[1:]})
        for row in run.masses.get(image, ())
    ]


def outlined_masses(run: Run, row: Mapping[str, Any]) -> tuple[LabelImage, list[Mass]]:
    """Return the masses that the label image of an image shows.

    Of a cine these are the masses of the key frame, and those of other frames whose centre lies in
    the area of masses.

    Parameters
    ----------
    run : Run
    row : mapping
        Row of images.csv.

    Returns
    -------
    array, shape (rows, columns), int32
        0 outside the masses, 1 to n inside the masses, in the order of the list.
    list of Mass, length n
        A mass may have no pixel if its outline is missing.
    """
    area = area_of(read_label_image(run, row), AreaLabel.MASS)
    key_frame = run.key_frame(row["image"])

    def is_shown(mass: Mass) -> bool:
        y, x = round(mass.y_px), round(mass.x_px)
        inside = 0 <= y < area.shape[0] and 0 <= x < area.shape[1] and bool(area[y, x])
        return mass.frame == key_frame or inside

    masses = [mass for mass in masses_of(run, row["image"]) if is_shown(mass)]
    return divide_among(area, masses), masses
