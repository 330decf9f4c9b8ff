"""The colours around the edge of the person, at low resolution: what the room and the person would look like there
without each other.

Both are normalised averages, sum(weight × colour) / sum(weight): the room's with weight 1 − alpha, so that the person
never bleeds into the blurred room; the person's with weight alpha. They serve the blur and the edge's colour
(Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021, equations 4 and 5).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.planes import planes
from app.frame import Image

FEATHER = 0.1
"""Cells with more of the person than this do not count as room at all: at low resolution a cell at the edge holds
both, and its mixed colour would smear a halo of the person into the room."""


def shrink(i420: Image, alpha: Image, scale: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shrink a picture and its alpha by 4 or 8 (less for tiny pictures), averaging.

    Returns:
        float32 (3, h, w) YUV in [0, 255] and float32 (h, w) in [0, 1].
    """
    y, u, v = planes(i420)
    size = (max(1, y.shape[1] // scale), max(1, y.shape[0] // scale))
    small = np.stack([_reduce(plane, size) for plane in (y, u, v)]).astype(np.float32)
    return small, _reduce(alpha, size).astype(np.float32) * np.float32(1 / 255)


def _reduce(plane: Image, size: tuple[int, int]) -> Image:
    """Average down to `size` (width, height), halving first: OpenCV vectorises only that (0.04, not 0.23 ms)."""
    while plane.shape[1] >= 2 * size[0] and plane.shape[0] >= 2 * size[1]:
        plane = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if plane.shape[::-1] != size:
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return plane


def average(colours: NDArray[np.float32], weight: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """The weighted Gaussian average around each cell.

    Where no weight is near (inside the person, seen from the room) it falls back to the average over a wider
    neighbourhood and finally over all cells, so it is finite everywhere.

    Args:
        colours: float32 (3, h, w).
        weight: float32 (h, w) in [0, 1].
        sigma: in cells.

    Returns:
        float32 (3, h, w).
    """
    total = np.empty((4, *weight.shape), np.float32)
    np.multiply(colours, weight, out=total[:3])
    total[3] = weight
    overall = total.mean(axis=(1, 2))
    overall += np.array([128e-6, 128e-6, 128e-6, 1e-6], np.float32)  # no weight anywhere: gray
    window = (2 * int(2 * sigma) + 1,) * 2
    for plane, mean in zip(total, overall, strict=True):
        cv2.GaussianBlur(plane, (0, 0), sigma, dst=plane, borderType=cv2.BORDER_REFLECT_101)
        plane += np.float32(0.02) * cv2.blur(plane, window, borderType=cv2.BORDER_REFLECT_101)
        plane += np.float32(1e-3) * mean
    total[:3] /= total[3]
    return total[:3]


def room_weight(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell counts as room, float32 in [0, 1]."""
    weight: NDArray[np.float32] = np.clip(1 - alpha * (1 / FEATHER), 0, 1)
    return weight


def person_weight(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell counts as person, float32 in [0, 1]."""
    weight: NDArray[np.float32] = np.clip((alpha - (1 - FEATHER)) * (1 / FEATHER), 0, 1)
    return weight
