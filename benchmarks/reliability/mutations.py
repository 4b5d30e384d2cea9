"""Runs over thousands of damaged files, as a disk, a network or an attacker may produce them."""

from __future__ import annotations

import csv
import io
import math
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from benchmarks.reliability.scans import colour_cine, small
from usmicro.phantom import write_dicom, write_png

BATCH = 250
"""Number of files of a run."""
SECONDS = 60
"""Value of the setting limits.seconds in the runs."""
MOST_DAMAGES = 4
"""Largest number of damages of a file."""
HEADER_BYTES, HEADER_SHARE = 2000, 0.6
"""Length of the start of a file that counts as header, and the share of damages that hit it.

Headers are small, but an error there changes how everything else is read.
"""
SIZES = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"\xff\xff",
    b"\0\0",
    b"\x01\0\0\0",
)
"""Wrong lengths and counts."""

COUNTED = (
    "files",
    "rows",
    "ok",
    "failed",
    "crashes of the main process",
    "crashes of a worker",
    "stopped by limits.seconds",
    "stopped by limits.memory",
    "internal errors",
)
"""What is counted, in the order of the printed figures."""


def write_originals(folder: Path) -> dict[str, bytes]:
    """Write small valid files of all formats that are read; return their contents by name."""
    from PIL import Image
    from tifffile import imwrite

    folder.mkdir(parents=True, exist_ok=True)
    still, cine = small(3), colour_cine(4)
    write_png(still, folder / "still.png")
    for compression in ("none", "rle", "jpeg"):
        write_dicom(still, folder / f"still-{compression}.dcm", compression=compression)
        write_dicom(cine, folder / f"cine-{compression}.dcm", compression=compression)
    grey = Image.fromarray(still.frames[0])
    for suffix in ("jpg", "bmp", "tif"):
        grey.save(folder / f"still.{suffix}")
    colour = [Image.fromarray(frame) for frame in cine.frames]
    colour[0].save(
        folder / "pages.tif", save_all=True, append_images=colour[1:], compression="tiff_lzw"
    )
    for name in ("animated.gif", "animated.png"):
        colour[0].save(folder / name, save_all=True, append_images=colour[1:])
    imwrite(folder / "stack.tif", cine.frames[..., 0].copy(), imagej=True)
    grey.convert("P").save(folder / "palette.png")
    Image.fromarray(still.frames[0].astype(np.uint16) * 257).save(folder / "deep.png")
    write_12_bits(folder / "still-none.dcm", folder / "still-12.dcm")
    rows, columns = cine.frames.shape[1:3]
    for suffix, codec in (("avi", "MJPG"), ("mp4", "mp4v")):
        video = cv2.VideoWriter(
            str(folder / f"cine.{suffix}"),
            cv2.VideoWriter.fourcc(*codec),
            10,
            (columns // 2 * 2, rows // 2 * 2),
        )
        for frame in cine.frames:
            video.write(np.ascontiguousarray(frame[: rows // 2 * 2, : columns // 2 * 2, ::-1]))
        video.release()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_12_bits(source: Path, file: Path) -> None:
    """Write a DICOM file with 12 bits at the top of 16, a window and a look-up table."""
    from pydicom import Dataset, dcmread

    scan = dcmread(source)
    levels = scan.pixel_array.astype(np.uint16) << 8
    scan.PixelData = levels.tobytes()
    scan.BitsAllocated, scan.BitsStored, scan.HighBit = 16, 12, 15
    scan.WindowCenter, scan.WindowWidth = 32768, 65536
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4096, 0, 16], "US"
    table.LUTData = np.arange(0, 65536, 16, dtype="<u2").tobytes()
    scan.ModalityLUTSequence = [table]
    scan.save_as(file)


def damage(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Damage a file one to MOST_DAMAGES times.

    Bytes are changed, lengths are made wrong, or parts are removed, doubled, moved or replaced by
    parts of another file.
    """
    changed = bytearray(data)
    for _ in range(rng.randint(1, MOST_DAMAGES)):
        size = len(changed)
        if size < 8:
            break
        in_header = rng.random() < HEADER_SHARE
        at = rng.randrange(min(size, HEADER_BYTES) if in_header else size)
        length = min(size - at, 1 << rng.randrange(12))
        kind = rng.randrange(8)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            wrong = rng.choice(SIZES)
            changed[at : at + len(wrong)] = wrong
        elif kind == 3:
            del changed[at:]
        elif kind == 4:
            del changed[at : at + length]
        elif kind == 5:
            changed[at:at] = changed[at : at + length]
        elif kind == 6:
            start = rng.randrange(len(other))
            changed[at : at + length] = other[start : start + length]
        else:
            changed[at : at + 2] = rng.randint(0, 65535).to_bytes(2, rng.choice(("little", "big")))
    return bytes(changed)


def run_mutated(
    work: Path, count: int, seed: int, *, minutes: float = math.inf
) -> dict[str, int | str]:
    """Analyse damaged files and count the outcomes."""
    rng = random.Random(seed)
    originals = write_originals(work / "seeds")
    names = list(originals)
    counts = Counter(dict.fromkeys(COUNTED, 0))
    slowest = 0.0
    began = time.monotonic()
    for first in range(0, count, BATCH):
        if time.monotonic() - began > 60 * minutes:
            break
        scans, out = work / "mutated", work / "results"
        for folder in (scans, out):
            shutil.rmtree(folder, ignore_errors=True)
        scans.mkdir(parents=True)
        for number in range(first, min(first + BATCH, count)):
            name = rng.choice(names)
            data = damage(originals[name], rng, originals[rng.choice(names)])
            (scans / f"{number:06d}-{name}").write_bytes(data)
            counts["files"] += 1
        command = [sys.executable, "-m", "usmicro", "run", str(scans), "--out", str(out)]
        command += ["--quiet", "--set", f"limits.seconds={SECONDS}"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        counts["crashes of the main process"] += done.returncode not in (0, 1)
        for row in csv.DictReader(io.StringIO((out / "images.csv").read_text(encoding="utf-8"))):
            counts["rows"] += 1
            counts[row["status"]] += 1
            slowest = max(slowest, float(row["seconds"] or 0))
            outcomes = {
                "limits.memory": "stopped by limits.memory",
                "limits.seconds": "stopped by limits.seconds",
                "worker process": "crashes of a worker",
                "internal error": "internal errors",
            }
            for words, name in outcomes.items():
                if words in row["error"]:
                    counts[name] += 1
                    kept = work / "noteworthy"
                    kept.mkdir(exist_ok=True)
                    shutil.copy(scans / row["image"], kept)
                    print(f"{row['image']}: {row['error'][:200]}", flush=True)
                    break
        print(
            f"{counts['files']} files, in batches of {BATCH}, "
            f"the last in {time.monotonic() - start:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return {**counts, "slowest file, s": f"{slowest:.1f}"}
