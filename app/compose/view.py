"""One frame as effects and compositor see it: the picture, its alpha, and both made small.

What is small is made once a frame for all who ask, in buffers that are allocated once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.planes import planes
from app.compose.scratch import Scratch
from app.compose.surroundings import person_weight, room_weight
from app.frame import Image

Weighted = NDArray[np.float32]
"""float32 (4, h, w): Y, U and V times a weight, and the weight in [0, 1]."""


class View:
    """Frames of one size, one after the other; one thread uses it.

    Args:
        width, height: the frame's size, even.

    Attributes:
        frame: uint8 I420 (H * 3 // 2, W), the camera's picture.
        half: uint8 (H / 2, W / 2), its luminance at half size.
        alpha: uint8 (H / 2, W / 2), 255 where the person is; None when no mask can be trusted.
    """

    def __init__(self, width: int, height: int) -> None:
        self.frame = np.empty((height * 3 // 2, width), np.uint8)
        self.half = np.empty((height // 2, width // 2), np.uint8)
        self.alpha: Image | None = None
        self._scratch = Scratch()
        self._fresh: set[tuple[str, int]] = set()

    def turn_to(self, frame: Image) -> None:
        """Turn to a frame that has no alpha yet; it is not copied."""
        self.frame, self.alpha = frame, None
        cv2.resize(planes(frame)[0], self.half.shape[::-1], dst=self.half, interpolation=cv2.INTER_AREA)
        self._fresh.clear()

    def lay(self, alpha: Image | None) -> None:
        """Lay an alpha over the frame, of half its size; it is not copied."""
        self.alpha = alpha
        self._fresh.clear()

    def room(self, scale: int) -> Weighted:
        """The room, weighted, at 1/4, 1/8 or 1/16 of the frame's size; overwritten in the next frame."""
        if scale == 16:
            return self._halved_room()
        return self._weigh("room", scale)

    def person(self, scale: int) -> Weighted:
        """The person, weighted, at 1/4 or 1/8 of the frame's size; overwritten in the next frame."""
        return self._weigh("person", scale)

    def _weigh(self, who: str, scale: int) -> Weighted:
        small = self._shrunk(scale)
        total: Weighted = self._scratch.array(f"{who} {scale}", small.shape, np.float32)
        if (who, scale) not in self._fresh:
            self._fresh.add((who, scale))
            if self.alpha is None:
                total[3] = who == "room"
            else:
                total[3] = (room_weight if who == "room" else person_weight)(small[3])
            np.multiply(small[:3], total[3], out=total[:3])
        return total

    def _halved_room(self) -> Weighted:
        eighth = self.room(8)
        size = (max(1, eighth.shape[2] // 2), max(1, eighth.shape[1] // 2))
        total: Weighted = self._scratch.array("room 16", (4, size[1], size[0]), np.float32)
        if ("room", 16) not in self._fresh:
            self._fresh.add(("room", 16))
            for plane, target in zip(eighth, total, strict=True):
                cv2.resize(plane, size, dst=target, interpolation=cv2.INTER_AREA)
        return total

    def _shrunk(self, scale: int) -> NDArray[np.uint8]:
        """Y, U, V and, where there is one, alpha, averaged, uint8 (4, h, w)."""
        width, height = max(1, self.frame.shape[1] // scale), max(1, self.frame.shape[0] * 2 // 3 // scale)
        small: NDArray[np.uint8] = self._scratch.array(f"small {scale}", (4, height, width), np.uint8)
        if ("shrunk", scale) not in self._fresh:
            self._fresh.add(("shrunk", scale))
            _, u, v = planes(self.frame)
            for plane, target in zip((self.half, u, v, self.alpha), small, strict=True):
                if plane is not None:
                    _reduce(plane, target)
        return small


def _reduce(plane: Image, out: Image) -> None:
    """Average down into `out`, halving first: OpenCV vectorises only that (0.04, not 0.23 ms)."""
    height, width = out.shape
    while plane.shape[1] >= 4 * width and plane.shape[0] >= 4 * height:
        plane = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    cv2.resize(plane, (width, height), dst=out, interpolation=cv2.INTER_AREA)
