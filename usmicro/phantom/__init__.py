"""Simulated breast ultrasound scans with exact truth: for tests, benchmarks and the sample scans."""

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
