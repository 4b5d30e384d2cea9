import io

import cv2
import numpy as np
import pytest
from PIL import Image

from usmicro import load
from usmicro.batch.frames_left import FramesLeft, count_in_background
from usmicro.batch.inputs import make_jobs
from usmicro.batch.progress import Progress
from usmicro.loading.frame_count import declared_frames
from usmicro.settings import Settings


def test_frames_of_cines_count_one_by_one():
    frames = FramesLeft(3)
    for image, number in {"a": 1, "b": 100, "c": 1}.items():
        frames.expect(image, number)
    assert (frames.done, frames.left) == (0, 102)
    frames.finish("a", 1, kept=False)
    frames.advance("b", 10, 40)
    assert (frames.done, frames.left) == (26, 76)
    frames.finish("b", 100, kept=False)
    assert (frames.done, frames.left) == (101, 1)
    frames.finish("c", 1, kept=False)
    assert (frames.done, frames.left) == (102, 0)


def test_inputs_of_unknown_length_count_as_the_mean_of_the_others():
    frames = FramesLeft(4)
    frames.expect("a", 10)
    frames.finish("b", 20, kept=False)
    assert frames.left == pytest.approx(10 + 2 * 15)


def test_kept_results_and_late_counts_are_not_counted():
    frames = FramesLeft(2)
    frames.finish("a", 500, kept=True)
    frames.expect("a", 500)
    frames.expect("b", 2)
    assert (frames.done, frames.left) == (0, 2)


def test_time_left_is_that_of_the_frames(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress(2, io.StringIO())
    progress.expect("still.png", 1)
    progress.expect("cine.dcm", 59)
    now = 2.0
    progress.add("still.png")
    assert "1 min 58 s left" in progress.line()
    progress.add_frame("cine.dcm", 30, 59)
    now = 31.0
    assert "29 s left" in progress.line()


def test_time_for_compiling_is_not_counted(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress(12, io.StringIO())
    progress.add_frame("a.png", 0, 0)
    now = 20.0
    progress.add_frame("a.png", 1, 2)
    assert "left" not in progress.line()
    progress.add("a.png")
    assert "left" not in progress.line()
    now = 21.0
    progress.add("b.png")
    assert "10 s left" in progress.line()


def test_a_single_cine_shows_its_pace_although_kernels_were_compiled_for_it(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress(1, io.StringIO())
    progress.expect("cine.dcm", 1000)
    progress.add_frame("cine.dcm", 0, 0)
    now = 30.0
    progress.add_frame("cine.dcm", 4, 1000)
    now = 40.0
    progress.add_frame("cine.dcm", 204, 1000)
    assert progress.line() == "0/1, 204/1000 frames, 20.0 frames/s, 40 s left"


def test_the_bar_shows_frames(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress(2, Terminal())
    progress.expect("a.dcm", 500)
    progress.expect("b.dcm", 500)
    assert progress.line().startswith("[..........]  0/2  0/1000 frames")
    progress.add_frame("a.dcm", 250, 500)
    progress.add_frame("b.dcm", 250, 500)
    assert progress.line().startswith("[#####.....]  0/2  500/1000 frames")
    progress.add("a.dcm", frames=500)
    progress.add("b.dcm", frames=500)
    assert progress.line().startswith("[##########]  2/2  1000/1000 frames")


def test_frames_of_files_are_counted_without_decoding(sample_data):
    jobs, *_ = make_jobs([sample_data], out=sample_data / "none", settings=Settings())
    counted: dict[str, int] = {}
    count_in_background(jobs, counted.__setitem__)()
    jobs, *_ = make_jobs([sample_data], out=sample_data / "none", settings=Settings())
    # the thread ends early if it is told to, so the counts are a part of the truth
    assert (
        counted.items()
        <= {job.name: 16 if job.name == "colour_cine.dcm" else 1 for job in jobs}.items()
    )


def test_frames_are_those_that_loading_declares(sample_data, tmp_path):
    image = np.zeros((60, 80), np.uint8)
    cv2.imwritemulti(str(tmp_path / "stack.tif"), [image] * 3)
    cv2.imwrite(str(tmp_path / "still.png"), image)
    animation = [Image.fromarray(image + shade) for shade in (0, 9, 20)]
    animation[0].save(tmp_path / "animated.png", save_all=True, append_images=animation[1:])
    (tmp_path / "damaged.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 50)
    files = {path.name: path for path in [*tmp_path.iterdir(), sample_data / "colour_cine.dcm"]}
    counts = {name: declared_frames(path) for name, path in files.items()}
    assert counts.pop("damaged.dcm") == 1
    assert counts == {name: load(files[name]).declared_frames for name in counts}
    assert set(counts.values()) == {1, 3, 16}
