import itertools
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import usmicro
from usmicro.errors import UsageError

SAMPLES = Path(__file__).parents[2] / "sample_data"
NAMES = ("mass_linear.png", "mass_sector.png", "no_foci.png")
TABLES = ("masses.csv", "foci.csv", "clusters.csv", "tracks.csv")


@pytest.fixture(scope="module")
def pictures():
    """Three sample scans as arrays, by name."""
    return {name: np.asarray(next(usmicro.load(SAMPLES / name).frames())) for name in NAMES}


@pytest.fixture(scope="module")
def small():
    """A small picture that takes little time."""
    noise = np.random.default_rng(5).rayleigh(40, (160, 150))
    return np.clip(noise, 0, 255).astype(np.uint8)


def run_all(inputs, out, **options):
    return list(usmicro.run(inputs, out=out, workers=options.pop("workers", 1), **options))


def test_arrays_give_the_tables_of_the_same_pictures_as_files(tmp_path, pictures):
    (tmp_path / "scans").mkdir()
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / "scans" / name), picture)
    run_all(tmp_path / "scans", tmp_path / "files", spacing=0.08)
    run_all(pictures, tmp_path / "arrays", spacing=0.08)
    run_all(iter(pictures.items()), tmp_path / "workers", spacing=0.08, workers=2)
    for table in TABLES:
        expected = (tmp_path / "files" / table).read_bytes()
        assert (tmp_path / "arrays" / table).read_bytes() == expected
        assert (tmp_path / "workers" / table).read_bytes() == expected
    results = usmicro.read_results(tmp_path / "arrays")
    files = usmicro.read_results(tmp_path / "files")
    for name in NAMES:
        np.testing.assert_array_equal(results.labels(name), files.labels(name))


def test_arrays_without_names_are_numbered_in_their_order(tmp_path, small):
    names = [result.image for result in run_all([small, small[::-1], small.T], tmp_path / "out")]
    assert names == ["array-000001", "array-000002", "array-000003"]
    assert usmicro.read_results(tmp_path / "out").names == names


def test_a_single_array_and_cines_are_inputs(tmp_path, small):
    (still,) = run_all(small, tmp_path / "still")
    assert still.summary.frames == 1
    (cine,) = run_all([("cine", np.stack([small] * 5))], tmp_path / "cine")
    assert cine.summary.frames == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_an_iterator_is_read_only_a_few_arrays_ahead(tmp_path, small, workers):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield f"image {number}", small

    run = usmicro.run(endless(), out=tmp_path / "out", workers=workers)
    assert taken == [0]  # the first element shows that these are arrays
    for _ in range(3):
        next(run)
    run.close()
    assert len(taken) <= 3 + 2 * workers


def test_a_limit_ends_an_endless_iterator(tmp_path, small):
    results = run_all(itertools.repeat(small), tmp_path / "out", limit=2)
    assert [result.status for result in results] == ["ok", "ok"]


def test_a_bad_array_is_one_failed_row(tmp_path, small):
    bad = small.astype(float)
    bad[3, 4] = np.nan
    items = [bad, small, np.zeros(7), "a.png", np.array([None, {}]), ("e", small, -1)]
    results = run_all(items, tmp_path / "out")
    assert [result.status for result in results] == ["failed", "ok", *["failed"] * 4]
    words = ("NaN", "", "shape", "found a path", "type object", "positive spacing")
    for result, word in zip(results, words, strict=True):
        assert word in result.error
        assert os.sep not in result.error.replace("and/or", "")


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_iterator_follows_the_results_before_it(tmp_path, small, workers):
    def broken():
        yield small
        yield small
        raise RuntimeError("the camera was unplugged")

    results: list[usmicro.batch.results.Result] = []
    with pytest.raises(RuntimeError, match="unplugged"):
        results.extend(usmicro.run(broken(), out=tmp_path / "out", workers=workers))
    rows = (tmp_path / "out" / "images.csv").read_text(encoding="utf-8").splitlines()
    ok = [["array-000001", "ok"], ["array-000002", "ok"]]
    assert [row.split(",")[:2] for row in rows[1:]] == ok
    with pytest.raises(UsageError, match="has not reached every input"):
        usmicro.read_results(tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["mass_regions.dcm", pytest.param("colour_cine.dcm", marks=pytest.mark.slow)]
)
def test_scans_among_arrays_keep_what_their_file_says(tmp_path, name, small):
    """Regions, spacing, device and times of a DICOM file, in this process and in workers."""
    run_all([usmicro.load(SAMPLES / name), small], tmp_path / "scans", workers=2)
    run_all(SAMPLES / name, tmp_path / "files")
    for table in ("images.csv", *TABLES):
        rows = {
            kind: [
                line.split(",")
                for line in (tmp_path / kind / table).read_text(encoding="utf-8").splitlines()
                if not line.startswith("array-")
            ]
            for kind in ("scans", "files")
        }
        if table == "images.csv":
            column = rows["files"][0].index("seconds")
            rows = {kind: [r[:column] + r[column + 1 :] for r in rows[kind]] for kind in rows}
        assert rows["scans"] == rows["files"]


def test_a_run_gives_what_analyze_gives(tmp_path, small):
    floats = small / 255.0
    rgba = np.dstack([small, small // 2, small, np.full_like(small, 255)])
    for result, array in zip(
        run_all([floats, rgba], tmp_path / "out", spacing=(0.1, 0.2)), (floats, rgba), strict=True
    ):
        analysis = usmicro.analyze(array, spacing=(0.1, 0.2))
        assert result.summary == analysis.summary
        assert list(result.foci) == [replace(f, shadow_profile=None) for f in analysis.foci]
        assert result.notes == analysis.notes


def test_an_array_may_be_changed_after_it_is_taken(tmp_path, pictures):
    buffer = np.empty((160, 150), np.uint8)

    def same_buffer():
        for value in (60, 120, 180):
            buffer[:] = np.random.default_rng(value).integers(0, value, buffer.shape)
            yield buffer

    run_all(same_buffer(), tmp_path / "one", workers=2)
    run_all([array.copy() for array in same_buffer()], tmp_path / "two")
    for table in TABLES:
        assert (tmp_path / "one" / table).read_bytes() == (tmp_path / "two" / table).read_bytes()


def test_resume_keeps_arrays_with_the_same_name_and_pixels(tmp_path, small):
    other = small[::-1].copy()
    run_all({"a": small, "b": other}, tmp_path / "out")
    before = (tmp_path / "out" / "overlays" / "a.png").stat().st_mtime_ns
    results = run_all({"a": small, "b": small, "c": other}, tmp_path / "out", resume=True)
    assert [result.image for result in results] == ["a", "b", "c"]
    assert (tmp_path / "out" / "overlays" / "a.png").stat().st_mtime_ns == before
    again = run_all({"a": small, "b": small, "c": other}, tmp_path / "again")
    assert results[1].foci == again[1].foci
    for table in TABLES:
        assert (tmp_path / "out" / table).read_bytes() == (tmp_path / "again" / table).read_bytes()


def test_spacing_of_one_array_comes_with_it(tmp_path, small):
    items = [("a", small, 0.1), ("b", small, (0.1, 0.2)), ("c", small)]
    a, b, c = (result.summary for result in run_all(items, tmp_path / "out", spacing=0.15))
    assert (a.spacing_x_mm, a.spacing_y_mm) == (0.1, 0.1)
    assert (b.spacing_x_mm, b.spacing_y_mm) == (0.1, 0.2)
    assert (c.spacing_x_mm, c.spacing_y_mm) == (0.15, 0.15)


def test_what_a_killed_run_left_of_arrays_is_deleted(tmp_path, small):
    """A run on a cluster keeps the files of arrays in the output folder."""
    run_all([small], tmp_path / "out")
    left = tmp_path / "out" / ".7.unfinished" / "1"
    left.mkdir(parents=True)
    (left / "frames").write_bytes(b"x")
    run_all([small], tmp_path / "out", resume=True)
    assert not left.parent.exists()


def test_files_of_arrays_are_deleted(tmp_path, small, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_all([small, small], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "found none"),
        (7, "found int"),
        (["a.png", np.zeros((9, 9))], "number 2 is ndarray"),
        ({"../a": np.zeros((90, 90))}, "image name"),
        ({"a" * 300: np.zeros((90, 90))}, "shorter name"),
        ([("a.png/b", np.zeros((90, 90))), ("a", np.zeros((90, 90)))], "path of a file of another"),
        ([("a", np.zeros((90, 90))), ("a", np.zeros((90, 90)))], "name of another array"),
    ],
)
def test_wrong_inputs_get_a_message(tmp_path, inputs, message):
    with pytest.raises(UsageError, match=message):
        run_all(inputs, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": "folder"}, "masks: folder is for files"),
        ({"group": "groups.csv"}, "group: groups.csv is for files"),
        ({"pseudonyms": "key"}, "pseudonyms: key is for files"),
        ({"spacing": (1, 2, 3)}, "spacing: expected"),
    ],
)
def test_options_for_files_are_refused(tmp_path, small, options, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        usmicro.run([small], out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_run_says_what_it_is(tmp_path, small):
    assert "run of 2 inputs to" in repr(usmicro.run([small] * 2, out=tmp_path / "out"))
    assert "run of arrays to" in repr(usmicro.run(iter([small]), out=tmp_path / "out"))
