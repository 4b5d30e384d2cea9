"""A reader of the documents in a folder with the inputs that they name."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.examples import COPIED_SCANS, MODEL_SOURCE, Reader

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Build the documentation site and return its folder."""
    pytest.importorskip("mkdocs", reason='needs mkdocs: pip install "usmicro[docs]"')
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    # strict: a broken link or anchor raises
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


@pytest.fixture
def reader(tmp_path, monkeypatch, sample_data) -> Reader:
    """Return a reader whose folder has all inputs that the documents name.

    These are `scans`, `scan.dcm`, `truth`, a small `sample_data`, and `my_package` with a network.
    """
    for folder, scans in COPIED_SCANS.items():
        (tmp_path / folder).mkdir()
        for name in scans:
            shutil.copy(sample_data / name, tmp_path / folder)
    (tmp_path / "truth").mkdir()
    for folder in ("sample_data", "truth"):
        shutil.copy(sample_data / "truth.json", tmp_path / folder)
    shutil.copy(sample_data / "spacing.csv", tmp_path / "sample_data")
    shutil.copy(sample_data / "mass_regions.dcm", tmp_path / "scan.dcm")
    (tmp_path / "my_package.py").write_text(MODEL_SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_package", "outlines", "bright_blobs", "my_network"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    speckle = np.random.default_rng(4).rayleigh(20.0, (160, 200))
    names = {
        "image": np.clip(speckle, 0, 255).astype(np.float32),
        "envelope": speckle.astype(np.float32),
    }
    return Reader(tmp_path, names)
