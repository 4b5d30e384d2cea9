"""Changes to the boxes of video files, for tests: display matrices, edit lists, crops."""

import struct

import numpy as np

_BEFORE_CHILDREN = {b"stsd": 8, b"mp4v": 78, b"avc1": 78, b"jpeg": 78, b"mjpg": 78}
"""Number of bytes of a box before the boxes in it."""
SAMPLE_ENTRY = ("trak", "mdia", "minf", "stbl", "stsd", "mp4v")
"""Path of the description of the frames in a file of the codec mp4v."""


def box(kind, content):
    """Return an MP4 box."""
    return struct.pack(">I4s", 8 + len(content), kind.encode()) + content


def find_box(data, path, start=0, end=None):
    """Return the start, the end and the start of the content of each box on a path below moov."""
    found, end = [], len(data) if end is None else end
    for name in ("moov", *path):
        while data[start + 4 : start + 8] != name.encode():
            start += int.from_bytes(data[start : start + 4], "big")
            assert start < end, name
        end = start + int.from_bytes(data[start : start + 4], "big")
        found.append((start, end))
        start += 8 + _BEFORE_CHILDREN.get(name.encode(), 0)
    return found


def with_box(data, path, new):
    """Return an MP4 file with a box appended in the box at a path; `moov` must be the last one."""
    found = find_box(data, path)
    data = bytearray(data)
    data[found[-1][1] : found[-1][1]] = new
    for start, _ in found:
        length = int.from_bytes(data[start : start + 4], "big") + len(new)
        data[start : start + 4] = length.to_bytes(4, "big")
    return bytes(data)


def with_bytes(data, path, offset, new):
    """Return an MP4 file with the content of the box at a path changed from an offset on."""
    start = find_box(data, path)[-1][0] + 8 + offset
    return data[:start] + new + data[start + len(new) :]


def with_matrix(data, a, b, c, d, header=("trak", "tkhd")):
    """Return an MP4 file with another display matrix in the header of its track or movie."""
    numbers = [round(65536 * number) for number in (a, b, 0, c, d, 0, 0, 0)]
    offset = 40 if header[-1] == "tkhd" else 36
    return with_bytes(data, header, offset, struct.pack(">9i", *numbers, 1 << 30))


def with_edits(data, edits):
    """Return an MP4 file with this edit list: (duration, start, rate); -1 starts a pause.

    Durations are in units of the movie, starts in units of the media.
    """
    content = b"\0" * 4 + len(edits).to_bytes(4, "big")
    for duration, start, rate in edits:
        content += struct.pack(">Iii", duration, start, round(65536 * rate))
    try:
        at = find_box(data, ("trak", "edts"))[-1][0]
    except AssertionError:
        pass
    else:  # the old list is renamed, so that it is not found
        data = data[: at + 4] + b"free" + data[at + 8 :]
    return with_box(data, ("trak",), box("edts", box("elst", content)))


def element(number, content):
    """Return a Matroska element; `number` is its identifier in hexadecimal."""
    return bytes.fromhex(number) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def with_video_element(data, new):
    """Return a Matroska file with an element appended to the video settings of its first track."""
    data = bytearray(data)
    start, end = 0, len(data)
    for number in ("18538067", "1654ae6b", "ae", "e0"):
        while True:
            identifier, start = _number_at(data, start, keeps_marker=True)
            width = 9 - data[start].bit_length()
            length, content = _number_at(data, start, keeps_marker=False)
            if identifier == int(number, 16):
                break
            start = content + length
            assert start < end, number
        data[start:content] = ((length + len(new)) | 1 << 7 * width).to_bytes(width, "big")
        start, end = content, content + length
    data[end:end] = new
    return bytes(data)


def _number_at(data, position, *, keeps_marker):
    """Return the identifier or the length at a position of a Matroska file, and its end."""
    width = 9 - data[position].bit_length()
    number = int.from_bytes(data[position : position + width], "big")
    return number & (-1 if keeps_marker else (1 << 7 * width) - 1), position + width


def uncompressed_avi(frames, *, top_down, bits=24, palette=None):
    """Return an AVI file of uncompressed frames.

    `frames` has the shape (frames, rows, columns, 3), RGB, or without the last axis for indices of
    a palette of shape (colours, 3).
    """
    count, rows, columns = frames.shape[:3]
    stored = frames if top_down else frames[:, ::-1]
    if bits == 8:
        pixels = stored[..., np.newaxis]
    elif bits == 16:
        red, green, blue = np.moveaxis(stored.astype("<u2") >> 3, -1, 0)
        pixels = (red << 10 | green << 5 | blue)[..., np.newaxis].view(np.uint8)
    else:
        pixels = stored[..., ::-1]
        if bits == 32:
            pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    lines = pixels.reshape(count, rows, -1)
    lines = np.pad(lines, ((0, 0), (0, 0), (0, -lines.shape[2] % 4)))
    main = struct.pack("<10I16x", 40000, 0, 0, 0, count, 0, 1, 0, columns, rows)
    stream = b"vidsDIB " + struct.pack("<10I8x", 0, 0, 0, 1, 25, 0, count, 0, 0, 0)
    height = -rows if top_down else rows
    bitmap = struct.pack("<IiiHHI20x", 40, columns, height, 1, bits, 0)
    if palette is not None:
        bitmap += np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
    headers = _chunk(b"strh", stream) + _chunk(b"strf", bitmap)
    headers = _chunk(b"avih", main) + _chunk(b"LIST", b"strl" + headers)
    movie = b"".join(_chunk(b"00db", frame.tobytes()) for frame in lines)
    lists = _chunk(b"LIST", b"hdrl" + headers) + _chunk(b"LIST", b"movi" + movie)
    return _chunk(b"RIFF", b"AVI " + lists)


def _chunk(name, content):
    """Return a RIFF chunk of even length."""
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)
