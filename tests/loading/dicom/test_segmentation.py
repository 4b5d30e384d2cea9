import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from usmicro.errors import ScanError
from usmicro.loading.discover import find_scans
from usmicro.loading.masks import find_masks, read_masks
from usmicro.model.warnings import WarningCode

SHAPE = (39, 61)  # so that a frame with one bit per pixel does not end on a whole byte
IMAGE_UID, OTHER_UID = "1.2.3", "1.2.4"


def square(top, left, size=8):
    """Return a boolean image with a square."""
    image = np.zeros(SHAPE, bool)
    image[top : top + size, left : left + size] = True
    return image


def sequence(**attributes):
    """Return a DICOM sequence of one item with these attributes."""
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return [item]


def segmentation(
    frames,
    labels=("Mass",),
    *,
    kind="BINARY",
    codes=(),
    image=IMAGE_UID,
    syntax=ExplicitVRLittleEndian,
):
    """Return a Segmentation.

    `frames` are tuples of an area, its segment and its frame of the image, from 1, or None.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    root = "1.2.840.10008.5.1.4.1.1.66"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        f"{root}.7" if kind == "LABELMAP" else f"{root}.4"
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.99"
    dataset.Modality, dataset.SegmentationType = "SEG", kind
    dataset.Rows, dataset.Columns = SHAPE
    dataset.NumberOfFrames, dataset.SamplesPerPixel, dataset.PixelRepresentation = len(frames), 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1 if kind == "BINARY" else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.SegmentSequence = [
        sequence(
            SegmentNumber=number,
            SegmentLabel=label,
            SegmentedPropertyTypeCodeSequence=sequence(CodeMeaning=code),
        )[0]
        for number, (label, code) in enumerate(
            zip(labels, codes or [""] * len(labels), strict=True), 1
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = []
    for _, segment, frame in frames:
        source = sequence(ReferencedSOPInstanceUID=image) if image else []
        if frame is not None:
            source[0].ReferencedFrameNumber = frame
        group = sequence(DerivationImageSequence=sequence(SourceImageSequence=source))[0]
        if segment is not None:
            group.SegmentIdentificationSequence = sequence(ReferencedSegmentNumber=segment)
        dataset.PerFrameFunctionalGroupsSequence.append(group)
    pixels = np.stack([np.asarray(area, np.uint8) for area, _, _ in frames])
    if kind == "FRACTIONAL":
        dataset.SegmentationFractionalType, dataset.MaximumFractionalValue = "PROBABILITY", 200
    dataset.add_new(
        "PixelData",
        "OB",
        pack_bits(pixels) if kind == "BINARY" else pixels.tobytes() + b"\0" * (pixels.size % 2),
    )
    return dataset


@pytest.fixture
def masks(tmp_path):
    """Return a function that writes a segmentation into a folder and returns the folder."""

    def write(dataset, name="case1.seg.dcm"):
        path = tmp_path / "outlines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if dataset.file_meta.TransferSyntaxUID == RLELossless:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.compress(RLELossless, encoding_plugin="pydicom")
        dataset.save_as(path, enforce_file_format=True)
        return tmp_path / "outlines"

    return write


@pytest.fixture
def scan(write_dicom):
    """A scan with the UID that the segmentations refer to."""
    return write_dicom(np.full((1, *SHAPE), 9, np.uint8), name="anything.dcm")


# ---- areas and structures ----


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        ("BINARY", ExplicitVRLittleEndian),
        ("FRACTIONAL", ExplicitVRLittleEndian),
        ("LABELMAP", ExplicitVRLittleEndian),
        ("FRACTIONAL", RLELossless),
        ("LABELMAP", RLELossless),
    ],
)
def test_every_segmentation_type_gives_its_areas(masks, kind, syntax):
    mass, second, duct, nonmass = square(3, 3), square(20, 3), square(3, 30), square(25, 40)
    labels = ("Mass 1", "Second mass", "Duct", "Nonmass area")
    if kind == "LABELMAP":
        frames = [(mass + 2 * second + 3 * duct + 4 * nonmass, None, None)]
    else:
        value = 1 if kind == "BINARY" else 100
        frames = [
            (value * area, number, None)
            for number, area in enumerate((mass, second, duct, nonmass), 1)
        ]
    user_masks = read_masks(
        masks(segmentation(frames, labels, kind=kind, syntax=syntax)), "case1.png", SHAPE
    )
    np.testing.assert_array_equal(user_masks.masses, mass + 2 * second)
    np.testing.assert_array_equal(user_masks.ducts, duct)
    np.testing.assert_array_equal(user_masks.nonmass, nonmass)
    assert (user_masks.sources, user_masks.notes, user_masks.masses.dtype) == (
        ("case1.seg.dcm",),
        (),
        np.int32,
    )


def test_fraction_below_one_half_is_outside(masks):
    area = np.where(square(3, 3), 99, 0) + np.where(square(20, 20), 100, 0)
    user_masks = read_masks(
        masks(segmentation([(area, 1, None)], kind="FRACTIONAL")), "case1.png", SHAPE
    )
    np.testing.assert_array_equal(user_masks.masses, square(20, 20))


@pytest.mark.parametrize(
    ("label", "code", "expected"),
    [
        ("Mass", "", "masses"),
        ("Breast lesions", "", "masses"),
        ("Segment 1", "", "masses"),
        ("", "Neoplasm, Primary", "masses"),
        ("invasive ductal carcinoma", "", "masses"),
        ("tumour_2", "Duct", "masses"),
        ("dilated_duct", "", "ducts"),
        ("Segment 1", "Mammary duct structure", "ducts"),
        ("Non-mass finding", "", "nonmass"),
        ("nonmass lesion", "Mass", "nonmass"),
        ("A", "Non mass area", "nonmass"),
    ],
)
def test_label_or_code_gives_the_structure_of_a_segment(masks, label, code, expected):
    user_masks = read_masks(
        masks(segmentation([(square(3, 3), 1, None)], [label], codes=[code])), "case1.png", SHAPE
    )
    assert [
        name for name in ("masses", "ducts", "nonmass") if getattr(user_masks, name) is not None
    ] == [expected]


def test_other_structures_are_not_used_and_noted(masks):
    frames = [(square(3, 3), 1, None), (square(20, 20), 2, None)]
    user_masks = read_masks(
        masks(segmentation(frames, ["Lesion", "Calcifications"])), "case1.png", SHAPE
    )
    np.testing.assert_array_equal(user_masks.masses, square(3, 3))
    assert user_masks.notes == (
        "case1.seg.dcm: segment 2 is not used: not a mass, duct or nonmass area according to "
        "its label",
    )


def test_segment_is_one_mass_and_empty_segment_means_none(masks):
    parts = square(3, 3) | square(20, 20)
    user_masks = read_masks(
        masks(segmentation([(parts, 1, None), (0 * parts, 2, None)], ["Mass", "Duct"])),
        "case1.png",
        SHAPE,
    )
    np.testing.assert_array_equal(user_masks.masses, parts)
    assert (user_masks.ducts.max(), user_masks.nonmass) == (0, None)


def test_background_in_a_label_map_is_not_a_segment(masks):
    dataset = segmentation([(square(3, 3), None, None)], ["A", "B"], kind="LABELMAP")
    for number, segment in enumerate(dataset.SegmentSequence):
        segment.SegmentNumber = number
    user_masks = read_masks(masks(dataset), "case1.png", SHAPE)
    np.testing.assert_array_equal(user_masks.masses, square(3, 3))
    assert user_masks.notes == ()


def test_files_are_combined_and_their_names_overrule_their_labels(masks):
    masks(segmentation([(square(3, 3), 1, None)]), "case1_mass1.dcm")
    masks(segmentation([(square(20, 3), 1, None)]), "case1_mass2.seg.dcm")
    masks(segmentation([(square(20, 20), 1, None)]), "case1_other.dcm")
    folder = masks(segmentation([(square(3, 30), 1, None)]), "case1_duct.dcm")
    user_masks = read_masks(folder, "case1.png", SHAPE)
    np.testing.assert_array_equal(user_masks.masses, square(3, 3) + 2 * square(20, 3))
    np.testing.assert_array_equal(user_masks.ducts, square(3, 30))


# ---- segmentations of an image ----


@pytest.mark.parametrize(
    "file",
    [
        "case1.dcm",
        "case1.seg.dcm",
        "case1_mask.dcm",
        "case1",
        "case1.dcm.dcm",
        "case1_mask",
        "case1.SEG.DCM",
    ],
)
def test_segmentation_is_found_by_name(masks, file):
    folder = masks(segmentation([(square(3, 3), 1, None)], image=None), file)
    assert read_masks(folder, "case1.dcm", SHAPE).sources == (file,)
    assert find_masks(folder, "case10.dcm") == []


def test_segmentation_is_found_by_the_uid_of_its_image(masks, scan):
    masks(segmentation([(square(20, 20), 1, None)], image=OTHER_UID), "b/1.2.5.6")
    folder = masks(segmentation([(square(3, 3), 1, None)]), "a/1.2.5.7")
    (folder / "table.csv").write_text("image,x\n")
    user_masks = read_masks(folder, scan.name, SHAPE, scan=scan)
    np.testing.assert_array_equal(user_masks.masses, square(3, 3))
    assert (user_masks.sources, user_masks.notes) == (("a/1.2.5.7",), ())


def test_segmentation_is_found_by_the_images_of_its_series(masks, scan):
    dataset = segmentation([(square(3, 3), 1, None)], image=None)
    dataset.ReferencedSeriesSequence = sequence(
        ReferencedInstanceSequence=sequence(ReferencedSOPInstanceUID=IMAGE_UID)
    )
    assert find_masks(masks(dataset, "x.dcm"), scan.name, scan)
    dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence += sequence(
        ReferencedSOPInstanceUID=OTHER_UID
    )
    with pytest.raises(ScanError, match="does not say which of them frame 1 outlines"):
        read_masks(masks(dataset, "x.dcm"), scan.name, SHAPE, scan=scan)


def test_only_frames_of_this_image_are_used(masks, scan):
    dataset = segmentation([(square(3, 3), 1, None), (square(20, 20), 1, None)])
    sources = (
        dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
    )
    sources[0].ReferencedSOPInstanceUID = OTHER_UID
    folder = masks(dataset)
    np.testing.assert_array_equal(
        read_masks(folder, scan.name, SHAPE, scan=scan).masses, square(20, 20)
    )
    with pytest.raises(ScanError, match="outlines 2 images"):
        read_masks(folder, "case1.png", SHAPE)


def test_file_name_overrules_uid_with_a_note(masks, scan):
    masks(segmentation([(square(3, 3), 1, None)]), "by_uid.dcm")
    folder = masks(segmentation([(square(20, 20), 1, None)], image=OTHER_UID), "anything_mask.dcm")
    user_masks = read_masks(folder, scan.name, SHAPE, scan=scan)
    np.testing.assert_array_equal(user_masks.masses, square(20, 20))
    assert "another UID" in user_masks.notes[0]


def test_scan_is_not_a_mask_and_other_dicom_is_left_out_with_a_note(masks, scan):
    assert read_masks(scan.parent, scan.name, SHAPE, scan=scan) is None
    (scan.parent / "anything_mask.dcm").write_bytes(scan.read_bytes())
    user_masks = read_masks(scan.parent, scan.name, SHAPE, scan=scan)
    assert (user_masks.masses, user_masks.ducts, user_masks.nonmass) == (None, None, None)
    assert (
        "anything_mask.dcm in the masks folder is not used: expected a DICOM Segmentation, "
        "found Ultrasound Multi-frame Image Storage" in user_masks.notes[0]
    )


def test_unreadable_file_beside_a_mask_is_noted(masks, scan):
    folder = masks(segmentation([(square(3, 3), 1, None)]), "good.dcm")
    (folder / "bad.dcm").write_bytes(
        b"\0" * 128 + b"DICM\x02\x00\x10\x00UI\x04\x001.2\0\x08\x00\x16\x00UX\xff\xffbroken"
    )
    user_masks = read_masks(folder, scan.name, SHAPE, scan=scan)
    assert user_masks.sources == ("good.dcm",)
    (warning,) = user_masks.warnings
    assert warning.code == WarningCode.MASK_NOT_USED
    assert warning.text.startswith(
        "bad.dcm in the masks folder is not used, although it may belong to this image: "
        "expected DICOM"
    )
    assert str(folder) not in warning.text


def test_segmentations_beside_scans_are_not_scans(masks):
    masks(segmentation([(square(3, 3), 1, None)]), "case1.seg.dcm")
    masks(segmentation([(square(3, 3), 1, None)]), "case1_duct.dcm")
    folder = masks(segmentation([(square(3, 3), 1, None)]), "case1_mask.dcm")
    (folder / "case1.dcm").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "case2_mask.dcm").write_bytes(b"\0" * 128 + b"DICM")
    assert [scan.name for scan in find_scans([folder])] == ["case1.dcm", "case2_mask.dcm"]


# ---- frames of a cine ----


def test_frames_have_their_own_outlines_and_others_are_left_to_usmicro(masks):
    frames = [(square(3, 3), 1, 2), (square(20, 20), 1, 4), (square(3, 30), 2, 4)]
    user_masks = read_masks(
        masks(segmentation(frames, ["Mass", "Duct"])), "case1.png", SHAPE, frames=5
    )
    assert list(user_masks.frames) == [1, 3]
    assert user_masks.on_frame(0).masses is None
    np.testing.assert_array_equal(user_masks.on_frame(1).masses, square(3, 3))
    assert user_masks.on_frame(1).ducts.max() == 0  # no pixels on an outlined frame: absent
    np.testing.assert_array_equal(user_masks.on_frame(3).masses, square(20, 20))
    np.testing.assert_array_equal(user_masks.on_frame(3).ducts, square(3, 30))
    assert "2 of 5 frames have masks" in user_masks.notes[0]


def test_outline_is_used_for_several_frames_or_without_a_number_for_all(masks):
    user_masks = read_masks(
        masks(segmentation([(square(3, 3), 1, [1, 3])])), "case1.png", SHAPE, frames=3
    )
    assert list(user_masks.frames) == [0, 2]
    user_masks = read_masks(
        masks(segmentation([(square(3, 3), 1, None)])), "case1.png", SHAPE, frames=3
    )
    assert (len(user_masks.frames), user_masks.notes) == (0, ())
    np.testing.assert_array_equal(user_masks.on_frame(2).masses, square(3, 3))


def test_any_frame_may_be_outlined_if_the_number_of_frames_is_unknown(masks):
    """A run over some frames of a cine does not tell how many frames the cine has."""
    folder = masks(segmentation([(square(3, 3), 1, [2, 9])]))
    user_masks = read_masks(folder, "case1.png", SHAPE, frames=None)
    assert list(user_masks.frames) == [1, 8]
    with pytest.raises(ScanError, match="outlines frame 9, but the image has 3 frames"):
        read_masks(folder, "case1.png", SHAPE, frames=3)


def test_single_image_is_frame_1(masks):
    user_masks = read_masks(masks(segmentation([(square(3, 3), 1, 1)])), "case1.png", SHAPE)
    np.testing.assert_array_equal(user_masks.masses, square(3, 3))
    with pytest.raises(
        ScanError, match=r"case1\.seg\.dcm: outlines frame 3, but the image has 1 frame;"
    ):
        read_masks(masks(segmentation([(square(3, 3), 1, 3)])), "case1.png", SHAPE)


# ---- segmentations that cannot be used ----


def without(name):
    """Return a fractional segmentation that lacks an attribute."""
    dataset = segmentation([(square(3, 3), 1, None)], kind="FRACTIONAL")
    del dataset[name]
    return dataset


def changed(**attributes):
    """Return a segmentation with some attributes replaced."""
    dataset = segmentation([(square(3, 3), 1, None)], ["Mass", "Duct"])
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (without("SegmentSequence"), "has no segments"),
        (without("PixelData"), "has no pixels"),
        (without("MaximumFractionalValue"), "MaximumFractionalValue"),
        (
            changed(SegmentationType="SURFACE"),
            "expected the segmentation type BINARY, FRACTIONAL, LABELMAP, found SURFACE",
        ),
        (changed(Rows=50), "has 50 rows x 61 columns, expected 39 x 61"),
        (changed(NumberOfFrames=2), "describes 1 frames, but its NumberOfFrames is 2"),
        (changed(PixelData=b"\0" * 20), "pixels of the segmentation cannot be decoded"),
        (segmentation([(square(3, 3), 7, None)]), "has segment 7, expected one of 1"),
        (
            segmentation([(square(3, 3), None, None)], ["Mass", "Duct"]),
            "has no segment number, expected one of 1, 2",
        ),
        (
            segmentation([(6 * square(3, 3), None, None)], kind="LABELMAP"),
            "has the value 6, but its segments are 1",
        ),
    ],
)
def test_error_names_the_file_and_the_fault(masks, dataset, message):
    with pytest.raises(ScanError, match=message) as caught:
        read_masks(masks(dataset), "case1.png", SHAPE)
    assert "case1.seg.dcm: " in str(caught.value)


def test_truncated_segmentation_is_refused(masks):
    folder = masks(segmentation([(square(3, 3), 1, None)]))
    path = folder / "case1.seg.dcm"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ScanError, match=r"case1\.seg\.dcm"):
        read_masks(folder, "case1.png", SHAPE)


def test_segmentation_with_the_suffix_of_a_picture_is_read(masks, scan):
    folder = masks(segmentation([(square(3, 3), 1, None)]), "case1.png")
    np.testing.assert_array_equal(read_masks(folder, "case1.png", SHAPE).masses, square(3, 3))
    (folder / "case2.png").write_bytes(scan.read_bytes())
    with pytest.raises(ScanError, match="expected a DICOM Segmentation, found Ultrasound"):
        read_masks(folder, "case2.png", SHAPE)
