"""What a matte is worth, frame by frame: region, contour, error, steadiness.

Mattes are float32 (h, w) in [0, 1]; "mask" is a matte at half.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Matte = NDArray[np.float32]
Mask = NDArray[np.bool_]
CONTOUR_TOLERANCE = 0.008
"""Of the diagonal: how far a contour may lie from the true one, as in the DAVIS benchmark."""
STILL_LEVELS = 3.0
"""Luminance levels of 255 by which an average over 9×9 pixels may change where nothing moved; noise changes it less."""


def region(found: Mask, truth: Mask) -> float:
    """J: intersection over union; 1 if both are empty."""
    union = np.count_nonzero(found | truth)
    return np.count_nonzero(found & truth) / union if union else 1.0


def _contour(mask: Mask) -> NDArray[np.uint8]:
    """The pixels on both sides of the mask's outline."""
    square = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, square), np.uint8)


def contour(found: Mask, truth: Mask) -> float:
    """F: harmonic mean of the shares of either contour that lie near the other; 1 if neither mask has one."""
    radius = int(np.ceil(CONTOUR_TOLERANCE * np.hypot(*truth.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    ours, theirs = _contour(found), _contour(truth)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = np.count_nonzero(ours & cv2.dilate(theirs, disc)) / np.count_nonzero(ours)
    recall = np.count_nonzero(theirs & cv2.dilate(ours, disc)) / np.count_nonzero(theirs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mean_difference(found: Matte, truth: Matte) -> float:
    """MAD: mean absolute difference."""
    return float(np.abs(found - truth).mean())


def unsteadiness(found: Matte, before: Matte, truth: Matte, truth_before: Matte) -> float:
    """dtSSD: root mean square of how differently the matte and the truth changed since the frame before."""
    return float(np.sqrt(np.square((found - before) - (truth - truth_before)).mean()))


def flicker(found: Matte, before: Matte, frame: NDArray[np.uint8], frame_before: NDArray[np.uint8]) -> float:
    """Mean absolute change of the matte where the picture, uint8 BGR (h, w, 3), stood still. Needs no truth."""
    size = (9, 9)
    now, then = (cv2.blur(cv2.cvtColor(f, cv2.COLOR_BGR2GRAY).astype(np.float32), size) for f in (frame, frame_before))
    still = np.abs(now - then) < STILL_LEVELS
    return float(np.abs(found - before)[still].mean()) if still.any() else 0.0
