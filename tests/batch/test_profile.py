"""The profile of a run: times by stage, and by frame that was analysed."""

from dataclasses import fields

import cv2
import numpy as np

import usmicro
from usmicro.batch.profile import Profile
from usmicro.batch.results import Result
from usmicro.model.findings import Summary
from usmicro.phantom import simulate
from usmicro.settings import read_settings


def result_of(frames: int, **seconds: float) -> Result:
    unknown = dict.fromkeys(field.name for field in fields(Summary))
    summary = Summary(**{**unknown, "frames": frames})
    return Result(image="a.png", status="ok", summary=summary, seconds=seconds)


def test_times_are_summed_and_divided_by_frames():
    profile = Profile()
    profile.add(result_of(3, loading=0.4, foci=1.0, total=2.0))
    profile.add(result_of(1, loading=0.2, foci=1.0, total=2.0))
    lines = profile.lines(elapsed=8.0)
    assert lines[0].split() == ["stage", "seconds", "share", "ms", "a", "frame"]
    assert [line.split() for line in lines[1:5]] == [
        ["foci", "2.00", "50.0%", "500.0"],
        ["other", "1.40", "35.0%", "350.0"],
        ["loading", "0.60", "15.0%", "150.0"],
        ["total", "4.00", "100.0%", "1000.0"],
    ]
    assert lines[5] == "2 images, 4 frames; 0.25 images a second, compiling included"


def test_only_analysed_frames_count(tmp_path):
    """With loading.frames, the frames that are left out do not lower the time of a frame."""
    frame = simulate(3).frames[0]
    pages = [np.roll(frame, shift, axis=1) for shift in range(7)]
    cv2.imwritemulti(str(tmp_path / "cine.tif"), pages)
    settings = read_settings(None, ["loading.frames=3"])
    profile = Profile()
    for result in usmicro.run(
        tmp_path / "cine.tif", out=tmp_path / "r", workers=1, settings=settings
    ):
        assert result.summary.frames == 3
        profile.add(result)
    assert profile.lines(1.0)[-2].startswith("1 images, 3 frames;")
    assert '"frames": 3' in (tmp_path / "r" / "run.json").read_text()
