"""Settings of a simulated scan, each with its unit and meaning."""

from __future__ import annotations

from dataclasses import dataclass

from usmicro.errors import SettingsError
from usmicro.settings import Checked, described

GEOMETRIES = ("linear", "sector")
VELOCITY_MAPS = ("red-blue", "red-blue plain", "red-green", "yellow-green", "variance")
COLOUR_MAPS = (*VELOCITY_MAPS, "power")
BAR_PLACES = ("left", "right", "lying", "none")
BOX_STYLES = ("outline", "tinted", "none")

MOST_RADIANS = 2.6
"""Largest opening angle of a sector, radians: less than half a circle."""


@dataclass(frozen=True, slots=True)
class PhantomSettings(Checked):
    """Settings of a simulated breast scan."""

    # the probe and the image
    geometry: str = described(
        "linear",
        says="linear: scan lines are columns; sector: they are rays from an apex, a curved probe",
    )
    width: float = described(
        38.0,
        unit="mm",
        says="width of the transducer face, along its arc for a sector",
        least=5,
        most=120,
    )
    depth: float = described(
        40.0, unit="mm", says="depth of the image along the middle scan line", least=5, most=120
    )
    radius: float = described(
        50.0, unit="mm", says="radius of the transducer face; sector only", least=5, most=200
    )
    spacing: float = described(
        0.07, unit="mm", says="distance between pixel centres", least=0.02, most=0.5
    )

    # resolution and speckle
    axial: float = described(
        0.20,
        unit="mm",
        says="axial resolution, full width at half maximum of the amplitude",
        least=0.1,
        most=1,
    )
    lateral: float = described(
        0.40, unit="mm", says="lateral resolution at the focal depth", least=0.1, most=2
    )
    focal_depth: float = described(
        16.0, unit="mm", says="depth of the best lateral resolution", least=1
    )
    snr: float = described(
        1.5,
        says="amplitude mean over standard deviation in glandular tissue; 1.91 is Rayleigh",
        least=0.8,
        most=1.9,
    )
    looks: int = described(
        3,
        says="number of envelopes that are averaged, as in spatial compounding",
        least=1,
        most=9,
    )

    # the display
    dynamic_range: float = described(
        60.0, unit="dB", says="range of echo levels that the grey scale shows", least=20, most=100
    )
    grey: float = described(
        105.0,
        unit="grey levels",
        says="grey level of the mean envelope of glandular tissue",
        least=1,
        most=254,
    )
    curve: float = described(
        0.0,
        says="grey map: 0 is linear in dB, 1 is S-shaped, values between are mixed",
        least=0,
        most=1,
    )
    noise: float = described(
        -42.0,
        unit="dB",
        says="electronic noise at the bottom of the image, over the envelope of glandular tissue",
        most=0,
    )

    # the anatomy
    anatomy: bool = described(
        True,
        says="skin, fat, ligaments, glandular tissue, fascia and muscle; else homogeneous speckle",
    )
    fat: float = described(
        9.0, unit="mm", says="mean depth at which the subcutaneous fat ends", least=2
    )
    gland: float = described(
        16.0, unit="mm", says="mean thickness of the glandular tissue", least=0
    )
    ligaments: int = described(8, says="Cooper ligaments and bright septa", least=0)
    dashes: int = described(25, says="short bright echoes that are not foci", least=0)
    masses: int = described(1, says="number of masses", least=0, most=5)
    cysts: float = described(
        0.2, says="fraction of the masses that are simple cysts", least=0, most=1
    )
    irregular: float = described(
        0.4,
        says="fraction of the solid masses that are irregular rather than oval",
        least=0,
        most=1,
    )
    ducts: int = described(1, says="number of ducts", least=0, most=6)
    nonmass: int = described(0, says="number of nonmass areas", least=0, most=3)

    # the foci
    intramass: int = described(3, says="number of foci in masses", least=0)
    intraductal: int = described(2, says="number of foci in ducts", least=0)
    extramass: int = described(
        2, says="number of foci outside masses, ducts and nonmass areas", least=0
    )
    in_nonmass: int = described(0, says="number of foci in nonmass areas", least=0)
    clusters: int = described(
        0, says="number of clusters of four to seven foci outside masses and ducts", least=0
    )
    coarse_clumps: int = described(
        0,
        says="number of coarse calcifications of 2 to 4.5 mm: rims, popcorn shapes and clumps",
        least=0,
        most=10,
    )
    coarse: float = described(
        0.25, says="fraction of the foci that are coarse, 0.5 mm or more", least=0, most=1
    )
    least_contrast: float = described(
        10.0,
        unit="dB",
        says="smallest contrast of a focus: its peak over the local mean envelope",
        least=0,
    )
    most_contrast: float = described(18.0, unit="dB", says="largest contrast of a focus", least=0)
    shadow: float = described(
        0.5, says="fraction of the coarse foci outside masses that cast a shadow", least=0, most=1
    )

    # burned-in graphics
    views: int = described(
        1,
        says="number of tissue regions side by side on the screen, each with its own scene",
        least=1,
        most=2,
    )
    screen: bool = described(
        False, says="a whole screen with black borders; else the tissue fills the image"
    )
    header: bool = described(False, says="header text; screen only")
    ruler: bool = described(False, says="depth ruler beside the tissue")
    grey_bar: bool = described(False, says="grey bar; screen only")
    calipers: bool = described(False, says="caliper crosses joined by dots at the first mass")
    text: bool = described(False, says="annotation text on the tissue")
    body_mark: bool = described(False, says="body mark; screen only")
    tint: bool = described(False, says="blue-grey tint of the whole image; it is not Doppler")
    jpeg_quality: int = described(
        0, says="quality of a JPEG compression, as in lossy exports; 0: none", least=0, most=100
    )

    # colour Doppler
    colour: bool = described(False, says="colour Doppler, with a colour box and a colour bar")
    colour_map: str = described("red-blue", says="colour map: " + ", ".join(COLOUR_MAPS))
    velocity_limit: float = described(
        6.0, unit="cm/s", says="velocity at the ends of the colour bar (Nyquist)", least=0.5
    )
    baseline_shift: float = described(
        0.0,
        says="shift of the displayed range towards the transducer, fraction of the velocity limit",
        least=-0.8,
        most=0.8,
    )
    colour_bar: str = described(
        "left", says="place of the colour bar: left, right, lying (below the tissue) or none"
    )
    box_style: str = described(
        "outline",
        says="how the colour box is shown: outline, tinted (the echoes inside it) or none",
    )
    colour_opacity: float = described(
        1.0,
        says="fraction of the colour in the mixture with the echoes below it",
        least=0.3,
        most=1,
    )
    persistence: float = described(
        0.0,
        says="fraction of the previous frame in the colours of a frame",
        least=0,
        most=0.8,
    )
    vessels: int = described(1, says="number of vessels in the colour box", least=0, most=5)
    vessel_velocity: float = described(
        5.0, unit="cm/s", says="systolic velocity on the axis of a vessel", least=0
    )
    twinkling: float = described(
        0.5, says="fraction of the foci in the colour box that twinkle", least=0, most=1
    )
    flash: float = described(
        0.0, says="fraction of the frames with a flash artefact", least=0, most=1
    )
    colour_noise: float = described(
        0.002, says="fraction of the colour cells that show noise", least=0, most=0.5
    )
    frames: int = described(1, says="number of frames", least=1, most=500)
    frame_rate: float = described(12.0, unit="1/s", says="frame rate", least=1)
    motion: float = described(
        0.15,
        unit="mm",
        says="standard deviation of the displacement of the tissue from frame to frame",
        least=0,
        most=1,
    )

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        for name, choices in (
            ("geometry", GEOMETRIES),
            ("colour_map", COLOUR_MAPS),
            ("colour_bar", BAR_PLACES),
            ("box_style", BOX_STYLES),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise SettingsError(f"{name} = {value!r}: expected one of {', '.join(choices)}")
        widest = MOST_RADIANS * self.radius
        if self.geometry == "sector" and self.width > widest:
            raise SettingsError(
                f"width = {self.width}: expected at most {widest:.0f} mm for a sector whose radius "
                f"is {self.radius} mm; reduce width or increase radius"
            )
        if self.colour and self.views > 1:
            raise SettingsError(
                f"views = {self.views}: expected 1 with colour Doppler; set views = 1 or "
                "colour = False"
            )
        if self.least_contrast > self.most_contrast:
            raise SettingsError(
                f"least_contrast = {self.least_contrast}: expected at most most_contrast, "
                f"which is {self.most_contrast}"
            )
