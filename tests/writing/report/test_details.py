"""The details of an image: candidates that are not listed, and shadow profiles."""

import json
from dataclasses import replace

import numpy as np
import pytest

from usmicro.model.findings import Candidate, ShadowProfile
from usmicro.result import Table
from usmicro.writing.report.details import PROFILE_STEPS, encode_details

STEPS = 3 * PROFILE_STEPS - 20


def profile(*, mm=True):
    depth = np.arange(STEPS, dtype=np.float32)
    strip = np.full(STEPS, 40, np.float32)
    strip[:12] = np.nan
    return ShadowProfile(
        depth_px=depth,
        depth_mm=depth * np.float32(0.08) if mm else None,
        strip=strip,
        left=strip + np.float32(20),
        right=strip + np.float32(30),
    )


def candidate(number, *, listed="no", confidence=0.01):
    return Candidate(
        frame=0,
        x_px=100.125 + number,
        y_px=float("nan") if number == 7 else 50.0,
        x_mm=None,
        depth_mm=None,
        diameter_px=6.0,
        diameter_mm=None,
        contrast=3.14159265,
        false_alarm=0.5,
        confidence=confidence,
        listed=listed,
        focus=1 if listed == "yes" else None,
        reason="</script>below\u2028 0.06",
    )


@pytest.fixture
def analysis(make_analysis):
    made = make_analysis()
    foci = [replace(focus, shadow_profile=profile(mm=i > 0)) for i, focus in enumerate(made.foci)]
    rows = [candidate(0, listed="yes", confidence=0.9), *map(candidate, range(1, 9))]
    foci[2] = replace(foci[2], shadow_profile=None)
    return replace(made, foci=Table(foci), candidates=Table(rows))


def details(analysis, most=100):
    text = encode_details(analysis, most).decode("ascii")
    assert text.startswith("usmicroDetails(")
    assert text.endswith(");\n")
    return json.loads(text[len("usmicroDetails(") : -3])


def test_only_what_is_not_listed_is_stored(analysis):
    found = details(analysis)
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["candidates"]]
    assert [row["x_px"] for row in rows] == [
        pytest.approx(100.125 + n, abs=0.01) for n in range(1, 9)
    ]
    assert rows[6]["y_px"] is None  # not finite
    assert rows[0]["contrast"] == 3.1416
    assert rows[0]["diameter_mm"] is None
    assert rows[0]["reason"] == candidate(1).reason


def test_at_most_so_many_are_stored_and_the_rest_is_counted(analysis):
    found = details(analysis, 3)
    assert (len(found["candidates"]), found["omitted"]) == (3, 5)
    assert sorted(details(analysis, 1)["profiles"]) == ["1"]
    nothing = details(analysis, 0)
    assert (nothing["candidates"], nothing["profiles"], nothing["omitted"]) == ([], {}, 8)


def test_profiles_are_shortened_to_means(analysis):
    profiles = details(analysis)["profiles"]
    assert sorted(profiles) == ["1", "2"]
    assert [profiles[number]["unit"] for number in "12"] == ["px", "mm"]
    for one in profiles.values():
        assert {len(one[name]) for name in ("depth", "strip", "left", "right")} == {58}
        assert one["strip"] == [None] * 4 + [40.0] * 54
        assert one["right"][-1] == 70.0
    assert profiles["1"]["depth"][:2] == [1.0, 4.0]
    assert profiles["2"]["depth"][1] == pytest.approx(0.32)


def test_no_text_can_end_the_script(analysis):
    content = encode_details(analysis, 100)
    assert b"</" not in content
    assert b"\n" not in content[:-1]
