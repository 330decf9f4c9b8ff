"""What a frame's graph is built for, and what it is handed beside frames; light, for it is imported by all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose import surroundings

CARRIED = {"mask_after": "mask_before", "luminance_after": "luminance_before"}
"""Outputs of the graph that are the next run's inputs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a graph is built for.

    Attributes:
        width, height: the frame's size, even.
        refine: follow the frame's edges, else only enlarge the mask.
        scale: the blur is computed at this fraction of the frame's size (`app.compose.blur.SCALES`); 0: the backdrop is
            a picture that is handed in.
    """

    width: int
    height: int
    refine: bool
    scale: int

    @property
    def blurred(self) -> tuple[int, int]:
        """Rows and columns of the room that is blurred."""
        return cells(self.height, self.width, self.scale)


def cells(height: int, width: int, scale: int) -> tuple[int, int]:
    """Rows and columns of what `app.compose.view.View` makes of a frame at 1/4, 1/8 or 1/16."""
    if scale == 16:  # from what it has at 1/8
        height, width, scale = max(1, height // 8), max(1, width // 8), 2
    return max(1, height // scale), max(1, width // scale)


def blurring(length: int, sigma: float) -> NDArray[np.float32]:
    """The blur of `app.compose.surroundings` along one axis of so many cells, float32 (length, length)."""
    kernel, nothing = surroundings.kernel(sigma), np.ones(1, np.float32)
    unit = np.eye(length, dtype=np.float32)
    matrix: NDArray[np.float32] = cv2.sepFilter2D(unit, -1, nothing, kernel, borderType=cv2.BORDER_REFLECT_101)
    return matrix
