from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks.accuracy.cases import Case, open_case
from usmicro.analysis import analyze
from usmicro.labelling.calcification import calcification_of_image
from usmicro.settings import Settings

SETTINGS = Settings()


@pytest.mark.parametrize("calcification", [0.0, 1.0])
def test_the_descriptor_made_from_all_candidates_equals_that_of_the_listed_foci(calcification):
    scan, _ = open_case(Case(dataset="phantom mixed", name="x", phantom=("mixed", 10_001)))
    settings = replace(SETTINGS, labels=replace(SETTINGS.labels, calcification=calcification))
    complete = analyze(
        scan, settings=replace(settings, foci=replace(settings.foci, minimum_confidence=0.0))
    )
    listed = analyze(scan, settings=settings)
    assert len(complete.foci) > len(listed.foci)
    assert (
        calcification_of_image(complete.foci, complete.summary.calcification_score, settings)
        == listed.summary.calcification
    )
    assert (listed.summary.calcification == "none") == (calcification == 1)


def test_the_most_confident_focus_describes_an_image_without_listed_foci():
    foci = [
        SimpleNamespace(confidence=0.05, label="intraductal"),
        SimpleNamespace(confidence=0.02, label="extramass"),
    ]
    analysis = SimpleNamespace(foci=foci, summary=SimpleNamespace(calcification_score=0.99))
    assert (
        calcification_of_image(analysis.foci, analysis.summary.calcification_score, SETTINGS)
        == "intraductal"
    )
