"""The blurred room, without a halo of the person: a normalised blur with the room's weight."""

from __future__ import annotations

import cv2
import numpy as np

from app.compose.planes import planes
from app.compose.surroundings import average, room_weight, shrink
from app.frame import Image

SIGMA_MIN, SIGMA_MAX = 5.0, 40.0
"""Blur of strength 0 and 100 in pixels of a 720-line picture. At 5 the test pattern's wall can no longer be found (at
4 it could), and text of 25 pixels cannot be read; beyond 40 a room is only light and colour, and stronger looks the
same."""

SAFE_STRENGTH = 75
"""At least this strong when the whole frame is covered because no mask can be trusted: faces in it are then unknown
people too."""

FINE_SIGMA = 12.0
"""Below this the blur is computed at 1/4, above at 1/8: a Gaussian of 1.5 cells or more hides the enlargement."""


def sigma_of(strength: float, width: int, height: int) -> float:
    """Standard deviation in pixels of a picture of this size, for a strength of 0 to 100."""
    lines = max(height, width * 9 / 16)  # a narrow strip shows its room as large as a whole picture does
    return (SIGMA_MIN + (SIGMA_MAX - SIGMA_MIN) * strength / 100) * lines / 720


class Blur:
    """Fills with the frame's own room, blurred.

    Args:
        strength: 0 to 100.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def fill(self, frame: Image, alpha: Image | None, out: Image) -> None:
        """See `app.compose.effects.Effect`."""
        strength = self._strength if alpha is not None else max(self._strength, SAFE_STRENGTH)
        height, width = frame.shape[0] * 2 // 3, frame.shape[1]
        sigma = sigma_of(strength, width, height)
        scale = min(8 if sigma_of(strength, 1280, 720) >= FINE_SIGMA else 4, width // 2, height // 2)
        if alpha is None:
            alpha = np.zeros((height, width), np.uint8)
        small, small_alpha = shrink(frame, alpha, scale)
        room = average(small, room_weight(small_alpha), max(sigma / scale, 0.5))
        for channel, plane in zip(np.rint(room).astype(np.uint8), planes(out), strict=True):
            cv2.resize(channel, plane.shape[::-1], dst=plane, interpolation=cv2.INTER_LINEAR)
