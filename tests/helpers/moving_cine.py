"""An analysis of a cine that is made by hand: tissue, foci and areas move from frame to frame."""

from dataclasses import replace

import numpy as np

from tests.helpers.finished_analysis import made_analysis
from usmicro.model.anatomy import AreaLabel
from usmicro.model.findings import MassPoint, TrackPoint, TwinklingPoint
from usmicro.model.frame_outlines import FrameOutlines
from usmicro.result import Analysis, Table

BASE = made_analysis()
FRAMES, KEY_FRAME, SHIFT = 9, 4, 4
"""Number of frames, index of the key frame, and columns that the tissue moves in each frame."""
SHOWN = {1: (1, 2, 3, 6), 2: (2, 4, 5), 3: (6,)}
"""Frames that show each focus."""
BEST = {1: 2, 2: 4, 3: 6}
"""Frame on which each focus is most confident."""
MASS_FRAMES = (3, 4)
"""Frames on which the mass of the table is seen. Its area is on all frames but the last."""
WITHOUT_TISSUE = 8
"""Frame that shows no tissue."""


def cine_frame(frame: int) -> np.ndarray:
    """Return a frame: noise, and a header with a name outside the tissue."""
    image = BASE.image.copy()
    image[:36] = 250 - frame
    return np.roll(image, SHIFT * frame, axis=1)


def cine_labels(frame: int) -> np.ndarray:
    """Return the label image of a frame; the tissue begins lower on later frames."""
    labels = np.roll(BASE.labels, SHIFT * frame, axis=1)
    labels[: 40 + frame] = AreaLabel.NOT_TISSUE
    return labels


def moving_cine() -> Analysis:
    """Return an analysis of a cine with three foci and a mass."""
    analysis = made_analysis(frames=FRAMES)
    times = tuple(frame / 20 for frame in range(FRAMES))
    scan = replace(
        analysis.scan,
        frame_times=times,
        read=lambda: (cine_frame(frame) for frame in range(FRAMES)),
    )
    outlines = FrameOutlines()
    for frame in range(FRAMES):
        outlines.add(frame, None if frame == WITHOUT_TISSUE else cine_labels(frame))
    foci = [
        replace(
            focus,
            frame=BEST[focus.focus],
            x_px=focus.x_px + SHIFT * BEST[focus.focus],
            confidence=0.9 - 0.1 * focus.focus,
        )
        for focus in analysis.foci
    ]
    points = [
        TrackPoint(
            focus=focus.focus,
            frame=frame,
            time_s=times[frame],
            x_px=focus.x_px + SHIFT * (frame - focus.frame),
            y_px=focus.y_px,
            x_mm=None,
            depth_mm=None,
            confidence=0.5 + frame / 1000,
        )
        for focus in foci
        for frame in SHOWN[focus.focus]
    ]
    (mass,) = analysis.masses
    centres = [
        MassPoint(mass=mass.mass, frame=frame, x_px=mass.x_px + SHIFT * frame, y_px=mass.y_px)
        for frame in MASS_FRAMES
    ]
    return replace(
        analysis,
        scan=scan,
        foci=Table(foci),
        masses=Table([replace(mass, frame=3, x_px=mass.x_px + SHIFT * 3)]),
        tracks=Table(points),
        mass_tracks=Table(centres),
        twinkling=Table([TwinklingPoint(focus=2, frame=4, evidence=0.61803)]),
        frame=KEY_FRAME,
        image=cine_frame(KEY_FRAME),
        labels=cine_labels(KEY_FRAME),
        outlines=outlines,
    )
