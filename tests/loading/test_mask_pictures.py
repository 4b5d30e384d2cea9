"""Pictures that are masks: each kind is read right or refused with a message that says why."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import zoom

from tests.helpers.pictures import SHAPE as SMALL
from tests.helpers.pictures import mask as small_mask
from usmicro.errors import ScanError
from usmicro.loading.mask_pixels import looks_like_mask
from usmicro.loading.masks import read_masks
from usmicro.model.warnings import WarningCode

SHAPE = (120, 160)


def disc(left=40, top=30, size=50, scale=1):
    """Return the area of a disc, bool."""
    image = Image.new("1", (SHAPE[1] * scale, SHAPE[0] * scale))
    box = [scale * value for value in (left, top, left + size, top + size)]
    ImageDraw.Draw(image).ellipse(box, fill=1)
    return np.asarray(image)


DISC = disc()
GREY = (DISC * 255).astype(np.uint8)
SMOOTH = np.asarray(
    Image.fromarray(disc(scale=4)).convert("L").resize(SHAPE[::-1], Image.Resampling.BOX)
)
"""A disc with an antialiased edge."""


def colours(background, *areas):
    """Return an RGB or RGBA picture; `areas` are pairs of area and colour."""
    picture = np.zeros((*SHAPE, len(background)), np.uint8)
    picture[:] = background
    for area, colour in areas:
        picture[area] = colour
    return picture


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a picture as a mask and reads it."""

    def write_and_read(picture, name="a.png", **options):
        picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        picture.save(tmp_path / name, **options)
        return read_masks(tmp_path, "a.png" if name != "a.png" else "a.dcm", SHAPE)

    return write_and_read


def agreement(area, expected=DISC):
    """Return the Dice coefficient of two areas."""
    return 2 * np.sum((area > 0) & expected) / (np.sum(area > 0) + np.sum(expected))


def with_palette(indices, *palette):
    image = Image.fromarray(indices.astype(np.uint8), mode="P")
    image.putpalette([value for colour in palette for value in colour])
    return image


BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255,) * 3, (255, 0, 0), (0, 255, 0), (0, 0, 255)
HALF = disc(left=90) & ~DISC


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(with_palette(~DISC, WHITE, BLACK), id="palette whose index 0 is white"),
        pytest.param(with_palette(DISC, BLACK, (128, 0, 0)), id="palette of VOC"),
        pytest.param(with_palette(DISC * 7, BLACK, *[BLUE] * 7), id="one colour of a palette"),
        pytest.param(with_palette(DISC * 2, BLACK, GREEN, RED), id="palette of BUS-UCLM"),
        pytest.param(colours(BLACK, (DISC, RED)), id="red on black"),
        pytest.param(colours(BLACK, (DISC, (0, 0, 90))), id="dark blue on black"),
        pytest.param(colours((0, 0, 0, 255), (DISC, (255, 255, 255, 255))), id="opaque alpha"),
        pytest.param(colours((0, 0, 0, 0), (DISC, (255, 255, 255, 0))), id="alpha 0 everywhere"),
        pytest.param(colours((0, 0, 0, 0), (DISC, (0, 0, 0, 255))), id="black on transparent"),
        pytest.param(colours((255, 255, 255, 0), (DISC, (255, 255, 255, 255))), id="alpha alone"),
        pytest.param(colours((255, 255, 255, 0), (DISC, (0, 0, 0, 255))), id="black, white alpha"),
        pytest.param(colours((9, 9, 9, 0), (DISC, (255, 0, 0, 102))), id="translucent"),
        pytest.param(Image.fromarray(GREY).convert("LA"), id="grey with alpha"),
        pytest.param(Image.fromarray(GREY).convert("1"), id="1 bit"),
        pytest.param(DISC.astype(np.uint8), id="0 and 1"),
        pytest.param(DISC * np.uint16(65535), id="16 bits"),
        pytest.param(DISC * np.uint16(256), id="16 bits, value 256"),
    ],
)
def test_flat_masks_are_read_exactly(read, picture):
    np.testing.assert_array_equal(read(picture).masses > 0, DISC)


@pytest.mark.parametrize(
    ("picture", "name", "options"),
    [
        pytest.param(GREY, "a_mask.jpg", {"quality": 75}, id="JPEG"),
        pytest.param(GREY, "a_mask.jpg", {"quality": 95}, id="good JPEG"),
        pytest.param(np.dstack([GREY] * 3), "a_mask.jpeg", {"quality": 75}, id="JPEG in RGB"),
        pytest.param(colours(BLACK, (DISC, RED)), "a_mask.jpg", {"quality": 75}, id="red JPEG"),
        pytest.param(SMOOTH, "a_mask.png", {}, id="antialiased"),
        pytest.param(SMOOTH // 2, "a_mask.png", {}, id="antialiased to 127"),
        pytest.param(np.dstack([SMOOTH, 0 * SMOOTH, 0 * SMOOTH]), "a.bmp", {}, id="smooth red"),
        pytest.param(np.dstack([0 * SMOOTH] * 3 + [SMOOTH]), "a.tif", {}, id="smooth alpha"),
        pytest.param(GREY, "a_mask.gif", {}, id="GIF"),
        pytest.param(SMOOTH.astype(np.float32) / 255, "a.tiff", {}, id="floating point"),
        pytest.param(SMOOTH.astype(np.int32) * 200, "a.tiff", {}, id="32 bits"),
    ],
)
def test_smooth_edges_are_cut_at_half(read, picture, name, options):
    masks = read(picture, name, **options)
    assert agreement(masks.masses) > 0.98
    assert masks.masses.max() == 1
    assert masks.warnings == ()


def test_mask_enlarged_with_interpolation_is_cut_at_half(read):
    small = Image.fromarray(GREY).resize((40, 30), Image.Resampling.BOX)
    for method in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
        assert agreement(read(small.resize(SHAPE[::-1], method)).masses) > 0.95


def test_red_and_green_are_masses_as_in_bus_uclm(read):
    masks = read(colours(BLACK, (DISC, RED), (HALF, GREEN)))
    np.testing.assert_array_equal(masks.masses > 0, DISC | HALF)
    assert (masks.ducts, masks.nonmass) == (None, None)
    masks = read(with_palette(DISC + 2 * HALF, BLACK, RED, GREEN))
    np.testing.assert_array_equal(masks.masses > 0, DISC | HALF)


def test_several_colours_are_taken_if_the_name_says_what_they_are(read, tmp_path):
    picture = colours(BLACK, (DISC, RED), (HALF, BLUE))
    with pytest.raises(ScanError, match=r"coloured areas blue, red, .* NAME_duct\.png"):
        read(picture)
    (tmp_path / "a.png").unlink()
    np.testing.assert_array_equal(read(picture, "a_duct.png").ducts > 0, DISC | HALF)


@pytest.mark.parametrize("name", ["a.png", "a_mask.png", "a_tumor.png"])
@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(255 - GREY, id="grey"),
        pytest.param(colours(WHITE, (DISC, RED)), id="red on white"),
        pytest.param(colours(WHITE, (DISC, BLACK)), id="black on white"),
        pytest.param(with_palette(DISC, WHITE, BLACK), id="palette"),
        pytest.param(Image.fromarray(255 - GREY).convert("1"), id="1 bit"),
        pytest.param(np.full(SHAPE, 255, np.uint8), id="white everywhere"),
        pytest.param(DISC.astype(np.uint8) + 1, id="1 and 2"),
    ],
)
def test_inverted_mask_is_refused(read, picture, name):
    with pytest.raises(ScanError, match=r"inverted|values 1, 2"):
        read(picture, name)


def test_mask_of_most_of_the_border_has_a_warning(read):
    picture = 255 - GREY
    picture[:, :50] = 0
    (warning,) = read(picture).warnings
    assert warning.code == WarningCode.MASK_UNUSUAL
    picture[:, :90] = 0
    assert read(picture).warnings == ()


def test_contour_has_a_warning_that_it_is_not_filled(read):
    ring = DISC & ~disc(left=43, top=33, size=44)
    (warning,) = read((ring * 255).astype(np.uint8)).warnings
    assert warning.code == WarningCode.MASK_UNUSUAL
    assert "contour" in warning.text
    assert read((DISC & ~disc(left=55, top=45, size=20)) * np.uint8(255)).warnings == ()


@pytest.mark.parametrize(
    ("rows", "columns", "number"),
    [
        pytest.param(slice(50, 54), slice(91, 95), 16, id="a patch at the edge of the mass"),
        pytest.param(slice(5, 9), slice(120, 124), 16, id="a patch alone"),
        pytest.param(slice(5, 8), slice(120, 123), 9, id="a small patch alone"),
        pytest.param(slice(100, 101), slice(20, 140), 120, id="a line"),
    ],
)
@pytest.mark.parametrize("value", [100, 128])
def test_small_areas_of_a_third_value_have_a_warning(read, rows, columns, number, value):
    picture = GREY.copy()
    picture[rows, columns] = value
    masks = read(picture)
    np.testing.assert_array_equal(masks.masses > 0, picture > 127)
    (warning,) = masks.warnings
    assert warning.code == WarningCode.MASK_UNUSUAL
    assert f"{number} pixels with the value {value}, expected 0 or 255" in warning.text


@pytest.mark.parametrize("factor", [0.4, 0.7, 1.5, 4])
@pytest.mark.parametrize("method", [*Image.Resampling])
def test_smooth_edges_of_any_resizing_have_no_warning(tmp_path, factor, method):
    size = tuple(round(factor * side) for side in SHAPE[::-1])
    area = disc() | disc(100, 70, 12)
    Image.fromarray((area * 255).astype(np.uint8)).resize(size, method).save(tmp_path / "a.png")
    assert read_masks(tmp_path, "a.dcm", size[::-1]).warnings == ()


@pytest.mark.parametrize(
    ("picture", "name", "message"),
    [
        pytest.param(DISC * 60 + HALF * 120, "a_mask.png", "found the values 0, 60, 120", id="3"),
        pytest.param(DISC * 255 + HALF * 2, "a_mass.png", "found the values 0, 2, 255", id="low"),
        pytest.param(DISC * 200 + HALF * 90, "a.jpg", "found the values", id="levels of a JPEG"),
        pytest.param(DISC * 3, "a.jpg", "JPEG does not keep small values", id="labels as JPEG"),
        pytest.param(colours(BLACK, (DISC, RED), (HALF, (0, 99, 0))), "a.png", "flat", id="shades"),
    ],
)
def test_other_pictures_are_refused(read, picture, name, message):
    with pytest.raises(ScanError, match=message):
        read(picture.astype(np.uint8), name)


def test_scan_is_refused_as_a_mask(read):
    speckle = np.random.default_rng(0).rayleigh(40, SHAPE).clip(0, 255).astype(np.uint8)
    for picture in (speckle, np.where(DISC, speckle, 0), colours(BLACK, (DISC, RED)) // 2 + 9):
        with pytest.raises(ScanError, match=r"expected (a mask|black)"):
            read(picture.astype(np.uint8))


def test_mask_with_several_pages_is_refused(read, tmp_path):
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    with pytest.raises(ScanError, match="2 pages, expected one"):
        read(pages[0], "a_mask.tif", save_all=True, append_images=pages[1:])


def test_16_bit_colours_are_refused(tmp_path):
    import cv2

    picture = np.dstack([DISC.astype(np.uint16)] * 3)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    with pytest.raises(ScanError, match="save it with 8 bits"):
        read_masks(tmp_path, "a.dcm", SHAPE)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_mask_is_turned_as_its_scan(tmp_path, suffix, orientation):
    """The mask has the same orientation tag as the scan."""
    from usmicro.loading import load

    exif = Image.Exif()
    exif[274] = orientation
    picture = GREY.copy()
    picture[5:25, 5:25] = 255
    Image.fromarray(picture).save(tmp_path / f"a.{suffix}", exif=exif)
    (tmp_path / "masks").mkdir()
    Image.fromarray(picture).save(tmp_path / "masks" / f"a.{suffix}", exif=exif)
    scan = load(tmp_path / f"a.{suffix}")
    frame = next(iter(scan.frames()))
    masks = read_masks(tmp_path / "masks", "a.dcm", (scan.rows, scan.columns))
    assert agreement(masks.masses, frame > 127) > 0.98


# ---- label images ----


def label_image(*values):
    """Return a label image with one area for each value."""
    picture = np.zeros(SHAPE, np.uint8)
    for index, value in enumerate(values):
        picture[20:50, 10 + 40 * index : 40 + 40 * index] = value
    return picture


def labels_with_255(value=1):
    """Return a label image whose lower rows are not tissue."""
    picture = label_image(value)
    picture[100:] = 255
    return picture


def test_label_image_with_0_1_and_255_is_read_outside_a_folder_of_a_run(read):
    masks = read(labels_with_255())
    np.testing.assert_array_equal(masks.masses > 0, label_image(1, 0) > 0)
    assert (masks.ducts.max(), masks.nonmass.any()) == (0, False)
    assert masks.notes == (
        "a.png was read as a label image (1 mass, 2 duct, 3 nonmass area, 255 not tissue)",
    )


def test_labels_need_a_background_of_0_outside_a_folder_of_a_run(read, tmp_path):
    picture = np.where(label_image(2) == 0, 1, 2).astype(np.uint8)
    with pytest.raises(ScanError, match="found the values 1, 2"):
        read(picture)
    (tmp_path / "run.json").write_text(json.dumps({"usmicro": "0.1.0"}))
    masks = read(picture)
    assert masks.masses[0, 0] == 1
    assert masks.ducts[30, 20] == 1


def test_labels_with_a_name_of_a_structure_are_refused(read):
    with pytest.raises(ScanError, match="found the values 0, 1, 255"):
        read(labels_with_255(), "a_mass.png")


@pytest.mark.parametrize("name", ["a.png", "a_mask.png", "a_mass.png"])
@pytest.mark.parametrize("value", [1, 2, 3])
@pytest.mark.parametrize("reaches_border", [False, True])
def test_stray_low_pixels_do_not_make_a_binary_mask_a_label_image(
    read, name, value, reaches_border
):
    area = DISC.copy()
    area[40:60, : 60 if reaches_border else 0] = True
    picture = (area * 255).astype(np.uint8)
    picture[5, 5] = picture[31, 64] = value
    picture[90:94, 100:104] = value
    area = picture == 255
    masks = read(picture, name)
    np.testing.assert_array_equal(masks.masses > 0, area)
    assert masks.ducts is None
    (warning,) = masks.warnings
    assert warning.code == WarningCode.MASK_UNUSUAL
    assert f"has 18 pixels with the value {value}, expected 0 or 255" in warning.text


def test_labels_with_255_inside_are_refused_since_255_may_be_a_mass(read):
    with pytest.raises(ScanError, match=r"255 not tissue, which is at the border.*0, 1, 255"):
        read(label_image(1, 255))


def test_labels_of_floating_point_are_read(read):
    masks = read(label_image(1, 2, 3).astype(np.float32), "a_mask.tif")
    np.testing.assert_array_equal(masks.ducts > 0, label_image(0, 2) > 0)


def test_mask_without_areas_says_that_there_is_none(read):
    for mode in ("L", "RGB", "1", "P"):
        masks = read(Image.new(mode, SHAPE[::-1]))
        assert masks.masses.max() == 0
        assert masks.ducts is None
        assert masks.notes == ("a.png outlines nothing, so the image has no such area",)


# ---- telling masks from scans ----


def encoded(picture, file_format, **options):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, file_format, **options)
    return stream.getvalue()


def enormous(bmp):
    """Return a BMP file whose header declares 2**31 pixels."""
    return bmp[:18] + (2**16).to_bytes(4, "little") + (2**15).to_bytes(4, "little") + bmp[26:]


def test_masks_look_like_masks_and_scans_do_not(tmp_path):
    rng = np.random.default_rng(0)
    speckle = rng.rayleigh(40, SHAPE).clip(0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(speckle).filter(ImageFilter.GaussianBlur(3)))
    path = tmp_path / "file"
    for content, expected in (
        (encoded(GREY, "png"), True),
        (encoded(GREY, "jpeg"), True),
        (encoded(SMOOTH, "bmp"), True),
        (encoded(colours(BLACK, (DISC, RED), (HALF, GREEN)), "tiff"), True),
        (encoded(GREY, "gif"), True),
        (encoded(colours((0, 0, 0, 0), (DISC, (0, 0, 0, 255))), "png"), True),
        (encoded(small_mask(1), "png"), True),
        (encoded(speckle, "png"), False),
        (encoded(speckle, "jpeg", quality=30), False),
        (encoded(np.dstack([speckle] * 3 + [255 + 0 * speckle]), "png"), False),
        (encoded(smooth, "png"), False),
        (encoded(zoom(speckle, 2, order=0), "tiff"), False),
        (encoded(speckle, "gif"), False),
        (enormous(encoded(GREY, "bmp")), False),
        (b"no picture", False),
    ):
        path.write_bytes(content)
        assert looks_like_mask(path) is expected
    assert SMALL != SHAPE


@pytest.mark.slow
def test_pictures_of_the_labelled_data_are_told_apart(data_folder):
    for folder in ("breast-lesions-usg", "bus-bra", "busi", "bus-uclm"):
        for kind, expected in (("images", False), ("masks", True)):
            files = sorted((data_folder / folder / kind).iterdir())[::10]
            assert {looks_like_mask(file) for file in files} == {expected}
