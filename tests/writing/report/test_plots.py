"""The plots of the report."""

import re

import pytest

from usmicro.writing.report.plots import bars, bins, histogram


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([0, 0, 1, 7], True),
        ([0.1, 0.25, 3.0], False),
        ([5.0], False),
        ([0], True),
        ([2.0] * 9, False),
    ],
)
def test_every_value_has_a_bin(values, whole):
    edges, beyond = bins(values, whole=whole)
    assert edges == sorted(set(edges))
    assert edges[0] <= min(values)
    assert beyond or max(values) < edges[-1] or max(values) == pytest.approx(edges[-1])
    assert len(edges) <= 23
    counted = [
        int(text)
        for text in re.findall(
            r"<title>[^<]*: ([\d,]+)</title>", histogram(values, "t", "a", whole=whole)
        )
    ]
    assert sum(counted) == len(values)


def test_an_outlier_goes_into_an_open_ended_bin():
    edges, beyond = bins([*range(1, 200), 100_000], whole=True)
    assert beyond
    assert edges[-1] <= 240


def test_bars_have_a_name_and_a_number():
    text = bars([("intramass", 3, "intramass"), ("a<b", 1, "plain")], "Labels")
    assert "75 %" in text
    assert "a&lt;b" in text
    assert "shape-circle" in text
    assert "No values" in bars([("no", 0, "plain")], "t")
    assert "No values" in histogram([], "t", "a")
