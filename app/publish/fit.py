"""Fits I420 pictures into a device that insists on another size."""

from __future__ import annotations

import cv2
import numpy as np

from app.compose.planes import new_i420, planes
from app.frame import Image, Picture


class Fit:
    """Scales I420 pictures of one size into another, whole and centred, with black bars where the aspects differ.

    Args:
        source: width and height of the pictures that come.
        target: width and height that is wanted; all four even.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        self._picture = new_i420(*target)
        # Even sizes and places keep luma and chroma on the same pixels.
        scale = min(target[0] / source[0], target[1] / source[1])
        width, height = (min(t, max(2, round(s * scale / 2) * 2)) for s, t in zip(source, target, strict=True))
        x, y = (target[0] - width) // 4 * 2, (target[1] - height) // 4 * 2
        self._method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        self._boxes = ((x, y, width, height), *[(x // 2, y // 2, width // 2, height // 2)] * 2)

    def __call__(self, i420: Image) -> Image:
        """The fitted picture; it is overwritten by the next call."""
        for plane, target, (x, y, width, height) in zip(planes(i420), planes(self._picture), self._boxes, strict=True):
            inner = target[y : y + height, x : x + width]
            np.copyto(inner, cv2.resize(plane, (width, height), interpolation=self._method))
        return self._picture


class Fitter:
    """Brings pictures of whatever size to one size; those that have it are left as they are.

    Args:
        target: width and height that is wanted, both even.
    """

    def __init__(self, target: tuple[int, int]) -> None:
        self.target = target
        self._fit: tuple[tuple[int, int], Fit] | None = None

    def __call__(self, picture: Picture) -> Image:
        """The picture's I420, fitted where need be; it is overwritten by the next call."""
        if picture.size == self.target:
            return picture.i420
        if self._fit is None or self._fit[0] != picture.size:
            self._fit = (picture.size, Fit(picture.size, self.target))
        return self._fit[1](picture.i420)
