"""Which DICOM files hold an image."""

from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.loading.dicom.references import read_summary

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"
CLASSES = {
    "structured report": "1.2.840.10008.5.1.4.1.1.88.33",
    "key objects": "1.2.840.10008.5.1.4.1.1.88.59",
    "encapsulated PDF": "1.2.840.10008.5.1.4.1.1.104.1",
    "encapsulated STL": "1.2.840.10008.5.1.4.1.1.104.3",
    "presentation state": "1.2.840.10008.5.1.4.1.1.11.1",
    "pseudo-colour state": "1.2.840.10008.5.1.4.1.1.11.3",
    "raw data": "1.2.840.10008.5.1.4.1.1.66",
    "registration": "1.2.840.10008.5.1.4.1.1.66.1",
    "surface segmentation": "1.2.840.10008.5.1.4.1.1.66.5",
    "waveform": "1.2.840.10008.5.1.4.1.1.9.1.1",
    "RT plan": "1.2.840.10008.5.1.4.1.1.481.5",
    "RT structures": "1.2.840.10008.5.1.4.1.1.481.3",
    "spectroscopy": "1.2.840.10008.5.1.4.1.1.4.2",
    "DICOMDIR": "1.2.840.10008.1.3.10",
    "private class": "1.2.840.113619.4.27",
}


def without_pixels(path, sop_class, *, modality="US", keep_rows=False):
    """Rewrite a file as an object of a SOP class without pixels."""
    dataset = dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.Modality = modality
    for keyword in ("PixelData", *(() if keep_rows else ("Rows", "Columns"))):
        del dataset[keyword]
    dataset.save_as(path)


@pytest.mark.parametrize("name", CLASSES)
def test_objects_without_an_image_are_known(write_dicom, grey, name):
    path = write_dicom(grey)
    without_pixels(path, CLASSES[name], keep_rows=name == "spectroscopy")
    assert not read_summary(path).has_image
    with pytest.raises(ScanError, match=r"scan\.dcm: expected an (ultrasound )?image, found"):
        load(path)


def test_image_files_have_an_image(write_dicom, grey, cine):
    for options in (
        {},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"},  # the pixels are there
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"},
        {"syntax": "1.2.840.10008.1.2"},
        {"syntax": "1.2.840.10008.1.2.1.99"},
        {"syntax": "1.2.840.10008.1.2.4.50", "encoded": [b"anything"]},
    ):
        assert read_summary(write_dicom(grey, **options)).has_image, options


def test_damaged_image_is_still_an_image(write_dicom, grey, tmp_path):
    path = write_dicom(grey)
    whole = path.read_bytes()
    for length in range(400, len(whole), 97):  # from behind the SOP class
        path.write_bytes(whole[:length])
        try:
            assert read_summary(path).has_image
        except ScanError:
            continue
    text = tmp_path / "text.dcm"
    text.write_bytes(b"\0" * 128 + b"DICM")
    assert read_summary(text).has_image
    other = tmp_path / "other.png"
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read_summary(other).has_image


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "reportsi.dcm"])
def test_files_of_pydicom_without_an_image_are_known(name):
    path = TEST_FILES / name
    if not path.exists():  # these files differ between versions of pydicom
        pytest.skip(f"this pydicom does not have {name}")
    assert not read_summary(path).has_image


def test_dicomdir_is_known_under_any_name(tmp_path):
    source = TEST_FILES / "dicomdirtests" / "DICOMDIR"
    if not source.exists():
        pytest.skip("this pydicom does not have a DICOMDIR")
    path = tmp_path / "index.dcm"
    path.write_bytes(source.read_bytes())
    assert not read_summary(path).has_image
    with pytest.raises(ScanError, match="found a DICOMDIR, which only lists other files"):
        load(path)
