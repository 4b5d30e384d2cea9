"""The fingerprint of a job, by which --resume knows whether a stored result is still valid."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.detector_functions import brightest
from usmicro.batch.functions import UserFunction
from usmicro.batch.jobs import Job, fingerprint_of
from usmicro.model.scan import Spacing
from usmicro.settings import read_settings


@pytest.fixture
def job(tmp_path) -> Job:
    (tmp_path / "a.png").write_bytes(b"content")
    return Job("a.png", tmp_path / "a.png", tmp_path / "r", "a", read_settings())


def test_a_fingerprint_depends_on_content_settings_and_spacing(job):
    first = fingerprint_of(job)
    others = {
        fingerprint_of(replace(job, settings=read_settings(None, ["foci.smallest=0.3"]))),
        fingerprint_of(replace(job, spacing=Spacing(0.1, 0.1, "given"))),
        fingerprint_of(replace(job, mask_function=UserFunction(brightest, "masks"))),
        fingerprint_of(replace(job, detector=UserFunction(brightest, "detector"))),
    }
    job.path.write_bytes(b"other content")
    others.add(fingerprint_of(job))
    assert len(others) == 5
    assert first not in others


def test_a_fingerprint_does_not_depend_on_limits_folders_or_the_wording_of_settings(
    job, monkeypatch
):
    first = fingerprint_of(job)
    assert fingerprint_of(replace(job, out=Path("elsewhere"))) == first
    assert fingerprint_of(replace(job, settings=read_settings(None, ["limits.seconds=9"]))) == first
    monkeypatch.setattr("usmicro.settings.to_toml", lambda settings: "other words")
    monkeypatch.setattr("usmicro.batch.jobs.to_toml", lambda settings: "other words", raising=False)
    assert fingerprint_of(job) == first
