"""A tiny ONNX network, written without the package onnx (format: onnx.proto of ONNX)."""

import numpy as np

FLOAT, INTS = 1, 7


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    data = _bytes(9, values.astype("<f4").tobytes())
    return dims + _number(2, FLOAT) + _bytes(8, name) + data


def _image(name: str) -> bytes:
    """An image of shape (1, 1, rows, columns), of any size."""
    sizes = [_number(1, 1), _number(1, 1), _bytes(2, "rows"), _bytes(2, "columns")]
    shape = b"".join(_bytes(1, size) for size in sizes)
    kind = _bytes(1, _number(1, FLOAT) + _bytes(2, shape))
    return _bytes(1, name) + _bytes(2, kind)


def _node(kind: str, inputs: list[str], output: str, **ints: list[int]) -> bytes:
    attributes = b"".join(
        _bytes(5, _bytes(1, name) + b"".join(_number(8, i) for i in values) + _number(20, INTS))
        for name, values in ints.items()
    )
    names = b"".join(_bytes(1, name) for name in inputs)
    return names + _bytes(2, output) + _bytes(4, kind) + attributes


def bright_point_network(gain: float = 30.0, contrast: float = 0.3) -> bytes:
    """Return a network that gives each pixel the probability of a bright point.

    It is the sigmoid of `gain` times the contrast, less `contrast`, of the pixel to the mean of
    17 x 17 pixels around it; grey levels are from 0 to 1.
    """
    kernel = np.full((1, 1, 17, 17), -1 / 17**2)
    kernel[0, 0, 7:10, 7:10] += 1 / 9
    graph = (
        _bytes(1, _node("Conv", ["input", "kernel", "bias"], "evidence", pads=[8] * 4))
        + _bytes(1, _node("Sigmoid", ["evidence"], "probability"))
        + _bytes(2, "bright points")
        + _bytes(5, _tensor("kernel", gain * kernel))
        + _bytes(5, _tensor("bias", np.array([-gain * contrast])))
        + _bytes(11, _image("input"))
        + _bytes(12, _image("probability"))
    )
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))
