"""The exact truth of a simulated scan, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.findings import Kind, Label, PosteriorFeature
from usmicro.model.view import Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFocus:
    """One focus; positions in pixels of the image (pixel centres at whole numbers)."""

    x_px: tuple[float, ...]
    """Column in each frame."""
    y_px: tuple[float, ...]
    depth_mm: float
    """Along the beam from the transducer's face, in the first frame."""
    diameter_mm: float
    contrast_db: float
    """Peak of the focus alone over the local mean envelope."""
    peak_db: float
    """Brightest envelope within the focus as it came out, speckle included, over the local mean envelope, in the first frame."""
    kind: Kind
    label: Label
    shadow: bool
    shadow_db: float
    twinkling: bool
    mass: int | None = None
    duct: int | None = None
    nonmass: bool = False
    cluster: int | None = None
    view: int = 0
    """Which tissue region it lies in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueMass:
    """One mass; `number` is its value in `Truth.mass_labels`."""

    number: int
    x_px: float
    y_px: float
    width_mm: float
    height_mm: float
    area_mm2: float
    content: str
    shape: str
    margin: str
    posterior: PosteriorFeature
    posterior_db: float
    view: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueView:
    """Geometry of one tissue region."""

    geometry: Geometry
    left: int
    top: int
    right: int
    bottom: int
    spacing_mm: float
    face_px: float
    """Linear: row of the transducer's face. Sector: distance of the face from the apex."""
    apex_px: tuple[float, float] | None = None
    """Column and row of the apex of a sector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueVessel:
    """One vessel in the first frame."""

    x_px: tuple[float, ...]
    y_px: tuple[float, ...]
    radius_mm: float
    velocity_cm_s: float
    """Systolic velocity in the middle, along the vessel."""


@dataclass(frozen=True, kw_only=True)
class TrueColour:
    """What the colour Doppler data shows; `velocity` and `shown` are left out of the JSON."""

    colour_map: str
    power: bool
    velocity_limit_cm_s: float
    box_px: tuple[tuple[float, float], ...]
    """Corners (column, row) of the colour box."""
    bar_px: tuple[int, int, int, int] | None
    """Left, top, right, bottom of the colour bar, the last two one past the end; None where there is none."""
    vessels: tuple[TrueVessel, ...]
    flash_frames: tuple[int, ...]
    shown: BoolImage | None = field(default=None, repr=False, compare=False)
    """(frames, rows, columns): pixels that show colour."""
    velocity: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    """(frames, rows, columns): aliased velocity in cm/s, positive towards the transducer; 0 where no colour is shown."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """All that is known of a simulated scan; images have the size of a frame and hold for the first frame."""

    views: tuple[TrueView, ...]
    foci: tuple[TrueFocus, ...]
    masses: tuple[TrueMass, ...]
    mass_labels: LabelImage
    duct_labels: LabelImage
    nonmass: BoolImage
    tissue: BoolImage
    overlay: BoolImage
    """Burned-in text, calipers and cursors, on the tissue or beside it."""
    motion_mm: tuple[tuple[float, float], ...]
    """Displacement of the tissue in each frame against the first: along the face and in depth."""
    colour: TrueColour | None = None

    def to_dict(self) -> dict[str, Any]:
        """The truth as values that `json.dumps` takes; images as run lengths, row by row."""
        out: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                out[item.name] = run_lengths(value)
            elif item.name == "colour":
                out[item.name] = None if value is None else _plain(asdict(_without_arrays(value)))
            elif item.name == "motion_mm":
                out[item.name] = _plain(value)
            else:
                out[item.name] = [_plain(asdict(row)) for row in value]
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Truth:
        """The truth again from what `to_dict` gave."""
        colour = values["colour"]
        if colour is not None:
            vessels = tuple(TrueVessel(**_tuples(row)) for row in colour["vessels"])
            colour = TrueColour(
                **{**{key: _tuple(item) for key, item in colour.items()}, "vessels": vessels}
            )
        return cls(
            views=tuple(TrueView(**_tuples(row)) for row in values["views"]),
            foci=tuple(TrueFocus(**_tuples(row)) for row in values["foci"]),
            masses=tuple(TrueMass(**_tuples(row)) for row in values["masses"]),
            mass_labels=from_run_lengths(values["mass_labels"]).astype(np.int32),
            duct_labels=from_run_lengths(values["duct_labels"]).astype(np.int32),
            nonmass=from_run_lengths(values["nonmass"]).astype(np.bool_),
            tissue=from_run_lengths(values["tissue"]).astype(np.bool_),
            overlay=from_run_lengths(values["overlay"]).astype(np.bool_),
            motion_mm=tuple((x, y) for x, y in values["motion_mm"]),
            colour=colour,
        )


def run_lengths(image: NDArray[Any]) -> dict[str, list[int]]:
    """An image of labels as its shape, the values of its runs and their lengths, row by row."""
    flat = image.astype(np.int32).ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    return {
        "shape": list(image.shape),
        "values": flat[starts].tolist(),
        "lengths": np.diff(np.append(starts, flat.size)).tolist(),
    }


def from_run_lengths(runs: Mapping[str, Any]) -> NDArray[np.int32]:
    """The image that `run_lengths` took apart."""
    return np.repeat(np.asarray(runs["values"], np.int32), runs["lengths"]).reshape(runs["shape"])


def _without_arrays(colour: TrueColour) -> TrueColour:
    return TrueColour(
        **{
            item.name: getattr(colour, item.name)
            for item in fields(colour)
            if item.name not in ("shown", "velocity")
        }
    )


def _plain(value: Any) -> Any:
    """JSON's own types, with numbers rounded to a ten-thousandth: finer than anything that is measured."""
    if isinstance(value, dict):
        return {
            key: _plain(item) for key, item in value.items() if key not in ("shown", "velocity")
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in row.items()}
