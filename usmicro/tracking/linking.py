"""Linking of the positions on one frame to the tracks of the frames before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
"""Positions, shape (n, 2): x and y."""

SEARCH_GATES = 3.0
"""Largest common shift between two frames that is searched for, as a multiple of the gate. Chosen
by eye on simulated cines; no measurement is recorded."""
LEAST_VOTE_RATIO = 1.5
"""A shift is accepted only if it explains more than this many times as many pairs as zero shift.
Among many pairs some agree by chance. Chosen by eye on simulated cines; no measurement is
recorded."""
LEAST_AGREEING = 3
"""Smallest number of positions that must share a displacement before it counts as the motion of
the tissue: two random displacements agree too often."""
LOST_FRAMES = 5
"""Number of frames for which a track continues without a position. Chosen by eye on simulated
cines; no measurement is recorded."""


class Tracker:
    """Assigns each position in a cine to a track; tracks are numbered from 1.

    Between two frames the tissue moves as a whole, and each focus moves a little on its own. The
    motion of the tissue is given by the caller, or else taken as the displacement that most pairs
    of nearby positions share. Positions are then assigned to tracks so that the sum of squared
    distances is smallest and no distance exceeds the gate.

    Parameters
    ----------
    gate : float
        Largest distance between a position and the place where its track expects it, in the unit
        of the positions.
    lost_frames : int
        Number of frames for which a track continues without a position.

    References
    ----------
    Jaqaman et al., Nature Methods 5 (2008) 695: assignment in which a point without a partner has
    a cost, here the squared gate.
    """

    def __init__(self, gate: float, *, lost_frames: int = LOST_FRAMES) -> None:
        self.gate = float(gate)
        self.lost_frames = lost_frames
        self._last_seen: dict[int, int] = {}
        """Index of the last frame with a position, for each live track, by number."""
        self._count = 0
        """Number of tracks so far."""
        self._frame: int | None = None
        self._expected: dict[int, tuple[float, float]] = {}
        """Expected position of each live track on the current frame, by number, in order."""

    def update(
        self,
        frame: int,
        x: ArrayLike,
        y: ArrayLike,
        *,
        shift: tuple[float, float] | None = None,
        gate: float | None = None,
    ) -> list[int]:
        """Link the positions of the next frame.

        Parameters
        ----------
        frame : int
            Index of the frame; larger than at the last call.
        x, y : array, shape (n,)
            Positions.
        shift : (x, y), optional
            Motion of the tissue since the last call; estimated from the positions if not given.
        gate : float, optional
            Gate for this frame; that of the tracker if not given.

        Returns
        -------
        list of int, length n
            Number of the track of each position.

        Raises
        ------
        ValueError
            If the frames are not in order.
        """
        if self._frame is not None and frame <= self._frame:
            raise ValueError(
                f"expected a frame after {self._frame}, found {frame}; give the frames in order"
            )
        self._frame = frame
        points = np.stack([np.asarray(values, dtype=float).ravel() for values in (x, y)], axis=1)
        live = {
            number: position
            for number, position in self._expected.items()
            if frame - self._last_seen[number] <= self.lost_frames + 1
        }
        expected = np.array(list(live.values()), dtype=float).reshape(-1, 2)
        if shift is None:
            expected += common_shift(expected, points, self.gate)
        else:
            expected += np.asarray(shift, dtype=float)
        numbers = list(live)
        self._last_seen = {number: self._last_seen[number] for number in numbers}
        self._expected = {
            number: (float(position[0]), float(position[1]))
            for number, position in zip(numbers, expected, strict=True)
        }
        linked = [0] * len(points)
        for track, point in assign(expected, points, gate or self.gate):
            linked[point] = numbers[track]
        for i, (point_x, point_y) in enumerate(points.tolist()):
            if not linked[i]:
                self._count += 1
                linked[i] = self._count
            self._last_seen[linked[i]] = frame
            self._expected[linked[i]] = (point_x, point_y)
        return linked

    def live(self) -> frozenset[int]:
        """Return the numbers of the tracks that the next frame may continue."""
        return frozenset(self._expected)

    def unseen(self) -> list[tuple[int, float, float]]:
        """Return the live tracks without a position on the current frame.

        Returns
        -------
        list of (number, x, y)
            Number of the track, and its expected position.
        """
        return [
            (number, *position)
            for number, position in self._expected.items()
            if self._last_seen[number] != self._frame
        ]


def common_shift(old: Points, new: Points, gate: float) -> NDArray[np.float64]:
    """Estimate the displacement that most pairs of nearby points share.

    Parameters
    ----------
    old, new : array, shape (n, 2) and (m, 2)
        Positions on two frames.
    gate : float
        Pairs up to SEARCH_GATES gates apart are used. Displacements that differ by less than half
        a gate agree.

    Returns
    -------
    array, shape (2,)
        Displacement (x, y); zero if fewer than LEAST_AGREEING pairs agree, or if zero shift
        explains nearly as many pairs.
    """
    if len(old) < LEAST_AGREEING or len(new) < LEAST_AGREEING:
        return np.zeros(2)
    from scipy.spatial import cKDTree  # here and below: single frames do not need this slow import

    pairs = cKDTree(old).sparse_distance_matrix(
        cKDTree(new), SEARCH_GATES * gate, output_type="coo_matrix"
    )
    moves = new[pairs.col] - old[pairs.row]
    if len(moves) < LEAST_AGREEING:
        return np.zeros(2)
    moves = moves[np.lexsort((moves[:, 1], moves[:, 0]))]
    tree = cKDTree(moves)
    votes: NDArray[Any] = tree.query_ball_point(moves, gate / 2, return_length=True)
    best = int(np.argmax(votes))
    votes_for_zero = int(tree.query_ball_point(np.zeros(2), gate / 2, return_length=True))
    if votes[best] < LEAST_AGREEING or votes[best] <= LEAST_VOTE_RATIO * votes_for_zero:
        return np.zeros(2)
    agreeing = tree.query_ball_point(moves[best], gate / 2)
    shift: NDArray[np.float64] = np.median(moves[agreeing], axis=0)
    return shift


def assign(old: Points, new: Points, gate: float) -> list[tuple[int, int]]:
    """Pair points so that the sum of squared distances is smallest.

    A point without a partner costs the squared gate.

    Parameters
    ----------
    old, new : array, shape (n, 2) and (m, 2)
    gate : float
        Largest distance of a pair.

    Returns
    -------
    list of (index in `old`, index in `new`)
    """
    if not len(old) or not len(new):
        return []
    from scipy.optimize import linear_sum_assignment

    squared = ((old[:, None] - new[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(np.minimum(squared, gate * gate))
    pairs = zip(rows, columns, strict=True)
    return [(int(r), int(c)) for r, c in pairs if squared[r, c] < gate * gate]
