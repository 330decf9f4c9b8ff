"""The card that is published while there is no picture to publish."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from app.compose.planes import from_bgr
from app.frame import Image

TITLE, SUBTITLE = "Camera paused", "Greenroom"
_BACKGROUND, _RING, _TEXT, _FAINT = (36, 32, 28), (122, 192, 78), (240, 240, 240), (150, 150, 150)


@lru_cache(maxsize=2)
def card(width: int, height: int) -> Image:
    """The "camera paused" card, uint8 I420 (height * 3 // 2, width); read-only, the same array every time."""
    # Drawn at one size and scaled: fonts and lines of OpenCV do not scale down to tiny pictures.
    drawn = cv2.resize(_drawn(), (width, height), interpolation=cv2.INTER_AREA)
    i420 = from_bgr(np.ascontiguousarray(drawn))
    i420.flags.writeable = False
    return i420


def _drawn() -> Image:
    width, height = 1280, 720
    image = np.full((height, width, 3), _BACKGROUND, np.uint8)
    centre = (width // 2, height // 2 - 70)
    cv2.circle(image, centre, 92, _RING, 6, cv2.LINE_AA)
    cv2.rectangle(image, (centre[0] - 46, centre[1] - 28), (centre[0] + 18, centre[1] + 28), _TEXT, -1, cv2.LINE_AA)
    lens = np.array([(26, 0), (52, -24), (52, 24)]) + centre
    cv2.fillPoly(image, [lens], _TEXT, cv2.LINE_AA)
    cv2.line(
        image,
        (centre[0] - 56, centre[1] - 56),
        (centre[0] + 56, centre[1] + 56),
        _BACKGROUND,
        18,
        cv2.LINE_AA,
    )
    cv2.line(image, (centre[0] - 60, centre[1] - 60), (centre[0] + 60, centre[1] + 60), _RING, 7, cv2.LINE_AA)
    for text, line, scale, colour in ((TITLE, 480, 1.9, _TEXT), (SUBTITLE, 545, 1.0, _FAINT)):
        (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 2)
        place = ((width - text_width) // 2, line)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 2, cv2.LINE_AA)
    return image
