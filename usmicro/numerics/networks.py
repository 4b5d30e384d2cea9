"""Neural networks in ONNX files, run by OpenCV."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from usmicro.errors import SettingsError

_ONE_AT_A_TIME = Lock()
"""Lock of all networks: OpenCV stores the input in the network, so that only one thread at a time
may use it."""
_FileVersion = tuple[int, int, int, int]
_CACHE: dict[tuple[Path, bool], tuple[_FileVersion, cv2.dnn.Net]] = {}
"""Networks that were read, by file and `plain`, each with the state of the file at that time."""
_CACHE_LOCK = Lock()


def check_network(file: Path) -> None:
    """Try to read a network.

    Raises
    ------
    SettingsError
        If the file is not an ONNX network that OpenCV can read.
    """
    _network(file, plain=False)


def run_network(
    file: Path, image: NDArray[np.float32], *, plain: bool = False
) -> list[NDArray[np.float32]]:
    """Run a network.

    Parameters
    ----------
    file : Path
        ONNX file. It is read once, and again if it has been replaced or changed.
    image : array, shape (n, channels, rows, columns), float32
        The only input of the network.
    plain : bool
        True if the network has no depthwise convolutions. This selects the faster engine of OpenCV
        and changes only the computing time.

    Returns
    -------
    list of array
        The outputs.

    Raises
    ------
    SettingsError
        If the file is not a network for inputs of this shape.
    """
    network = _network(file, plain)
    with _ONE_AT_A_TIME:
        try:
            network.setInput(np.ascontiguousarray(image))
            outputs = network.forward(network.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise SettingsError(
                f"{file}: expected a network for inputs of shape {image.shape}, "
                f"found one that refuses them: {error.err}"
            ) from error
        return [np.array(output) for output in outputs]


def _network(file: Path, plain: bool) -> cv2.dnn.Net:
    """Read a network once; read it again if its file has been replaced or changed."""
    try:
        status = file.stat()
        version = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        raise SettingsError(
            f"{file}: expected a network as an ONNX file, found no such file or an unreadable one"
        ) from error
    with _CACHE_LOCK:
        cached = _CACHE.get((file, plain))
        if cached is None or cached[0] != version:
            cached = _CACHE[file, plain] = (version, _read_network(file, plain))
    return cached[1]


def _read_network(file: Path, plain: bool) -> cv2.dnn.Net:
    # the engine that is new in OpenCV 5 is faster on depthwise convolutions and slower on plain
    # ones; OpenCV 4 has only the classic one
    classic = plain and hasattr(cv2.dnn, "ENGINE_CLASSIC")
    options = {"engine": cv2.dnn.ENGINE_CLASSIC} if classic else {}
    try:
        return cv2.dnn.readNetFromONNX(str(file), **options)
    except cv2.error as error:
        raise SettingsError(
            f"{file}: expected a network as an ONNX file, "
            f"found one that OpenCV cannot read: {error.err}"
        ) from error
