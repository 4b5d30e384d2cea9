"""The exact truth of a simulated scan, also as JSON.

Positions are in pixels of the image; pixel centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import BoolImage, LabelImage
from usmicro.model.findings import Kind, Label, PosteriorFeature
from usmicro.model.view import Geometry
from usmicro.phantom.scene import FocusForm

_ARRAYS_OF_COLOUR = ("shown", "velocity")
"""Fields of `TrueColour` that the JSON leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFocus:
    """One focus."""

    x_px: tuple[float, ...]
    """Column in each frame."""
    y_px: tuple[float, ...]
    """Row in each frame."""
    depth_mm: float
    """Depth along the beam from the transducer face, in the first frame."""
    diameter_mm: float
    contrast_db: float
    """Peak of the focus without speckle over the local mean envelope, dB."""
    peak_db: float
    """Peak of the focus with speckle over the local mean envelope, in the first frame, dB."""
    kind: Kind
    label: Label
    shadow: bool
    """True if the focus casts a shadow."""
    shadow_db: float
    """Loss of the echoes directly behind the focus, dB."""
    twinkling: bool
    mass: int | None = None
    """Number of the mass that contains the focus, as in `Truth.mass_labels`."""
    duct: int | None = None
    """Number of the duct that contains the focus, as in `Truth.duct_labels`."""
    nonmass: bool = False
    """True in a nonmass area."""
    cluster: int | None = None
    """Number of the cluster of the focus, from 1."""
    form: FocusForm = "round"
    """Form of the focus; the JSON leaves it out for round foci."""
    view: int = 0
    """Index of the tissue region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueMass:
    """One mass."""

    number: int
    """Value of the mass in `Truth.mass_labels`."""
    x_px: float
    """Column of the centroid."""
    y_px: float
    """Row of the centroid."""
    width_mm: float
    height_mm: float
    area_mm2: float
    content: str
    """solid or cyst."""
    shape: str
    """oval or irregular."""
    margin: str
    """circumscribed or indistinct."""
    posterior: PosteriorFeature
    posterior_db: float
    """Loss of the echoes behind the mass, dB; negative for enhancement."""
    view: int = 0
    """Index of the tissue region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueView:
    """Geometry of one tissue region. `right` and `bottom` are one past the end."""

    geometry: Geometry
    left: int
    top: int
    right: int
    bottom: int
    spacing_mm: float
    face_px: float
    """Row of the transducer face; for a sector, distance of the face from the apex in pixels."""
    apex_px: tuple[float, float] | None = None
    """Column and row of the apex of a sector; None for a linear probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueVessel:
    """One vessel in the first frame."""

    x_px: tuple[float, ...]
    """Columns of points on the axis, in the direction of the flow."""
    y_px: tuple[float, ...]
    """Rows of these points."""
    radius_mm: float
    velocity_cm_s: float
    """Systolic velocity on the axis, along the vessel."""


@dataclass(frozen=True, kw_only=True)
class TrueColour:
    """Truth of the colour Doppler data. The JSON leaves out `velocity` and `shown`."""

    colour_map: str
    """Name of the colour map, see `PhantomSettings`."""
    power: bool
    """True if the colours show power instead of velocity."""
    velocity_limit_cm_s: float
    """Velocity at the ends of the colour bar without shift of the baseline."""
    box_px: tuple[tuple[float, float], ...]
    """Corners (column, row) of the colour box."""
    bar_px: tuple[int, int, int, int] | None
    """Left, top, right and bottom of the colour bar, the last two one past the end; None without
    colour bar."""
    vessels: tuple[TrueVessel, ...]
    flash_frames: tuple[int, ...]
    """Indices of the frames with a flash artefact."""
    shown: BoolImage | None = field(default=None, repr=False, compare=False)
    """True at pixels that show colour; shape (frames, rows, columns)."""
    velocity: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    """Aliased velocity in cm/s, positive towards the transducer, 0 where no colour is shown; shape
    (frames, rows, columns)."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Truth of a simulated scan. Images have the shape of a frame and describe the first frame."""

    views: tuple[TrueView, ...]
    foci: tuple[TrueFocus, ...]
    masses: tuple[TrueMass, ...]
    mass_labels: LabelImage
    """0 outside masses, n in the n-th mass."""
    duct_labels: LabelImage
    """0 outside ducts, n in the n-th duct, wall included."""
    nonmass: BoolImage
    """True in nonmass areas."""
    tissue: BoolImage
    """True at the pixels that scan lines reach."""
    overlay: BoolImage
    """True at burned-in graphics, on the tissue or beside it."""
    motion_mm: tuple[tuple[float, float], ...]
    """Displacement of the tissue in each frame from the first: along the face and in depth."""
    colour: TrueColour | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the truth as values that `json.dumps` accepts; images become run lengths."""
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
        """Return the truth from the result of `to_dict`."""
        colour = values["colour"]
        if colour is not None:
            vessels = tuple(TrueVessel(**_tuples(row)) for row in colour["vessels"])
            plain_fields = {key: _tuple(item) for key, item in colour.items()}
            colour = TrueColour(**{**plain_fields, "vessels": vessels})
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
    """Return the shape of a label image, and the values and lengths of its runs, row by row."""
    flat = image.astype(np.int32).ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    return {
        "shape": list(image.shape),
        "values": flat[starts].tolist(),
        "lengths": np.diff(np.append(starts, flat.size)).tolist(),
    }


def from_run_lengths(runs: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return the image from the result of `run_lengths`."""
    return np.repeat(np.asarray(runs["values"], np.int32), runs["lengths"]).reshape(runs["shape"])


def _without_arrays(colour: TrueColour) -> TrueColour:
    """Return the truth without the arrays, which `asdict` would copy."""
    return TrueColour(
        **{
            item.name: getattr(colour, item.name)
            for item in fields(colour)
            if item.name not in _ARRAYS_OF_COLOUR
        }
    )


def _plain(value: Any) -> Any:
    """Return values of the types of JSON. Numbers are rounded to four decimal places."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in _ARRAYS_OF_COLOUR and (key, item) != ("form", "round")
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in row.items()}
