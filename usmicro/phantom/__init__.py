"""Numerical phantoms: simulated breast ultrasound scans with exact truth.

They serve tests, benchmarks, the training of the models and the sample scans.

The same seed, settings and scene give the same scan. Constants and ranges of the simulation whose
docstring names no source were chosen by eye so that simulated scans look like real ones; no
measurement is recorded.
"""

from usmicro.phantom.files import write_dicom, write_png
from usmicro.phantom.samples import SAMPLES, write_samples
from usmicro.phantom.scene import (
    ColourBox,
    Curve,
    DuctShape,
    FocusShape,
    Line,
    MassShape,
    NonmassShape,
    Outline,
    Scene,
    VesselShape,
)
from usmicro.phantom.sets import phantom_set, random_settings
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate
from usmicro.phantom.truth import TrueColour, TrueFocus, TrueMass, TrueVessel, TrueView, Truth

__all__ = [
    "SAMPLES",
    "ColourBox",
    "Curve",
    "DuctShape",
    "FocusShape",
    "Line",
    "MassShape",
    "NonmassShape",
    "Outline",
    "Phantom",
    "PhantomSettings",
    "Scene",
    "TrueColour",
    "TrueFocus",
    "TrueMass",
    "TrueVessel",
    "TrueView",
    "Truth",
    "VesselShape",
    "phantom_set",
    "random_settings",
    "simulate",
    "write_dicom",
    "write_png",
    "write_samples",
]
