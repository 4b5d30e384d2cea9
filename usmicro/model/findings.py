"""Findings: the results of the stages on one view, and the rows of the tables of a scan."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Label = Literal["intramass", "extramass", "intraductal"]
Kind = Literal["punctate", "coarse"]
Origin = Literal["echo", "twinkling"]
ShadowVerdict = Literal["yes", "no", "not assessable"]
TwinklingVerdict = Literal["yes", "possible", "no", "not assessable"]
PosteriorFeature = Literal["none", "enhancement", "shadowing", "combined", "not assessable"]
Orientation = Literal["parallel", "not parallel"]
MassSource = Literal["found", "given"]
YesNo = Literal["yes", "no"]

NOT_A_COLUMN = {"column": False}
"""Metadata of a field of a row that is no column of its table."""

# ---- results of the stages on one view; positions and lengths in grid pixels ----


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates for echogenic foci on one view, strongest first; all arrays have shape (n,)."""

    x: NDArray[np.float64]
    """Grid column, with sub-pixel accuracy."""
    y: NDArray[np.float64]
    """Grid row, with sub-pixel accuracy."""
    diameter: NDArray[np.float64]
    """Full width at half maximum, grid pixels."""
    contrast: NDArray[np.float64]
    """(grey - q50) / (q75 - q50), with the quartiles of the grey level in the surrounding ring. NaN
    if it is not measured."""
    false_alarm: NDArray[np.float64]
    """Probability that speckle alone responds as strongly in one resolution cell. NaN if it is not
    measured."""
    line: NDArray[np.float64]
    """Likeness to a line: 0 for a round point, 1 for a long line."""
    coarse: NDArray[np.bool_]
    """True if larger than the image of a point at the resolution of the scan."""
    width: NDArray[np.float64]
    """Extent along the grid columns, grid pixels; the diameter of a round focus."""
    height: NDArray[np.float64]
    """Extent along the grid rows, grid pixels; the diameter of a round focus."""
    outline: NDArray[np.object_]
    """Corners (m, 2), float32, of the outline of a clump: grid column and row; None for a round
    focus."""
    features: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """Further measurements for the confidence, by name; see `usmicro.foci.features`."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: NDArray[Any]) -> Candidates:
        """Return the candidates that an index array or a mask selects."""
        chosen = {
            f.name: getattr(self, f.name)[which] for f in fields(self) if f.name != "features"
        }
        return Candidates(
            **chosen, features={name: values[which] for name, values in self.features.items()}
        )


@dataclass(frozen=True, slots=True, eq=False)
class ShadowProfile:
    """Grey levels behind a focus and beside it, against depth; arrays have shape (n,), float32.

    Each value is the mean over the width of the strip or flank. It is NaN at a depth at which they
    were not compared, for instance where text covers one of them. Echoes that are too bright for
    speckle were cut before.
    """

    depth_px: NDArray[np.float32]
    """Distance from the lower edge of the focus along the beam, in pixels of the input image, or in
    the square root of their area where they are not square."""
    depth_mm: NDArray[np.float32] | None
    """The same distance in mm; None without pixel spacing."""
    strip: NDArray[np.float32]
    """Grey level of the strip behind the focus, 0 to 255."""
    left: NDArray[np.float32]
    """Grey level of the flank to the left of the strip."""
    right: NDArray[np.float32]
    """Grey level of the flank to the right of the strip."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Posterior acoustic shadow of one focus."""

    verdict: ShadowVerdict
    drop: float | None = None
    """Fall of the grey level behind the focus relative to both flanks, in units of the local
    (q75 - q50); positive if darker."""
    p: float | None = None
    """Probability that speckle alone causes a fall as large."""
    length: float | None = None
    """Length of the shadow from the lower edge of the focus, in grid pixels."""
    reason: str = ""
    """What decided the verdict, or why the shadow is not assessable."""
    profile: ShadowProfile | None = field(default=None, repr=False, compare=False)
    """What was compared; None if the shadow is not assessable."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior feature of a mass."""

    feature: PosteriorFeature
    score: float | None = None
    """Probability of enhancement minus that of shadowing, -1 to 1: negative for shadowing, positive
    for enhancement."""


@dataclass(frozen=True, slots=True)
class Twinkling:
    """Doppler twinkling at one focus."""

    verdict: TwinklingVerdict
    score: float | None = None
    """Evidence for twinkling, 0 to 1; None if not assessable."""
    reason: str = ""
    """What decided the verdict, or why twinkling is not assessable."""


# ---- rows of the tables; positions in pixels of the input image, None if not measured ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """One echogenic focus: a row of foci.csv.

    The fields are the columns; docs/outputs.md explains each.
    """

    frame: int
    focus: int
    x_px: float
    y_px: float
    x_mm: float | None
    depth_mm: float | None
    diameter_mm: float | None
    diameter_px: float | None
    contrast: float | None
    false_alarm: float | None
    confidence: float
    kind: Kind | None
    label: Label
    label_confidence: float
    label_reason: str
    mass: int | None
    duct: int | None
    nonmass: YesNo
    distance_to_mass_mm: float | None
    cluster: int | None
    shadow: ShadowVerdict
    shadow_drop: float | None
    shadow_p: float | None
    shadow_length_mm: float | None
    twinkling: TwinklingVerdict
    twinkling_score: float | None
    track: int | None
    seen_frames: int | None
    origin: Origin
    """Why the focus is listed: for its echo, or only for its twinkling."""
    shadow_reason: str
    """What decided the shadow verdict, or why the shadow is not assessable."""
    twinkling_reason: str
    """What decided the twinkling verdict, or why twinkling is not assessable."""
    confidence_reason: str
    """The measures, up to three, that raised or lowered the confidence on the best frame most."""
    outline_px: str | None = None
    """Corners of the outline of a clump, "column,row column,row ..."; None for a round focus."""
    shadow_profile: ShadowProfile | None = field(
        default=None, repr=False, compare=False, metadata=NOT_A_COLUMN
    )
    """Grey levels of the strip behind the focus and of its flanks; None if the shadow is not
    assessable. It is no column of foci.csv."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate for a focus on the key frame: a row of `Analysis.candidates`.

    The fields are explained in docs/outputs.md.
    """

    frame: int
    x_px: float
    y_px: float
    x_mm: float | None
    depth_mm: float | None
    diameter_px: float
    diameter_mm: float | None
    contrast: float | None
    false_alarm: float | None
    confidence: float
    """Confidence on this frame alone, from the echo."""
    listed: YesNo
    focus: int | None
    """Number of the focus in foci.csv; None if it is not listed."""
    reason: str
    """Why the candidate is listed or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mass:
    """One mass: a row of masses.csv.

    The fields are the columns; docs/outputs.md explains each.
    """

    frame: int
    mass: int
    x_px: float
    y_px: float
    width_mm: float | None
    height_mm: float | None
    area_mm2: float | None
    orientation: Orientation
    posterior: PosteriorFeature
    posterior_score: float | None
    confidence: float
    foci: int
    source: MassSource
    """Whether the program found the mass, or the user's mask gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster of foci: a row of clusters.csv.

    The fields are the columns; docs/outputs.md explains each.
    """

    frame: int
    cluster: int
    foci: int
    x_px: float
    y_px: float
    x_mm: float | None
    depth_mm: float | None
    width_mm: float | None
    height_mm: float | None
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """One focus on one frame of a cine that shows it: a row of tracks.csv.

    The fields are the columns; docs/outputs.md explains each.
    """

    focus: int
    frame: int
    time_s: float | None
    x_px: float
    y_px: float
    x_mm: float | None
    depth_mm: float | None
    confidence: float
    """Confidence on this frame alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MassPoint:
    """The centroid of one mass on one frame of a cine that shows it."""

    mass: int
    """Number in masses.csv."""
    frame: int
    """Index of the frame in the scan."""
    x_px: float
    """Column in the input image."""
    y_px: float
    """Row in the input image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinklingPoint:
    """How much the colours at one focus look like twinkling on one frame of a cine."""

    focus: int
    """Number in foci.csv."""
    frame: int
    """Index of the frame in the scan; the focus lies in the colour box there."""
    evidence: float
    """0 to 1, see `usmicro.doppler.twinkling.frame_evidence`; it is no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Findings on the image as a whole: a row of images.csv.

    The fields are columns; docs/outputs.md explains each. A run adds the columns image, status,
    error and seconds.
    """

    frames: int
    rows: int
    columns: int
    spacing_x_mm: float | None
    spacing_y_mm: float | None
    spacing_source: str
    geometry: str
    colour_flow: YesNo
    foci: int
    intramass: int
    extramass: int
    intraductal: int
    masses: int
    calcification: str
    calcification_score: float


def column_names(kind: type[Any]) -> tuple[str, ...]:
    """Return the columns of the table that holds rows of this kind, in order."""
    return tuple(item.name for item in fields(kind) if item.metadata.get("column", True))
