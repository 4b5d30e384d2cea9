from dataclasses import replace

import numpy as np
import pytest

from usmicro.labelling.clusters import find_clusters, measure_clusters
from usmicro.model.findings import Focus
from usmicro.settings import LabelSettings

FOCUS = Focus(
    **dict.fromkeys(Focus.__dataclass_fields__)
    | {
        "frame": 0,
        "x_px": 0.0,
        "y_px": 0.0,
        "confidence": 0.5,
        "label": "extramass",
        "label_confidence": 0.5,
    }
)


def focus(cluster, x, depth, diameter=0.5, **more):
    """A focus on a scan of 0.1 mm pixels, the middle of whose transducer face is column 100."""
    place = {
        "x_px": 100 + 10 * x,
        "y_px": 10 * depth,
        "x_mm": x,
        "depth_mm": depth,
        "diameter_mm": diameter,
    }
    return replace(FOCUS, cluster=cluster, **{**place, **more})


def test_place_and_extent_are_those_of_the_foci():
    foci = [
        focus(1, 2.0, 10.0),
        focus(1, 4.0, 11.0, 1.0),
        focus(1, 3.0, 15.0),
        focus(None, 30.0, 30.0),
    ]
    (cluster,) = measure_clusters(foci)
    assert (cluster.cluster, cluster.foci) == (1, 3)
    assert (cluster.x_px, cluster.y_px) == pytest.approx((130.0, 120.0))
    assert (cluster.x_mm, cluster.depth_mm) == pytest.approx((3.0, 12.0))
    assert cluster.width_mm == pytest.approx(4.5 - 1.75)
    assert cluster.height_mm == pytest.approx(15.25 - 9.75)


def test_a_large_focus_may_reach_beyond_all_others():
    (cluster,) = measure_clusters([focus(1, 0.0, 10.0, 6.0), focus(1, 1.0, 10.0)])
    assert cluster.width_mm == pytest.approx(6.0)


def test_clusters_are_listed_by_number_and_the_frame_is_that_of_the_surest_focus():
    foci = [
        focus(2, 1.0, 1.0),
        focus(1, 5.0, 5.0, frame=7),
        focus(1, 5.5, 5.0, frame=4, confidence=0.9),
    ]
    clusters = measure_clusters(foci)
    assert [(cluster.cluster, cluster.frame) for cluster in clusters] == [(1, 4), (2, 0)]


def test_mm_cells_are_empty_where_the_spacing_is_unknown():
    unknown = {"x_mm": None, "depth_mm": None, "diameter_mm": None}
    (cluster,) = measure_clusters([focus(1, 1.0, 1.0, **unknown), focus(1, 2.0, 3.0, **unknown)])
    assert (cluster.x_px, cluster.y_px) == (115.0, 20.0)
    assert (cluster.x_mm, cluster.depth_mm, cluster.width_mm, cluster.height_mm) == (None,) * 4


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([("intramass", 0.9), ("extramass", 0.5), ("extramass", 0.5)], "extramass"),
        ([("intramass", 0.6), ("intraductal", 0.8)], "intraductal"),
        ([("intramass", 0.9), ("intraductal", 0.8)], "intramass"),
    ],
)
def test_the_commonest_label_wins_and_the_surer_of_equals(labels, expected):
    foci = [
        focus(1, 1.0, 1.0, label=label, label_confidence=confidence) for label, confidence in labels
    ]
    assert measure_clusters(foci)[0].label == expected


def test_foci_in_no_cluster_make_none():
    assert measure_clusters([focus(None, 1.0, 1.0)]) == []


def test_clusters_are_groups_of_three_within_the_distance():
    places = np.array([[x, 0] for x in (0, 2, 4, 40, 42, 100, 101, 102, 103)])
    assert find_clusters(places) == [1, 1, 1, None, None, 2, 2, 2, 2]
    order = [8, 3, 0, 5, 2, 7, 1, 4, 6]
    assert find_clusters(places[order]) == [find_clusters(places)[i] for i in order]
    assert find_clusters(places[:2]) == [None, None]


def test_foci_of_different_views_form_no_cluster():
    places = np.array([[x, 0] for x in (0, 1, 2, 3, 4, 5)])
    assert find_clusters(places) == [1] * 6
    assert find_clusters(places, views=[0, 1] * 3) == [1, 2] * 3
    assert find_clusters(places[:3], views=[0, 1, 0]) == [None] * 3


def linked_one_by_one(places, distance):
    """Single linkage written out: each focus takes the lowest number among its neighbours."""
    near = np.hypot(*(places[:, None] - places).T) <= distance
    group = np.arange(len(places))
    for _ in places:
        group = np.array([group[row].min() for row in near])
    return group


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_those_of_single_linkage(seed):
    places = np.random.default_rng(seed).uniform(0, 60, (80, 2))
    numbers, groups = find_clusters(places), linked_one_by_one(places, 5.0)
    for number, group in zip(numbers, groups, strict=True):
        together = np.flatnonzero(groups == group)
        assert (number is None) == (len(together) < 3)
        assert {numbers[i] for i in together} == {number}


def test_clusters_are_those_of_scipy_on_random_points():
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(5)
    points, views = rng.uniform(0, 60, (300, 2)), rng.integers(0, 2, 300)
    settings = LabelSettings(cluster_size=2)
    pairs = cKDTree(points).query_pairs(settings.cluster_distance, output_type="ndarray")
    pairs = pairs[views[pairs[:, 0]] == views[pairs[:, 1]]]
    links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(300, 300))
    _, expected = connected_components(links, directed=False)
    found = find_clusters(points, settings, views=views.tolist())
    alone = np.bincount(expected)[expected] == 1
    assert [number is None for number in found] == alone.tolist()
    clustered = {pair for pair in zip(found, expected.tolist(), strict=True) if pair[0]}
    assert len(clustered) == len({a for a, _ in clustered}) == len({b for _, b in clustered}) > 1
