"""Writes the seeds of the fuzz target: small valid files of every format that is read.

It needs the extra volumes:

python -m tests.fuzzing.seeds FOLDER
"""

import struct
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image

from tests.helpers.video_boxes import uncompressed_avi, with_edits, with_matrix
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
    """Write still images, cines and videos of about 24 x 24 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    cine = simulate(1, TINY)
    still = replace(cine, frames=cine.frames[:1])
    colour = replace(cine, frames=np.repeat(cine.frames[..., None], 3, axis=3))
    for name, phantom in (("still", still), ("cine", cine), ("colour", colour)):
        for compression in ("none", "rle", "jpeg"):
            write_dicom(phantom, folder / f"{name}-{compression}.dcm", compression=compression)
    write_palette_dicom(folder)
    write_rasters(folder, still.frames[0], cine.frames)
    write_arrays(folder, cine.frames)
    write_videos(folder, colour.frames)


def write_palette_dicom(folder: Path) -> None:
    """Write a DICOM file with a palette, as it is and deflated."""
    palette = pydicom.dcmread(folder / "still-none.dcm")
    palette.PhotometricInterpretation = "PALETTE COLOR"
    table = struct.pack("<256H", *range(0, 65536, 256))
    for channel in ("Red", "Green", "Blue"):
        palette.add_new(f"{channel}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        palette.add_new(f"{channel}PaletteColorLookupTableData", "OW", table)
    palette.save_as(folder / "palette.dcm")
    palette.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    palette.save_as(folder / "deflated.dcm")


def write_rasters(folder: Path, grey: np.ndarray, frames: np.ndarray) -> None:
    """Write PNG, JPEG, BMP and TIFF files of a grey image and of frames."""
    for suffix in ("png", "jpg", "bmp", "tif"):
        Image.fromarray(grey).save(folder / f"still.{suffix}")
    Image.fromarray(grey).convert("P").save(folder / "palette.png")
    grey_16_bit = grey.astype(np.uint16) * 257
    Image.fromarray(grey_16_bit).save(folder / "deep.png")
    cv2.imwrite(str(folder / "deep-colour.png"), np.repeat(grey_16_bit[..., None], 3, axis=2))
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(folder / "pages.tif", save_all=True, append_images=others, compression="tiff_lzw")
    for suffix in ("png", "gif"):
        first.save(folder / f"animation.{suffix}", save_all=True, append_images=others)
    first.convert("RGBA").save(folder / "alpha.tif")
    first.save(folder / "stack.tif", description=f"ImageJ=1.53\nimages={len(frames)}\n")
    with (folder / "stack.tif").open("ab") as file:
        file.write(frames[1:].tobytes())  # the pixels of the first image are the end of the file


def write_arrays(folder: Path, frames: np.ndarray) -> None:
    """Write NumPy arrays and volumes of frames."""
    import SimpleITK

    np.save(folder / "array.npy", frames)
    np.savez_compressed(folder / "array.npz", frames=frames, spacing_mm=[0.2, 0.2])
    volume = SimpleITK.GetImageFromArray(frames)
    volume.SetSpacing((0.2, 0.2, 1.0))
    for suffix, is_compressed in (("nii", False), ("nii.gz", True), ("nrrd", True), ("mha", False)):
        SimpleITK.WriteImage(volume, str(folder / f"volume.{suffix}"), is_compressed)


def write_videos(folder: Path, frames: np.ndarray) -> None:
    """Write videos of colour frames, cropped to even numbers of pixels."""
    rows, columns = (size // 2 * 2 for size in frames.shape[1:3])
    cropped = frames[:, :rows, :columns]
    (folder / "uncompressed.avi").write_bytes(uncompressed_avi(cropped, top_down=False))
    for suffix, codec in (("avi", "MJPG"), ("mp4", "mp4v"), ("mkv", "mp4v")):
        path, fourcc = str(folder / f"video.{suffix}"), cv2.VideoWriter.fourcc(*codec)
        video = cv2.VideoWriter(path, fourcc, 10, (columns, rows))
        for frame in cropped:
            video.write(np.ascontiguousarray(frame))
        video.release()
    turned = with_edits(with_matrix((folder / "video.mp4").read_bytes(), 0, 1, -1, 0), [(99, 0, 1)])
    (folder / "turned.mp4").write_bytes(turned)


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
