import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.fake_analysis import RAISES, REFUSED, WORKER_PROGRAM, fake_module
from usmicro.batch import workers
from usmicro.batch.job_analysis import run_job


@pytest.fixture
def fake_analysis(monkeypatch) -> None:
    """Replace the analysis by a fake one, in this process and in worker processes."""
    monkeypatch.setitem(sys.modules, "usmicro.analysis", fake_module())
    monkeypatch.setattr(workers, "WORKER_PROGRAM", WORKER_PROGRAM)
    # there is nothing to compile and nothing to load
    monkeypatch.setattr("usmicro.batch.warmup.is_compiled", lambda: True)
    monkeypatch.setattr("usmicro.batch.warmup.preload", lambda: None)


@pytest.fixture
def computed(monkeypatch) -> list[str]:
    """Names of the inputs that are computed in this process, not kept from an earlier run."""
    names: list[str] = []

    def run_and_note(job, on_progress):
        names.append(job.name)
        return run_job(job, on_progress)

    monkeypatch.setattr(workers, "run_job", run_and_note)
    return names


def write_scan(path: Path, seed: int, first: int = 0) -> None:
    """Write a scan of noise with one bright pixel; the grey level of its first pixel is `first`."""
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
    """Five valid scans, in folders."""
    for seed, name in enumerate(("b.png", "a.png", "sub/a.png", "sub/deep/c.png", "z.bmp")):
        write_scan(tmp_path / "scans" / name, seed)
    return tmp_path / "scans"


@pytest.fixture
def bad_scans(scans) -> Path:
    """Five valid scans and three that fail, each for another reason."""
    write_scan(scans / "broken.png", 7, first=RAISES)
    write_scan(scans / "refused.png", 8, first=REFUSED)
    (scans / "text.dcm").write_text("this is no scan")
    return scans
