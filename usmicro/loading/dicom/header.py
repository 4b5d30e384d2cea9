"""What a DICOM header says about an examination: the modality, the device and the body part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from usmicro.errors import ScanError
from usmicro.loading.formats import uid_name
from usmicro.model.scan import Device
from usmicro.model.warnings import Remark, ScanWarning, WarningCode

_ULTRASOUND_CLASSES = ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
"""Retired UIDs of the classes of ultrasound images and cines; the current UIDs begin with them."""
_ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY = "1.2.840.10008.1.3.10"
_ULTRASOUND_MODALITIES = ("", "US", "IVUS")
"""Values of Modality that do not contradict ultrasound."""
_LONGEST_TEXT = 64
"""Largest number of characters of a text that is taken from a header: the largest of the value
representation LO (DICOM PS3.5 table 6.2-1)."""
_UNUSED = ("", "UNUSED", "NONE", "UNKNOWN")
"""Values of TransducerData and TransducerType that name no transducer."""
_BREAST = re.compile(
    r"BREAST|BRUST|MAMMA|MAMMO|MAMARI|\bMAMA\b|\bSEIN\b|\bSENO\b|\bBORST|\bBRYST|NIPPLE|AXILLA|ACHSEL"
)
"""Names of the breast in several languages, and of the axilla, which belongs to its examination."""
_UNSPECIFIC = re.compile(
    r"(UNKNOWN|UNSPECIFIED|NOT SPECIFIED|OTHERS?|NONE|NO|N/?A|US|ULTRASOUND|SONO|BODY|WHOLE ?BODY|"
    r"(SMALL|SUPERFICIAL) ?(PARTS?|ORGANS?)|SOFT ?TISSUES?|SKIN|LYMPH ?NODES?)?"
)
"""Names that do not say whether the breast is shown."""
_BODY_PARTS = """
    ABDOMEN ADRENAL ANKLE AORTA APPENDIX ARM BACK BILEDUCT BLADDER BRAIN CALF CAROTID CERVIX
    CHEST CHESTABDOMEN CHESTWALL CSPINE ELBOW ESOPHAGUS EXTREMITY EYE FACE FEMUR FETUS FINGER FOOT
    FOREARM GALLBLADDER GROIN HAND HEAD HEADNECK HEART HIP INTESTINE JOINT KIDNEY KNEE LEG LIVER
    LOWERLEG LUNG MEDIASTINUM MUSCLE NECK NERVE OVARY PANCREAS PAROTID PELVIS PENIS PERINEUM
    PLACENTA PLEURA PROSTATE RECTUM RIB SCROTUM SHOULDER SPINE SPLEEN STERNUM STOMACH TENDON TESTIS
    THIGH THORAX THUMB THYMUS THYROID TONGUE TRACHEA TSPINE UTERUS VAGINA VEIN VESSEL WRIST
"""
"""Body parts that a warning repeats, mostly of DICOM PS3.16 annex L. Another text is not repeated,
since it may be the name of a person."""


def ultrasound_remarks(path: Path, header: Any) -> list[Remark]:
    """Check the SOP class and the modality of an image; return remarks where they are unusual.

    Raises
    ------
    ScanError
        If the image is not ultrasound.
    """
    sop_class = sop_class_of(header)
    modality = str(header.get("Modality") or "")
    if re.fullmatch("[A-Z]{2,3}|IVUS|RT[A-Z]+", modality):
        shown_modality = modality
    else:  # another text is not repeated: in a damaged header it may be a name
        shown_modality = "not recognised" if modality else "not given"
    class_name = uid_name(sop_class) if sop_class else "no SOP class"
    kind = f"{class_name}, modality {shown_modality}"
    if _is_class(sop_class, _DIRECTORY):
        raise ScanError(
            f"{path}: expected an image, found a DICOMDIR, which only lists other files; "
            "give the folder that it is in"
        )
    remarks: list[Remark] = []
    if sop_class == _ULTRASOUND_VOLUME:
        remarks.append("an ultrasound volume: its slices are read as frames")
    assumed = ScanWarning(WarningCode.NOT_ULTRASOUND, f"{kind}: assumed to be ultrasound")
    is_capture = not sop_class or _is_class(sop_class, _SECONDARY_CAPTURE)
    if any(_is_class(sop_class, root) for root in _ULTRASOUND_CLASSES):
        return remarks if modality in _ULTRASOUND_MODALITIES else [*remarks, assumed]
    if modality == "US":
        return remarks if is_capture else [*remarks, assumed]
    if is_capture and modality in ("", "OT", "SC"):
        has_header = sop_class or modality or "Rows" in header
        return [assumed] if has_header else []
    raise ScanError(f"{path}: expected an ultrasound image, found {kind}; leave it out")


def sop_class_of(header: Any) -> str:
    """Return the UID of the SOP class of a data set, or an empty text."""
    meta = getattr(header, "file_meta", None)
    found = header.get("SOPClassUID") or (meta and meta.get("MediaStorageSOPClassUID"))
    return str(found or "").strip()


def _is_class(sop_class: str, root: str) -> bool:
    """Return True if a SOP class has the UID `root` or one that begins with it."""
    return sop_class == root or sop_class.startswith(root + ".")


def read_device(header: Any) -> Device:
    """Return the device that made an image: its manufacturer, its model and the transducer."""
    transducers = [text for text in _texts(header, "TransducerData") if text not in _UNUSED]
    transducers += [text for text in _texts(header, "TransducerType") if text not in _UNUSED]
    return Device(
        manufacturer=_text(_texts(header, "Manufacturer")),
        model=_text(_texts(header, "ManufacturerModelName")),
        transducer=_text(transducers),
    )


def body_part_remarks(header: Any) -> list[Remark]:
    """Return a warning if the header names body parts and the breast is not among them.

    StudyDescription and other free texts are not read: they may hold names.
    """
    texts = _texts(header, "BodyPartExamined")
    try:
        for item in header.get("AnatomicRegionSequence") or []:
            texts += _texts(item, "CodeMeaning")
    except Exception:  # for a damaged sequence pydicom raises errors of almost any type
        return []
    named = [re.sub(r"[\s_\-^,;.]+", " ", text).strip().upper() for text in texts]
    named = [text for text in named if not _UNSPECIFIC.fullmatch(text)]
    if not named or any(_BREAST.search(text) for text in named):
        return []
    known = [text for text in named if text.replace(" ", "") in _BODY_PARTS.split()]
    found = f"the body part {known[0]}" if known else "a body part that is not the breast"
    return [ScanWarning(WarningCode.OTHER_BODY_PART, f"the DICOM header gives {found}")]


def _texts(item: Any, keyword: str) -> list[str]:
    """Return the values of an attribute as texts without control characters."""
    try:
        value = item.get(keyword)
    except Exception:  # for a damaged value pydicom raises errors of almost any type
        return []
    if value is None or isinstance(value, bytes):
        return []
    values = (
        [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else []
    )
    return [_clean(str(one)) for one in values]


def _clean(text: str) -> str:
    """Return a text without control characters and repeated spaces."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())


def _text(texts: list[str]) -> str:
    """Return different texts as one of limited length."""
    unique = [text for text in dict.fromkeys(texts) if text]
    return ", ".join(unique)[:_LONGEST_TEXT].rstrip(", ")
