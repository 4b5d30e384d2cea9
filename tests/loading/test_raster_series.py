"""Every frame of a picture file is read, or a warning says how many were not."""

import io
import itertools
import json
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from usmicro.errors import ScanError
from usmicro.loading import load
from usmicro.settings import LoadingSettings

STACK = np.random.default_rng(1).integers(0, 256, (6, 20, 30), dtype=np.uint8)
"""Six frames of noise."""
DEEP = STACK.astype(np.uint16) * 257


def frames_of(path):
    """Return all frames of a scan, whose header must agree with them, and the scan."""
    scan = load(path)
    decoded = np.stack(list(scan.frames()))
    assert decoded.shape[:3] == (scan.declared_frames, scan.rows, scan.columns)
    return decoded, scan


def codes(scan):
    """Return the codes of the warnings of a scan."""
    return [str(warning.code) for warning in scan.warnings]


def write_single_page(path, stack, description, order="<", **tags):
    """Write images one after another, of which a TIFF file describes only the first."""
    samples = stack.shape[3] if stack.ndim == 4 else 1
    stack = stack.astype(stack.dtype.newbyteorder(order))
    with tifffile.TiffWriter(path, byteorder=order) as writer:
        writer.write(
            stack[0],
            photometric="rgb" if samples == 3 else tags.pop("photometric", "minisblack"),
            description=description,
            metadata=None,
            **tags,
        )
    path.write_bytes(path.read_bytes() + stack[1:].tobytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert len(file.pages) == 1
        end = page.dataoffsets[-1] + page.databytecounts[-1]
    data = path.read_bytes()
    assert len(data) - end >= stack[1:].nbytes
    head = data[: len(data) - stack[1:].nbytes]
    path.write_bytes(head[:end] + stack[1:].tobytes() + head[end:])
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("stack", [STACK, DEEP, np.stack([STACK] * 3, axis=-1)])
def test_imagej_stack_in_one_page_is_read(tmp_path, stack, order):
    path = write_single_page(tmp_path / "a.tif", stack, "ImageJ=1.53t\nimages=6\nslices=6\n", order)
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, stack)
    assert scan.warnings == ()
    assert scan.decoder.startswith("NumPy")


def test_stacks_of_other_programs_in_one_page_are_read(tmp_path):
    ome = '<OME xmlns="x"><Image><Pixels SizeC="1" SizeT="3" SizeX="30" SizeZ="2"/></Image></OME>'
    for description in (json.dumps({"shape": STACK.shape, "truncated": True}), ome):
        decoded, scan = frames_of(write_single_page(tmp_path / "a.tif", STACK, description))
        np.testing.assert_array_equal(decoded, STACK)
        assert (scan.notes, scan.warnings) == ((), ())
    tifffile.imwrite(tmp_path / "b.tif", STACK, imagej=True)
    tifffile.imwrite(tmp_path / "c.tif", STACK, ome=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "d.tif", STACK, bigtiff=True, photometric="minisblack")
    for name in "bcd":
        np.testing.assert_array_equal(frames_of(tmp_path / f"{name}.tif")[0], STACK)


def test_white_is_zero_and_orientation_hold_for_every_image_of_a_stack(tmp_path):
    path = write_single_page(
        tmp_path / "a.tif",
        STACK,
        "ImageJ=1\nimages=6\n",
        photometric="miniswhite",
        extratags=[(274, "H", 1, 6, True)],
    )
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, np.rot90(255 - STACK, -1, axes=(1, 2)))
    assert (scan.rows, scan.columns) == (30, 20)


def test_images_that_are_named_but_not_there_are_warned_of(tmp_path):
    path = write_single_page(tmp_path / "a.tif", STACK, "ImageJ=1\nimages=6\n")
    path.write_bytes(path.read_bytes()[:-700])
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, STACK[:1])
    assert codes(scan) == ["frames-not-read"]
    assert "names 6 images, but 1" in scan.warnings[0].text
    tifffile.imwrite(
        tmp_path / "b.tif", STACK[0], description="ImageJ=1\nimages=6\n", compression="zlib"
    )
    assert codes(load(tmp_path / "b.tif")) == ["frames-not-read"]
    for description in ("ImageJ=1\nimages=many\n", '{"shape": "none"}', "<OME", "{", "ImageJ=1"):
        tifffile.imwrite(tmp_path / "c.tif", STACK[0], description=description, metadata=None)
        assert frames_of(tmp_path / "c.tif")[1].warnings == ()


def test_number_of_images_is_checked_before_memory_is_used(tmp_path):
    path = write_single_page(tmp_path / "a.tif", STACK, "ImageJ=1\nimages=999999999999\n")
    assert codes(load(path)) == ["frames-not-read"]
    path = write_single_page(tmp_path / "b.tif", STACK, "ImageJ=1\nimages=6\n")
    with pytest.raises(ScanError, match="declares 6 frames, above the limit of 5"):
        load(path, settings=LoadingSettings(most_frames=5))


def test_volume_is_read_or_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, volumetric=True, photometric="minisblack")
    decoded, scan = frames_of(tmp_path / "a.tif")
    np.testing.assert_array_equal(decoded, STACK)
    assert "planes of a TIFF volume are read as 6 frames" in scan.notes[0]
    stacks = np.stack([STACK, 255 - STACK])
    tifffile.imwrite(tmp_path / "b.tif", stacks, volumetric=True, photometric="minisblack")
    np.testing.assert_array_equal(
        frames_of(tmp_path / "b.tif")[0], np.concatenate([STACK, 255 - STACK])
    )
    for name, options in (("c", {"tile": (16, 16, 16)}), ("d", {"compression": "zlib"})):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, STACK, volumetric=True, photometric="minisblack", **options)
        with pytest.raises(ScanError, match=r"TIFF volume of .* layout that is not read"):
            load(path)
    path = tmp_path / "a.tif"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ScanError, match="shorter than its 6 planes"):
        load(path)


@pytest.mark.parametrize(
    ("second", "options"),
    [
        (STACK, {"photometric": "miniswhite"}),
        (STACK, {"compression": "zlib"}),
        (STACK[:3], {}),
    ],
)
def test_volumes_that_are_stored_in_different_ways_are_refused(tmp_path, second, options):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(STACK, volumetric=True, photometric="minisblack")
        file.write(second, volumetric=True, **{"photometric": "minisblack", **options})
    with pytest.raises(ScanError, match="not the same on all pages"):
        load(path)


COLOUR = np.stack([STACK[:2], STACK[2:4], STACK[4:]], axis=-1)
"""Two colour frames."""
CHANNELS = np.moveaxis(COLOUR, -1, 1)


def test_red_green_and_blue_channels_are_joined(tmp_path):
    composite = {"axes": "TCYX", "mode": "composite"}
    tifffile.imwrite(tmp_path / "a.tif", CHANNELS, imagej=True, metadata=composite)
    ramp = np.arange(256, dtype=np.uint8)
    luts = [np.zeros((3, 256), np.uint8) for _ in range(3)]
    for channel, lut in enumerate(luts):
        lut[channel] = ramp
    tifffile.imwrite(
        tmp_path / "b.tif", CHANNELS, imagej=True, metadata={**composite, "LUTs": luts}
    )
    named = {"axes": "TCYX", "Channel": {"Name": ["Red", "Green", "Blue"]}}
    tifffile.imwrite(
        tmp_path / "c.tif", CHANNELS, ome=True, metadata=named, photometric="minisblack"
    )
    order = np.moveaxis(COLOUR, -1, 0)  # the frames of a channel follow one another
    tifffile.imwrite(
        tmp_path / "d.tif",
        order,
        ome=True,
        metadata={**named, "axes": "CTYX"},
        photometric="minisblack",
    )
    with tifffile.TiffWriter(tmp_path / "e.tif") as writer:
        for frame in CHANNELS:
            for channel, name in zip(frame, ("Red", "Green", "Blue"), strict=True):
                writer.write(channel, contiguous=False, extratags=[(285, "s", 0, name, True)])
    description = "ImageJ=1\nimages=6\nchannels=3\nframes=2\nmode=composite\n"
    write_single_page(tmp_path / "f.tif", CHANNELS.reshape(6, 20, 30), description)
    for name in "abcdef":
        decoded, scan = frames_of(tmp_path / f"{name}.tif")
        np.testing.assert_array_equal(decoded, COLOUR, err_msg=name)
        assert any("channels are stored as images" in note for note in scan.notes)
        assert scan.warnings == ()


def test_16_bit_channels_are_joined(tmp_path):
    deep = CHANNELS.astype(np.uint16) * 257
    tifffile.imwrite(
        tmp_path / "a.tif", deep, imagej=True, metadata={"axes": "TCYX", "mode": "composite"}
    )
    np.testing.assert_array_equal(frames_of(tmp_path / "a.tif")[0], COLOUR.astype(np.uint16) * 257)


def test_other_channels_are_frames_with_a_note(tmp_path):
    grey = {"axes": "TCYX", "mode": "grayscale"}
    tifffile.imwrite(tmp_path / "a.tif", CHANNELS, imagej=True, metadata=grey)
    luts = [np.stack([np.arange(256, dtype=np.uint8)] * 3)] * 3
    composite = {"axes": "TCYX", "mode": "composite", "LUTs": luts}
    tifffile.imwrite(tmp_path / "b.tif", CHANNELS, imagej=True, metadata=composite)
    tifffile.imwrite(
        tmp_path / "c.tif", CHANNELS, ome=True, metadata={"axes": "TCYX"}, photometric="minisblack"
    )
    for name in "abc":
        decoded, scan = frames_of(tmp_path / f"{name}.tif")
        np.testing.assert_array_equal(decoded, CHANNELS.reshape(6, 20, 30))
        assert any("3 channels, each of which is read as a frame" in note for note in scan.notes)


def test_pages_of_other_bits_are_warned_of_and_thumbnails_are_noted(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(STACK[0], contiguous=False)
        writer.write(DEEP[1], contiguous=False)
        writer.write(STACK[2].astype(np.float32), contiguous=False)
        writer.write(STACK[3, ::2, ::2], contiguous=False, subfiletype=1)
        writer.write(STACK[4] > 128, contiguous=False, subfiletype=4)
        writer.write(STACK[5], contiguous=False)
    decoded, scan = frames_of(tmp_path / "a.tif")
    np.testing.assert_array_equal(decoded, STACK[[0, 5]])
    assert codes(scan) == ["frames-not-read"]
    assert "2 of 6 TIFF pages" in scan.warnings[0].text
    assert any("2 of 6 TIFF pages" in note and "reduced" in note for note in scan.notes)


def test_thumbnail_before_the_image_is_not_the_image(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(STACK[0, ::2, ::2], contiguous=False, subfiletype=1)
        writer.write(STACK[0], contiguous=False)
    decoded, scan = frames_of(tmp_path / "a.tif")
    np.testing.assert_array_equal(decoded, STACK[:1])
    assert scan.warnings == ()


def test_grey_and_colour_pages_become_one_kind(tmp_path):
    for name, first, second in (("a", COLOUR[0], STACK[0]), ("b", STACK[0], COLOUR[0])):
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as writer:
            writer.write(first, contiguous=False)
            writer.write(second, contiguous=False)
        decoded, _ = frames_of(tmp_path / f"{name}.tif")
        assert decoded.shape[3:] == first.shape[2:]
    np.testing.assert_array_equal(frames_of(tmp_path / "a.tif")[0][0], COLOUR[0])


def save_animation(path, frames, **options):
    """Write an animation with Pillow."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=50, **options)
    return path


@pytest.mark.parametrize("colour", [False, True])
def test_animated_png_is_a_cine(tmp_path, colour):
    frames = np.stack([STACK] * 3, axis=-1) if colour else STACK
    decoded, scan = frames_of(save_animation(tmp_path / "a.png", frames))
    np.testing.assert_array_equal(decoded, frames)
    assert (scan.notes, scan.warnings) == ((), ())


def test_frames_of_an_animated_png_that_change_a_part_are_composed(tmp_path):
    frames = np.repeat(STACK[:1], 4, axis=0)
    for i in range(1, 4):
        frames[i:, 2 * i : 2 * i + 5, 3:9] = 40 * i
    np.testing.assert_array_equal(frames_of(save_animation(tmp_path / "a.png", frames))[0], frames)
    rgba = np.dstack([STACK[0], STACK[1], STACK[2], np.full_like(STACK[0], 255)])
    patch = rgba.copy()
    patch[..., 3] = 0
    patch[4:8, 4:8] = (10, 20, 30, 255)
    path = save_animation(tmp_path / "b.png", [rgba, patch], blend=[0, 1], disposal=[0, 0])
    expected = rgba[..., :3].copy()
    expected[4:8, 4:8] = (10, 20, 30)
    np.testing.assert_array_equal(frames_of(path)[0], [rgba[..., :3], expected])


def test_default_picture_of_an_animated_png_is_left_out_with_a_note(tmp_path):
    path = save_animation(tmp_path / "a.png", STACK, default_image=True)
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, STACK[1:])
    assert "not part of the animation" in scan.notes[0]


def png_chunk(kind, data):
    import zlib

    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("has_default", [False, True])
@pytest.mark.parametrize("images", [1, 2])
def test_animation_of_16_bit_colour_is_warned_of(tmp_path, capfd, has_default, images):
    import zlib

    shape = (images + has_default, 8, 9, 3)
    pictures = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16).astype(">u2")
    control = struct.pack(">IIIIHHBB", 9, 8, 0, 0, 1, 20, 0, 0)
    chunks = [
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 8, 16, 2, 0, 0, 0)),
        png_chunk(b"acTL", struct.pack(">II", images, 0)),
    ]
    sequence = itertools.count()
    for number, picture in enumerate(pictures):
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture))
        if number or not has_default:
            chunks.append(png_chunk(b"fcTL", struct.pack(">I", next(sequence)) + control))
        if number:
            chunks.append(png_chunk(b"fdAT", struct.pack(">I", next(sequence)) + rows))
        else:
            chunks.append(png_chunk(b"IDAT", rows))
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b""))
    decoded, scan = frames_of(path)
    np.testing.assert_array_equal(decoded, pictures[:1])
    assert not any("left out" in note for note in scan.notes)
    expected = {(False, 1): [], (False, 2): ["1 of 2"]}.get((has_default, images), [f"{images} of"])
    assert [warning.text[: len(expected[0])] for warning in scan.warnings] == expected
    assert codes(scan) == ["frames-not-read"] * len(expected)
    assert capfd.readouterr() == ("", "")


def test_gif_is_read(tmp_path):
    save_animation(tmp_path / "a.gif", STACK)
    decoded, scan = frames_of(tmp_path / "a.gif")
    np.testing.assert_array_equal(decoded, STACK)
    assert (scan.notes, scan.warnings) == ((), ())
    Image.fromarray(STACK[0]).save(tmp_path / "b.gif")
    np.testing.assert_array_equal(frames_of(tmp_path / "b.gif")[0], STACK[:1])
    picture = Image.fromarray(COLOUR[0]).quantize(64)
    picture.save(tmp_path / "c.gif")
    np.testing.assert_array_equal(
        frames_of(tmp_path / "c.gif")[0][0], np.array(picture.convert("RGB"))
    )


@pytest.mark.parametrize(
    ("delays_ms", "times"),
    [
        (40, [0, 0.04, 0.08, 0.12, 0.16, 0.2]),
        ([10, 20, 30, 40, 50, 60], [0, 0.01, 0.03, 0.06, 0.1, 0.15]),
    ],
)
def test_times_of_a_gif_are_read(tmp_path, delays_ms, times):
    first, *others = map(Image.fromarray, STACK)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=delays_ms)
    assert load(tmp_path / "a.gif").frame_times == pytest.approx(times)


def test_gif_without_times_has_none(tmp_path):
    path = write_gif(tmp_path / "a.gif", STACK[:2], (b"", b""), RAMP)
    assert (load(path).declared_frames, load(path).frame_times) == (2, ())
    Image.fromarray(STACK[0]).save(tmp_path / "b.gif", duration=40)
    assert load(tmp_path / "b.gif").frame_times == ()


RAMP = bytes(np.repeat(np.arange(256, dtype=np.uint8), 3))
INVERSE = RAMP[::-1]
RED = bytes(value for level in range(256) for value in (level, 0, 0))


def write_gif(path, images, palettes, common):
    """Write an animated GIF with a palette for each image, which may be empty, and a common one."""
    data = b"GIF89a" + struct.pack("<HHBBB", 30, 20, 0xF7 if common else 0x70, 0, 0) + common
    for image, palette in zip(images, palettes, strict=True):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "gif", optimize=False, interlace=False)
        single = stream.getvalue()
        position = single.index(b",", 13 + 3 * 256)
        header = bytearray(single[position : position + 10])
        assert header[1:9] == struct.pack("<HHHH", 0, 0, 30, 20)
        header[9] = 0x87 if palette else 0
        data += bytes(header) + palette + single[position + 10 : -1]
    path.write_bytes(data + b";")
    return path


@pytest.mark.parametrize("common", [RAMP, INVERSE, b""])
@pytest.mark.parametrize("own", [(RAMP, RAMP), (b"", INVERSE), (INVERSE, RAMP), (INVERSE, b"")])
def test_gif_whose_palettes_are_grey_is_grey(tmp_path, common, own):
    used = [palette or common for palette in own]
    if not all(used):
        pytest.skip("an image without any palette")
    images = [STACK[i] if palette == RAMP else 255 - STACK[i] for i, palette in enumerate(used)]
    decoded, _ = frames_of(write_gif(tmp_path / "a.gif", images, own, common))
    np.testing.assert_array_equal(decoded, STACK[:2])


@pytest.mark.parametrize("own", [(b"", RED), (RED, b"")])
def test_gif_with_one_coloured_palette_is_coloured(tmp_path, own):
    decoded, _ = frames_of(write_gif(tmp_path / "a.gif", STACK[:2], own, RAMP))
    assert decoded.shape == (2, 20, 30, 3)
    np.testing.assert_array_equal(decoded[..., 0], STACK[:2])
    for frame, palette in zip(decoded, own, strict=True):
        assert frame[..., 1].any() == (palette != RED)


def test_gif_that_is_cut_off_or_too_long_is_refused(tmp_path):
    path = save_animation(tmp_path / "a.gif", STACK)
    with pytest.raises(ScanError, match="declares 6 frames, above the limit of 5"):
        load(path, settings=LoadingSettings(most_frames=5))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ScanError, match=r"a\.gif"):
        list(load(path).frames())


def jpeg(image):
    """Return an image as the bytes of a JPEG file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG")
    return stream.getvalue()


def test_further_pictures_of_a_jpeg_file_are_warned_of(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(STACK[0]) + b"\0" * 7 + jpeg(STACK[1]) + jpeg(STACK[2]))
    _, scan = frames_of(path)
    assert codes(scan) == ["frames-not-read"]
    assert "2 more pictures" in scan.warnings[0].text
    path.write_bytes(jpeg(STACK[0]) + jpeg(STACK[1, ::2, ::2]))
    _, scan = frames_of(path)
    assert scan.warnings == ()
    assert "1 pictures of another size" in scan.notes[0]
    Image.fromarray(STACK[0]).save(
        path, "MPO", save_all=True, append_images=[Image.fromarray(STACK[1])]
    )
    assert codes(load(path)) == ["frames-not-read"]
    for end in (b"", b"a trailer of a program", b"\0\0\0", b"\xff\xd9"):
        path.write_bytes(jpeg(STACK[0]) + end)
        assert (load(path).notes, load(path).warnings) == ((), ())


def test_colour_images_of_imagej_are_frames_without_a_note(tmp_path):
    frames = np.stack([STACK] * 3, axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True)  # its description counts channels
    decoded, scan = frames_of(tmp_path / "a.tif")
    np.testing.assert_array_equal(decoded, frames)
    assert scan.notes == ()
