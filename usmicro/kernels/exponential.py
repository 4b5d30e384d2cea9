"""An exponential that LLVM vectorises: the library's is a call for every single value."""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import contracted_jit

LOG2_E = np.float32(1.4426950408889634)
MOST = np.float32(126)
"""Power of one half from which float32 loses digits; the result stays 1e-38 from there on."""
ROUND = np.float32(12582912.0)
"""1.5 times 2 to the 23rd: subtracted from it, a number is rounded to a whole one, whose bits are then the last of the difference."""
# minimax polynomial for 2^x, x from -1/2 to 1/2, with a relative error of 2.9e-6
C1, C2, C3, C4 = (
    np.float32(0.69312419),
    np.float32(0.24024099),
    np.float32(0.05590642),
    np.float32(0.00958285),
)


@contracted_jit
def power_of_half(halvings: np.float32) -> np.float32:
    """2 to the power of -`halvings`, which is 0 or more up to rounding, to a relative error of 5e-6."""
    power = min(halvings, MOST)
    shifted = ROUND - power
    rest = (ROUND - shifted) - power
    value = np.float32(1) + rest * (C1 + rest * (C2 + rest * (C3 + rest * C4)))
    # the whole part of the power is added to the exponent's bits
    return np.int32(
        np.float32(value).view(np.int32) + (np.float32(shifted).view(np.int32) << 23)
    ).view(np.float32)
