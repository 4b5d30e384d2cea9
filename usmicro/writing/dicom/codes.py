"""Codes of the DICOM results: of DICOM and SNOMED CT, or else of the private scheme 99USMICRO.

The codes of DICOM and SNOMED CT are those of DICOM PS3.16, as pydicom lists them. docs/dicom.md
lists all codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.sr.coding import Code

SCHEME = "99USMICRO"


def own(value: str, meaning: str) -> Code:
    """Return a code of the private scheme, for a concept without a code of DICOM or SNOMED CT."""
    return Code(value, SCHEME, meaning)


@dataclass(frozen=True, slots=True)
class Measured:
    """A column of a table that the report contains as a number."""

    field: str
    """Column of the table."""
    concept: Code
    unit: Code
    """Unit in the report."""
    factor: float = 1.0
    """Value in the report divided by value in the table."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A column of a table that the report contains as one of a few coded words."""

    field: str
    """Column of the table."""
    concept: Code
    words: dict[str, Code]
    """Code of each word of the column."""


MM = Code("mm", "UCUM", "mm")
MM2 = Code("mm2", "UCUM", "square millimeter")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")
PIXELS = Code("{pixels}", "UCUM", "pixels")
FRAMES = Code("{frames}", "UCUM", "frames")
FOCI_UNIT = Code("{foci}", "UCUM", "foci")
MASSES_UNIT = Code("{masses}", "UCUM", "masses")

# subjects of the report
REPORT = Code("126000", "DCM", "Imaging Measurement Report")
PROCEDURE = Code("47079000", "SCT", "Ultrasonography of breast")
BREAST = Code("76752008", "SCT", "Breast")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMICAL = Code("91723000", "SCT", "Anatomical Structure")
ALGORITHM_FAMILY = Code("123110", "DCM", "Artificial Intelligence")

FOCUS = own("ECHOGENIC_FOCUS", "Echogenic focus, possible calcification")
MASS = Code("4147007", "SCT", "Mass")
DUCT = own("DUCT", "Mammary duct")
NONMASS = own("NONMASS_AREA", "Nonmass area of altered echotexture")
IMAGE = own("WHOLE_IMAGE", "Image as a whole")

YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")
PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")
POSSIBLE = own("POSSIBLE", "Possible")
NOT_ASSESSABLE = own("NOT_ASSESSABLE", "Not assessable")
WITHIN_MASS = Code("111346", "DCM", "Calcifications within a mass")
OUTSIDE_MASS = Code("111347", "DCM", "Calcifications outside of a mass")
INTRADUCTAL = own("INTRADUCTAL", "Calcifications within a duct")
DISTRIBUTION = Code("111008", "DCM", "Calcification Distribution")
POSTERIOR = Code("111366", "DCM", "Posterior acoustic features")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")

FOCUS_MEASURED = (
    Measured("confidence", CERTAINTY, PERCENT, 100),
    Measured("label_confidence", own("LABEL_CERTAINTY", "Certainty of location"), PERCENT, 100),
    Measured("diameter_mm", Code("81827009", "SCT", "Diameter"), MM),
    Measured("diameter_px", own("DIAMETER_PIXELS", "Diameter in pixels of the image"), PIXELS),
    Measured("depth_mm", Code("131197000", "SCT", "Depth"), MM),
    Measured(
        "x_mm",
        own("LATERAL_POSITION", "Lateral position from the middle of the transducer face"),
        MM,
    ),
    Measured(
        "distance_to_mass_mm",
        own("DISTANCE_TO_MASS", "Distance to the edge of the nearest mass"),
        MM,
    ),
    Measured(
        "contrast",
        own("LOCAL_CONTRAST", "Contrast, (peak - q50) / (q75 - q50) of the surroundings"),
        NO_UNITS,
    ),
    Measured(
        "false_alarm",
        own("FALSE_ALARM", "Probability of as strong a response from speckle"),
        NO_UNITS,
    ),
    Measured(
        "shadow_drop",
        own("SHADOW_DROP", "Fall of the grey level behind the focus, local units"),
        NO_UNITS,
    ),
    Measured("shadow_p", own("SHADOW_P", "Probability of such a fall from speckle"), NO_UNITS),
    Measured("shadow_length_mm", own("SHADOW_LENGTH", "Length of the posterior shadow"), MM),
    Measured(
        "twinkling_score", own("TWINKLING_SCORE", "Strength of Doppler twinkling, 0 to 1"), NO_UNITS
    ),
    Measured("seen_frames", own("SEEN_FRAMES", "Frames on which the focus was seen"), FRAMES),
)
FOCUS_STATED = (
    Stated(
        "label",
        DISTRIBUTION,
        {"intramass": WITHIN_MASS, "extramass": OUTSIDE_MASS, "intraductal": INTRADUCTAL},
    ),
    Stated(
        "kind",
        own("FOCUS_KIND", "Kind of echogenic focus"),
        {"punctate": own("PUNCTATE", "Punctate"), "coarse": own("COARSE", "Coarse")},
    ),
    Stated("nonmass", own("IN_NONMASS_AREA", "Lies in a nonmass area"), {"yes": YES, "no": NO}),
    Stated(
        "shadow",
        own("FOCUS_SHADOW", "Posterior acoustic shadow"),
        {"yes": PRESENT, "no": ABSENT, "not assessable": NOT_ASSESSABLE},
    ),
    Stated(
        "twinkling",
        own("TWINKLING", "Doppler twinkling"),
        {"yes": PRESENT, "possible": POSSIBLE, "no": ABSENT, "not assessable": NOT_ASSESSABLE},
    ),
    Stated(
        "origin",
        own("FOCUS_ORIGIN", "What makes the focus listed"),
        {
            "echo": own("ECHO", "Its echo"),
            "twinkling": own("TWINKLING_ALONE", "Its Doppler twinkling alone"),
        },
    ),
)
REASON = own("LABEL_REASON", "Why the focus has its location")
"""Concept of the column `label_reason`, a text."""
FRAMES = own("FRAMES", "Frames that show the finding")
"""Concept of the frames of a cine, a text with numbers from 1 as in `1-3, 7`."""
MASS_MEASURED = (
    Measured("confidence", CERTAINTY, PERCENT, 100),
    Measured("width_mm", Code("103355008", "SCT", "Width"), MM),
    Measured("height_mm", Code("121207", "DCM", "Height"), MM),
    Measured("area_mm2", Code("42798000", "SCT", "Area"), MM2),
    Measured(
        "posterior_score",
        own("POSTERIOR_SCORE", "Probability of enhancement minus probability of shadowing"),
        NO_UNITS,
    ),
    Measured("foci", own("FOCI_INSIDE", "Echogenic foci in the mass"), FOCI_UNIT),
)
MASS_STATED = (
    Stated(
        "orientation",
        Code("111354", "DCM", "Orientation"),
        {
            "parallel": Code("111355", "DCM", "Parallel"),
            "not parallel": Code("111356", "DCM", "Not parallel"),
        },
    ),
    Stated(
        "posterior",
        POSTERIOR,
        {
            "none": Code("111367", "DCM", "No posterior acoustic features"),
            "enhancement": Code("111368", "DCM", "Posterior enhancement"),
            "shadowing": Code("111369", "DCM", "Posterior shadowing"),
            "combined": Code("111370", "DCM", "Combined posterior enhancement and shadowing"),
            "not assessable": NOT_ASSESSABLE,
        },
    ),
)
IMAGE_MEASURED = (
    Measured(
        "calcification_score",
        own("CALCIFICATION_SCORE", "How strongly the image shows calcification, 0 to 1"),
        NO_UNITS,
    ),
    Measured("foci", own("FOCI", "Echogenic foci listed"), FOCI_UNIT),
    Measured("masses", own("MASSES", "Masses listed"), MASSES_UNIT),
)
CALCIFICATION = own("CALCIFICATION", "Calcification of the image")
CALCIFICATION_WORDS = {
    "none": ABSENT,
    "in a mass": WITHIN_MASS,
    "outside a mass": OUTSIDE_MASS,
    "intraductal": INTRADUCTAL,
}
"""Code of each word of the column `calcification`. The column joins words by `+`; the report has
one evaluation for each word."""

SEGMENTS = (
    ("Mass", ABNORMAL, MASS),
    ("Duct", ANATOMICAL, DUCT),
    ("Nonmass area", ABNORMAL, NONMASS),
)
"""Label, category and type of each kind of segment."""
