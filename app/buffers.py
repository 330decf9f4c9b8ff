"""Frame buffers that are used again, so that no frame costs an allocation of its size."""

from __future__ import annotations

from collections import deque

import numpy as np

from app.frame import Image

KEEP = 6
"""Buffers kept for reuse: one in each stage's hands, one in each slot, one in the preview, and one to spare."""


class Buffers:
    """A pool of uint8 arrays; any thread may take and give back."""

    def __init__(self) -> None:
        self._free: deque[Image] = deque(maxlen=KEEP)

    def take(self, shape: tuple[int, ...]) -> Image:
        """An array of this shape with any content."""
        while True:
            try:
                image = self._free.popleft()
            except IndexError:
                return np.empty(shape, np.uint8)
            if image.shape == shape:
                return image

    def give(self, image: Image) -> None:
        """Give an array back that nobody uses any more."""
        self._free.append(image)
