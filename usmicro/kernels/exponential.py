"""An exponential function that LLVM vectorises; the library's is one call for each value."""

from __future__ import annotations

import numpy as np

from usmicro.kernels._jit import contracted_jit

LOG2_E = np.float32(1.4426950408889634)
"""Binary logarithm of e: exp(-x) is `power_of_half(x * LOG2_E)`."""
LARGEST_EXPONENT = np.float32(126)
"""Larger exponents count as this one: 2^-126, about 1e-38, is the smallest normal float32."""
ROUNDING_SHIFT = np.float32(12582912.0)
"""1.5 * 2^23. From there on, neighbouring float32 numbers are 1 apart: subtracting a number rounds
it to a whole one, which is left in the last bits of the difference."""
C1 = np.float32(0.69312419)
"""First coefficient of the minimax polynomial of 2^x for -1/2 <= x <= 1/2, whose relative error is
2.9e-6. `tests/kernels/test_local_statistics.py` checks the error of the function."""
C2 = np.float32(0.24024099)
"""Second coefficient, see C1."""
C3 = np.float32(0.05590642)
"""Third coefficient, see C1."""
C4 = np.float32(0.00958285)
"""Fourth coefficient, see C1."""


@contracted_jit
def power_of_half(exponent: np.float32) -> np.float32:
    """Return 2^-exponent, float32, with a relative error below 5e-6.

    `exponent` is a float32 of 0 or more; slightly negative values from rounding do no harm.
    """
    bounded = min(exponent, LARGEST_EXPONENT)
    shifted = ROUNDING_SHIFT - bounded
    rest = (ROUNDING_SHIFT - shifted) - bounded
    value = np.float32(1) + rest * (C1 + rest * (C2 + rest * (C3 + rest * C4)))
    # the whole part of the exponent is added to the exponent bits of the result
    return np.int32(
        np.float32(value).view(np.int32) + (np.float32(shifted).view(np.int32) << 23)
    ).view(np.float32)
