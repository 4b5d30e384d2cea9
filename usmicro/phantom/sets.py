"""Varied sets of simulated scans for benchmarks."""

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
    """Settings of one scan of a set.

    Parameters
    ----------
    seed : int
    kind : str
        mixed: B-mode scenes with foci of 12 to 20 dB in all three places; faint: the same with foci of 6 to 12 dB; no foci: the
        same without; no masses: as mixed, without masses and the foci in them; speckle: homogeneous tissue without anything;
        twinkling, vessel, flash, noise: colour Doppler clips whose colour comes from twinkling foci (and a vessel in half of them),
        from vessels alone, from flash artefacts over a vessel, or from noise. Colour map, bar, box, baseline, opacity, persistence
        and compression vary as among vendors.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    if kind not in get_args(SetKind):
        raise UsageError(
            f"there is no set of phantoms {kind!r}; the sets are {', '.join(get_args(SetKind))}"
        )
    rng = np.random.default_rng([seed, 7])
    settings = _display(rng, sector=rng.random() < 0.2)
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
    return settings if kind == "mixed" else _look(rng, _colour(rng, settings, kind))


def phantom_set(kind: SetKind, seeds: Iterable[int]) -> Iterator[Phantom]:
    """The scans of a set, one a seed; see `random_settings` for the kinds."""
    for seed in seeds:
        yield simulate(seed, random_settings(seed, kind), name=f"{kind.replace(' ', '-')}-{seed}")


def _display(rng: np.random.Generator, *, sector: bool) -> PhantomSettings:
    """Probe, speckle and display."""
    shape = (
        {
            "geometry": "sector",
            "width": rng.uniform(44, 58),
            "depth": rng.uniform(40, 50),
            "radius": rng.uniform(45, 60),
        }
        if sector
        else {"width": rng.uniform(34, 46), "depth": rng.uniform(30, 45)}
    )
    return PhantomSettings(
        **shape,  # type: ignore[arg-type]
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
    """Anatomy, foci and what is burned in."""
    screen = bool(rng.random() < 0.3)
    masses, ducts, nonmass = (
        int(rng.choice([0, 1, 1, 2])),
        int(rng.choice([0, 1, 1, 2])),
        int(rng.random() < 0.3),
    )
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
    """A colour Doppler clip."""
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
        colour_map=str(rng.choice(VELOCITY_MAPS))
        if kind != "noise" or rng.random() < 0.7
        else "power",
        velocity_limit=float(rng.choice([3.0, 5.0, 8.0])),
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


def _look(rng: np.random.Generator, settings: PhantomSettings) -> PhantomSettings:
    """What vendors do differently with the same colour data."""
    return replace(
        settings,
        colour_bar=str(rng.choice(BAR_PLACES, p=[0.5, 0.2, 0.15, 0.15])),
        box_style=str(rng.choice(BOX_STYLES, p=[0.7, 0.15, 0.15])),
        baseline_shift=float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.5))
        if rng.random() < 0.25
        else 0.0,
        colour_opacity=rng.uniform(0.6, 0.9) if rng.random() < 0.25 else 1.0,
        persistence=rng.uniform(0.1, 0.5) if rng.random() < 0.5 else 0.0,
        jpeg_quality=int(rng.choice([0, 75, 90])),
    )
