"""One function for all speckle filters, for display images and for amplitude."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from usmicro.errors import ImageError
from usmicro.model.arrays import FloatImage, checked_image
from usmicro.speckle.diffusion import dpad, srad
from usmicro.speckle.patches import nonlocal_means, obnlm
from usmicro.speckle.windows import frost, kuan, lee, median

Method = Literal["srad", "dpad", "lee", "kuan", "frost", "nlm", "obnlm", "median"]
AMPLITUDE_FILTERS: dict[str, Callable[..., FloatImage]] = {
    "srad": srad,
    "dpad": dpad,
    "lee": lee,
    "kuan": kuan,
    "frost": frost,
}
"""Filters for multiplicative noise."""
GREY_FILTERS: dict[str, Callable[..., FloatImage]] = {
    "nlm": nonlocal_means,
    "obnlm": obnlm,
    "median": median,
}
"""Filters for the noise of log-compressed images."""
METHODS = {**AMPLITUDE_FILTERS, **GREY_FILTERS}
"""All filters, by name."""
HIGHEST_GREY = 255.0
"""Grey level of the largest amplitude."""
DYNAMIC_RANGE_DB = 60.0
"""Assumed dynamic range of a display image in dB: a usual setting of scanners."""


def despeckle(
    image: ArrayLike,
    *,
    method: Method = "srad",
    display: bool = True,
    dynamic_range_db: float | None = None,
    **options: Any,
) -> FloatImage:
    """Reduce speckle in a display image or in envelope amplitude.

    `srad`, `dpad`, `lee`, `kuan` and `frost` are made for multiplicative noise. A display image
    shows the logarithm of the amplitude, in which speckle is additive. For these filters it is
    converted to amplitude, filtered, and compressed again. The dynamic range of the display is
    rarely known. A wrong one only rescales the amplitude, and the automatic speckle scale follows.
    `nlm`, `obnlm` and `median` work on the grey levels.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level 0 to 255 of a display image, or amplitude with `display=False`.
    method : {"srad", "dpad", "lee", "kuan", "frost", "nlm", "obnlm", "median"}
    display : bool
        True if the image is log-compressed.
    dynamic_range_db : float, optional
        Dynamic range that grey levels 0 to 255 are assumed to span, dB; 60 if not given. Only for
        filters of amplitude.
    **options
        Options of the function of the method in `usmicro.speckle`, such as `iterations`, `looks`,
        `damping`, `strength` or `region`.

    Returns
    -------
    array, shape (rows, columns), float32
        In the unit of the input.

    Raises
    ------
    ImageError
        If the method or an option is unknown, or if the dynamic range is not positive; also for
        the reasons that the function of the method names.
    """
    if method not in METHODS:
        *names, last = METHODS
        raise ImageError(f"found the method {method!r}; expected {', '.join(names)} or {last}")
    function = METHODS[method]
    option_names = list(signature(function).parameters)[1:]
    if unknown := [name for name in options if name not in option_names]:
        raise ImageError(
            f"{method} has no option {unknown[0]!r}; its options are {', '.join(option_names)}"
        )
    through_amplitude = display and method in AMPLITUDE_FILTERS
    if dynamic_range_db is not None and not through_amplitude:
        raise ImageError(
            f"expected no dynamic range for {method} with display={display}, "
            f"which uses the values as they are; found {dynamic_range_db}: leave it out"
        )
    if not through_amplitude:
        return function(image, **options)
    assumed = DYNAMIC_RANGE_DB if dynamic_range_db is None else dynamic_range_db
    if not assumed > 0:
        raise ImageError(f"expected a positive dynamic range in dB, found {assumed}")
    slope = np.float32(assumed / 20 * np.log(10) / HIGHEST_GREY)
    amplitude = np.exp((checked_image(image) - np.float32(HIGHEST_GREY)) * slope)
    filtered = function(amplitude, **options)
    return np.asarray(np.log(filtered) / slope + np.float32(HIGHEST_GREY), dtype=np.float32)
