from collections import Counter

import pytest

from training.augmentation import CropSettings
from training.plan import Cycle, Plan, drawn
from usmicro.errors import UsageError

GROUPS = ["large"] * 100 + ["small"] * 7 + ["other"] * 40


SHARES = {"large": 0.5, "small": 0.25, "other": 0.25}


@pytest.fixture
def plan():
    cycle = Cycle(sizes=((64, 64),), epochs=(2,), shares=SHARES, rate=1e-3, crop=CropSettings())
    return Plan(cycles=(cycle,), epoch_size=200, batch=8, network=lambda: None)


def numbers(indices, groups=GROUPS):
    return Counter(groups[i] for i in indices)


def test_each_group_gets_its_share_of_an_epoch(plan):
    assert numbers(drawn(GROUPS, plan, SHARES, 0)) == {"large": 100, "small": 50, "other": 50}


def test_a_missing_group_leaves_the_ratio_of_the_others(plan):
    groups = [group for group in GROUPS if group != "other"]
    of_each = numbers(drawn(groups, plan, SHARES, 0), groups)
    assert sum(of_each.values()) == 200
    assert of_each["large"] / of_each["small"] == pytest.approx(2, rel=0.02)


def test_a_group_without_a_share_is_refused(plan):
    with pytest.raises(UsageError, match="another"):
        drawn([*GROUPS, "another"], plan, SHARES, 0)


def test_no_picture_is_drawn_again_before_all_others_of_its_group(plan):
    times = Counter(drawn(GROUPS, plan, SHARES, 0))
    assert {times[i] for i in range(100)} == {1}
    assert {times[i] for i in range(100, 107)} == {7, 8}


def test_epochs_differ_and_can_be_repeated(plan):
    assert drawn(GROUPS, plan, SHARES, 3) == drawn(GROUPS, plan, SHARES, 3)
    assert drawn(GROUPS, plan, SHARES, 3) != drawn(GROUPS, plan, SHARES, 4)
