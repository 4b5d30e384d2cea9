"""Galleries of the errors of a run: false foci, missed foci, and the worst masses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from usmicro.evaluation.crops import Crops, Outline, Ring
from usmicro.evaluation.links import ReportLinks
from usmicro.evaluation.matching import ComparedImage
from usmicro.evaluation.result import Evaluation
from usmicro.evaluation.run_areas import read_label_image
from usmicro.evaluation.targets import Target
from usmicro.model.anatomy import AreaLabel
from usmicro.model.arrays import area_of
from usmicro.model.findings import Focus
from usmicro.writing.report.pictures import Box, outline_path

MOST_FOCI = 60
"""Largest number of crops of a gallery of foci. A crop weighs some 8 kB, so that the two galleries
stay below 1 MB, and a reader sees what kinds of errors there are. foci.csv lists all."""
MOST_MASSES = 24
"""Largest number of crops of the gallery of masses, which are larger. images.csv has all Dice
coefficients."""
RIGHT_DICE = 0.995
"""Masses with a Dice coefficient from this on are not errors: it is 1.00 in the page."""

STYLE = """
.gallery { display: flex; flex-wrap: wrap; gap: .8rem; }
.tile { width: 11rem; padding: .5rem; font-size: .85rem; overflow-wrap: anywhere; }
.tile.wide { width: 17rem; }
.tile figcaption { font-weight: normal; }
.tile svg, .tile .nothing { display: block; width: 100%; aspect-ratio: 1; background: #000; }
.tile .nothing { display: flex; align-items: center; text-align: center; background: none;
  border: 1px dashed var(--line); box-sizing: border-box; padding: .5rem; color: var(--soft); }
.tile a { color: inherit; }
.crop circle, .crop path { fill: none; stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
.crop .subject { stroke-width: 2.5px; }
.crop .false { stroke: #ff7a59; }
.crop .found { stroke: #56b4e9; }
.crop .true { stroke: #f0e442; stroke-dasharray: 5 3; }
.key { display: inline-block; width: 1.6em; border-top: 2px solid; vertical-align: middle; }
.key.false { border-color: #ff7a59; }
.key.found { border-color: #56b4e9; }
.key.true { border-top-style: dashed; border-color: #b8a800; }
"""


@dataclass(frozen=True, slots=True)
class Missed:
    """A true focus that the run did not list."""

    image: ComparedImage
    mark: int
    target: Target
    candidate: Focus | None
    """The focus that hits it with a confidence too low to be listed."""


def false_foci(evaluation: Evaluation) -> list[tuple[ComparedImage, Focus]]:
    """Return the listed foci that are false, the most confident first."""
    false = [
        (image, image.foci[index])
        for image in evaluation.comparison.images
        if image.detections is not None
        for index in image.detections.index[
            image.detections.false_positive & (image.detections.confidence >= evaluation.listed)
        ]
    ]
    return sorted(false, key=lambda one: (-one[1].confidence, one[0].name, one[1].focus))


def missed_foci(evaluation: Evaluation) -> list[Missed]:
    """Return the true foci that no listed focus hits, in the order of images and marks."""
    missed = []
    for image in evaluation.comparison.images:
        if image.detections is None:
            continue
        hits = {
            int(target): image.foci[index]
            for target, index in zip(image.detections.target, image.detections.index, strict=True)
            if target >= 0
        }
        for number, target in enumerate(image.targets):
            candidate = hits.get(number)
            if candidate is None or candidate.confidence < evaluation.listed:
                missed.append(Missed(image, number + 1, target, candidate))
    return missed


def worst_masses(evaluation: Evaluation) -> list[tuple[float, ComparedImage]]:
    """Return Dice coefficient and image where the masses are not right, the lowest first.

    It is 0 where a mass was found although there is none.
    """
    worst = []
    for image in evaluation.comparison.images:
        if "masses" in image.dice:
            worst.append((image.dice["masses"], image))
        elif image.false_areas.get("masses"):
            worst.append((0.0, image))
    worst = [one for one in worst if one[0] < RIGHT_DICE]
    return sorted(worst, key=lambda one: (one[0], one[1].name))


class Galleries:
    """The galleries of the page of an evaluation."""

    def __init__(self, evaluation: Evaluation, folder: Path) -> None:
        """Prepare the galleries of a page that lies in `folder`."""
        self._evaluation = evaluation
        self._rows = {row["image"]: row for row in evaluation.run.images}
        self._links = ReportLinks(evaluation.run, folder)
        self._crops = Crops(evaluation.run)

    def html(self) -> str:
        """Return the galleries as HTML; empty without marks of foci and outlines of masses."""
        evaluation, parts = self._evaluation, []
        if evaluation.froc is not None:
            false, missed = false_foci(evaluation), missed_foci(evaluation)
            key = (
                '<p class="note"><span class="key false"></span> false focus '
                '<span class="key found"></span> other focus '
                '<span class="key true"></span> true focus</p>'
            )
            parts += [
                f"<h2>False foci</h2>{key}",
                self._section(
                    [self._false_tile(*one) for one in false[:MOST_FOCI]],
                    len(false),
                    "false foci, the most confident first",
                    "foci.csv",
                ),
                f"<h2>Missed foci</h2>{key}",
                self._section(
                    [self._missed_tile(one) for one in missed[:MOST_FOCI]],
                    len(missed),
                    "missed foci",
                    "foci.csv",
                ),
            ]
        if any(image.masses is not None for image in evaluation.comparison.images):
            worst = worst_masses(evaluation)
            parts += [
                '<h2>Worst masses</h2><p class="note"><span class="key found"></span> found '
                '<span class="key true"></span> true</p>',
                self._section(
                    [self._mass_tile(*one) for one in worst[:MOST_MASSES]],
                    len(worst),
                    "images with other masses than the labels, the lowest Dice first",
                    "images.csv",
                ),
            ]
        return "".join(parts)

    def _section(self, tiles: Sequence[str], count: int, what: str, table: str) -> str:
        if not count:
            return "<p>None.</p>"
        more = count - len(tiles)
        rest = f" {more:,} more are in {table}." if more else ""
        note = f'<p class="note">{count:,} {what}.{rest}</p>'
        return f'{note}<div class="gallery">{"".join(tiles)}</div>'

    def _false_tile(self, image: ComparedImage, focus: Focus) -> str:
        return self._focus_tile(
            image,
            (focus.x_px, focus.y_px, focus.diameter_px or 0.0),
            focus.frame,
            focus.focus,
            f"focus {focus.focus}, confidence {focus.confidence:.2f}, {focus.label}",
            comment=self._evaluation.comments.on_focus(image.name, focus.focus),
        )

    def _missed_tile(self, missed: Missed) -> str:
        target, candidate = missed.target, missed.candidate
        frame = 0 if candidate is None else candidate.frame
        text = f"mark {missed.mark}" + (f", {target.label}" if target.label else "")
        if candidate is not None:
            text += f"; candidate {candidate.focus} of confidence {candidate.confidence:.2f}"
        key_frame = self._evaluation.run.key_frame(missed.image.name)
        return self._focus_tile(
            missed.image,
            target.at(key_frame),
            key_frame if candidate is None else frame,
            None if candidate is None else candidate.focus,
            text,
            missed.mark,
            comment=self._comment(missed),
        )

    def _comment(self, missed: Missed) -> str:
        """Return the comments on a missed focus, and on the candidate that hits it."""
        comments, image = self._evaluation.comments, missed.image.name
        texts = [comments.on_mark(image, missed.target)]
        if missed.candidate is not None:
            texts.append(comments.on_focus(image, missed.candidate.focus))
        return "; ".join(filter(None, texts))

    def _focus_tile(
        self,
        image: ComparedImage,
        place: tuple[float, float, float],
        frame: int,
        number: int | None,
        text: str,
        mark: int | None = None,
        *,
        comment: str,
    ) -> str:
        link = self._links.link(image.name, number)
        missing = ""
        if frame != self._evaluation.run.key_frame(image.name):
            text += f", frame {frame}"
            missing = f"Frame {frame} is not stored."
        box = self._crops.around_focus(self._rows[image.name], *place)
        rings = list(self._rings(image, box, number, mark, frame))
        picture = self._crops.draw(image.name, frame, box, rings, title=f"{image.name}, {text}")
        return _tile(image.name, text, link, picture, missing=missing, comment=comment)

    def _rings(
        self, image: ComparedImage, box: Box, number: int | None, mark: int | None, frame: int
    ) -> Iterator[Ring]:
        """Yield rings around the listed foci and the marks in a part of an image."""
        false = set()
        if image.detections is not None:
            false = set(image.detections.index[image.detections.false_positive].tolist())
        for index, focus in enumerate(image.foci):
            shown = focus.confidence >= self._evaluation.listed or focus.focus == number
            if shown and focus.frame == frame and is_inside(box, focus.x_px, focus.y_px):
                kind = "false" if index in false else "found"
                is_subject = focus.focus == number
                yield Ring(kind, focus.x_px, focus.y_px, focus.diameter_px or 0.0, is_subject)
        for index, target in enumerate(image.targets):
            x, y, diameter = target.at(frame)
            if is_inside(box, x, y):
                yield Ring("true", x, y, diameter, is_subject=index + 1 == mark)

    def _mass_tile(self, dice: float, image: ComparedImage) -> str:
        row = self._rows[image.name]
        area = area_of(read_label_image(self._evaluation.run, row), AreaLabel.MASS)
        found = outline_path(area)
        box = _bounds((found, image.true_masses), (row["rows"], row["columns"]))
        picture = self._crops.draw(
            image.name,
            self._evaluation.run.key_frame(image.name),
            self._crops.around(row, box),
            outlines=[Outline("found", found), Outline("true", image.true_masses)],
            title=f"Masses of {image.name}, found and true",
        )
        text = f"Dice {dice:.2f}"
        if not image.true_masses:
            text += ", no true mass"
        elif not found:
            text += ", none found"
        comment = self._evaluation.comments.on_masses(image.name)
        link = self._links.link(image.name)
        return _tile(image.name, text, link, picture, wide=True, comment=comment)


def is_inside(box: Box, x: float, y: float) -> bool:
    """Return True if a position lies in a part of an image."""
    return box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]


def _bounds(paths: Sequence[str], shape: tuple[int, int]) -> Box:
    """Return the bounding box of outlines as `outline_path` writes them; the whole image for none.

    A path is a list of closed lines, "M x y l dx dy dx dy ... z".
    """
    points = [
        np.cumsum(np.array(line.split(), dtype=float).reshape(-1, 2), axis=0)
        for path in paths
        for line in (re.sub("[l,]", " ", part) for part in re.findall("M([^z]*)z", path))
    ]
    if not points:
        return 0, 0, shape[1], shape[0]
    x, y, width, height = cv2.boundingRect(np.concatenate(points).astype(np.int32))
    return int(x), int(y), int(width), int(height)


def _tile(
    name: str,
    text: str,
    link: str,
    picture: str,
    *,
    missing: str = "",
    wide: bool = False,
    comment: str = "",
) -> str:
    """Return a figure that links to the report, with the comment of a reader."""
    shown = (
        picture or f'<span class="nothing">{escape(missing or "The run has no picture.")}</span>'
    )
    title = escape(name)
    if link:
        address = escape(link, quote=True)
        shown, title = f'<a href="{address}">{shown}</a>', f'<a href="{address}">{title}</a>'
    style = "tile wide" if wide else "tile"
    remark = f"<br><q>{escape(comment)}</q>" if comment else ""
    caption = f"<figcaption>{title}<br>{escape(text)}{remark}</figcaption>"
    return f'<figure class="{style}">{shown}{caption}</figure>'
