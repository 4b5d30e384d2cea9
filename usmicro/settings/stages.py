"""Settings of the stages of an analysis, one group for each stage."""

from __future__ import annotations

from dataclasses import dataclass

from usmicro.settings.checked import Checked, described


@dataclass(frozen=True, slots=True)
class LoadingSettings(Checked):
    """How files are read."""

    largest_image: int = described(
        100_000_000,
        unit="pixels",
        says="greatest number of pixels of a frame; larger frames are refused",
        least=1,
    )
    most_frames: int = described(
        100_000,
        says="greatest number of frames of a file; files that declare more are refused",
        least=1,
    )
    largest_inflated: int = described(
        2048,
        unit="MB",
        says="greatest size of a deflated DICOM file once inflated, and of a file in a zip archive "
        "once unpacked; larger files are refused",
        least=1,
    )
    frames: int = described(
        0,
        says="greatest number of frames of a cine to analyse, evenly spread; 0 analyses all",
        least=0,
    )
    keep_truncated: bool = described(
        False,
        says="analyse the frames that a truncated file still holds, instead of refusing it",
    )


@dataclass(frozen=True, slots=True)
class PreparationSettings(Checked):
    """How a frame is prepared for analysis."""

    grid_mm: float = described(
        0.08, unit="mm", says="side length of a pixel of the working grid", least=0.02, most=0.5
    )


@dataclass(frozen=True, slots=True)
class FociSettings(Checked):
    """How echogenic foci are detected."""

    false_positives: float = described(
        50.0,
        unit="per 10 cm2",
        says="greatest expected number of false candidates from speckle alone",
        least=1e-6,
    )
    smallest: float = described(0.2, unit="mm", says="smallest diameter of a focus", least=0.05)
    largest: float = described(3.0, unit="mm", says="largest diameter of a round focus", least=0.1)
    largest_clump: float = described(
        8.0,
        unit="mm",
        says="largest width and height of a coarse clump, which may have any shape",
        least=1,
        most=20,
    )
    coarse: float = described(
        0.5,
        unit="mm",
        says="diameter from which a focus is coarse; smaller ones are punctate",
        least=0.05,
    )
    false_positives_per_image: float = described(
        0.75,
        says="expected number of false foci on an image with a lesion; decides the confidence from "
        "which a focus is listed, unless `minimum_confidence` is given; the default lists 0.5 on a "
        "normal breast",
        least=0.05,
        most=20,
    )
    minimum_confidence: float = described(
        -1.0,
        says="confidence from which a focus is listed; 0 lists every candidate; a negative number "
        "leaves the choice to `false_positives_per_image`",
        least=-1,
        most=1,
    )
    confidence_offset: float = described(
        0.0,
        unit="log odds",
        says="added to the log odds of the confidence of every focus; `usmicro calibrate` fits it "
        "to the scans of a site",
        least=-20,
        most=20,
    )
    confidence_slope: float = described(
        1.0,
        says="factor of the log odds of the confidence of every focus, before the offset is added; "
        "`usmicro calibrate` fits it to the scans of a site",
        least=0.05,
        most=20,
    )
    models: str = described(
        "",
        says="folder of models that replace those of the confidence of foci, see docs/models.md; "
        "empty uses those of the package",
    )


@dataclass(frozen=True, slots=True)
class AnatomySettings(Checked):
    """How masses, ducts and nonmass areas are found."""

    mass_threshold: float = described(
        0.2,
        says="confidence from which a candidate region is listed as a mass; in hospitals that the "
        "networks have not seen, the default finds 0.85 of the masses and lists 0.27 on a normal "
        "breast; 0.1 finds 0.87 and lists 0.36; 0.45 finds 0.81 and lists 0.14",
        least=0,
        most=1,
    )
    nonmass_threshold: float = described(
        0.5,
        says="confidence from which an area of altered echotexture is a nonmass area",
        least=0,
        most=1,
    )
    mass_network: str = described(
        "",
        says="ONNX file of a network that replaces the mass network, see docs/method.md; "
        "empty uses the network of the package",
    )
    duct_threshold: float = described(
        0.1,
        says="confidence from which a dark tube is a duct; 0.1 lists 0.05 to 0.1 false ducts on a "
        "normal breast; 0.3 lists half as many and misses 3 % more of the true ones",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class ShadowSettings(Checked):
    """How posterior shadow is assessed."""

    length: float = described(
        6.0,
        unit="mm",
        says="distance behind a focus or mass in which a shadow is measured",
        least=0.5,
    )
    significance: float = described(
        0.01, says="p value below which a focus has a shadow", least=0, most=1
    )
    least_cells: float = described(
        6.0,
        unit="resolution cells",
        says="least number of independent cells along the beam; with fewer it is not assessable",
        least=2,
    )
    posterior_shadowing: float = described(
        0.5,
        unit="probability",
        says="probability of shadowing behind a mass above which it has posterior shadowing",
        least=0,
        most=1,
    )
    posterior_enhancement: float = described(
        0.5,
        unit="probability",
        says="probability of enhancement behind a mass above which it has posterior enhancement",
        least=0,
        most=1,
    )


@dataclass(frozen=True, slots=True)
class TwinklingSettings(Checked):
    """How Doppler twinkling is assessed."""

    tail: float = described(
        4.0, unit="mm", says="distance behind a focus in which twinkling is measured", least=0.5
    )
    margin: float = described(
        0.25,
        unit="mm",
        says="distance beside and in front of a focus in which twinkling is measured",
        least=0,
    )
    cell: float = described(
        0.5,
        unit="mm",
        says="size of a colour resolution cell where too little colour is present to measure it",
        least=0.05,
    )
    flash: float = described(
        0.5,
        says="coloured fraction of the colour box above which a frame is a flash and is left out",
        least=0,
        most=1,
    )
    frames: int = described(
        3,
        says="least number of frames with the focus in the colour box for the verdict yes",
        least=2,
    )
    certain: float = described(
        0.5, says="twinkling score from which the verdict is yes", least=0, most=1
    )
    possible: float = described(
        0.25, says="twinkling score from which the verdict is possible", least=0, most=1
    )


@dataclass(frozen=True, slots=True)
class LabelSettings(Checked):
    """How foci are labelled and grouped."""

    edge: float = described(
        0.4,
        unit="mm",
        says="distance outside the outline of a mass or duct up to which a focus is on its edge",
        least=0.01,
    )
    cluster_distance: float = described(
        5.0, unit="mm", says="greatest distance between neighbouring foci of a cluster", least=0.1
    )
    cluster_size: int = described(3, says="least number of foci in a cluster", least=2)
    calcification: float = described(
        0.65,
        says="calcification_score from which an image has a calcification; below it has none; 8 % "
        "of normal breasts reach the default",
        least=0,
        most=1,
    )
