"""The person of the sample clip: a still portrait that leans, breathes, nods, turns its head and blinks."""

from __future__ import annotations

import cv2
import numpy as np

from assets.clips.eyes import with_lids
from assets.painting import Floats, floats, linear

WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, 210
"""Seven seconds: every movement has a whole number of periods in it, so the last frame leads to the first."""

_SCALE = 2.0
"""Pixels of the clip for one of the portrait: head and shoulders, and the helmet on her arm below the frame."""

_HEAD = (228.0, 105.0)
_NECK = (226.0, 196.0)
_TOP = 78.0
"""Where the face and the base of the neck are in the portrait; how far below the frame's edge the hair begins."""


def wave(frame: int, *harmonics: tuple[int, float, float]) -> float:
    """A smooth movement that repeats with the clip: sum of (periods in the clip, amplitude, phase in turns)."""
    t = frame / FRAMES
    return float(sum(size * np.sin(2 * np.pi * (count * t + phase)) for count, size, phase in harmonics))


class Person:
    """The cut-out, ready to be posed at any frame."""

    def __init__(self, colour: Floats, alpha: Floats) -> None:
        # Premultiplied, so that warping mixes no colour of what is not there.
        self._layers = np.dstack([linear(colour[..., ::-1]) * alpha[..., None], alpha]).astype(np.float32)
        self._grid = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))

    def pose(self, frame: int) -> tuple[Floats, Floats]:
        """Linear RGB, premultiplied (HEIGHT, WIDTH, 3), and alpha (HEIGHT, WIDTH), float32."""
        x, y = self._body(frame)
        x, y = self._head(frame, x, y)
        shut = max(_lid(frame, 52), _lid(frame, 141))
        layers = with_lids(self._layers, shut) if shut > 0 else self._layers
        warped = cv2.remap(layers, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        # Enlarged twice, the portrait is softer than a camera's picture: give back some of its edges.
        soft = cv2.GaussianBlur(warped[..., :3], (0, 0), 1.8)
        alpha = np.clip(warped[..., 3], 0, 1)
        colour = np.clip(warped[..., :3] + 0.55 * (warped[..., :3] - soft), 0, alpha[..., None])
        return colour, alpha

    def _body(self, frame: int) -> tuple[Floats, Floats]:
        """Where in the portrait each pixel of the frame comes from: leaning from side to side, breathing."""
        lean = wave(frame, (1, 40, 0.0), (2, 14, 0.31), (3, 5, 0.7))
        tilt = wave(frame, (1, 0.020, 0.04), (2, 0.012, 0.45))
        breath = wave(frame, (2, 0.006, 0.2))
        rise = wave(frame, (2, 2.0, 0.25), (3, 2.0, 0.1))
        # About a point below the frame, where a seated body turns.
        pivot_x, pivot_y = WIDTH / 2 - 20, HEIGHT * 1.35
        x, y = self._grid[0] - pivot_x - lean, self._grid[1] - pivot_y - rise
        cos, sin = np.cos(tilt), np.sin(tilt)
        x, y = cos * x + sin * y, -sin * x + cos * y
        below = np.clip((y + pivot_y - 380) / 340, 0, 1)
        x = x * (1 - breath * below)
        y = y * (1 - 0.7 * breath)
        source_x = (x + pivot_x - WIDTH / 2) / _SCALE + _NECK[0]
        source_y = (y + pivot_y - _TOP) / _SCALE + 15
        return source_x.astype(np.float32), source_y.astype(np.float32)

    def _head(self, frame: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Turn, tilt and nod of the head; the neck follows half-way, the shoulders not at all."""
        turn = wave(frame, (1, 4.6, 0.12), (2, 2.6, 0.55), (3, 1.2, 0.2))
        tilt = wave(frame, (1, 0.040, 0.30), (3, 0.018, 0.05))
        nod = wave(frame, (2, 2.6, 0.15), (4, 1.3, 0.6), (5, 0.7, 0.3))
        neck_x, neck_y = _NECK
        weight = _smooth((neck_y + 22 - y) / 78)
        dx, dy = x - neck_x, y - neck_y
        x = x + weight * (np.sin(tilt) * dy)
        y = y + weight * (-np.sin(tilt) * dx)
        # A head is round: its middle, which is nearer, moves more than its outline.
        across, down = (x - _HEAD[0]) / 78, (y - _HEAD[1]) / 95
        near = np.clip(1 - across**2 - 0.55 * down**2, 0, 1) ** 0.8
        near = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 14)
        x = x - weight * turn * (0.35 + 0.9 * near)
        y = y - weight * nod * (0.45 + 0.8 * near)
        return x.astype(np.float32), y.astype(np.float32)


def _lid(frame: int, start: int) -> float:
    """How far the lids are shut, 0–1: down in three frames, up in five."""
    return float(np.interp(frame - start, (0, 3, 4, 9), (0, 1, 1, 0)))


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return floats(t * t * (3 - 2 * t))
