import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.orthanc_server import running
from usmicro.batch.warmup import is_compiled


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels once, before several processes that run tests do so at the same time."""
    if getattr(session.config.option, "numprocesses", None) and not is_compiled():
        subprocess.run([sys.executable, "-m", "usmicro", "warmup"], check=True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The labelled scans: USMICRO_DATA, else shared/data beside the checkout."""
    folder = Path(os.environ.get("USMICRO_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the labelled scans are not at {folder}; set USMICRO_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory):
    """Address of the DICOMweb service of an empty Orthanc; skips if Orthanc is not installed."""
    with running(tmp_path_factory.mktemp("orthanc")) as address:
        yield address


@pytest.fixture(scope="session")
def odd_files() -> Path:
    """Odd files with known right results: the folder `cases` beside the labelled scans."""
    data = os.environ.get("USMICRO_DATA") or Path(__file__).parents[2] / "shared" / "data"
    folder = Path(data).parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"the odd files are not at {folder}; set USMICRO_DATA to a folder beside it")
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The simulated scans that come with the source."""
    return Path(__file__).parents[1] / "sample_data"
