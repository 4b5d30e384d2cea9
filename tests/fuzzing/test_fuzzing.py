"""The loader and a whole run on seeds, on files that fuzzing found, and on damaged files."""

import csv
import random
from pathlib import Path

import pytest

import usmicro
from benchmarks.reliability.mutations import damage
from tests.fuzzing.fuzz_loader import read
from usmicro.loading.formats import _SIGNATURES

HERE = Path(__file__).parent
SEEDS = sorted((HERE / "corpus").iterdir())
FOUND = sorted((HERE / "found").glob("*")) if (HERE / "found").is_dir() else []


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_every_seed_can_be_read(path):
    if path.name.startswith("volume."):
        pytest.importorskip("SimpleITK")
    assert read(path) > 0


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_file_that_fuzzing_found_gives_a_scan_or_an_error(path):
    read(path)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_give_scans_or_errors(tmp_path, seed):
    rng = random.Random(seed)
    contents = [path.read_bytes() for path in SEEDS]
    for number in range(150):
        data = damage(rng.choice(contents), rng, rng.choice(contents))
        file = tmp_path / f"{number}"
        file.write_bytes(data)
        read(file)


def write_damaged_files(folder, rng):
    """Write 120 files: a third of random bytes after a signature, the others damaged seeds."""
    folder.mkdir()
    contents = [path.read_bytes() for path in SEEDS]
    heads = [
        b"",
        bytes(128) + b"DICM",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x18ftypisom",
        *(signature for signature, _ in _SIGNATURES),
    ]
    for number in range(120):
        data = rng.choice(heads) + rng.randbytes(rng.randrange(3000))
        if number % 3 != 0:
            data = damage(rng.choice(contents), rng, rng.choice(contents))
        suffix = rng.choice(("dcm", "png", "jpg", "tif", "avi", "mp4", "npy", "npz", "nii", "nrrd"))
        (folder / f"{number:03d}.{suffix}").write_bytes(data)


def test_run_over_damaged_files_gives_a_row_for_each(tmp_path):
    scans = tmp_path / "scans"
    write_damaged_files(scans, random.Random(7))
    results = list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    with open(tmp_path / "r" / "images.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    names = sorted(path.name for path in scans.iterdir())
    assert [row["image"] for row in rows] == names
    assert [result.image for result in results] == names
    assert all(row["error"] for row in rows if row["status"] == "failed")
    assert not [row["error"] for row in rows if row["error"].startswith("internal error")]
    assert {row["status"] for row in rows} == {"ok", "failed"}
