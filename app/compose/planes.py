"""Views of the three planes of an I420 picture, and conversions to and from it.

Compositing works on I420 because that is what virtual cameras take: half the samples of BGR, and no conversion of the
finished picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.frame import Image

BLACK = (16, 128, 128)
"""Black in BT.601 limited range: Y, U, V."""


def new_i420(width: int, height: int, yuv: tuple[int, int, int] = BLACK) -> Image:
    """A new I420 picture of one colour, uint8 (height * 3 // 2, width); both sizes even."""
    image = np.empty((height * 3 // 2, width), np.uint8)
    for plane, value in zip(planes(image), yuv, strict=True):
        plane[...] = value
    return image


def planes(i420: Image) -> tuple[Image, Image, Image]:
    """Views of Y (H, W), U and V (H / 2, W / 2) of an I420 picture (H * 3 // 2, W)."""
    height, width = i420.shape[0] * 2 // 3, i420.shape[1]
    chroma = i420.reshape(-1)[height * width :].reshape(2, height // 2, width // 2)
    return i420[:height], chroma[0], chroma[1]


def from_bgr(bgr: Image, out: Image | None = None) -> Image:
    """Convert BGR (H, W, 3), H and W even, to I420; into `out` if given."""
    i420: Image = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420, dst=out)
    return i420


def to_bgr(i420: Image, out: Image | None = None) -> Image:
    """Convert I420 to BGR (H, W, 3); into `out` if given."""
    bgr: Image = cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420, dst=out)
    return bgr


def double(half: Image, out: Image) -> Image:
    """Enlarge a plane (h, w) of half size linearly into `out`, uint8 (H, W); returns it."""
    cv2.resize(half, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
    return out


def yuv_of(colour: str) -> tuple[int, int, int]:
    """Y, U, V of a colour "#rrggbb"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    y, u, v = (int(p[0, 0]) for p in planes(from_bgr(np.full((2, 2, 3), (blue, green, red), np.uint8))))
    return y, u, v


def fit_frame(image: Image, width: int, height: int, *, mirror: bool = False, out: Image | None = None) -> Image:
    """Scale and crop a BGR picture of any size to fill width × height, keeping its aspect; optionally mirrored.

    Args:
        image: uint8 (h, w, 3).
        out: uint8 (height, width, 3) to write into; a new array without it.
    """
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    if image.shape[:2] != (height, width):
        scale = max(width / image.shape[1], height / image.shape[0])
        inner_width = min(image.shape[1], max(1, round(width / scale)))
        inner_height = min(image.shape[0], max(1, round(height / scale)))
        x, y = (image.shape[1] - inner_width) // 2, (image.shape[0] - inner_height) // 2
        method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        inner = image[y : y + inner_height, x : x + inner_width]
        image = cv2.resize(inner, (width, height), dst=None if mirror else out, interpolation=method)
    if mirror:
        cv2.flip(image, 1, dst=out)
    elif image is not out:
        np.copyto(out, image)
    return out
