"""Pixels of unusual kinds: alpha, resolution, bits, planes, coders."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from usmicro.errors import ScanError
from usmicro.loading import load

random = np.random.default_rng(2)
GREY = random.integers(0, 256, (24, 36), dtype=np.uint8)
COLOUR = random.integers(0, 256, (24, 36, 3), dtype=np.uint8)


def frame_of(path):
    """Return the only frame of a scan, and the scan."""
    scan = load(path)
    (frame,) = scan.frames()
    assert frame.shape[:2] == (scan.rows, scan.columns)
    return frame, scan


def with_alpha(alpha):
    """Return RGBA pixels with the same alpha everywhere."""
    return np.dstack([COLOUR, np.full_like(GREY, alpha)])


def bitmap_with_alpha(pixels):
    """Return a BMP file of version 4 with an alpha channel."""
    rows, columns = pixels.shape[:2]
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, columns, rows, 1, 32, 3, 0, 2835, 2835, 0, 0)
    header = (header + masks + b"BGRs").ljust(108, b"\0")
    data = np.ascontiguousarray(pixels[::-1, :, [2, 1, 0, 3]]).tobytes()
    return b"BM" + struct.pack("<IHHI", 122 + len(data), 0, 0, 122) + header + data


@pytest.mark.parametrize("alpha", [0, 1, 100])
def test_alpha_that_is_the_same_everywhere_is_ignored_with_a_note(tmp_path, alpha):
    pixels = with_alpha(alpha)
    (tmp_path / "a.bmp").write_bytes(bitmap_with_alpha(pixels))
    Image.fromarray(pixels).save(tmp_path / "b.png")
    Image.fromarray(pixels).save(tmp_path / "c.tif")
    tifffile.imwrite(tmp_path / "d.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    tifffile.imwrite(tmp_path / "e.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("a.bmp", "b.png", "c.tif", "d.tif", "e.tif"):
        frame, scan = frame_of(tmp_path / name)
        np.testing.assert_array_equal(frame, COLOUR, err_msg=name)
        assert "alpha channel is the same everywhere" in scan.notes[0]
    Image.fromarray(np.dstack([GREY, np.full_like(GREY, alpha)])).save(tmp_path / "f.png")
    np.testing.assert_array_equal(frame_of(tmp_path / "f.png")[0][..., 0], GREY)
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.save(tmp_path / "g.png", transparency=bytes([alpha] * 16))
    np.testing.assert_array_equal(frame_of(tmp_path / "g.png")[0], np.array(palette.convert("RGB")))


def test_opaque_and_partly_transparent_images_are_as_they_were(tmp_path):
    (tmp_path / "a.bmp").write_bytes(bitmap_with_alpha(with_alpha(255)))
    frame, scan = frame_of(tmp_path / "a.bmp")
    np.testing.assert_array_equal(frame, COLOUR)
    assert scan.notes == ()
    pixels = with_alpha(255)
    pixels[:5, :, 3] = 0
    (tmp_path / "a.bmp").write_bytes(bitmap_with_alpha(pixels))
    frame, scan = frame_of(tmp_path / "a.bmp")
    assert not frame[:5].any()
    np.testing.assert_array_equal(frame[5:], COLOUR[5:])
    assert scan.notes == ()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colours_that_are_multiplied_by_alpha_are_those_over_black(tmp_path, compression):
    pixels = with_alpha(255)
    pixels[:5, :, 3] = 0
    pixels[5:9, :, 3] = 130
    pixels[:9, :, :3] = pixels[:9, :, :3] // 4
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        photometric="rgb",
        extrasamples=["assocalpha"],
        compression=compression,
    )
    frame, scan = frame_of(tmp_path / "a.tif")
    np.testing.assert_array_equal(frame, pixels[..., :3])
    assert scan.notes == ()


def test_extra_sample_of_an_unknown_kind_is_no_alpha(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", with_alpha(0), photometric="rgb", extrasamples=["unspecified"]
    )
    np.testing.assert_array_equal(frame_of(tmp_path / "a.tif")[0], COLOUR)


def test_16_bit_alpha_that_is_0_everywhere_is_ignored(tmp_path):
    import cv2

    deep = COLOUR.astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([deep[..., ::-1], np.zeros_like(deep[..., :1])]))
    frame, scan = frame_of(tmp_path / "a.png")
    np.testing.assert_array_equal(frame, deep)
    assert "alpha channel" in scan.notes[0]


def test_animation_whose_first_image_is_transparent_keeps_its_alpha(tmp_path):
    first, second = with_alpha(0), with_alpha(255)
    Image.fromarray(first).save(
        tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(second)]
    )
    frames = list(load(tmp_path / "a.png").frames())
    assert not frames[0].any()
    np.testing.assert_array_equal(frames[1], COLOUR)


def write_with_resolution(folder, across, down):
    """Write files whose resolution is `across` and `down` pixels per cm; return their paths."""
    inches = (across * 2.54, down * 2.54)
    Image.fromarray(GREY).save(folder / "a.png", dpi=inches)
    Image.fromarray(GREY).save(folder / "b.jpg", dpi=inches)
    Image.fromarray(GREY).save(folder / "c.bmp", dpi=inches)
    tifffile.imwrite(folder / "d.tif", GREY, resolution=(across, down), resolutionunit=3)
    tifffile.imwrite(folder / "e.tif", GREY, resolution=(across, down), resolutionunit=1)
    return sorted(folder.iterdir())


def test_unequal_resolution_is_the_shape_of_pixels(tmp_path):
    for path in write_with_resolution(tmp_path, 100, 50):
        scan = load(path)
        assert scan.spacing.aspect == pytest.approx(2, rel=0.01), path
        assert not scan.spacing.known
        assert "2 times as high as wide" in scan.notes[-1]


def test_equal_or_missing_resolution_is_no_shape(tmp_path):
    for path in write_with_resolution(tmp_path, 100, 100.5):
        assert (load(path).spacing.aspect, load(path).notes) == (None, ())
    for path in write_with_resolution(tmp_path, 100, 5):
        scan = load(path)
        assert scan.spacing.aspect is None
        assert "not believed" in scan.notes[0]


def test_resolution_that_is_the_size_of_the_image_is_not_believed(tmp_path):
    (tmp_path / "a.png").write_bytes(
        png_of(GREY.astype(np.uint16) * 257, (b"pHYs", struct.pack(">IIB", 36, 24, 0)))
    )
    scan = load(tmp_path / "a.png")
    assert scan.spacing.aspect is None
    assert "its size in pixels" in scan.notes[0]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_shape_of_pixels_is_turned_with_the_image(tmp_path, orientation):
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(
        tmp_path / "a.tif", GREY, resolution=(100, 50), resolutionunit=2, extratags=tags
    )
    expected = 0.5 if orientation >= 5 else 2
    assert load(tmp_path / "a.tif").spacing.aspect == expected


def test_jpeg_and_gif_give_the_shape_of_pixels_without_a_unit(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg")
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    assert data[6:11] == b"JFIF\0"
    data[13:18] = b"\0" + (1).to_bytes(2, "big") + (2).to_bytes(2, "big")
    (tmp_path / "a.jpg").write_bytes(data)
    assert load(tmp_path / "a.jpg").spacing.aspect == 0.5
    exif = Image.Exif()
    exif[282], exif[283] = 72.0, 36.0
    Image.fromarray(GREY).save(tmp_path / "b.jpg", exif=exif)
    without = (tmp_path / "b.jpg").read_bytes().replace(b"JFIF\0", b"JFXX\0")
    (tmp_path / "b.jpg").write_bytes(without)
    assert load(tmp_path / "b.jpg").spacing.aspect == 2
    Image.fromarray(GREY).save(tmp_path / "c.gif")
    data = bytearray((tmp_path / "c.gif").read_bytes())
    data[12] = 113  # (113 + 15) / 64 = 2, width over height
    (tmp_path / "c.gif").write_bytes(data)
    assert load(tmp_path / "c.gif").spacing.aspect == 0.5


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_of_colour_are_joined(tmp_path, compression):
    planes = np.moveaxis(COLOUR, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif",
        planes,
        photometric="rgb",
        planarconfig="separate",
        compression=compression,
    )
    np.testing.assert_array_equal(frame_of(tmp_path / "a.tif")[0], COLOUR)


def tiff_of_bits(bits, data, photometric=1, sample_format=None):
    """Return a TIFF file of 2 rows x 4 columns with its packed pixels."""
    tags = [(256, 4), (257, 2), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1)]
    tags += [(278, 2), (279, len(data))]
    if sample_format:
        tags.append((339, sample_format))
    offset = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHIHH", tag, 3, 1, offset if tag == 273 else value, 0) for tag, value in tags
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 4 + data


def test_4_bit_pixels_are_grey_levels(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_bits(4, bytes([0x01, 0x23, 0x89, 0xEF])))
    np.testing.assert_array_equal(frame_of(path)[0], np.array([[0, 1, 2, 3], [8, 9, 14, 15]]) * 17)


def test_12_bit_pixels_are_grey_levels(tmp_path):
    path = tmp_path / "a.tif"
    values = np.array([[0, 1, 2048, 4095], [5, 6, 7, 8]])
    packed = b""
    for row in values:
        for first, second in row.reshape(-1, 2):
            packed += int(first << 12 | second).to_bytes(3, "big")
    path.write_bytes(tiff_of_bits(12, packed))
    np.testing.assert_allclose(frame_of(path)[0] / 65535, values / 4095, atol=1e-4)


def test_values_that_pillow_reads_wrongly_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY.view(np.int8))
    with pytest.raises(ScanError, match="signed 8-bit pixels"):
        load(path)
    tifffile.imwrite(path, GREY.astype(np.uint32), photometric="miniswhite")
    with pytest.raises(ScanError, match="kind that is not read"):
        load(path)


def test_kinds_that_pillow_does_not_read_are_not_called_damaged(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY.astype(np.float16))
    with pytest.raises(ScanError, match=r"kind that is not read .*convert it") as raised:
        load(path)
    assert "damaged" not in str(raised.value)
    tifffile.imwrite(path, GREY)
    data = path.read_bytes()
    at = data.index(struct.pack("<HHI", 259, 3, 1)) + 8
    path.write_bytes(data[:at] + struct.pack("<H", 50002) + data[at + 2 :])
    with pytest.raises(ScanError, match=r"compression 50002.*convert it") as raised:
        load(path)
    assert "damaged" not in str(raised.value)
    bitmap = bytearray(bitmap_with_alpha(with_alpha(0)))
    bitmap[28:30] = b"\3\0"
    (tmp_path / "a.bmp").write_bytes(bitmap)
    with pytest.raises(ScanError, match="kind that is not read") as raised:
        load(tmp_path / "a.bmp")
    assert "damaged" not in str(raised.value)


def jpeg(**options):
    """Return the bytes of a JPEG file."""
    import io

    stream = io.BytesIO()
    Image.fromarray(options.pop("image", GREY)).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b"\xff\xc0\0\x0b\x08", b"\xff\xc1\0\x0b\x0c"), "JPEG with 12-bit pixels"),
        ((b"\xff\xc0\0\x0b\x08", b"\xff\xc3\0\x0b\x08"), "lossless JPEG with 8-bit pixels"),
        ((b"\xff\xc0\0\x0b\x08", b"\xff\xf7\0\x0b\x10"), "JPEG-LS with 16-bit pixels"),
    ],
)
def test_jpeg_of_another_process_is_refused_and_not_called_damaged(tmp_path, change, message):
    data = jpeg()
    assert change[0] in data
    (tmp_path / "a.jpg").write_bytes(data.replace(*change))
    with pytest.raises(ScanError, match=f"found {message}; convert the image") as raised:
        load(tmp_path / "a.jpg")
    assert "damaged" not in str(raised.value)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_usual_jpeg_has_one_picture(tmp_path, options):
    (tmp_path / "a.jpg").write_bytes(jpeg(image=COLOUR, **options))
    assert (load(tmp_path / "a.jpg").notes, load(tmp_path / "a.jpg").warnings) == ((), ())


def test_jpeg_with_components_r_g_b_is_rgb(tmp_path):
    """Such a file has no marker that says how its colours are stored."""
    smooth = np.dstack([np.full((32, 32), value, np.uint8) for value in (200, 90, 30)])
    data = jpeg(image=smooth, quality=95, keep_rgb=True)
    start = data.index(b"\xff\xc0")
    assert [data[start + 10 + 3 * i] for i in range(3)] == list(b"RGB")
    (tmp_path / "a.jpg").write_bytes(data)
    assert np.abs(frame_of(tmp_path / "a.jpg")[0].astype(int) - smooth).max() < 6


def test_inverted_cmyk_of_adobe_is_read(tmp_path):
    smooth = np.dstack([np.full((32, 32), value, np.uint8) for value in (200, 90, 30)])
    cmyk = np.dstack([255 - smooth, np.zeros((32, 32), np.uint8)])
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.jpg", quality=95)
    assert b"Adobe" in (tmp_path / "a.jpg").read_bytes()
    frame, scan = frame_of(tmp_path / "a.jpg")
    assert np.abs(frame.astype(int) - smooth).max() < 6
    assert "CMYK" in scan.notes[0]


def png_of(values, *chunks):
    """Return a 16-bit grey PNG file with further chunks."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(kind, data) for kind, data in chunks)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_significant_bits_of_png_are_the_upper_ones(tmp_path):
    values = np.arange(24 * 36, dtype=np.uint16).reshape(24, 36) * 16  # dark: below 2 ** 14
    (tmp_path / "a.png").write_bytes(png_of(values, (b"sBIT", b"\x0c")))
    frame, scan = frame_of(tmp_path / "a.png")
    np.testing.assert_array_equal(frame, values)
    assert "12 of 16 bits are significant" in scan.notes[0]
    # values that need no more than these bits are stored without a shift
    (tmp_path / "a.png").write_bytes(png_of(values // 16 * 4, (b"sBIT", b"\x0c")))
    frame, _ = frame_of(tmp_path / "a.png")
    np.testing.assert_allclose(frame / 65535, values / 4 / 4095, atol=1e-4)


def test_gamma_of_png_is_noted_unless_it_is_usual(tmp_path):
    for gamma, noted in ((45455, False), (100000, True)):
        chunk = (b"gAMA", struct.pack(">I", gamma))
        (tmp_path / "a.png").write_bytes(png_of(GREY.astype(np.uint16) * 257, chunk))
        notes = load(tmp_path / "a.png").notes
        assert any("gamma" in note for note in notes) == noted
