"""Rows: what the stages say of the foci and masses of one view of a frame, as the tables have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usmicro.labelling.labels import place_foci
from usmicro.model.anatomy import Anatomy
from usmicro.model.findings import Candidates, Focus, Mass, Shadow
from usmicro.model.view import View
from usmicro.posterior.focus_shadow import focus_shadows
from usmicro.posterior.mass_features import posterior_feature
from usmicro.settings import Settings

Timed = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class FocusRows:
    """Makes the rows of foci; shadow and label are measured only of those that are asked for."""

    view: View
    anatomy: Anatomy
    frame: int
    candidates: Candidates
    confidence: NDArray[np.float64]
    mass_numbers: dict[int, int]
    """For each mass of the view the number that stays the same over the frames."""
    settings: Settings
    timed: Timed

    def of_echoes(self, which: Sequence[int]) -> list[Focus]:
        """The rows of some candidates."""
        if not len(which):
            return []
        chosen = self.candidates.take(np.asarray(which))
        with self.timed("shadow"):
            shadows = focus_shadows(
                self.view,
                chosen.x,
                chosen.y,
                chosen.diameter,
                self.settings.shadow,
                self.anatomy.masses,
            )
        return self._rows(chosen.x, chosen.y, shadows, chosen, self.confidence[np.asarray(which)])

    def of_colours(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Focus]:
        """The rows of places at grid positions that only colour shows: what is measured of an echo is unknown."""
        return self._rows(
            x,
            y,
            [Shadow("not assessable", reason="no echo of its own")] * len(x),
            None,
            np.zeros(len(x)),
        )

    def _rows(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        shadows: Sequence[Shadow],
        echoes: Candidates | None,
        confidence: NDArray[np.float64],
    ) -> list[Focus]:
        if not len(x):
            return []
        view, grid = self.view, self.view.grid
        with self.timed("labels"):
            places = place_foci(view, self.anatomy, x, y, self.settings.labels)
        x_px, y_px = grid.to_image(x, y)
        depth = view.scan_lines.depth(x, y)
        return [
            Focus(
                frame=self.frame,
                focus=0,
                x_px=float(x_px[i]),
                y_px=float(y_px[i]),
                x_mm=grid.in_mm(float(x[i] - view.scan_lines.middle_x)),
                depth_mm=grid.in_mm(float(depth[i])),
                diameter_mm=None if echoes is None else grid.in_mm(float(echoes.diameter[i])),
                diameter_px=None
                if echoes is None
                else float(echoes.diameter[i] * np.sqrt(grid.step_x * grid.step_y)),
                contrast=None if echoes is None else float(echoes.contrast[i]),
                false_alarm=None if echoes is None else float(echoes.false_alarm[i]),
                confidence=float(confidence[i]),
                kind=None if echoes is None else "coarse" if echoes.coarse[i] else "punctate",
                label=place.label,
                label_confidence=place.confidence,
                label_reason=place.reason,
                mass=None if place.mass is None else self.mass_numbers[place.mass],
                duct=place.duct,
                nonmass="yes" if place.nonmass else "no",
                distance_to_mass_mm=grid.in_mm(place.mass_distance),
                cluster=None,
                shadow=shadow.verdict,
                shadow_drop=shadow.drop,
                shadow_p=shadow.p,
                shadow_length_mm=grid.in_mm(shadow.length),
                twinkling="not assessable",
                twinkling_score=None,
                track=None,
                seen_frames=None,
                origin="twinkling" if echoes is None else "echo",
            )
            for i, (place, shadow) in enumerate(zip(places, shadows, strict=True))
        ]


@dataclass(frozen=True, slots=True)
class MassPlaces:
    """Where the masses of an anatomy lie."""

    anatomy: Anatomy
    present: tuple[int, ...]
    """A mass that a user outlined on one view of the screen is absent from the others."""
    x: NDArray[np.float64]
    """Grid columns of their centroids."""
    y: NDArray[np.float64]

    @classmethod
    def of(cls, anatomy: Anatomy) -> MassPlaces:
        """The masses of an anatomy."""
        numbers = range(1, len(anatomy.mass_confidence) + 1)
        pixels = {number: np.nonzero(anatomy.masses == number) for number in numbers}
        present = tuple(number for number in numbers if len(pixels[number][0]))
        y, x = (np.array([pixels[number][axis].mean() for number in present]) for axis in (0, 1))
        return cls(anatomy, present, x, y)


def mass_row(
    view: View, masses: MassPlaces, index: int, frame: int, settings: Settings, timed: Timed
) -> Mass:
    """The row of one of the masses that are present."""
    grid, number = view.grid, masses.present[index]
    mass = masses.anatomy.masses == number
    in_row, in_column = np.nonzero(mass)
    width, height = (
        float(np.ptp(in_column) + 1),
        float(np.ptp(view.scan_lines.depth(in_column, in_row)) + 1),
    )
    x_px, y_px = grid.to_image(masses.x[index], masses.y[index])
    with timed("shadow"):
        behind = posterior_feature(view, mass, settings.shadow)
    return Mass(
        frame=frame,
        mass=0,
        x_px=float(x_px),
        y_px=float(y_px),
        width_mm=grid.in_mm(width),
        height_mm=grid.in_mm(height),
        area_mm2=grid.in_mm(grid.in_mm(float(len(in_row)))),
        orientation="parallel" if width >= height else "not parallel",
        posterior=behind.feature,
        posterior_score=behind.score,
        confidence=masses.anatomy.mass_confidence[number - 1],
        foci=0,
    )
