import numpy as np

from benchmarks.doppler.stills import scan_of, table_row, twinkling_still, vessel_still
from usmicro.phantom.sets import random_settings


def test_a_vessel_still_has_small_vessels_and_no_twinkling():
    phantom = vessel_still(3)
    assert len(phantom.frames) == 1
    assert phantom.truth.colour.vessels
    assert not any(focus.twinkling for focus in phantom.truth.foci)
    np.testing.assert_array_equal(phantom.frames, vessel_still(3).frames)


def test_a_twinkling_still_has_one_twinkling_focus_and_no_vessel():
    phantom = twinkling_still(3)
    assert sum(focus.twinkling for focus in phantom.truth.foci) == 1
    assert not phantom.truth.colour.vessels
    assert phantom.settings.colour_map == random_settings(3, "vessel").colour_map


def test_every_second_scan_declares_no_regions():
    assert not scan_of(vessel_still(3)).regions
    assert scan_of(vessel_still(4)).regions


def test_a_row_has_the_share_of_each_verdict():
    assert table_row("x", ["yes", "possible", "no", None]) == "| x | 4 | 0.250 | 0.250 |"
    assert table_row("x", []) == "| x | 0 | 0.000 | 0.000 |"
