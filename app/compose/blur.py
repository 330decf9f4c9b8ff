"""The blurred room, without a halo of the person: a normalised blur with the room's weight."""

from __future__ import annotations

import cv2
import numpy as np

from app.compose.planes import planes
from app.compose.surroundings import average
from app.compose.view import View
from app.frame import Image

SIGMA_MIN, SIGMA_MAX = 5.5, 40.0
"""Blur of strength 0 and 100 in pixels of a 720-line picture. At 5.25 the test pattern's wall can no longer be found
(at 5 it could in one frame of twenty), and text of 25 pixels cannot be read; beyond 40 a room is only light and colour,
and stronger looks the same."""

SAFE_STRENGTH = 75
"""At least this strong when the whole frame is covered because no mask can be trusted: faces in it are then unknown
people too."""

SCALES, CELLS = (16, 8, 4), 1.5
"""The blur is computed at the first of these fractions at which it reaches so many cells: a Gaussian of 1.5 cells or
more hides the enlargement. A 720p picture at strength 60: 0.55 ms at 1/16, 0.8 at 1/8; 50 and 52 dB from the exact."""


def sigma_of(strength: float, width: int, height: int) -> float:
    """Standard deviation in pixels of a picture of this size, for a strength of 0 to 100."""
    lines = max(height, width * 9 / 16)  # a narrow strip shows its room as large as a whole picture does
    return (SIGMA_MIN + (SIGMA_MAX - SIGMA_MIN) * strength / 100) * lines / 720


def cells_of(strength: float, width: int, height: int) -> tuple[int, float]:
    """One of `SCALES` and the standard deviation in cells of that size, for a strength of 0 to 100."""
    sigma = sigma_of(strength, width, height)
    scale = next((s for s in SCALES if sigma >= CELLS * s), SCALES[-1])
    return scale, max(sigma / scale, 0.5)


class Blur:
    """Fills with the frame's own room, blurred.

    Args:
        strength: 0 to 100.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def fill(self, view: View, out: Image) -> None:
        """See `app.compose.effects.Effect`."""
        strength = self.strength if view.alpha is not None else max(self.strength, SAFE_STRENGTH)
        scale, sigma = cells_of(strength, out.shape[1], out.shape[0] * 2 // 3)
        room = average(view.room(scale), sigma)
        for channel, plane in zip(np.rint(room, out=room).astype(np.uint8), planes(out), strict=True):
            if scale == 16:  # linearly at once, its grid shows beside lamps
                channel = cv2.resize(channel, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            cv2.resize(channel, plane.shape[::-1], dst=plane, interpolation=cv2.INTER_LINEAR)
