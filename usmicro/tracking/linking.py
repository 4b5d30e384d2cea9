"""Tracking: which focus of one frame is which of the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usmicro.model.arrays import BoolImage, FloatImage

Points = NDArray[np.float64]

SEARCH = 3.0
"""A common shift of all foci between two frames is looked for up to this many gates."""
CLEARLY = 1.5
"""A movement must explain this many times as many pairs as staying does: among many pairs some agree by chance."""
COARSE = 2
"""Grid pixels averaged before two frames are compared."""
PEAK = 0.3
"""Peak of the phase correlation from which two frames show the same tissue, moved; it is 0.1 for most pairs of unlike scans."""
AGREEING = 3
"""Foci that must move alike before their movement is taken for that of the tissue."""


@dataclass(slots=True)
class Track:
    """One focus over the frames."""

    frames: list[int] = field(default_factory=list)
    """Frames that it was seen in."""
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)


class Tracker:
    """Gives each focus of a cine one number, from 1 on, that stays with it.

    Between two frames the tissue moves as a whole and each focus a little on its own. The movement of the whole is what the caller
    gives, else the displacement that most pairs of near foci share; then the foci are assigned to the tracks at the least sum of squared
    distances, none further than the gate.

    Parameters
    ----------
    gate : float
        How far a focus may lie from where its track expects it, in the unit of the positions.
    memory : int
        Frames for which a track outlives its focus.

    References
    ----------
    Jaqaman et al., Nature Methods 5 (2008) 695: assignment with a cost for staying single, here the squared gate.
    """

    def __init__(self, gate: float, *, memory: int = 5) -> None:
        self.gate = float(gate)
        self.memory = memory
        self.tracks: dict[int, Track] = {}
        """Every track so far, by number."""
        self._frame: int | None = None
        self._expected: dict[int, tuple[float, float]] = {}
        """Where the living tracks are now, moved along with the tissue; by number, in order."""

    def update(
        self,
        frame: int,
        x: ArrayLike,
        y: ArrayLike,
        *,
        shift: tuple[float, float] | None = None,
        gate: float | None = None,
    ) -> list[int]:
        """Take the foci of the next frame and give their numbers.

        Parameters
        ----------
        frame : int
            Number of the frame; larger than that of the last call.
        x, y : array, shape (n,)
            Positions of the foci.
        shift : (x, y), optional
            Movement of the tissue since the last call, if it is known; else estimated from the foci.
        gate : float, optional
            Of this frame, in the place of the tracker's own.

        Raises
        ------
        ValueError
            If the frames do not come in order.
        """
        if self._frame is not None and frame <= self._frame:
            raise ValueError(
                f"expected a frame after {self._frame}, found {frame}; give the frames in order"
            )
        self._frame = frame
        points = np.stack(
            [np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()], axis=1
        )
        self._expected = {
            number: at
            for number, at in self._expected.items()
            if frame - self.tracks[number].frames[-1] <= self.memory + 1
        }
        expected = np.array(list(self._expected.values()), dtype=float).reshape(-1, 2)
        numbers = list(self._expected)
        expected += (
            common_shift(expected, points, self.gate)
            if shift is None
            else np.asarray(shift, dtype=float)
        )
        self._expected = {
            number: (float(at[0]), float(at[1]))
            for number, at in zip(numbers, expected, strict=True)
        }
        found = [0] * len(points)
        for old, new in assign(expected, points, gate or self.gate):
            found[new] = numbers[old]
        for i, (px, py) in enumerate(points.tolist()):
            if not found[i]:
                found[i] = len(self.tracks) + 1
                self.tracks[found[i]] = Track()
            track = self.tracks[found[i]]
            track.frames.append(frame)
            track.x.append(px)
            track.y.append(py)
            self._expected[found[i]] = (px, py)
        return found

    def unseen(self) -> list[tuple[int, float, float]]:
        """Tracks that live but were not seen in the last frame, each with its number and where it should be (number, x, y)."""
        return [
            (number, *at)
            for number, at in self._expected.items()
            if self.tracks[number].frames[-1] != self._frame
        ]


def coarse_tissue(grey: FloatImage, tissue: BoolImage) -> FloatImage:
    """What `tissue_shift` compares of a frame: its tissue less the mean, averaged over a few pixels, 0 elsewhere."""
    import cv2

    mask = tissue.view(np.uint8)
    inside = (grey - np.float32(cv2.mean(grey, mask)[0])) * mask
    size = (max(grey.shape[1] // COARSE, 1), max(grey.shape[0] // COARSE, 1))
    return np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def tissue_shift(before: FloatImage, now: FloatImage) -> tuple[float, float] | None:
    """Displacement of the tissue from one frame to the next, grid pixels (x, y), from two images of `coarse_tissue`.

    None where the frames have too little in common to tell.

    References
    ----------
    Kuglin and Hines, Proc. International Conference on Cybernetics and Society (1975) 163: phase correlation.
    """
    import cv2

    if before.shape != now.shape or min(now.shape) < 8:
        return None
    (x, y), peak = cv2.phaseCorrelate(
        before, now, cv2.createHanningWindow(now.shape[::-1], cv2.CV_32F)
    )
    return (x * COARSE, y * COARSE) if peak >= PEAK else None


def common_shift(old: Points, new: Points, gate: float) -> NDArray[np.float64]:
    """Displacement that most pairs of near points share, (x, y); zero where fewer than three do or staying explains as many.

    Parameters
    ----------
    old, new : array, shape (n, 2) and (m, 2)
        Positions in two frames.
    gate : float
        Pairs up to three gates apart are looked at; displacements within half a gate agree.
    """
    if len(old) < AGREEING or len(new) < AGREEING:
        return np.zeros(2)
    from scipy.spatial import (
        cKDTree,  # here and below: single frames do without what takes long to import
    )

    pairs = cKDTree(old).sparse_distance_matrix(
        cKDTree(new), SEARCH * gate, output_type="coo_matrix"
    )
    moves = new[pairs.col] - old[pairs.row]
    if len(moves) < AGREEING:
        return np.zeros(2)
    moves = moves[np.lexsort((moves[:, 1], moves[:, 0]))]
    tree = cKDTree(moves)
    votes: NDArray[Any] = tree.query_ball_point(moves, gate / 2, return_length=True)
    best = int(np.argmax(votes))
    staying = int(tree.query_ball_point(np.zeros(2), gate / 2, return_length=True))
    if votes[best] < AGREEING or votes[best] <= CLEARLY * staying:
        return np.zeros(2)
    shift: NDArray[np.float64] = np.median(
        moves[tree.query_ball_point(moves[best], gate / 2)], axis=0
    )
    return shift


def assign(old: Points, new: Points, gate: float) -> list[tuple[int, int]]:
    """Pairs (index in `old`, index in `new`) at the least sum of squared distances, a single point costing the squared gate."""
    if not len(old) or not len(new):
        return []
    from scipy.optimize import linear_sum_assignment

    squared = ((old[:, None] - new[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(np.minimum(squared, gate * gate))
    return [
        (int(r), int(c)) for r, c in zip(rows, columns, strict=True) if squared[r, c] < gate * gate
    ]
