"""Simulated breast ultrasound scans with exact truth: for tests, benchmarks and the sample scans."""

from usmicro.phantom.scene import Curve, DuctShape, FocusShape, Line, MassShape, NonmassShape, Outline, Scene
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate
from usmicro.phantom.truth import TrueColour, TrueFocus, TrueMass, TrueVessel, TrueView, Truth

__all__ = [
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
    "simulate",
]
