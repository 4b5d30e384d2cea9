"""Candidates of the key frame as rows, on a simulated scan and a still cine of it."""

from dataclasses import replace

import numpy as np
import pytest

from usmicro.analysis import analyze
from usmicro.model.scan import Scan, Spacing
from usmicro.phantom import simulate
from usmicro.settings import Settings, with_values
from usmicro.tracking.candidates import PART_OF_CLUMP, Outcome, outcomes_of


@pytest.fixture(scope="module")
def phantom():
    return simulate(7)


def scan_of(phantom, frames=1):
    image = phantom.frames[0]
    rows, columns = image.shape[:2]
    return Scan(
        "phantom",
        None,
        rows,
        columns,
        frames,
        lambda: iter([image] * frames),
        spacing=phantom.spacing,
    )


@pytest.fixture(scope="module")
def analysis(phantom):
    return analyze(scan_of(phantom))


def test_every_listed_focus_is_a_listed_candidate(analysis):
    listed = {row.focus: row for row in analysis.candidates if row.listed == "yes"}
    assert sorted(listed) == [focus.focus for focus in analysis.foci]
    assert len(listed) > 2
    for focus in analysis.foci:
        row = listed[focus.focus]
        assert (row.x_px, row.y_px, row.x_mm, row.depth_mm) == (
            focus.x_px,
            focus.y_px,
            focus.x_mm,
            focus.depth_mm,
        )
        assert (row.diameter_px, row.contrast) == (focus.diameter_px, focus.contrast)
        assert row.reason == f"Listed as focus {focus.focus}. {focus.confidence_reason}"


def test_the_others_say_why_they_are_not_listed(analysis):
    others = [row for row in analysis.candidates if row.listed == "no"]
    assert len(others) > 20
    assert {row.focus for row in others} == {None}
    below = [row for row in others if row.reason != PART_OF_CLUMP]
    assert all(f"Confidence {row.confidence:.2g} is below" in row.reason for row in below)
    assert sum("Lowered most by" in row.reason for row in below) > len(below) / 2


def test_the_most_confident_come_first(analysis):
    confidence = [row.confidence for row in analysis.candidates]
    assert confidence == sorted(confidence, reverse=True)


def test_all_are_listed_if_every_candidate_is_kept(phantom, analysis):
    settings = with_values(Settings(), {"foci": {"minimum_confidence": 0.0}}, source="test")
    kept = analyze(scan_of(phantom), settings=settings)
    assert [(row.x_px, row.y_px, row.confidence) for row in kept.candidates] == [
        (row.x_px, row.y_px, row.confidence) for row in analysis.candidates
    ]
    assert {row.reason for row in kept.candidates if row.listed == "no"} <= {PART_OF_CLUMP}


def test_a_cine_has_the_candidates_of_its_key_frame(phantom, analysis):
    cine = analyze(scan_of(phantom, frames=4))
    assert [row.x_px for row in cine.candidates] == [row.x_px for row in analysis.candidates]
    assert {row.frame for row in cine.candidates} == {cine.frame}
    listed = {row.focus for row in cine.candidates if row.listed == "yes"}
    assert listed == {focus.focus for focus in cine.foci}


def test_without_spacing_there_are_no_mm(phantom):
    scan = replace(scan_of(phantom), spacing=Spacing())
    rows = analyze(scan).candidates.to_rows()
    assert {row["diameter_mm"] for row in rows} == {row["depth_mm"] for row in rows} == {None}
    assert all(row["diameter_px"] > 0 for row in rows)


def test_a_focus_without_an_echo_is_no_candidate(analysis):
    focus = analysis.foci[0]
    colours = replace(focus, focus=9, origin="twinkling", contrast=None, x_px=1.0)
    outcomes = outcomes_of([focus, colours], [], analysis.frame, 0.05)
    assert outcomes == {(focus.x_px, focus.y_px): Outcome(1, focus.confidence, False)}


def test_shadow_profiles_are_on_the_foci_but_in_no_table(analysis):
    assessed = [focus for focus in analysis.foci if focus.shadow != "not assessable"]
    assert assessed
    for focus in analysis.foci:
        assert (focus.shadow_profile is None) == (focus.shadow == "not assessable")
    assert np.isfinite(assessed[0].shadow_profile.strip).any()
    assert "shadow_profile" not in analysis.foci.to_rows()[0]
