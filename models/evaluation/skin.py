"""How light somebody's skin is: the individual typology angle, measured on the skin of the face.

The angle is of Chardon, Cretois and Hourseau (Skin colour typology and suntanning pathways, Int. J. Cosmet. Sci. 13,
1991), its six groups of Del Bino and Bernerd (Variations in skin colour and the biological consequences of ultraviolet
radiation exposure, Br. J. Dermatol. 169, 2013). They measured under a known light; a photograph's own light shifts the
angle, and a dim one makes skin look darker, so a group here is one of pictures as much as of people.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.peers import FACE_SKIN

TONES = (("very light", 55.0), ("light", 41.0), ("intermediate", 28.0), ("tan", 10.0), ("brown", -30.0))
"""The groups and the angle, in degrees, above which each begins; below the last one lies "dark"."""
DARKEST = "dark"
FEWEST_PIXELS = 60
"""Of 256 × 256: a face of about 9 by 9, below which the segmenter's edge is most of it."""
SURE = 0.7
"""Share of a class from which a pixel counts as skin: lips, brows and hair at the edge fall out."""


def typology_angle(lightness: float, yellowness: float) -> float:
    """The angle in degrees from L* and b*: above 0 for skin lighter than mid-grey."""
    return math.degrees(math.atan2(lightness - 50, max(yellowness, 1e-6)))


def tone(angle: float) -> str:
    """The group of an angle."""
    return next((name for name, limit in TONES if angle > limit), DARKEST)


def measure(
    picture: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    parts: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> float | None:
    """The angle of the median colour of the face's skin inside the person's mask; None where no face is found.

    Args:
        picture: uint8 BGR (h, w, 3).
        alpha: uint8 (h, w), the labelled person.
        parts: the segmenter that tells skin from the rest.
    """
    shares = parts(picture)
    size = shares.shape[1::-1]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 200
    skin = (shares[..., FACE_SKIN] > SURE) & inside
    if np.count_nonzero(skin) < FEWEST_PIXELS:
        return None
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[skin]
    lightness, _, yellowness = np.median(lab, 0)
    return typology_angle(float(lightness), float(yellowness))
