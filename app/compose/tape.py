"""What the frame's graph (`app.compose.graph`) is written with: OpenCV's operations as ONNX nodes.

Scaling and blurring are linear in each axis, so a step of either is a product with a small matrix, and that matrix is
made by OpenCV itself from the unit matrix (`along`): both ways scale alike, and every runtime multiplies matrices well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDE = 4
"""Windows of this radius and more are averaged along one axis, then the other: 53 × 53 at once is 26 times the work."""


@cache
def along(source: int, target: int, method: int) -> Floats:
    """What OpenCV's `resize` does along one axis, float32 (target, source)."""
    matrix: Floats = cv2.resize(np.eye(source, dtype=np.float32), (source, target), interpolation=method)
    return matrix


class Tape:
    """Notes one operation after the other; tensors are known by their names, pictures are (1, channels, h, w)."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: dict[tuple[Any, ...], str] = {}

    def do(self, operation: str, *inputs: str | Floats | float, name: str = "", **attributes: Any) -> str:
        """Note an operation; numbers and arrays among its inputs become constants."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        name = name or f"{operation}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operation, names, [name], **attributes))
        return name

    def constant(self, value: NDArray[Any] | float) -> str:
        array = np.asarray(value, None if isinstance(value, np.ndarray) else np.float32)
        key = array.shape, array.dtype.str, array.tobytes()
        if key not in self._names:
            self._names[key] = f"constant_{len(self._names)}"
            self.constants.append(onnx.numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def shaped(self, x: str, *shape: int) -> str:
        return self.do("Reshape", x, self.ints(*shape))

    def part(self, x: str, axis: int, first: int, end: int) -> str:
        return self.do("Slice", x, self.ints(first), self.ints(end), self.ints(axis))

    def clip(self, x: str, low: float, high: float) -> str:
        return self.do("Clip", x, low, high)

    def whole(self, x: str) -> str:
        """Rounded as OpenCV rounds to 8 bits."""
        return self.do("Floor", self.do("Add", self.clip(x, 0, 255), 0.5))

    def channels(self, x: str, *numbers: int) -> str:
        """These channels of a picture."""
        return self.do("Gather", x, self.ints(*numbers), axis=1)

    def split(self, x: str, *counts: int) -> list[str]:
        """A picture's channels in groups of so many."""
        names = [f"Split_{len(self.nodes)}_{number}" for number in range(len(counts))]
        self.nodes.append(onnx.helper.make_node("Split", [x, self.ints(*counts)], names, axis=1))
        return names

    def times(self, rows: Floats | str, x: str, columns: Floats | str) -> str:
        """rows · x · columnsᵀ."""
        across = columns.T.copy() if not isinstance(columns, str) else self.do("Transpose", columns, perm=[1, 0])
        return self.do("MatMul", self.do("MatMul", rows, x), across)

    def resized(self, x: str, source: tuple[int, int], target: tuple[int, int], method: int) -> str:
        """Resized from (rows, columns) to others as `cv2.resize` does, but not rounded."""
        if source == target:
            return x
        factor = source[0] // target[0]
        if method == cv2.INTER_AREA and source == (factor * target[0], factor * target[1]):
            return self.do("AveragePool", x, kernel_shape=[factor, factor], strides=[factor, factor])
        rows, columns = (along(s, t, method) for s, t in zip(source, target, strict=True))
        return self.times(rows, x, columns)

    def halved_while(
        self, x: str, size: tuple[int, int], enough: Callable[[tuple[int, int]], bool]
    ) -> tuple[str, tuple[int, int]]:
        """Halved and rounded until it is small enough; the picture and its size."""
        while not enough(size):
            half = size[0] // 2, size[1] // 2
            x, size = self.whole(self.resized(x, size, half, cv2.INTER_AREA)), half
        return x, size

    def mean_around(self, x: str, radius: int) -> str:
        """The mean of each pixel's neighbourhood; beyond the border the picture is mirrored, as by `cv2.blur`.

        The radius must be less than the picture's height and width, for mirrored once is all that ONNX can.
        """
        side = 2 * radius + 1
        kernels = [[side, 1], [1, side]] if radius >= WIDE else [[side, side]]
        padded = self.do("Pad", x, self.ints(0, 0, radius, radius, 0, 0, radius, radius), mode="reflect")
        for kernel in kernels:
            padded = self.do("AveragePool", padded, kernel_shape=kernel, strides=[1, 1])
        return padded

    def greatest_around(self, x: str) -> str:
        return self.do("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])

    def least_around(self, x: str) -> str:
        return self.do("Neg", self.greatest_around(self.do("Neg", x)))
