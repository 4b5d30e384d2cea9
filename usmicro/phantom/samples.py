"""The sample scans of the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from usmicro.errors import UsageError, reason_of
from usmicro.phantom.files import Compression, write_dicom, write_png
from usmicro.phantom.settings import PhantomSettings
from usmicro.phantom.simulation import Phantom, simulate


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample scan."""

    file: str
    """File name."""
    seed: int
    settings: PhantomSettings
    shows: str
    """Content of the scan, a sentence in truth.json."""
    compression: Compression = "none"
    """Compression of a DICOM file."""

    def simulate(self) -> Phantom:
        """Simulate the scan."""
        return simulate(self.seed, self.settings, name=self.file)


BASE = PhantomSettings(cysts=0.0, looks=3, least_contrast=14.0, most_contrast=20.0)
"""Settings that all samples share. Their foci are clearly visible; benchmarks have fainter ones."""

SCREEN = replace(BASE, screen=True, header=True, ruler=True)
"""Settings of samples that show a whole screen."""

SAMPLES = (
    Sample(
        "mass_linear.png",
        3,
        replace(BASE, irregular=1.0, intramass=5, intraductal=0, ducts=0),
        "linear probe; foci in an irregular mass and beside it",
    ),
    Sample(
        "mass_tinted.png",
        11,
        replace(BASE, tint=True, curve=0.4, masses=2),
        "the same kind of scene with the blue-grey tint of many scanners, which is not Doppler",
    ),
    Sample(
        "mass_sector.png",
        5,
        replace(BASE, geometry="sector", width=50.0, depth=45.0, spacing=0.11),
        "curved probe: shadows run along rays",
    ),
    Sample(
        "mass_calipers.png",
        8,
        replace(SCREEN, grey_bar=True, body_mark=True, calipers=True, text=True),
        "a whole screen with header, ruler, grey bar, body mark, calipers and text on the tissue",
    ),
    Sample(
        "ducts_nonmass.png",
        14,
        replace(BASE, masses=0, ducts=2, nonmass=1, in_nonmass=4, intraductal=4, extramass=1),
        "foci in two ducts and in a nonmass area",
    ),
    Sample(
        "no_foci.png",
        17,
        replace(BASE, intramass=0, intraductal=0, extramass=0, cysts=1.0),
        "a cyst, a duct, ligaments and short bright echoes, but no focus",
    ),
    Sample(
        "mass_regions.dcm",
        21,
        replace(SCREEN, extramass=3, coarse=0.6, shadow=1.0),
        "DICOM single frame with its regions; coarse foci with shadow",
    ),
    Sample(
        "dual_view.dcm",
        26,
        replace(SCREEN, width=28.0, depth=36.0, spacing=0.08, views=2),
        "DICOM, RLE, with two tissue regions side by side",
        "rle",
    ),
    Sample(
        "colour_cine.dcm",
        41,
        replace(
            replace(SCREEN, width=34.0, depth=34.0, spacing=0.08, coarse=0.5, ruler=False),
            colour=True,
            frames=16,
            twinkling=0.6,
            vessels=2,
            velocity_limit=4.0,
        ),
        "colour Doppler cine, JPEG, 16 frames: twinkling foci and vessels",
        "jpeg",
    ),
)


def write_samples(folder: str | Path) -> list[Path]:
    """Write the sample scans, their pixel sizes and their truth.

    The pixel sizes of the PNG files are in `spacing.csv`, the truth of all scans in `truth.json`.

    Parameters
    ----------
    folder : path
        It is created if it does not exist. Files of the same names are replaced.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    UsageError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return list(_written(folder))
    except OSError as error:
        raise UsageError(
            f"{folder}: expected a folder that can be written to, found {reason_of(error)}; "
            "choose another folder"
        ) from error


def _written(folder: Path) -> Iterator[Path]:
    truths, spacings = [], ["image,spacing_mm"]
    for sample in SAMPLES:
        phantom = sample.simulate()
        path = folder / sample.file
        if path.suffix == ".png":
            spacings.append(f"{sample.file},{sample.settings.spacing}")
            yield write_png(phantom, path)
        else:
            yield write_dicom(phantom, path, compression=sample.compression)
        entry = {
            "image": sample.file,
            "shows": sample.shows,
            "seed": sample.seed,
            "spacing_mm": sample.settings.spacing,
        }
        truths.append(json.dumps(entry | phantom.truth.to_dict(), separators=(",", ":")))
    for name, text in (
        ("spacing.csv", "\n".join(spacings)),
        ("truth.json", "[\n" + ",\n".join(truths) + "\n]"),
    ):
        (folder / name).write_bytes((text + "\n").encode())
        yield folder / name
