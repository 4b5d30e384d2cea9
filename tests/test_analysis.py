from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

import usmicro
from usmicro.analysis import is_analysed
from usmicro.errors import ImageError, ScanError
from usmicro.foci.operating_point import listing_confidence
from usmicro.foci.site import site_confidence
from usmicro.model.scan import Scan, UserMasks
from usmicro.phantom import phantom_set, simulate
from usmicro.settings import Settings, with_values


def every_candidate(**groups):
    return with_values(Settings(), {"foci": {"minimum_confidence": 0.0}, **groups}, source="test")


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


@pytest.fixture(scope="module")
def analysis(phantom):
    return usmicro.analyze(phantom.scan(), settings=every_candidate())


def test_true_foci_are_found_where_they_are(phantom, analysis):
    pixel = phantom.spacing.x_mm
    found = np.array([(focus.x_px, focus.y_px) for focus in analysis.foci])
    near = [
        np.hypot(*(found - (f.x_px[0], f.y_px[0])).T).min() <= max(f.diameter_mm / pixel / 2, 6)
        for f in phantom.truth.foci
    ]
    assert np.mean(near) >= 0.7


def test_foci_are_numbered_surest_first(analysis):
    assert [focus.focus for focus in analysis.foci] == list(range(1, len(analysis.foci) + 1))
    confidence = [focus.confidence for focus in analysis.foci]
    assert confidence == sorted(confidence, reverse=True)
    assert {focus.track for focus in analysis.foci} == {None}


def test_the_counts_agree_with_the_tables(analysis):
    summary = analysis.summary
    assert (
        summary.foci
        == len(analysis.foci)
        == summary.intramass + summary.extramass + summary.intraductal
    )
    assert summary.masses == len(analysis.masses)
    for mass in analysis.masses:
        assert mass.foci == sum(focus.mass == mass.mass for focus in analysis.foci)


def test_a_higher_threshold_lists_the_first_of_the_same_foci_and_leaves_the_score_alone(
    phantom, analysis
):
    fewer = usmicro.analyze(
        phantom.scan(),
        settings=with_values(Settings(), {"foci": {"minimum_confidence": 0.3}}, source="test"),
    )
    assert len(fewer.foci) < len(analysis.foci)
    for some, same in zip(fewer.foci, analysis.foci, strict=False):
        assert replace(some, cluster=None) == replace(same, cluster=None)
    assert fewer.summary.calcification_score == analysis.summary.calcification_score


def test_mm_cells_are_empty_where_the_spacing_is_unknown(phantom):
    analysis = usmicro.analyze(Scan.of_array(phantom.frames), settings=every_candidate())
    assert len(analysis.foci) > 0
    for row in analysis.foci.to_rows() + analysis.masses.to_rows():
        assert all(value is None for name, value in row.items() if name.endswith(("_mm", "_mm2")))
    assert any("spacing" in note for note in analysis.notes)


def test_given_masks_take_the_place_of_what_is_found(phantom):
    masses = np.zeros(phantom.frames.shape[1:3], np.int32)
    masses[200:300, 200:320] = 1
    analysis = usmicro.analyze(
        phantom.scan(), settings=every_candidate(), masks=UserMasks(masses=masses)
    )
    drawn = analysis.labels == 1
    assert np.mean(drawn == (masses == 1)) > 0.995
    inside = [
        focus
        for focus in analysis.foci
        if masses[round(focus.y_px), round(focus.x_px)] and focus.label == "intramass"
    ]
    assert inside
    assert all(focus.mass == 1 for focus in inside)
    assert [mass.confidence for mass in analysis.masses] == [1.0]


def test_the_label_image_has_the_size_of_the_scan_and_no_other_values(phantom, analysis):
    assert analysis.labels.shape == phantom.frames.shape[1:3]
    assert set(np.unique(analysis.labels)) <= {0, 1, 2, 3, 255}


def test_the_same_scan_gives_the_same_findings(phantom, analysis):
    again = usmicro.analyze(phantom.scan(), settings=every_candidate())
    assert again.foci.to_rows() == analysis.foci.to_rows()
    assert again.summary == analysis.summary
    np.testing.assert_array_equal(again.labels, analysis.labels)


def test_a_still_cine_gives_one_row_a_focus(phantom, analysis):
    three = Scan.of_array(np.repeat(phantom.frames[:1], 3, axis=0), spacing=phantom.spacing)
    cine = usmicro.analyze(three, settings=every_candidate())
    assert len(cine.foci) == len(analysis.foci)
    for still, tracked in zip(analysis.foci, cine.foci, strict=True):
        assert tracked.seen_frames == 3
        assert tracked.confidence == pytest.approx(still.confidence)
        assert (tracked.x_px, tracked.y_px) == (still.x_px, still.y_px)
    assert len({focus.track for focus in cine.foci}) == len(cine.foci)


def test_what_one_frame_of_many_shows_is_less_sure(phantom, analysis):
    dark = np.full_like(phantom.frames[0], 40)
    dark[::2] += 20
    frames = np.stack([phantom.frames[0], dark, dark])
    glimpsed = usmicro.analyze(
        Scan.of_array(frames, spacing=phantom.spacing), settings=every_candidate()
    )
    best = max(glimpsed.foci, key=lambda focus: focus.confidence)
    odds, odds_of_still = (c / (1 - c) for c in (best.confidence, analysis.foci[0].confidence))
    assert odds < 0.1 * odds_of_still


def test_frames_without_tissue_are_noted_and_a_scan_without_any_fails(phantom):
    black = np.zeros_like(phantom.frames[0])
    analysis = usmicro.analyze(
        Scan.of_array(np.stack([black, phantom.frames[0]]), spacing=phantom.spacing)
    )
    assert any("1 of 2 frames show no tissue" in note for note in analysis.notes)
    assert analysis.frame == 1
    with pytest.raises(ScanError, match="array"):
        usmicro.analyze(Scan.of_array(black))


@pytest.fixture(scope="module")
def clip():
    return next(iter(phantom_set("twinkling", range(3, 4))))


def verdicts(clip, frames):
    """Return the colour flow of the scan and the twinkling verdicts near true twinkling foci."""
    analysis = usmicro.analyze(
        replace(clip.scan(), read=lambda: iter(frames)), settings=every_candidate()
    )
    true = [f for f in clip.truth.foci if f.twinkling]
    near = [
        focus
        for focus in analysis.foci
        for f in true
        if np.hypot(focus.x_px - f.x_px[focus.frame], focus.y_px - f.y_px[focus.frame]) < 10
    ]
    return analysis.summary.colour_flow, {focus.twinkling for focus in near}


def test_one_colour_frame_never_twinkles_for_sure(clip):
    still = replace(clip.scan(), read=lambda: iter(clip.frames[:1]))
    analysis = usmicro.analyze(still, settings=every_candidate())
    assert analysis.summary.colour_flow == "yes"
    assert len(analysis.foci) > 0
    assert "yes" not in {focus.twinkling for focus in analysis.foci}


@pytest.mark.slow
def test_twinkling_is_found_in_a_clip(clip):
    assert "yes" in verdicts(clip, clip.frames)[1]


def test_one_source_of_twinkling_is_one_focus(clip):
    """The edges of the colours of a calcification twinkle too, but are no further foci."""
    analysis = usmicro.analyze(clip.scan())
    twinkling = [focus for focus in analysis.foci if focus.twinkling == "yes"]
    pixel = clip.spacing.x_mm
    sources = [focus for focus in clip.truth.foci if focus.twinkling]
    near = [
        sum(
            np.hypot(f.x_px - np.mean(source.x_px), f.y_px - np.mean(source.y_px)) * pixel < 4
            for f in twinkling
        )
        for source in sources
    ]
    assert sum(near) >= 1
    assert max(near) == 1


def test_of_a_cine_only_so_many_frames_are_analysed(phantom):
    frames = np.stack([phantom.frames[0]] * 7)
    scan = Scan.of_array(frames, spacing=phantom.spacing)
    sampled = usmicro.analyze(
        scan, settings=with_values(Settings(), {"loading": {"frames": 3}}, source="test")
    )
    assert sampled.summary.frames == 3
    assert any("3 of 7 frames" in note for note in sampled.notes)
    assert {focus.seen_frames for focus in sampled.foci} == {3}
    for most in (0, 7, 100):
        whole = usmicro.analyze(
            scan, settings=with_values(Settings(), {"loading": {"frames": most}}, source="test")
        )
        assert {focus.seen_frames for focus in whole.foci} == {7}
        assert not any("frames were analysed" in note for note in whole.notes)


@pytest.mark.parametrize("declared", [1, 2, 7, 100, 1001])
@pytest.mark.parametrize("most", [1, 2, 3, 10, 100])
def test_chosen_frames_are_as_many_as_asked_and_evenly_spread(declared, most):
    chosen = [frame for frame in range(declared) if is_analysed(frame, declared, most)]
    assert len(chosen) == min(most, declared)
    assert chosen[0] == 0
    assert np.ptp(np.diff([*chosen, declared])) <= 1


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), complex),
        np.zeros((0, 4), np.uint8),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_that_are_no_scan_are_refused(array):
    with pytest.raises(ImageError):
        Scan.of_array(array)


def test_a_table_turns_into_rows(analysis):
    rows = analysis.foci.to_rows()
    assert rows[0]["confidence"] == analysis.foci[0].confidence
    assert list(rows[0])[:3] == ["frame", "focus", "x_px"]


def test_the_threads_of_opencv_change_nothing_and_are_left_as_they_were(phantom):
    threads, tables = cv2.getNumThreads(), []
    try:
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            found = usmicro.analyze(phantom.scan(), settings=every_candidate())
            tables.append((found.foci.to_rows(), found.masses.to_rows()))
            assert cv2.getNumThreads() == count
    finally:
        cv2.setNumThreads(threads)
    assert tables[0] == tables[1] == tables[2]


def test_scans_may_be_analysed_side_by_side_in_threads(phantom, analysis):
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(
                lambda _: usmicro.analyze(phantom.scan(), settings=every_candidate()), range(4)
            )
        )
    assert all(one.foci.to_rows() == analysis.foci.to_rows() for one in together)
    assert all(one.masses.to_rows() == analysis.masses.to_rows() for one in together)


def test_a_cine_lists_each_focus_on_each_frame(phantom, analysis):
    three = replace(
        Scan.of_array(np.repeat(phantom.frames, 3, axis=0), spacing=phantom.spacing),
        frame_times=(0.0, 0.1, 0.2),
    )
    cine = usmicro.analyze(three)
    assert len(cine.tracks) == sum(focus.seen_frames for focus in cine.foci) > 0
    for focus in cine.foci:
        points = [point for point in cine.tracks if point.focus == focus.focus]
        assert [point.time_s for point in points] == [0.1 * point.frame for point in points]
        best = next(point for point in points if point.frame == focus.frame)
        assert (best.x_px, best.y_px, best.depth_mm) == (focus.x_px, focus.y_px, focus.depth_mm)
    assert [frame.frame for frame in cine.frames] == [0, 1, 2]
    by_frame = [point for frame in cine.frames for point in frame.foci]
    assert by_frame == sorted(cine.tracks, key=lambda point: point.frame)
    assert not analysis.tracks
    assert len(analysis.frames) == 1
    assert len(analysis.frames[0].foci) == len(analysis.foci)


@pytest.mark.slow
def test_what_ends_below_the_listing_confidence_is_forgotten(phantom):
    rng = np.random.default_rng(1)
    frames = rng.integers(30, 90, (40, *phantom.frames.shape[1:]), dtype=np.uint8)
    frames[::13] = phantom.frames[0]
    scan = Scan.of_array(frames, spacing=phantom.spacing)
    cine = usmicro.analyze(scan)
    everything = usmicro.analyze(
        scan, settings=with_values(Settings(), {"foci": {"minimum_confidence": 0.005}}, source="")
    )
    least = listing_confidence(Settings().foci)
    assert [focus.confidence for focus in cine.foci] == [
        focus.confidence for focus in everything.foci if focus.confidence >= least
    ]
    assert cine.summary.calcification_score == everything.summary.calcification_score


def test_a_calibration_changes_confidences_but_neither_the_foci_nor_the_score(phantom):
    plain = usmicro.analyze(phantom.scan(), settings=Settings())
    scale = {"confidence_offset": -1.0, "confidence_slope": 0.7}
    settings = with_values(Settings(), {"foci": scale}, source="test")
    calibrated = usmicro.analyze(phantom.scan(), settings=settings)
    assert len(plain.foci) > 0
    assert [(focus.x_px, focus.y_px) for focus in calibrated.foci] == [
        (focus.x_px, focus.y_px) for focus in plain.foci
    ]
    assert [focus.confidence for focus in calibrated.foci] == [
        site_confidence(focus.confidence, settings.foci) for focus in plain.foci
    ]
    assert [row.confidence for row in calibrated.candidates] == [
        site_confidence(row.confidence, settings.foci) for row in plain.candidates
    ]
    assert [row.listed for row in calibrated.candidates] == [row.listed for row in plain.candidates]
    score = plain.summary.calcification_score
    assert calibrated.summary.calcification_score == pytest.approx(score)
    assert calibrated.summary.calcification == plain.summary.calcification
