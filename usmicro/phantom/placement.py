"""Truth of several tissue regions on one screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usmicro.model.arrays import LabelImage
from usmicro.phantom.truth import Truth


def moved(truth: Truth, left: int, top: int, rows: int, columns: int, number: int) -> Truth:
    """Return the truth of the panel `number` on a screen of `rows` and `columns`.

    The corner of the panel is at (left, top).
    """

    def on_screen(panel: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros((rows, columns), panel.dtype)
        out[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        return out

    view = truth.views[0]
    apex = None if view.apex_px is None else (view.apex_px[0] + left, view.apex_px[1] + top)
    moved_view = replace(
        view,
        left=left,
        top=top,
        right=view.right + left,
        bottom=view.bottom + top,
        face_px=view.face_px + top if view.geometry == "linear" else view.face_px,
        apex_px=apex,
    )
    return replace(
        truth,
        views=(moved_view,),
        foci=tuple(
            replace(
                focus,
                x_px=tuple(x + left for x in focus.x_px),
                y_px=tuple(y + top for y in focus.y_px),
                view=number,
            )
            for focus in truth.foci
        ),
        masses=tuple(
            replace(mass, x_px=mass.x_px + left, y_px=mass.y_px + top, view=number)
            for mass in truth.masses
        ),
        mass_labels=on_screen(truth.mass_labels),
        duct_labels=on_screen(truth.duct_labels),
        nonmass=on_screen(truth.nonmass),
        tissue=on_screen(truth.tissue),
        overlay=on_screen(truth.overlay),
    )


def merged(truths: list[Truth]) -> Truth:
    """Merge the truths of panels on one screen. Masses and ducts are numbered consecutively."""
    whole = truths[0]
    for truth in truths[1:]:
        masses, ducts = int(whole.mass_labels.max()), int(whole.duct_labels.max())
        foci = tuple(
            replace(
                focus,
                mass=None if focus.mass is None else focus.mass + masses,
                duct=None if focus.duct is None else focus.duct + ducts,
            )
            for focus in truth.foci
        )
        whole = replace(
            whole,
            views=whole.views + truth.views,
            foci=whole.foci + foci,
            masses=whole.masses
            + tuple(replace(mass, number=mass.number + masses) for mass in truth.masses),
            mass_labels=_merged_labels(whole.mass_labels, truth.mass_labels, masses),
            duct_labels=_merged_labels(whole.duct_labels, truth.duct_labels, ducts),
            nonmass=whole.nonmass | truth.nonmass,
            tissue=whole.tissue | truth.tissue,
        )
    return whole


def _merged_labels(whole: LabelImage, labels: LabelImage, offset: int) -> LabelImage:
    """Add labels to a label image; their numbers are increased by `offset`."""
    return np.where(labels > 0, labels + offset, whole).astype(np.int32)
