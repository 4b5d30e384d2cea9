"""Any bytes give a row: the seeds and what fuzzing found, damaged files, and bytes that only begin like a file."""

import csv
import random
from pathlib import Path

import pytest

import usmicro
from benchmarks.reliability.mutations import mutated
from tests.fuzzing.fuzz_loader import read
from usmicro.loading.formats import _SIGNATURES

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())
FOUND = sorted((HERE / "found").glob("*")) if (HERE / "found").is_dir() else []


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_every_seed_is_read(path):
    assert read(path) > 0


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_fuzzing_found_stays_mended(path):
    read(path)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_give_scans_or_errors(tmp_path, seed):
    rng = random.Random(seed)
    contents = [path.read_bytes() for path in CORPUS]
    for number in range(150):
        data = mutated(rng.choice(contents), rng, rng.choice(contents))
        file = tmp_path / f"{number}"
        file.write_bytes(data)
        read(file)


def test_any_bytes_give_a_row_of_the_run(tmp_path):
    """The whole run, analysis included, in one process: nothing may escape."""
    rng = random.Random(7)
    scans = tmp_path / "scans"
    scans.mkdir()
    contents = [path.read_bytes() for path in CORPUS]
    starts = [
        b"",
        bytes(128) + b"DICM",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x18ftypisom",
        *(signature for signature, _ in _SIGNATURES),
    ]
    for number in range(120):
        random_bytes = rng.choice(starts) + rng.randbytes(rng.randrange(3000))
        data = (
            random_bytes
            if number % 3 == 0
            else mutated(rng.choice(contents), rng, rng.choice(contents))
        )
        (
            scans / f"{number:03d}.{rng.choice(('dcm', 'png', 'jpg', 'tif', 'avi', 'mp4'))}"
        ).write_bytes(data)
    results = list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    with open(tmp_path / "r" / "images.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert (
        [row["image"] for row in rows]
        == [result.image for result in results]
        == sorted(path.name for path in scans.iterdir())
    )
    assert all(row["error"] for row in rows if row["status"] == "failed")
    assert not [row["error"] for row in rows if row["error"].startswith("internal error")]
    assert {row["status"] for row in rows} == {"ok", "failed"}
