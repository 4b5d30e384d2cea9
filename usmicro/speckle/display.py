"""One function for every speckle filter, for display images and amplitude."""

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
OF_AMPLITUDE: dict[str, Callable[..., FloatImage]] = {
    "srad": srad,
    "dpad": dpad,
    "lee": lee,
    "kuan": kuan,
    "frost": frost,
}
"""Filters for multiplicative noise."""
OF_GREY: dict[str, Callable[..., FloatImage]] = {
    "nlm": nonlocal_means,
    "obnlm": obnlm,
    "median": median,
}
"""Filters for the noise of log-compressed images."""
METHODS = {**OF_AMPLITUDE, **OF_GREY}
WHITE = 255.0
DYNAMIC_RANGE_DB = 60.0


def despeckle(
    image: ArrayLike,
    *,
    method: Method = "srad",
    display: bool = True,
    dynamic_range_db: float | None = None,
    **options: Any,
) -> FloatImage:
    """Reduce speckle in a display image or in envelope amplitude.

    `srad`, `dpad`, `lee`, `kuan` and `frost` hold for multiplicative noise. A display image shows the logarithm of the amplitude, in
    which speckle is additive, so for them it is taken back to amplitude first, filtered, and compressed again. The dynamic range of the
    display is rarely known: an assumed one only stretches the amplitude scale, which the automatic speckle scale follows. `nlm`,
    `obnlm` and `median` work on the grey levels as they are.

    Parameters
    ----------
    image : array, shape (rows, columns)
        Grey level 0 to 255 of a display image, or amplitude with `display=False`.
    method : {"srad", "dpad", "lee", "kuan", "frost", "nlm", "obnlm", "median"}
    display : bool
        Whether the image is log-compressed.
    dynamic_range_db : float, optional
        Dynamic range that grey levels 0 to 255 are taken to span, dB; 60 if not given. Only for filters of amplitude.
    **options
        Of the method's own function in `usmicro.speckle`, such as `iterations`, `looks`, `damping`, `strength`, `region`.

    Returns
    -------
    array, shape (rows, columns), float32
        In the unit of the input.

    Raises
    ------
    ImageError
        As in the method's own function, and if the method or an option is unknown or the dynamic range is not positive.
    """
    if method not in METHODS:
        *names, last = METHODS
        raise ImageError(f"found the method {method!r}; expected {', '.join(names)} or {last}")
    function = METHODS[method]
    known = list(signature(function).parameters)[1:]
    if unknown := [name for name in options if name not in known]:
        raise ImageError(f"{method} has no option {unknown[0]!r}; it takes {', '.join(known)}")
    through_amplitude = display and method in OF_AMPLITUDE
    if dynamic_range_db is not None and not through_amplitude:
        raise ImageError(
            f"found a dynamic range for {method} with display={display}, which takes the values as they are; leave it out"
        )
    if not through_amplitude:
        return function(image, **options)
    assumed = DYNAMIC_RANGE_DB if dynamic_range_db is None else dynamic_range_db
    if not assumed > 0:
        raise ImageError(f"expected a positive dynamic range in dB, found {assumed}")
    slope = np.float32(assumed / 20 * np.log(10) / WHITE)
    filtered = function(np.exp((checked_image(image) - np.float32(WHITE)) * slope), **options)
    return np.asarray(np.log(filtered) / slope + np.float32(WHITE), dtype=np.float32)
