"""Sets of varied simulated scans for tests, benchmarks and training.

The ranges of the settings were chosen by eye so that the scans vary as those of different scanners
do; no measurement is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from usmicro.errors import UsageError
from usmicro.phantom.settings import BAR_PLACES, BOX_STYLES, VELOCITY_MAPS, PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate

SetKind = Literal[
    "mixed", "faint", "no foci", "no masses", "speckle", "twinkling", "vessel", "flash", "noise"
]


def random_settings(seed: int, kind: SetKind = "mixed") -> PhantomSettings:
    """Draw the settings of one scan of a set.

    Parameters
    ----------
    seed : int
    kind : str
        Name of the set:

        mixed: B-mode scenes with foci of 12 to 20 dB in masses, ducts and other tissue;
        faint: the same with foci of 6 to 12 dB;
        no foci: the same without foci;
        no masses: the same as mixed without masses and the foci in them;
        speckle: homogeneous tissue without objects;
        twinkling: colour Doppler clips with twinkling foci, and a vessel in half of them;
        vessel: colour Doppler clips with vessels;
        flash: colour Doppler clips with flash artefacts over a vessel;
        noise: colour Doppler clips with noise.

        The colour map, bar, box, baseline, opacity, persistence and compression of clips vary.

    Returns
    -------
    PhantomSettings

    Raises
    ------
    UsageError
        If there is no such set.
    """
    if kind not in get_args(SetKind):
        raise UsageError(
            f"{kind!r} is not a set of phantoms: expected one of {', '.join(get_args(SetKind))}"
        )
    rng = np.random.default_rng([seed, 7])
    settings = _probe_and_display(rng, sector=rng.random() < 0.2)
    if kind == "speckle":
        return replace(
            settings,
            anatomy=False,
            masses=0,
            ducts=0,
            intramass=0,
            intraductal=0,
            extramass=0,
            snr=float(rng.uniform(1.3, 1.85)),
            looks=1,
        )
    settings = _scene(rng, settings)
    if kind == "faint":
        return replace(settings, least_contrast=6.0, most_contrast=12.0)
    if kind == "no foci":
        return replace(settings, intramass=0, intraductal=0, extramass=0, in_nonmass=0, clusters=0)
    if kind == "no masses":
        return replace(settings, masses=0, intramass=0)
    return settings if kind == "mixed" else _colour_display(rng, _colour(rng, settings, kind))


def phantom_set(kind: SetKind, seeds: Iterable[int]) -> Iterator[Phantom]:
    """Yield the scans of a set, one per seed; `random_settings` describes the sets."""
    for seed in seeds:
        yield simulate(seed, random_settings(seed, kind), name=f"{kind.replace(' ', '-')}-{seed}")


def _probe_and_display(rng: np.random.Generator, *, sector: bool) -> PhantomSettings:
    """Draw settings of the probe, the speckle and the display."""
    if sector:
        settings = PhantomSettings(
            geometry="sector",
            width=rng.uniform(44, 58),
            depth=rng.uniform(40, 50),
            radius=rng.uniform(45, 60),
        )
    else:
        settings = PhantomSettings(width=rng.uniform(34, 46), depth=rng.uniform(30, 45))
    return replace(
        settings,
        spacing=rng.uniform(0.1, 0.12) if sector else rng.uniform(0.055, 0.085),
        axial=rng.uniform(0.15, 0.26),
        lateral=rng.uniform(0.3, 0.5),
        focal_depth=rng.uniform(12, 22),
        snr=rng.uniform(1.3, 1.7),
        looks=int(rng.integers(2, 7)),
        dynamic_range=rng.uniform(55, 72),
        grey=rng.uniform(85, 125),
        curve=rng.uniform(0, 0.6),
        tint=bool(rng.random() < 0.25),
        jpeg_quality=int(rng.choice([0, 0, 90, 95])),
    )


def _scene(rng: np.random.Generator, settings: PhantomSettings) -> PhantomSettings:
    """Draw settings of the anatomy, the foci and the burned-in graphics."""
    screen = bool(rng.random() < 0.3)
    masses, ducts = int(rng.choice([0, 1, 1, 2])), int(rng.choice([0, 1, 1, 2]))
    nonmass = int(rng.random() < 0.3)
    return replace(
        settings,
        fat=rng.uniform(5, 12),
        gland=rng.uniform(12, 22),
        ligaments=int(rng.integers(4, 12)),
        dashes=int(rng.integers(15, 45)),
        masses=masses,
        ducts=ducts,
        nonmass=nonmass,
        intramass=int(rng.integers(1, 6)),
        intraductal=int(rng.integers(1, 4)),
        extramass=int(rng.integers(0, 3)),
        in_nonmass=int(rng.integers(0, 4)),
        clusters=int(rng.random() < 0.15),
        least_contrast=12.0,
        most_contrast=20.0,
        screen=screen,
        header=screen,
        grey_bar=screen,
        body_mark=screen and bool(rng.random() < 0.5),
        ruler=bool(rng.random() < 0.4),
        calipers=bool(rng.random() < 0.25),
        text=bool(rng.random() < 0.2),
    )


def _colour(rng: np.random.Generator, settings: PhantomSettings, kind: SetKind) -> PhantomSettings:
    """Draw settings of a colour Doppler clip."""
    return replace(
        settings,
        masses=1,
        cysts=0.0,
        ducts=int(rng.random() < 0.4),
        nonmass=0,
        intramass=int(rng.integers(1, 4)),
        intraductal=1,
        extramass=1,
        clusters=0,
        tint=False,
        colour=True,
        colour_map=_colour_map(rng, kind),
        velocity_limit=float(rng.choice([3.0, 5.0, 8.0])),
        # every number is drawn for every kind: the numbers drawn after it depend on that
        vessels={
            "twinkling": int(rng.random() < 0.5),
            "vessel": int(rng.integers(1, 4)),
            "flash": 1,
        }.get(kind, 0),
        vessel_velocity=rng.uniform(2, 9),
        twinkling=0.6 if kind == "twinkling" else 0.0,
        flash=rng.uniform(0.15, 0.5) if kind == "flash" else 0.0,
        colour_noise=rng.uniform(0.01, 0.05) if kind == "noise" else rng.uniform(0, 0.004),
        frames=int(rng.integers(12, 25)),
        motion=rng.uniform(0.03, 0.2),
    )


def _colour_map(rng: np.random.Generator, kind: SetKind) -> str:
    # noise is also shown as power
    if kind != "noise" or rng.random() < 0.7:
        return str(rng.choice(VELOCITY_MAPS))
    return "power"


def _colour_display(rng: np.random.Generator, settings: PhantomSettings) -> PhantomSettings:
    """Draw settings of the display of colour data, which differs among scanners."""
    return replace(
        settings,
        colour_bar=str(rng.choice(BAR_PLACES, p=[0.5, 0.2, 0.15, 0.15])),
        box_style=str(rng.choice(BOX_STYLES, p=[0.7, 0.15, 0.15])),
        baseline_shift=_baseline_shift(rng),
        colour_opacity=rng.uniform(0.6, 0.9) if rng.random() < 0.25 else 1.0,
        persistence=rng.uniform(0.1, 0.5) if rng.random() < 0.5 else 0.0,
        jpeg_quality=int(rng.choice([0, 75, 90])),
    )


def _baseline_shift(rng: np.random.Generator) -> float:
    if rng.random() < 0.25:
        return float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.5))
    return 0.0
