"""Summary of a scan, and the choice of the foci that are listed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from usmicro.foci.confidence import calcification_score
from usmicro.foci.models import read_focus_models
from usmicro.foci.operating_point import listing_confidence
from usmicro.foci.site import model_confidence, site_confidence
from usmicro.labelling.calcification import calcification_of_image
from usmicro.model.findings import Focus, Mass, Summary
from usmicro.model.scan import Scan, Spacing
from usmicro.settings import FociSettings, Settings


def listed_foci(foci: Sequence[Focus], settings: Settings) -> list[Focus]:
    """Return the foci that reach the confidence from which foci are listed.

    A focus whose confidence is not a number is listed, because it cannot be ruled out.
    """
    least = listing_confidence(settings.foci)
    return [focus for focus in foci if not focus.confidence < least]


def decisive_foci(confidence: NDArray[np.float64], settings: FociSettings) -> NDArray[np.intp]:
    """Return the indices of the foci of a still image on which its results depend.

    These are the foci that are listed, and the most confident one, which decides the calcification
    score of the image. Twinkling can raise a confidence, so that this holds only for a view without
    colour Doppler.

    Parameters
    ----------
    confidence : array, shape (n,)
        Confidences of the models, from the echo.
    settings : FociSettings
    """
    at_site = np.array([site_confidence(value, settings) for value in confidence.tolist()])
    is_listed = ~(at_site < listing_confidence(settings))  # NaN is listed, see `listed_foci`
    return np.flatnonzero(is_listed | (at_site == at_site.max(initial=-np.inf)))


def summarise(
    scan: Scan,
    foci: Sequence[Focus],
    masses: Sequence[Mass],
    settings: Settings,
    *,
    frames: int,
    geometry: str,
    colour_flow: bool,
    spacing_rejected: bool,
) -> Summary:
    """Summarise a scan.

    Parameters
    ----------
    scan : Scan
    foci : sequence of Focus
        All foci, whether they are listed or not.
    masses : sequence of Mass
    settings : Settings
    frames : int
        Number of frames that were analysed.
    geometry : str
        Geometry of the scan lines.
    colour_flow : bool
        True if the scan shows colour Doppler.
    spacing_rejected : bool
        True if the spacing of the scan is impossible.
    """
    models = read_focus_models(settings.foci.models)
    score = calcification_score(
        (model_confidence(focus.confidence, settings.foci) for focus in foci), models
    )
    labels = [focus.label for focus in listed_foci(foci, settings)]
    spacing = Spacing(source="rejected") if spacing_rejected else scan.spacing
    return Summary(
        frames=frames,
        rows=scan.rows,
        columns=scan.columns,
        spacing_x_mm=spacing.x_mm,
        spacing_y_mm=spacing.y_mm,
        spacing_source=spacing.source,
        geometry=geometry,
        colour_flow="yes" if colour_flow else "no",
        foci=len(labels),
        intramass=labels.count("intramass"),
        extramass=labels.count("extramass"),
        intraductal=labels.count("intraductal"),
        masses=len(masses),
        calcification=calcification_of_image(foci, score, settings),
        calcification_score=score,
    )
