"""Arrays of changing size that are used again, so that an edge that grows costs no allocation a frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

ROOM = 1.5
"""A buffer is made this much larger than asked for: an edge changes by less than that from frame to frame."""


class Scratch:
    """One buffer for each name; one thread uses it."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with any content, valid until the same name is asked for again; a name has one dtype."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(int(ROOM * size), dtype)
        return buffer[:size].reshape(shape)
