import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The labelled scans: USMICRO_DATA, else shared/data beside the checkout."""
    folder = Path(os.environ.get("USMICRO_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the labelled scans are not at {folder}; set USMICRO_DATA to their folder")
    return folder
