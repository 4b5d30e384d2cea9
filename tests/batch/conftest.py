import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.made_analysis import BREAKS, REFUSED, START_WORKER, stand_in


@pytest.fixture
def made_analyze(monkeypatch) -> None:
    """Put the made analysis in the place of the real one, here and in worker processes."""
    monkeypatch.setitem(sys.modules, "usmicro.analysis", stand_in())
    monkeypatch.setattr("usmicro.batch.workers.START", START_WORKER)
    monkeypatch.setattr(
        "usmicro.batch.warmup.is_compiled", lambda: True
    )  # it has nothing to compile
    monkeypatch.setattr("usmicro.batch.warmup.make_ready", lambda: None)  # nor to load


def write_scan(path: Path, seed: int, first: int = 0) -> None:
    image = np.random.default_rng(seed).integers(20, 200, (40, 60), dtype=np.uint8)
    image[0, 0] = first
    image[10 + seed % 20, 30] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture(name="write_scan")
def write_scan_fixture():
    return write_scan


@pytest.fixture
def scans(tmp_path) -> Path:
    """Five scans that are fine, in folders."""
    for seed, name in enumerate(("b.png", "a.png", "sub/a.png", "sub/deep/c.png", "z.bmp")):
        write_scan(tmp_path / "scans" / name, seed)
    return tmp_path / "scans"


@pytest.fixture
def bad_scans(scans) -> Path:
    """The same with three that fail, each in its own way."""
    write_scan(scans / "broken.png", 7, first=BREAKS)
    write_scan(scans / "refused.png", 8, first=REFUSED)
    (scans / "text.dcm").write_text("this is no scan")
    return scans
