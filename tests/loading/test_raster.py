import pickle
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.settings import LoadingSettings

random = np.random.default_rng(0)
GREY = random.integers(0, 256, (40, 60), dtype=np.uint8)
COLOUR = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
GREY_16_BIT = random.integers(0, 65536, (40, 60), dtype=np.uint16)
COLOUR_16_BIT = random.integers(0, 65536, (40, 60, 3), dtype=np.uint16)


def save(path, image, mode=None, **options):
    """Write an image with Pillow, converted to a mode; return its path."""
    picture = Image.fromarray(image)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


def only_frame(path):
    """Return the only frame of a scan; its header must agree with it."""
    scan = load(path)
    (frame,) = scan.frames()
    assert frame.shape[:2] == (scan.rows, scan.columns)
    assert scan.declared_frames == 1
    return frame


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_formats_keep_the_pixels(tmp_path, suffix, image):
    np.testing.assert_array_equal(only_frame(save(tmp_path / f"scan{suffix}", image)), image)


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_keeps_the_pixels_approximately(tmp_path, image):
    smooth = cv2.GaussianBlur(image, (0, 0), 5)
    pixels = only_frame(save(tmp_path / "scan.jpg", smooth, quality=95))
    assert pixels.shape == smooth.shape
    assert np.abs(pixels.astype(int) - smooth).mean() < 2


def test_format_is_detected_from_the_content_not_the_name(tmp_path):
    np.testing.assert_array_equal(only_frame(save(tmp_path / "scan.jpg", GREY, format="PNG")), GREY)


def test_scan_has_its_header_and_can_be_pickled(tmp_path):
    scan = load(save(tmp_path / "scan.png", COLOUR), name="left/scan.png")
    assert (scan.name, scan.rows, scan.columns, scan.declared_frames, scan.notes) == (
        "left/scan.png",
        40,
        60,
        1,
        (),
    )
    assert scan.decoder.startswith("Pillow")
    np.testing.assert_array_equal(next(pickle.loads(pickle.dumps(scan)).frames()), COLOUR)


def test_transparent_pixels_become_black(tmp_path):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:10] = 0
    alpha[10:20] = 128
    pixels = only_frame(save(tmp_path / "scan.png", np.dstack([COLOUR, alpha])))
    np.testing.assert_array_equal(pixels[20:], COLOUR[20:])
    assert (pixels[:10] == 0).all()
    np.testing.assert_allclose(pixels[10:20], COLOUR[10:20] * (128 / 255), atol=0.51)
    opaque = only_frame(save(tmp_path / "opaque.png", np.dstack([COLOUR, np.full_like(GREY, 255)])))
    np.testing.assert_array_equal(opaque, COLOUR)
    np.testing.assert_array_equal(
        only_frame(save(tmp_path / "grey.png", np.dstack([GREY, alpha])))[20:, :, 0], GREY[20:]
    )


def test_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(COLOUR).quantize(16)
    image.save(tmp_path / "scan.png")
    np.testing.assert_array_equal(only_frame(tmp_path / "scan.png"), np.array(image.convert("RGB")))
    image.save(tmp_path / "clear.png", transparency=0)
    pixels = only_frame(tmp_path / "clear.png")
    assert (pixels[np.array(image) == 0] == 0).all()


@pytest.mark.parametrize("name", ["scan.png", "scan.bmp", "scan.tif"])
def test_1_bit_pixels_are_black_and_white_with_a_note(tmp_path, name):
    path = save(tmp_path / name, GREY > 128)
    np.testing.assert_array_equal(only_frame(path), (GREY > 128) * 255)
    assert any("1-bit" in note for note in load(path).notes)


@pytest.mark.parametrize("name", ["scan.jpg", "scan.tif"])
def test_cmyk_becomes_rgb_with_a_note(tmp_path, name):
    smooth = cv2.GaussianBlur(COLOUR, (0, 0), 5)
    path = save(tmp_path / name, smooth, "CMYK")
    assert np.abs(only_frame(path).astype(int) - smooth).mean() < 3
    assert any("CMYK" in note for note in load(path).notes)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["scan.jpg", "scan.png", "scan.tif"])
def test_image_is_turned_upright_by_its_orientation_tag(tmp_path, name, orientation):
    upright = np.zeros((40, 64), np.uint8)
    upright[4:12, 8:40] = 200
    stored = {  # the image that the tag makes upright
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: np.rot90(upright, 2).T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    path = save(tmp_path / name, np.ascontiguousarray(stored), exif=exif)
    assert np.abs(only_frame(path).astype(int) - upright).max() < 12


def test_every_page_is_turned_upright(tmp_path):
    first, *others = (
        Image.fromarray(np.ascontiguousarray(np.rot90(GREY // (i + 1)))) for i in range(3)
    )
    exif = Image.Exif()
    exif[274] = 6
    first.save(tmp_path / "cine.tif", save_all=True, append_images=others, exif=exif)
    np.testing.assert_array_equal(
        np.stack(list(load(tmp_path / "cine.tif").frames())), [GREY // (i + 1) for i in range(3)]
    )


def test_16_bit_grey_and_colour_are_read(tmp_path):
    for name in ("scan.png", "scan.tif"):
        cv2.imwrite(str(tmp_path / name), GREY_16_BIT)
        np.testing.assert_array_equal(only_frame(tmp_path / name), GREY_16_BIT)
        cv2.imwrite(str(tmp_path / name), COLOUR_16_BIT[..., ::-1])
        np.testing.assert_array_equal(only_frame(tmp_path / name), COLOUR_16_BIT)
        assert any("16-bit" in note for note in load(tmp_path / name).notes)
    tifffile.imwrite(
        tmp_path / "planes.tif",
        np.moveaxis(COLOUR_16_BIT, -1, 0),
        photometric="rgb",
        planarconfig="separate",
    )
    with pytest.raises(ScanError, match="layout that is not read"):
        load(tmp_path / "planes.tif")


@pytest.mark.parametrize("bits", [8, 10, 12, 15])
def test_16_bit_pixels_are_rescaled_from_the_highest_bit_used(tmp_path, bits):
    values = np.linspace(0, 2**bits - 1, 2400).round().astype(np.uint16).reshape(40, 60)
    cv2.imwrite(str(tmp_path / "scan.png"), values)
    pixels = only_frame(tmp_path / "scan.png")
    assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_allclose(
        pixels / np.iinfo(pixels.dtype).max, values / (2**bits - 1), atol=1e-5
    )


def test_image_in_which_white_is_zero_is_inverted(tmp_path):
    tifffile.imwrite(tmp_path / "8.tif", GREY, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "16.tif", GREY_16_BIT, photometric="miniswhite")
    np.testing.assert_array_equal(only_frame(tmp_path / "8.tif"), 255 - GREY)
    np.testing.assert_array_equal(only_frame(tmp_path / "16.tif"), 65535 - GREY_16_BIT)


@pytest.mark.parametrize("kind", ["grey", "colour", "deep", "deep colour", "lzw"])
def test_tiff_pages_are_frames(tmp_path, kind):
    image = {
        "grey": GREY,
        "colour": COLOUR,
        "deep": GREY_16_BIT >> 2,
        "deep colour": COLOUR_16_BIT,
        "lzw": COLOUR,
    }[kind]
    pages = [np.roll(image, 3 * i, axis=0) // (i + 1) for i in range(4)]
    path = tmp_path / "cine.tif"
    if kind == "lzw":
        first, *others = (Image.fromarray(page) for page in pages)
        first.save(path, save_all=True, append_images=others, compression="tiff_lzw")
    else:
        with tifffile.TiffWriter(path) as writer:
            for page in pages:
                writer.write(
                    page, photometric="rgb" if page.ndim == 3 else "minisblack", contiguous=False
                )
    scan = load(path)
    assert scan.declared_frames == 4
    pixels = np.stack(list(scan.frames()))
    expected = np.stack(pages)
    if kind == "deep":  # 14 bits in all pages together
        expected = np.rint(expected * (65535 / (2**14 - 1))).astype(np.uint16)
    np.testing.assert_array_equal(pixels, expected)


def test_pages_of_another_size_are_left_out_with_a_warning(tmp_path):
    with tifffile.TiffWriter(tmp_path / "scan.tif") as writer:
        writer.write(GREY)
        writer.write(GREY[::2, ::2])
        writer.write(GREY)
    scan = load(tmp_path / "scan.tif")
    assert len(list(scan.frames())) == scan.declared_frames == 2
    assert [str(warning.code) for warning in scan.warnings] == ["frames-not-read"]
    assert "1 of 3 TIFF pages" in scan.warnings[0].text


def test_pages_are_read_one_at_a_time(tmp_path):
    page = np.zeros((300, 400), np.uint8)
    tifffile.imwrite(tmp_path / "cine.tif", np.stack([page] * 60), photometric="minisblack")
    list(load(tmp_path / "cine.tif").frames())
    tracemalloc.start()
    for _frame in load(tmp_path / "cine.tif").frames():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * page.nbytes


def write_png_bomb(path, rows, columns):
    """Write a small PNG file with very many black pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        )

    header = struct.pack(">LLBBBBB", columns, rows, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    return path


def test_huge_image_is_refused_by_its_header(tmp_path):
    path = write_png_bomb(tmp_path / "huge.png", 20000, 20000)
    load(save(tmp_path / "small.png", GREY))  # imports the modules
    tracemalloc.start()
    with pytest.raises(
        ScanError,
        match=r"20000 rows x 20000 columns are 400000000 pixels, above the limit of 100000000\..*"
        r"loading\.largest_image = 400000000",
    ):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert load(path, settings=LoadingSettings(largest_image=10**9)).rows == 20000


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (1, 1, 3)])
def test_smallest_images_are_read(tmp_path, shape):
    image = np.full(shape, 7, np.uint8)
    np.testing.assert_array_equal(only_frame(save(tmp_path / "scan.png", image)), image)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_black_image_stays_black(tmp_path, kind):
    cv2.imwrite(str(tmp_path / "scan.png"), np.zeros((30, 30), kind))
    assert not only_frame(tmp_path / "scan.png").any()


@pytest.mark.parametrize("values", [np.float32, np.float64])
def test_floating_point_pixels_are_refused(tmp_path, values):
    tifffile.imwrite(tmp_path / "scan.tif", GREY.astype(values))
    with pytest.raises(ScanError, match=r"scan\.tif"):
        only_frame(tmp_path / "scan.tif")


def test_32_bit_pixels_are_refused_unless_they_fit_into_16_bits(tmp_path):
    tifffile.imwrite(tmp_path / "few.tif", GREY_16_BIT.astype(np.int32))
    np.testing.assert_array_equal(only_frame(tmp_path / "few.tif"), GREY_16_BIT)
    tifffile.imwrite(tmp_path / "many.tif", GREY_16_BIT.astype(np.int32) * 1000)
    with pytest.raises(ScanError, match="expected 0 to 65535"):
        only_frame(tmp_path / "many.tif")


@pytest.mark.parametrize(
    "name", ["scan.png", "scan.jpg", "scan.bmp", "scan.tif", "deep.png", "deep.tif"]
)
def test_truncated_file_gives_a_scan_error_and_prints_nothing(tmp_path, name, capfd):
    path = tmp_path / name
    if name.startswith("deep"):
        cv2.imwrite(str(path), COLOUR_16_BIT)
    else:
        save(path, GREY)
    whole = path.read_bytes()
    for length in range(1, len(whole) - 20, max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(ScanError, match=name.replace(".", r"\.")):
            only_frame(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        ("a.heic", b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIF"),
        ("a.png", b"", "an empty file"),
        ("a.png", b"plain words", "text"),
        ("a.png", b"\xfe\xdc\0\x01" * 30, "unknown format"),
    ],
)
def test_format_that_is_not_read_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ScanError, match=f"expected a DICOM, PNG, JPEG, BMP, TIFF, .* file, found .*{message}"
    ):
        load(tmp_path / name)


def test_folder_and_missing_file_are_refused(tmp_path):
    with pytest.raises(ScanError, match="a folder"):
        load(tmp_path)
    with pytest.raises(ScanError, match="no such file"):
        load(tmp_path / "nowhere.png")


def test_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "scan.png", GREY)

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(ScanError, match="cannot be opened: Permission denied"):
        load(path)


@pytest.mark.slow
def test_transparent_parts_of_the_labelled_data_become_black(data_folder):
    path = data_folder / "breast-lesions-usg" / "images" / "case005.png"
    alpha = np.array(Image.open(path))[..., 3]
    frame = only_frame(path)
    assert (frame[alpha == 0] == 0).all()
    assert frame[alpha == 255].any()
