"""A detector of the user: its foci are assessed like the program's own, and its score is kept."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import usmicro
from usmicro.errors import ScanError, UsageError, UsmicroError
from usmicro.foci.user_detector import listing_all_detections, load_detector
from usmicro.model.scan import Region, Scan, Spacing
from usmicro.model.warnings import WarningCode
from usmicro.phantom import phantom_set, simulate
from usmicro.settings import FociSettings, Settings


@pytest.fixture(scope="module")
def phantom():
    return simulate(11)


@pytest.fixture(scope="module")
def own(phantom):
    """The round foci that the program lists by itself."""
    analysis = usmicro.analyze(phantom.scan())
    return [focus for focus in analysis.foci if focus.outline_px is None]


def giving(x, y, diameter, score):
    """A detector that gives the same foci on every frame."""
    return lambda frame, spacing: (x, y, diameter, score)


def columns(foci, *names):
    return [[getattr(focus, name) for focus in foci] for name in names]


def same_foci(own, score=None):
    x, y, diameter, confidence = columns(own, "x_px", "y_px", "diameter_px", "confidence")
    return giving(x, y, diameter, confidence if score is None else score)


def test_foci_of_a_detector_are_assessed_like_the_own_ones(phantom, own):
    found = usmicro.analyze(phantom.scan(), detector=same_foci(own)).foci
    assert len(found) == len(own) > 3
    for theirs, ours in zip(found, own, strict=True):
        assert theirs.confidence == ours.confidence
        for name in ("x_px", "y_px", "x_mm", "depth_mm", "diameter_px", "diameter_mm"):
            assert getattr(theirs, name) == pytest.approx(getattr(ours, name)), name
        for name in ("label", "label_reason", "mass", "duct", "nonmass", "shadow", "shadow_reason"):
            assert getattr(theirs, name) == getattr(ours, name), name
        assert theirs.shadow_p == pytest.approx(ours.shadow_p)
        assert theirs.contrast == pytest.approx(ours.contrast, rel=0.5)
        assert theirs.false_alarm is None
        assert theirs.origin == "echo"
        assert theirs.confidence_reason.startswith("It is the score of the detector ")


def test_all_are_listed_unless_the_settings_say_from_which_score(phantom, own):
    score = np.linspace(0, 1, len(own))
    every = usmicro.analyze(phantom.scan(), detector=same_foci(own, score))
    assert sorted(focus.confidence for focus in every.foci) == pytest.approx(score.tolist())
    assert every.settings.foci.minimum_confidence == 0
    settings = Settings(foci=FociSettings(minimum_confidence=0.5))
    some = usmicro.analyze(phantom.scan(), detector=same_foci(own, score), settings=settings)
    assert [focus.confidence for focus in some.foci] == sorted(score[score >= 0.5], reverse=True)
    assert len(some.candidates) == len(own)
    below = [row for row in some.candidates if row.listed == "no"]
    assert {row.false_alarm for row in below} == {None}
    assert all("is below 0.5, from which foci are listed." in row.reason for row in below)


def test_given_listing_confidences_stay():
    settings = Settings(foci=FociSettings(minimum_confidence=0.3))
    assert listing_all_detections(settings) == settings
    assert listing_all_detections(Settings()).foci.minimum_confidence == 0


def test_the_order_of_the_detections_does_not_matter(phantom, own):
    x, y, diameter, score = map(np.array, columns(own, "x_px", "y_px", "diameter_px", "confidence"))
    turned = giving(x[::-1], y[::-1], diameter[::-1], score[::-1])
    first = usmicro.analyze(phantom.scan(), detector=same_foci(own))
    second = usmicro.analyze(phantom.scan(), detector=turned)
    assert [replace(focus, confidence_reason="") for focus in first.foci] == [
        replace(focus, confidence_reason="") for focus in second.foci
    ]


def test_a_note_names_the_detector_and_no_focus_is_a_result_too(phantom):
    def finds_nothing(frame, spacing):
        return [], [], [], []

    analysis = usmicro.analyze(phantom.scan(), detector=finds_nothing)
    assert len(analysis.foci) == len(analysis.candidates) == 0
    assert analysis.summary.calcification == "none"
    assert len(analysis.masses) > 0
    assert any("finds_nothing; their confidence is its score" in note for note in analysis.notes)
    assert analysis.overlay().ndim == 3


def test_positions_outside_the_tissue_are_counted_in_a_warning(phantom, own):
    rows, columns_ = phantom.frames.shape[1:3]
    x, y = [-50.0, columns_ + 5, own[0].x_px], [10.0, rows + 1e9, own[0].y_px]
    analysis = usmicro.analyze(phantom.scan(), detector=giving(x, y, [5, 5, 5], [0.9, 0.8, 0.7]))
    assert len(analysis.foci) == 1
    (warning,) = [w for w in analysis.warnings if w.code == WarningCode.DETECTIONS_OUTSIDE]
    assert "2 of 3 positions of the detector" in warning.text
    assert "the first at column -50, row 10 of frame 0" in warning.text


def test_the_detector_gets_a_copy_with_8_bits_and_the_spacing(phantom):
    seen = []

    def spoils(frame, spacing):
        seen.append((frame.dtype, frame.shape, spacing, int(frame.max())))
        frame[:] = 0
        return (), (), (), ()

    image = phantom.frames[0].astype(np.uint16) * 257
    analysis = usmicro.analyze(image, spacing=(0.07, 0.08), detector=spoils)
    assert seen == [(np.uint8, image.shape, Spacing(0.07, 0.08, "given"), phantom.frames[0].max())]
    assert analysis.image.max() > 0


def test_each_position_belongs_to_the_view_that_shows_it(phantom, own):
    """Two copies beside one another on the screen, as separate regions."""
    image = phantom.frames[0]
    rows, width = image.shape
    gap = 20
    screen = np.zeros((rows, 2 * width + gap), np.uint8)
    screen[:, :width], screen[:, width + gap :] = image, image
    regions = tuple(
        Region("tissue", left, 0, left + width, rows, phantom.spacing) for left in (0, width + gap)
    )
    scan = replace(Scan.of_array(screen), regions=regions)
    x, y, diameter, score = map(np.array, columns(own, "x_px", "y_px", "diameter_px", "confidence"))
    twice = giving(
        np.concatenate([x, x + width + gap, [width + gap / 2]]),
        np.concatenate([y, y, [50]]),
        np.concatenate([diameter, diameter, [5]]),
        np.concatenate([score, score, [1.0]]),
    )
    analysis = usmicro.analyze(scan, detector=twice)
    assert len(analysis.foci) == 2 * len(own)
    left = {focus.x_px: focus for focus in analysis.foci if focus.x_px < width}
    right = {focus.x_px: focus for focus in analysis.foci if focus.x_px > width}
    for at, focus in left.items():
        other = right[next(place for place in right if abs(place - at - width - gap) < 1e-6)]
        assert (focus.label, focus.shadow) == (other.label, other.shadow)
        assert (focus.depth_mm, focus.confidence) == (
            pytest.approx(other.depth_mm),
            other.confidence,
        )
    assert "1 of " in analysis.warnings[-1].text


def test_in_a_cine_a_focus_has_its_highest_score_and_is_followed(phantom, own):
    scores = iter([0.3, 0.8, 0.5, 0.4, 0.2, 0.6])
    best = own[0]

    def detector(frame, spacing):
        return [best.x_px], [best.y_px], [best.diameter_px], [next(scores)]

    cine = np.repeat(phantom.frames[:1], 6, axis=0)
    analysis = usmicro.analyze(cine, spacing=phantom.spacing, detector=detector)
    (focus,) = analysis.foci
    assert (focus.confidence, focus.frame, focus.seen_frames) == (0.8, 1, 6)
    assert [point.confidence for point in analysis.tracks] == [0.3, 0.8, 0.5, 0.4, 0.2, 0.6]


def test_twinkling_is_assessed_and_leaves_the_score_alone():
    clip = next(iter(phantom_set("twinkling", range(3, 4))))
    own = usmicro.analyze(clip.scan())
    source = next(focus for focus in own.foci if focus.twinkling == "yes")
    detector = giving([source.x_px], [source.y_px], [source.diameter_px or 8], [0.25])
    analysis = usmicro.analyze(clip.scan(), detector=detector)
    (focus,) = analysis.foci
    assert (focus.twinkling, focus.confidence, focus.origin) == ("yes", 0.25, "echo")
    assert len(analysis.twinkling) > 0


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, r"expected four arrays .* found NoneType; return four empty arrays"),
        (7, "found int"),
        ([[1], [2], [3]], "found 3 values"),
        (np.zeros((5, 4)), "found 5 values"),
        (([1], [2], [3], [0.5, 0.6]), "found the lengths 1, 1, 1, 2"),
        (([1], [2], [3], 0.5), r"expected score of the shape \(n,\), found the shape \(\)"),
        (([1], [np.nan], [3], [0.5]), "expected finite y_px, found 1 NaN"),
        (([1], [2], [-3], [0.5]), "expected each diameter_px above 0, found -3"),
        (([1], [2], [0], [0.5]), "expected each diameter_px above 0, found 0"),
        (([1], [2], [3], [87]), "expected each score from 0 to 1, found 87 to 87"),
        (([1], [2], [3], [-0.1]), "expected each score from 0 to 1"),
        ((["a"], [2], [3], [0.5]), "expected numbers as x_px, found list"),
        (([1, [2]], [2], [3], [0.5]), "expected numbers as x_px"),
    ],
)
def test_what_a_detector_must_not_return(phantom, returned, words):
    with pytest.raises(ScanError, match=words) as raised:
        usmicro.analyze(phantom.frames[0], detector=lambda frame, spacing: returned)
    assert str(raised.value).startswith("array: the detector ")
    assert "on frame 0: " in str(raised.value)


def test_an_error_of_the_detector_names_it_and_the_frame(phantom):
    def breaks(frame, spacing):
        raise ValueError("no weights\nfound")

    with pytest.raises(ScanError, match=r"breaks failed on frame 0: ValueError: no weights found"):
        usmicro.analyze(phantom.frames[0], detector=breaks)


@pytest.mark.parametrize("wrong", ["module:function", 7, [1, 2]])
def test_a_detector_that_is_no_function_is_refused_before_the_scan_is_read(wrong):
    with pytest.raises(UsageError, match=r"detector: expected a function .*load_detector"):
        usmicro.analyze("missing.png", detector=wrong)


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])

    def make(name, text):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)

    yield make
    for name in [name for name in sys.modules if name.startswith("detector_of_")]:
        del sys.modules[name]


def test_a_detector_is_imported_by_name_from_the_current_folder(module):
    text = "class Model:\n    def find(self, frame, spacing): return 1\nmodel = Model()\n"
    module("detector_of_mine", text)
    assert load_detector("detector_of_mine:model.find")(None, None) == 1
    assert load_detector("usmicro.foci:find_foci") is usmicro.find_foci


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("detector_of_nobody:find", "no module detector_of_nobody found on Python's path or in"),
        ("detector_of_nobody", "expected module:function, such as my_detector:detect"),
        ("detector_of_nobody:", "expected module:function"),
        ("folder/detector.py:find", "expected module:function"),
        ("no_package.no_module:find", "cannot be imported|no module"),
        ("detector_of_broken:find", "cannot be imported: ZeroDivisionError"),
        ("detector_of_syntax:find", "cannot be imported: SyntaxError"),
        ("detector_of_needs:find", "cannot be imported: ModuleNotFoundError: .*not_installed"),
        ("detector_of_other:find", "detector_of_other has no find; expected a function"),
        ("detector_of_other:number", "expected a function, found int"),
    ],
)
def test_a_name_that_leads_to_no_function_says_why(module, name, words):
    module("detector_of_broken", "1 / 0")
    module("detector_of_syntax", "def")
    module("detector_of_needs", "import not_installed")
    module("detector_of_other", "number = 7")
    with pytest.raises(UsmicroError, match=words) as raised:
        load_detector(name)
    assert name.partition(":")[0] in str(raised.value)
