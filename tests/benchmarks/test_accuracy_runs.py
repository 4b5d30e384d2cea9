from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks.accuracy.cases import Case, open_case
from usmicro.analysis import analyze
from usmicro.labelling.calcification import calcification_of_image
from usmicro.settings import Settings

SETTINGS = Settings()


@pytest.mark.parametrize("calcification", [0.0, 1.0])
def test_the_descriptor_of_every_candidate_is_that_of_the_listed_ones(calcification):
    scan, _ = open_case(Case(dataset="phantom mixed", name="x", phantom=("mixed", 10_001)))
    settings = replace(SETTINGS, labels=replace(SETTINGS.labels, calcification=calcification))
    every = analyze(
        scan, settings=replace(settings, foci=replace(settings.foci, minimum_confidence=0.0))
    )
    listed = analyze(scan, settings=settings)
    assert len(every.foci) > len(listed.foci)
    assert (
        calcification_of_image(every.foci, every.summary.calcification_score, settings)
        == listed.summary.calcification
    )
    assert (listed.summary.calcification == "none") == (calcification == 1)


def test_the_surest_focus_describes_an_image_on_which_none_is_listed():
    foci = [
        SimpleNamespace(confidence=0.05, label="intraductal"),
        SimpleNamespace(confidence=0.02, label="extramass"),
    ]
    analysis = SimpleNamespace(foci=foci, summary=SimpleNamespace(calcification_score=0.99))
    assert (
        calcification_of_image(analysis.foci, analysis.summary.calcification_score, SETTINGS)
        == "intraductal"
    )
