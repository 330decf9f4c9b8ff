"""Published pictures as Qt wants them."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtGui import QImage

from app.compose.planes import planes
from app.frame import Image


def fit_within(picture: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest even width and height with the picture's aspect that fit into the room; at least 2 × 2."""
    scale = min(room[0] / picture[0], room[1] / picture[1])
    return max(2, int(picture[0] * scale) // 2 * 2), max(2, int(picture[1] * scale) // 2 * 2)


def to_image(i420: Image, room: tuple[int, int]) -> QImage:
    """Scale a picture to fit and turn it into RGB.

    The planes are scaled before the colours are turned, so that the work is that of the small picture.

    Args:
        i420: uint8 (H * 3 // 2, W), BT.601 limited range.
        room: width and height in device pixels it may take.
    """
    width, height = i420.shape[1], i420.shape[0] * 2 // 3
    to_width, to_height = fit_within((width, height), room)
    scaled = np.empty((to_height * 3 // 2, to_width), np.uint8)
    # Averaging takes 2.5 ms instead of 0.5: worth it only where the other would leave out every second pixel or more.
    method = cv2.INTER_AREA if to_width * 3 < width else cv2.INTER_LINEAR
    for plane, to_plane in zip(planes(i420), planes(scaled), strict=True):
        cv2.resize(plane, to_plane.shape[::-1], dst=to_plane, interpolation=method)
    image = QImage(to_width, to_height, QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.bits(), np.uint8).reshape(to_height, to_width, 4)
    cv2.cvtColor(scaled, cv2.COLOR_YUV2BGRA_I420, dst=pixels)
    return image
