"""Clusters of foci: their members, positions and extents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.model.findings import Cluster, Focus, Label
from usmicro.settings import LabelSettings


def find_clusters(
    positions: ArrayLike,
    settings: LabelSettings | None = None,
    *,
    views: Sequence[int] | None = None,
) -> list[int | None]:
    """Number the clusters of foci, 1 to n from left to right; None for a focus in no cluster.

    Foci no further than `settings.cluster_distance` apart are linked (single linkage). A cluster
    has at least `settings.cluster_size` foci, all of one view.

    Parameters
    ----------
    positions : array, shape (n, 2)
        Positions in mm, x first.
    settings : LabelSettings, optional
    views : sequence of int, length n, optional
        Number of the view of each focus; all foci share one view if not given.

    Returns
    -------
    list of int or None, length n
    """
    settings = settings or LabelSettings()
    points = np.asarray(positions, float)
    if len(points) < settings.cluster_size:
        return [None] * len(points)
    view = np.zeros(len(points), int) if views is None else np.asarray(views, int)
    members = _connected(points, view, settings.cluster_distance)
    clusters = [group for group in members if len(group) >= settings.cluster_size]
    clusters.sort(key=lambda group: (*points[group].mean(axis=0), view[group[0]]))
    numbers: list[int | None] = [None] * len(points)
    for number, group in enumerate(clusters, start=1):
        for index in group:
            numbers[index] = number
    return numbers


def _connected(
    points: NDArray[np.float64], view: NDArray[np.intp], distance: float
) -> list[NDArray[np.intp]]:
    """Return the indices of the points of each group that steps of up to `distance` connect.

    A step joins points of one view. One row of distances is computed for each point, so memory does
    not grow with the pairs. SciPy's tree and graph give the same; their imports take longer than
    this does on a few thousand points.
    """
    groups = []
    free = np.ones(len(points), bool)
    while free.any():
        start = int(free.argmax())
        free[start] = False
        group, waiting = [start], [start]
        while waiting:
            index = waiting.pop()
            squared = np.square(points - points[index]).sum(axis=1)
            near = free & (squared <= distance**2) & (view == view[index])
            found = np.flatnonzero(near).tolist()
            free[near] = False
            group += found
            waiting += found
        groups.append(np.sort(np.array(group, np.intp)))
    return groups


def measure_clusters(foci: Iterable[Focus]) -> list[Cluster]:
    """Measure the clusters that foci form.

    Parameters
    ----------
    foci : iterable of Focus
        Foci of one scan; `Focus.cluster` is the number of the cluster of each.

    Returns
    -------
    list of Cluster
        By number; empty if no focus belongs to a cluster. The frame is that of the most confident
        focus.
    """
    members: dict[int, list[Focus]] = {}
    for focus in foci:
        if focus.cluster is not None:
            members.setdefault(focus.cluster, []).append(focus)
    return [_cluster_of(number, members[number]) for number in sorted(members)]


def _cluster_of(number: int, foci: list[Focus]) -> Cluster:
    """Measure the cluster that these foci form."""
    x, depth = [focus.x_mm for focus in foci], [focus.depth_mm for focus in foci]
    diameter = [focus.diameter_mm for focus in foci]
    return Cluster(
        frame=max(foci, key=lambda focus: focus.confidence).frame,
        cluster=number,
        foci=len(foci),
        x_px=sum(focus.x_px for focus in foci) / len(foci),
        y_px=sum(focus.y_px for focus in foci) / len(foci),
        x_mm=_mean(x),
        depth_mm=_mean(depth),
        width_mm=_extent(x, diameter),
        height_mm=_extent(depth, diameter),
        label=_most_frequent_label(foci),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean; None if any value is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _extent(centres: Sequence[float | None], diameters: Sequence[float | None]) -> float | None:
    """Distance from the near edge of the first focus to the far edge of the last.

    None if any position or diameter is unknown.
    """
    edges = [
        (centre - diameter / 2, centre + diameter / 2)
        for centre, diameter in zip(centres, diameters, strict=True)
        if centre is not None and diameter is not None
    ]
    if len(edges) < len(centres):
        return None
    return max(end for _, end in edges) - min(start for start, _ in edges)


def _most_frequent_label(foci: list[Focus]) -> Label:
    """Most frequent label; of equally frequent ones, that with the largest sum of confidences."""

    def weight(label: Label) -> tuple[int, float]:
        confidences = [focus.label_confidence for focus in foci if focus.label == label]
        return len(confidences), sum(confidences)

    labels: tuple[Label, ...] = ("intramass", "extramass", "intraductal")
    return max(labels, key=weight)
