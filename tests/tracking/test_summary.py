import math
from dataclasses import replace

from tests.helpers.finished_analysis import FOCUS
from usmicro.settings import read_settings
from usmicro.tracking.summary import listed_foci


def test_focus_is_listed_from_the_minimum_confidence_on_or_if_its_confidence_is_not_a_number():
    settings = read_settings(assignments=["foci.minimum_confidence=0.5"])
    foci = [replace(FOCUS, confidence=value) for value in (0.9, 0.5, 0.49, math.nan)]
    assert listed_foci(foci, settings) == [foci[0], foci[1], foci[3]]
