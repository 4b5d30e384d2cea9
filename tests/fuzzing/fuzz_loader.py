"""Coverage-guided fuzzing of the loader, with atheris (Apache-2.0): any bytes give a scan or a ScanError, soon and in bounded memory.

    pip install atheris
    python tests/fuzzing/fuzz_loader.py -max_total_time=600 -timeout=20 -rss_limit_mb=3000 WORK tests/fuzzing/corpus

WORK is a folder for what is found on the way. A file that libFuzzer leaves behind (crash-..., timeout-..., oom-...) goes to
tests/fuzzing/found, where test_fuzzing.py reads it ever after.
"""

import sys
import tempfile
from pathlib import Path

from usmicro.errors import UsmicroError
from usmicro.settings import LoadingSettings

MOST_FRAMES = 6
SETTINGS = LoadingSettings(largest_image=4_000_000, keep_truncated=True)
STRICT = LoadingSettings(largest_image=4_000_000)


def read(path: Path) -> int:
    """Load a file in both ways and decode its first frames; gives how many frames could be decoded."""
    from usmicro.loading import load
    from usmicro.loading.dicom.segmentation import header_of
    from usmicro.loading.masks import image_uid

    decoded = 0
    for settings in (SETTINGS, STRICT):
        try:
            scan = load(path, settings=settings)
            assert scan.rows * scan.columns <= settings.largest_image
            for _, frame in zip(range(MOST_FRAMES), scan.frames(), strict=False):
                assert frame.shape[:2] == (scan.rows, scan.columns)
                decoded += 1
        except UsmicroError:
            continue
    for look in (header_of, image_uid):  # what the search for masks reads
        try:
            look(path)
        except UsmicroError:
            continue
    return decoded


def main() -> None:
    """Fuzz until libFuzzer's limits are reached."""
    import atheris

    with atheris.instrument_imports(include=["usmicro.loading", "pydicom", "PIL"]):
        import usmicro.loading.dicom.fragments
        import usmicro.loading.dicom.pixels
        import usmicro.loading.dicom.reader
        import usmicro.loading.dicom.regions
        import usmicro.loading.dicom.segmentation
        import usmicro.loading.masks
        import usmicro.loading.raster
        import usmicro.loading.video.reader  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan"

        def one(data: bytes) -> None:
            file.write_bytes(data)
            read(file)

        atheris.Setup(sys.argv, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
