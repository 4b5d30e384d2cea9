"""Clusters: where a group of foci lies, how far it extends, and what most of its foci are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from usmicro.model.findings import Cluster, Focus, Label


def measure_clusters(foci: Iterable[Focus]) -> list[Cluster]:
    """Measure the clusters that foci form.

    Parameters
    ----------
    foci : iterable of Focus
        Of one scan; `Focus.cluster` says which cluster each belongs to.

    Returns
    -------
    list of Cluster
        By number; empty if no focus belongs to a cluster. The frame is that of the surest focus.
    """
    members: dict[int, list[Focus]] = {}
    for focus in foci:
        if focus.cluster is not None:
            members.setdefault(focus.cluster, []).append(focus)
    return [_measured(number, members[number]) for number in sorted(members)]


def _measured(number: int, foci: list[Focus]) -> Cluster:
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
        label=_commonest_label(foci),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _extent(centres: Sequence[float | None], diameters: Sequence[float | None]) -> float | None:
    """From the near edge of the first focus to the far edge of the last; None if a place or size is not known."""
    edges = [
        (c - d / 2, c + d / 2)
        for c, d in zip(centres, diameters, strict=True)
        if c is not None and d is not None
    ]
    return (
        max(end for _, end in edges) - min(start for start, _ in edges)
        if len(edges) == len(centres)
        else None
    )


def _commonest_label(foci: list[Focus]) -> Label:
    """Label of most foci; of labels equally common that with the higher sum of `label_confidence`."""

    def weight(label: Label) -> tuple[int, float]:
        confidences = [focus.label_confidence for focus in foci if focus.label == label]
        return len(confidences), sum(confidences)

    labels: tuple[Label, ...] = ("intramass", "extramass", "intraductal")
    return max(labels, key=weight)
