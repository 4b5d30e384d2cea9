"""An analysis that is made by hand, for tests of the files that are written."""

from dataclasses import replace

import numpy as np

from usmicro.model.findings import Focus, Mass, MassPoint, Summary, TrackPoint
from usmicro.model.scan import Scan
from usmicro.result import Analysis, Table
from usmicro.settings import Settings

FOCUS = Focus(
    frame=0,
    focus=1,
    x_px=300.25,
    y_px=200.75,
    x_mm=-1.5,
    depth_mm=16.25,
    diameter_mm=0.5,
    diameter_px=6.25,
    contrast=8.125,
    false_alarm=1.25e-7,
    confidence=0.875,
    kind="punctate",
    label="intramass",
    label_confidence=0.75,
    label_reason="inside mass 1, 2.1 mm from its edge",
    mass=1,
    duct=None,
    nonmass="no",
    distance_to_mass_mm=0.0,
    cluster=None,
    shadow="yes",
    shadow_drop=1.5,
    shadow_p=0.001,
    shadow_length_mm=4.0,
    twinkling="not assessable",
    twinkling_score=None,
    track=None,
    seen_frames=None,
    origin="echo",
    shadow_reason="Darker than both flanks by 1.5 times their spread (p = 0.001).",
    twinkling_reason="No colour Doppler covers the focus.",
    confidence_reason="Raised by appearance and contrast; lowered by depth.",
)
MASS = Mass(
    frame=0,
    mass=1,
    x_px=300.0,
    y_px=200.0,
    width_mm=10.0,
    height_mm=8.0,
    area_mm2=62.5,
    orientation="parallel",
    posterior="none",
    posterior_score=-0.0,
    confidence=0.5,
    foci=1,
    source="found",
)


def made_analysis(
    *, rows: int = 400, columns: int = 640, frames: int = 1, foci: tuple[Focus, ...] | None = None
) -> Analysis:
    """Return an analysis of noise with areas of all kinds and foci of all labels."""
    generator = np.random.default_rng(1)
    image = generator.rayleigh(40, (rows, columns)).clip(0, 255).astype(np.uint8)
    y, x = np.mgrid[:rows, :columns]
    labels = np.zeros((rows, columns), np.uint8)
    labels[np.hypot((x - 0.47 * columns) / 70, (y - rows / 2) / 50) < columns / 640] = 1
    labels[(abs(y - 0.75 * rows) < 8) & (x < 0.4 * columns)] = 2
    labels[np.hypot(x - 0.8 * columns, y - 0.4 * rows) < 50 * columns / 640] = 3
    top = rows // 10
    labels[:top] = 255
    image[: top - 4] = 250  # where a scanner prints a name
    at = {"intramass": (0.47, 0.5), "extramass": (0.8, 0.4), "intraductal": (0.2, 0.75)}
    if foci is None:
        foci = tuple(
            replace(
                FOCUS,
                focus=number,
                label=label,
                x_px=columns * fx,
                y_px=rows * fy,
                mass=1 if number == 1 else None,
            )
            for number, (label, (fx, fy)) in enumerate(at.items(), 1)
        )
    mass = replace(MASS, x_px=0.47 * columns, y_px=rows / 2)
    scan = Scan("scan.png", None, rows, columns, frames, lambda: iter([image]))
    summary = Summary(
        frames=frames,
        rows=rows,
        columns=columns,
        spacing_x_mm=0.08,
        spacing_y_mm=0.08,
        spacing_source="given",
        geometry="linear",
        colour_flow="no",
        foci=len(foci),
        intramass=1,
        extramass=1,
        intraductal=1,
        masses=1,
        calcification="in a mass+intraductal",
        calcification_score=0.9,
    )
    tracks = [
        TrackPoint(
            focus=focus.focus,
            frame=frame,
            time_s=None,
            x_px=focus.x_px,
            y_px=focus.y_px,
            x_mm=focus.x_mm,
            depth_mm=focus.depth_mm,
            confidence=focus.confidence,
        )
        for focus in foci
        for frame in range(frames)
        if frames > 1
    ]
    analysis = Analysis(scan, Settings(), Table(foci), Table([mass]), summary, 0, image, labels)
    mass_tracks = [
        MassPoint(mass=mass.mass, frame=frame, x_px=mass.x_px, y_px=mass.y_px)
        for frame in range(frames if frames > 1 else 0)
    ]
    return replace(analysis, tracks=Table(tracks), mass_tracks=Table(mass_tracks))
