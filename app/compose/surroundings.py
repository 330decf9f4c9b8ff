"""The colours around the edge of the person, at low resolution: what the room and the person would look like there
without each other.

Both are normalised averages, sum(weight × colour) / sum(weight): the room's with weight 1 − alpha, so that the person
never bleeds into the blurred room; the person's with weight alpha. They serve the blur and the edge's colour
(Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021, equations 4 and 5).
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

FEATHER = 0.1
"""Cells with more of the person than this do not count as room at all: at low resolution a cell at the edge holds
both, and its mixed colour would smear a halo of the person into the room."""

REACH = 3
"""The Gaussian ends after so many standard deviations: what lies beyond weighs 0.3 %, less than a step of 255."""


PLINTH, EVERYWHERE = 0.002, 1e-4
"""What a wide neighbourhood, and what all cells together count: enough to fill in where no weight is near, too little
to be seen where one is (a plinth of 0.02 widened the blur by a tenth)."""

GRAY = np.array([128e-6, 128e-6, 128e-6, 1e-6], np.float32)
"""What is added to the sum over all cells: where no cell has any weight the average is gray."""


def average(weighted: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """The weighted Gaussian average around each cell.

    Where no weight is near (inside the person, seen from the room) it falls back to the average over a wider
    neighbourhood and finally over all cells, so it is finite everywhere.

    Args:
        weighted: float32 (4, h, w), colours in [0, 255] times a weight, and the weight in [0, 1]; it is left as it is.
        sigma: in cells.

    Returns:
        float32 (3, h, w).
    """
    total, weights = np.empty_like(weighted), kernel(sigma)
    for plane, blurred in zip(weighted, total, strict=True):
        cv2.sepFilter2D(plane, -1, weights, weights, dst=blurred, borderType=cv2.BORDER_REFLECT_101)
    overall = weighted.reshape(4, -1).mean(axis=1)
    overall += GRAY
    total += (np.float32(EVERYWHERE) * overall)[:, None, None]
    total[:3] /= total[3]
    return total[:3]


@lru_cache(maxsize=8)
def kernel(sigma: float) -> NDArray[np.float32]:
    """A Gaussian on a low plinth, which counts only where nothing is nearer, in one dimension."""
    reach = math.ceil(REACH * sigma)
    wide = reach + int(2 * sigma)
    weights = np.full(2 * wide + 1, PLINTH / (2 * wide + 1), np.float32)
    weights[wide - reach : wide + reach + 1] += cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)[:, 0]
    return weights


def room_weight(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much each cell counts as room, float32 in [0, 1]."""
    weight = alpha.astype(np.float32)
    weight *= -1 / (255 * FEATHER)
    weight += 1
    return np.maximum(weight, 0, out=weight)


def person_weight(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much each cell counts as person, float32 in [0, 1]."""
    weight = alpha.astype(np.float32)
    weight *= 1 / (255 * FEATHER)
    weight -= (1 - FEATHER) / FEATHER
    return np.maximum(weight, 0, out=weight)
