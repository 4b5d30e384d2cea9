"""Coverage-guided fuzzing of the loader with atheris (Apache-2.0).

Any bytes must give a scan or a ScanError, in little time and memory.

    pip install atheris
    python tests/fuzzing/fuzz_loader.py -max_total_time=600 -timeout=20 -rss_limit_mb=3000 \
        WORK tests/fuzzing/corpus

WORK is a folder for the inputs that reach new code. A file that libFuzzer writes for a fault
(crash-..., timeout-..., oom-...) belongs in tests/fuzzing/found, where test_fuzzing.py reads it
from then on.
"""

import sys
import tempfile
from pathlib import Path

from usmicro.errors import UsmicroError
from usmicro.settings import LoadingSettings

MOST_FRAMES = 6
"""Number of frames of each file that are decoded."""
LENIENT = LoadingSettings(largest_image=4_000_000, keep_truncated=True)
STRICT = LoadingSettings(largest_image=4_000_000)


def read(path: Path) -> int:
    """Load a file with both settings and decode its first frames; return the number decoded."""
    from usmicro.loading import load
    from usmicro.loading.dicom.references import read_image_uid, read_summary

    decoded = 0
    for settings in (LENIENT, STRICT):
        try:
            scan = load(path, settings=settings)
            assert scan.rows * scan.columns <= settings.largest_image
            for _, frame in zip(range(MOST_FRAMES), scan.frames(), strict=False):
                assert frame.shape[:2] == (scan.rows, scan.columns)
                decoded += 1
        except UsmicroError:
            continue
    for read_header in (read_summary, read_image_uid):  # as in the search for masks
        try:
            read_header(path)
        except UsmicroError:
            continue
    return decoded


def main() -> None:
    """Fuzz until a limit of libFuzzer is reached."""
    import atheris

    with atheris.instrument_imports(include=["usmicro.loading", "pydicom", "PIL"]):
        import usmicro.loading.array_file
        import usmicro.loading.dicom.fragments
        import usmicro.loading.dicom.pixels
        import usmicro.loading.dicom.reader
        import usmicro.loading.dicom.references
        import usmicro.loading.dicom.regions
        import usmicro.loading.dicom.segmentation
        import usmicro.loading.masks
        import usmicro.loading.raster
        import usmicro.loading.video.reader
        import usmicro.loading.volume  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan"

        def read_bytes(data: bytes) -> None:
            file.write_bytes(data)
            read(file)

        atheris.Setup(sys.argv, read_bytes)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
