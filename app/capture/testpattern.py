"""A moving figure in front of a coded wall, and a detector that finds this wall in any published picture.

The wall is a fixed pseudo-random code: 160 × 90 cells, each with one of two values in luma and in both colour
differences. The detector reduces a picture to the same 160 × 90 cells, removes what is coarser than a few cells, and
asks in every 7 × 7 window how strongly the code is in there and how well it explains what is there. So it finds the
wall in any 64 × 64 block of a 1280 × 720 picture and at half its strength, and is blind to photos, flat colours,
and to the wall itself once it is blurred well (sigma 5 or more at 1280 × 720). Pictures must be 320
pixels wide or more.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.frame import Image

_GRID = (160, 90)
"""Cells across and down: 8 pixels a side at 1280 × 720, so a blur of sigma 8 leaves 5 % of the code (measured)."""

_WINDOW = 7
"""Cells a side of a detector window: the largest that lies whole in any 64 × 64 pixels at 1280 × 720."""

_AMPLITUDE = (50.0, 24.0, 24.0)
"""Of luma and both colour differences around 128; more would leave the colours that BGR can show."""

_LOCAL = 3
"""Cells a side of the mean that is taken away: shading and large edges are no code. Of 3, 5 and 9, 3 tells blurred from
raw best."""

STRENGTH = 0.2
"""The least part of the wall's contrast that counts as seen. Measured: half a blend 0.5, a blur of sigma 8
at most 0.05, ten photos and textures at most 0.12, scaled to 320 × 240 at least 0.7 in most windows."""

CORRELATION = 0.45
"""The least correlation of the 147 values in a window. Measured: photos, textures and noise at most 0.35; the wall
at half strength over any of them 0.93 in most windows."""

_BALANCED = tuple(((a, b), (c, d)) for a, b, c, d in itertools.product((-1, 1), repeat=4) if a + b + c + d == 0)
"""The code is made of these six 2 × 2 blocks of mean 0, so that it has next to nothing coarse that outlives a blur."""

FloatMap = NDArray[np.float32]


class TestPattern:
    """The test pattern as a source; see `app.capture` for the contract. Frame n is always the same picture.

    Args:
        width, height: pixels of the frames, at least 1.
        fps: the rate it is meant to be read at.
    """

    __test__ = False  # pytest takes classes named Test… for tests
    live = False
    name = "Test pattern"

    def __init__(self, width: int = 1280, height: int = 720, fps: float = 30.0) -> None:
        self.fps = fps
        self._size = (width, height)
        self._next = 0

    def read(self) -> Image:
        """The next frame, uint8 BGR (H, W, 3)."""
        image = draw(self._next, *self._size)
        self._next += 1
        return image

    def close(self) -> None:
        """Nothing to close."""


def wall(width: int, height: int) -> Image:
    """The wall without the figure, uint8 BGR (height, width, 3)."""
    cells = np.stack([128 + a * c for a, c in zip(_AMPLITUDE, _code(), strict=True)], axis=-1)
    bgr = cv2.cvtColor(_limited_to_full(cells), cv2.COLOR_YCrCb2BGR)
    return _uint8(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_NEAREST))


def figure(n: int, width: int, height: int) -> Image:
    """The exact alpha of the figure in frame n, uint8 (height, width): a head and shoulders that sway in 4 seconds."""
    sway = math.sin(2 * math.pi * n / 120)
    nod = math.sin(2 * math.pi * n / 75)
    x, y = width * (0.5 + 0.12 * sway), height * (0.38 + 0.015 * nod)
    alpha = np.zeros((height, width), np.uint8)
    _ellipse(alpha, x, y, 0.15 * height, 0.2 * height)
    _ellipse(alpha, x - 0.01 * width * sway, y + 0.22 * height, 0.08 * height, 0.16 * height)
    _ellipse(alpha, x - 0.02 * width * sway, y + 0.64 * height, 0.44 * height, 0.37 * height)
    return alpha


def draw(n: int, width: int, height: int) -> Image:
    """Frame n, uint8 BGR (height, width, 3)."""
    image = _kept_wall(width, height).copy()
    alpha = figure(n, width, height)
    x, y, w, h = cv2.boundingRect(alpha)
    box = np.s_[y : y + h, x : x + w]
    weight = alpha[box][..., None].astype(np.uint16)
    image[box] = (image[box] * (255 - weight) + _clothes(width, height)[box] * weight + 127) // 255
    return image


@lru_cache(maxsize=4)
def _kept_wall(width: int, height: int) -> Image:
    return wall(width, height)


@lru_cache(maxsize=4)
def _clothes(width: int, height: int) -> Image:
    """Skin above, a dark jumper below, with soft light from the left."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    across = np.linspace(1.1, 0.8, width, dtype=np.float32)[None, :, None]
    cloth = 1 / (1 + np.exp(-(down - 0.66) * 60))
    skin, jumper = _float32([140, 165, 215]), _float32([110, 70, 45])
    return _uint8((skin * (1 - cloth) + jumper * cloth) * across)


def contains_raw_background(picture: Image) -> bool:
    """Whether the wall can be seen anywhere in a published picture.

    Args:
        picture: uint8, BGR (H, W, 3), BGRA (H, W, 4) or I420 (H * 3 // 2, W), showing the whole of the frame at any
            size, mirrored or not.
    """
    strength, correlation = detect(picture)
    return bool(((strength >= STRENGTH) & (correlation >= CORRELATION)).any())


def detect(picture: Image) -> tuple[FloatMap, FloatMap]:
    """How much of the wall is in each window of a picture, and how well the wall explains the window.

    Returns:
        Two float32 maps of windows: strength (1 = the raw wall, 0 = none) and correlation (-1 to 1), each the larger
        of the picture as it is and mirrored.
    """
    cells = _high_pass(_cells(picture) / _float32(_AMPLITUDE))
    best = [_match(cells, code) for code in (_expected(), np.ascontiguousarray(_expected()[:, ::-1]))]
    (strength, correlation), (strength_mirrored, correlation_mirrored) = best
    mirrored = correlation_mirrored > correlation
    return (
        _float32(np.where(mirrored, strength_mirrored, strength)),
        _float32(np.where(mirrored, correlation_mirrored, correlation)),
    )


def _match(cells: FloatMap, code: FloatMap) -> tuple[FloatMap, FloatMap]:
    both, of_code, of_cells = (_window_sums(product) for product in (cells * code, code * code, cells * cells))
    # A window without any structure correlates with nothing: 1e-3 is a hundredth of a grey level.
    return _float32(both / of_code), _float32(both / np.sqrt(of_code * np.maximum(of_cells, 1e-3)))


def _window_sums(cells: FloatMap) -> FloatMap:
    """Sums over each whole window and the three channels."""
    sums = cv2.boxFilter(cells.sum(axis=2), -1, (_WINDOW, _WINDOW), normalize=False)
    edge = _WINDOW // 2
    return _float32(sums[edge:-edge, edge:-edge])


def _high_pass(cells: FloatMap) -> FloatMap:
    return _float32(cells - cv2.blur(cells, (_LOCAL, _LOCAL), borderType=cv2.BORDER_REFLECT))


def _cells(picture: Image) -> FloatMap:
    """A picture's mean luma and colour differences in each cell, float32 (90, 160, 3)."""
    if picture.ndim == 2:
        height = picture.shape[0] * 2 // 3
        chroma = picture[height:].reshape(2, height // 2, -1)
        planes = [picture[:height], chroma[0], chroma[1]]
    else:
        bgr = np.ascontiguousarray(picture[..., :3])
        ycrcb = _full_to_limited(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb))
        planes = list(ycrcb.transpose(2, 0, 1))
    return np.stack([cv2.resize(_float32(plane), _GRID, interpolation=cv2.INTER_AREA) for plane in planes], axis=-1)


def _full_to_limited(ycrcb: Image) -> FloatMap:
    """OpenCV's Y, Cr, Cb (0–255) as the Y, U, V (16–235, 16–240) of I420, float32."""
    y, cr, cb = np.moveaxis(ycrcb.astype(np.float32), -1, 0)
    return np.stack([16 + y * 219 / 255, 128 + (cb - 128) * 224 / 255, 128 + (cr - 128) * 224 / 255], axis=-1)


def _limited_to_full(yuv: FloatMap) -> Image:
    """The inverse of `_full_to_limited`, rounded."""
    y, u, v = np.moveaxis(yuv, -1, 0)
    full = np.stack([(y - 16) * 255 / 219, 128 + (v - 128) * 255 / 224, 128 + (u - 128) * 255 / 224], axis=-1)
    return _uint8(np.round(full))


@lru_cache(maxsize=1)
def _code() -> FloatMap:
    """The code, float32 (3, 90, 160) of -1 and 1: the same on every machine and with every version of numpy."""
    across, down = _GRID[0] // 2, _GRID[1] // 2
    picks = np.frombuffer(_random_bytes(3 * down * across), np.uint8) % len(_BALANCED)
    blocks = _float32(_BALANCED)[picks].reshape(3, down, across, 2, 2)
    return np.ascontiguousarray(blocks.transpose(0, 1, 3, 2, 4).reshape(3, _GRID[1], _GRID[0]))


def _random_bytes(count: int) -> bytes:
    """Bytes of a 32-bit xorshift generator (Marsaglia 2003), which is short enough to stand here."""
    state, result = 0x9E3779B9, bytearray()
    for _ in range(count):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        result.append(state >> 24)
    return bytes(result)


@lru_cache(maxsize=1)
def _expected() -> FloatMap:
    """The code as the detector sees it, float32 (90, 160, 3)."""
    return _high_pass(np.ascontiguousarray(_code().transpose(1, 2, 0)))


def _float32(values: ArrayLike) -> FloatMap:
    return np.asarray(values, np.float32)


def _uint8(values: NDArray[Any]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _ellipse(alpha: Image, x: float, y: float, half_width: float, half_height: float) -> None:
    """Fill an ellipse with smooth edges; the numbers are pixels."""
    bits = 4  # cv2 takes fractions of a pixel as fixed-point numbers
    scale = 1 << bits
    centre = (round(x * scale), round(y * scale))
    axes = (round(half_width * scale), round(half_height * scale))
    cv2.ellipse(alpha, centre, axes, 0, 0, 360, 255, cv2.FILLED, cv2.LINE_AA, bits)
