"""Writes the seed corpus of the fuzz target: tiny valid files of every kind that is read. `python tests/fuzzing/seeds.py FOLDER`."""

import struct
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image

from usmicro.phantom import PhantomSettings, simulate, write_dicom

TINY = PhantomSettings(
    width=5.0,
    depth=5.0,
    spacing=0.2,
    anatomy=False,
    masses=0,
    ducts=0,
    intramass=0,
    intraductal=0,
    extramass=0,
    frames=2,
)


def write_seeds(folder: Path) -> None:
    """Stills, cines and videos of about 24 x 24 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    cine = simulate(1, TINY)
    still = replace(cine, frames=cine.frames[:1])
    colour = replace(cine, frames=np.repeat(cine.frames[..., None], 3, axis=3))
    for name, phantom in (("still", still), ("cine", cine), ("colour", colour)):
        for compression in ("none", "rle", "jpeg"):
            write_dicom(phantom, folder / f"{name}-{compression}.dcm", compression=compression)
    palette = pydicom.dcmread(folder / "still-none.dcm")
    palette.PhotometricInterpretation = "PALETTE COLOR"
    for channel in ("Red", "Green", "Blue"):
        palette.add_new(f"{channel}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        palette.add_new(
            f"{channel}PaletteColorLookupTableData",
            "OW",
            struct.pack("<256H", *range(0, 65536, 256)),
        )
    palette.save_as(folder / "palette.dcm")
    palette.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    palette.save_as(folder / "deflated.dcm")
    grey = still.frames[0]
    for ending in ("png", "jpg", "bmp", "tif"):
        Image.fromarray(grey).save(folder / f"still.{ending}")
    Image.fromarray(grey).convert("P").save(folder / "palette.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "deep.png")
    cv2.imwrite(
        str(folder / "deep-colour.png"),
        np.repeat(grey[..., None].astype(np.uint16) * 257, 3, axis=2),
    )
    pages = [Image.fromarray(frame) for frame in cine.frames]
    pages[0].save(
        folder / "pages.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw"
    )
    rows, columns = (size // 2 * 2 for size in grey.shape)
    for ending, codec in (("avi", "MJPG"), ("mp4", "mp4v")):
        video = cv2.VideoWriter(
            str(folder / f"video.{ending}"), cv2.VideoWriter.fourcc(*codec), 10, (columns, rows)
        )
        for frame in colour.frames:
            video.write(np.ascontiguousarray(frame[:rows, :columns]))
        video.release()


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
