"""DICOM results of a scan: a Structured Report of measurements and a Segmentation of the anatomy.

Needs the optional dependency highdicom (`pip install "usmicro[dicom]"`).
"""

from usmicro.writing.areas import FrameAreas
from usmicro.writing.dicom.results import check_installed, write_results
from usmicro.writing.dicom.source import Source, read_source

__all__ = ["FrameAreas", "Source", "check_installed", "read_source", "write_results"]
