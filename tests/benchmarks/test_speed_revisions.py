import itertools
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import revisions
from benchmarks.speed.__main__ import documented_command, main, matching
from benchmarks.speed.report_growth import _repeated
from benchmarks.speed.revision_inputs import UNITS, write_inputs
from benchmarks.speed.revision_report import (
    BEGIN,
    END,
    comparison_as_json,
    comparison_as_text,
    update_comparison,
)
from benchmarks.speed.revision_worker import measurements, timed
from benchmarks.speed.revisions import CONFIDENCE, Measured, ratio_of_pairs
from usmicro.errors import UsageError


@pytest.mark.parametrize("pairs", range(1, 16))
def test_the_interval_holds_the_median_of_all_pairs_as_often_as_it_says(pairs: int):
    """All 2^n ways in which n ratios lie below or above the median of all possible pairs."""
    inside = 0
    for signs in itertools.product((-1, 1), repeat=pairs):
        ratio = ratio_of_pairs(np.exp(np.array(signs) * 0.1), np.ones(pairs))
        if ratio.low is None or ratio.high is None:
            assert 2 * 0.5**pairs > 1 - CONFIDENCE  # even the widest interval is too uncertain
            return
        inside += ratio.low < 1 < ratio.high
    assert inside / 2**pairs >= CONFIDENCE


def test_a_verdict_needs_an_interval_without_1_and_a_difference_that_counts():
    rng = np.random.default_rng(0)
    new = rng.uniform(1, 1.01, 11)
    assert ratio_of_pairs(2 * new, new).verdict == "faster"
    assert ratio_of_pairs(new / 2, new).verdict == "slower"
    assert ratio_of_pairs(1.01 * new, new).verdict == "within the noise"  # below LEAST_DIFFERENCE
    assert ratio_of_pairs(rng.permutation(new), new).verdict == "within the noise"
    assert ratio_of_pairs(new[:3] * 2, new[:3]).verdict == "too few rounds"
    one_outlier = np.concatenate([2 * new[:-1], [0.1]])
    assert ratio_of_pairs(one_outlier, new).verdict == "faster"


def test_a_ratio_does_not_depend_on_the_order_of_the_pairs_and_is_inverted_with_the_sides():
    rng = np.random.default_rng(1)
    old, new = rng.uniform(1, 2, 11), rng.uniform(1, 2, 11)
    order = rng.permutation(11)
    ratio, inverse = ratio_of_pairs(old, new), ratio_of_pairs(new, old)
    assert ratio == ratio_of_pairs(old[order], new[order])
    assert math.isclose(ratio.median * inverse.median, 1)
    assert math.isclose(ratio.low * inverse.high, 1)


def test_each_side_is_timed_first_as_often_as_the_other():
    orders = [revisions.in_turn(number) for number in range(10)]
    assert all(sorted(order) == [0, 1] for order in orders)
    assert sum(order[0] for order in orders) == 5


def test_rows_are_chosen_by_a_part_of_their_name():
    assert matching(revisions.NAMES, ["nlm"]) == ["NLM", "OBNLM"]
    assert matching(revisions.NAMES, None) == list(revisions.NAMES)
    assert set(UNITS) <= set(revisions.NAMES)


def test_an_unknown_revision_or_row_is_an_error_that_says_so(capsys):
    assert main(["--compare", "no-such-revision", "--only", "NLM"]) == 2
    assert "no-such-revision: expected a revision" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--compare", "HEAD", "--only", "no such row"])
    assert "expected a part of one of" in capsys.readouterr().err


def test_a_command_in_a_document_can_be_repeated():
    words = ["--compare", "HEAD", "--only", "one small PNG", "--docs", "a.md"]
    expected = "python -m benchmarks.speed --compare HEAD --only 'one small PNG'"
    assert documented_command(words) == expected


def test_a_revision_is_checked_out_and_removed(tmp_path: Path):
    if not (revisions.ROOT / ".git").exists():
        pytest.skip("no git checkout")
    folder = tmp_path / "old"
    with revisions.checked_out("HEAD", folder):
        assert (folder / "usmicro" / "__init__.py").is_file()
    assert not folder.exists()
    listed = subprocess.run(
        ["git", "-C", str(revisions.ROOT), "worktree", "list"], capture_output=True, text=True
    )
    assert str(folder) not in listed.stdout


def test_the_comparison_replaces_its_part_of_a_document(tmp_path: Path):
    rows = [
        Measured("a", 2.0, 1.0, ratio_of_pairs([2.0] * 11, [1.0] * 11)),
        Measured("b", 1.0, 1.0, ratio_of_pairs([1.0], [1.0])),
    ]
    text = comparison_as_text("the command", "1234567 of 2026-01-01", rows)
    assert "| a        | 2       | 1       | 2.00      | 2.00 to 2.00 | faster" in text
    assert "too few rounds" in text
    document = tmp_path / "speed.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    update_comparison(document, text)
    assert text in document.read_text()
    assert document.read_text().endswith("\nafter\n")
    data = json.loads(comparison_as_json("the command", "1234567", rows))
    assert [row["verdict"] for row in data["rows"]] == ["faster", "too few rounds"]


def test_a_worker_of_another_package_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="could not be timed"):
        revisions.Worker(revisions.Revision(tmp_path, tmp_path), tmp_path).__enter__()


def test_rows_of_a_table_are_repeated_under_other_names():
    rows = [["image", "focus"], ["0.png", "1"], ["0.png", "2"], ["1.png", "1"]]
    repeated = list(_repeated(rows, 12))
    assert repeated[0] == rows[0]
    assert repeated[1:4] == [["0.png", "1"], ["0.png", "2"], ["1.png", "1"]]
    assert repeated[4:] == [["10.png", "1"], ["10.png", "2"], ["11.png", "1"]]


@pytest.mark.slow
def test_every_measurement_runs(tmp_path: Path):
    write_inputs(tmp_path)
    functions = measurements(tmp_path)
    assert tuple(functions) == revisions.IN_PROCESS
    for name, function in functions.items():
        answer = timed(function)
        assert answer["seconds"] > 0
        assert bool(answer["stages"]) == (name in UNITS or name == "one image, analysis")
