"""Blend the person over a background, plane by plane, with the room's colour taken out of the edge.

Most pixels are all person or all background and are only copied. The few in the band between (about 3 % of a frame)
get the foreground's own colour instead of the camera's mixture (Forte 2021, equation 7):

    F = F̂ + alpha · (C − alpha · F̂ − (1 − alpha) · B̂),    out = alpha · F + (1 − alpha) · background

with C the camera's colour and F̂, B̂ the smooth colours of person and room from `surroundings`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.planes import BLACK, planes
from app.compose.surroundings import average, person_weight, room_weight, shrink
from app.frame import Image

SCALE = 8
"""The edge's surroundings are estimated at 1/8: Gaussian and all 0.5 ms; at 1/4 it is 1.6 ms and looks the same."""

SIGMA = 1.2
"""Reach of the estimate in cells, i.e. about 10 pixels of 720p: the width of the soft edge."""

MAX_BAND = 0.25
"""A band wider than this share of the frame is no edge but an unsure mask; its colours cannot be told apart, and the
plain blend bounds the time."""


class Compositor:
    """Composites frames of one size; its buffers are allocated once.

    Args:
        width, height: the frame's size, even.
    """

    def __init__(self, width: int, height: int) -> None:
        self._chroma_alpha = np.empty((height // 2, width // 2), np.uint8)
        self._mask = np.empty((height, width), np.uint8)
        self._chroma_mask = np.empty((height // 2, width // 2), np.uint8)
        self._person: Image | None = None

    def compose(self, frame: Image, alpha: Image, out: Image) -> None:
        """Lay the person of `frame` over the background that is already in `out`.

        Args:
            frame: uint8 I420 (H * 3 // 2, W), the camera's picture.
            alpha: uint8 (H, W), 255 where the person is.
            out: uint8 I420, the background; becomes the finished picture.
        """
        self._blend(frame, alpha, out, keep_colour=False)

    def cut_out(self, frame: Image, alpha: Image, out: Image) -> None:
        """The person alone, straight alpha, colour 0 where alpha is 0.

        Args:
            frame, alpha: as for `compose`.
            out: uint8 BGRA (H, W, 4) to write into.
        """
        if self._person is None:
            self._person = np.empty_like(frame)
        for plane, value in zip(planes(self._person), BLACK, strict=True):
            plane.fill(value)
        self._blend(frame, alpha, self._person, keep_colour=True)
        cv2.cvtColor(self._person, cv2.COLOR_YUV2BGRA_I420, dst=out)
        cv2.insertChannel(alpha, out, 3)
        # As one number a pixel: a twentieth of the time that indexing by a mask takes.
        pixels = out.view(np.uint32)[..., 0]
        np.multiply(pixels, alpha > 0, out=pixels)

    def _blend(self, frame: Image, alpha: Image, out: Image, *, keep_colour: bool) -> None:
        # OpenCV's I420 takes each chroma sample from the upper left pixel of its four, so its alpha is taken there too.
        np.copyto(self._chroma_alpha, alpha[::2, ::2])
        band = _band(alpha, self._mask)
        chroma_band = _band(self._chroma_alpha, self._chroma_mask)
        plain = len(band) > MAX_BAND * alpha.size
        colours = None if plain else _surroundings(frame, alpha)
        for channel, (camera, target) in enumerate(zip(planes(frame), planes(out), strict=True)):
            a = self._chroma_alpha if channel else alpha
            if colours is None:
                _plain_blend(camera, a, target)
                continue
            mask = self._chroma_mask if channel else self._mask
            np.equal(a, 255, out=mask.view(np.bool_))
            cv2.copyTo(camera, mask, target)
            where = chroma_band if channel else band
            step = SCALE // 2 if channel else SCALE
            _blend_band(camera, a, target, where, colours[channel], step, keep_colour=keep_colour)


def _band(alpha: Image, mask: Image) -> NDArray[np.intp]:
    """Flat indices of the pixels that are neither all person nor all background; `mask` is scratch."""
    cv2.inRange(alpha, 1, 254, dst=mask)
    return np.flatnonzero(mask.view(np.bool_))  # as bool it is 0.2 ms, as uint8 1.6


def _surroundings(frame: Image, alpha: Image) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """For each plane the smooth colours of person and room, float32 (h, w)."""
    small, small_alpha = shrink(frame, alpha, SCALE)
    person = average(small, person_weight(small_alpha), SIGMA)
    room = average(small, room_weight(small_alpha), SIGMA)
    return list(zip(person, room, strict=True))


def _blend_band(
    camera: Image,
    alpha: Image,
    target: Image,
    where: NDArray[np.intp],
    colours: tuple[NDArray[np.float32], NDArray[np.float32]],
    step: int,
    *,
    keep_colour: bool,
) -> None:
    """Blend the pixels `where` of one plane in place; `keep_colour` writes F itself instead of blending it."""
    if not len(where):
        return
    rows, columns = np.divmod(where.astype(np.int32), np.int32(alpha.shape[1]))
    person, room = (_sample(c, rows, columns, step) for c in colours)
    a = alpha.reshape(-1)[where].astype(np.float32) * np.float32(1 / 255)
    c = camera.reshape(-1)[where].astype(np.float32)
    foreground = person + a * (c - a * person - (1 - a) * room)
    if not keep_colour:
        foreground *= a
        foreground += (1 - a) * target.reshape(-1)[where]
    np.rint(np.clip(foreground, 0, 255, out=foreground), out=foreground)
    target.reshape(-1)[where] = foreground


def _sample(
    small: NDArray[np.float32], rows: NDArray[np.int32], columns: NDArray[np.int32], step: int
) -> NDArray[np.float32]:
    """Bilinear samples of a map that is `step` times smaller, at pixel positions of the large one."""
    # cv2.remap takes destinations up to 32767 wide, so the list is folded into rows of 1024.
    count = len(rows)
    folded = np.zeros((2, -(-count // 1024), 1024), np.float32)
    for axis, positions in zip(folded, (columns, rows), strict=True):
        flat = axis.reshape(-1)[:count]
        np.multiply(positions, np.float32(1 / step), out=flat)
        flat += np.float32(0.5 / step - 0.5)
    result: NDArray[np.float32] = cv2.remap(
        small, folded[0], folded[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return result.reshape(-1)[:count]


def _plain_blend(camera: Image, alpha: Image, target: Image) -> None:
    """target = alpha · camera + (1 − alpha) · target, in place, with OpenCV's vectorised 8-bit arithmetic."""
    person = cv2.multiply(camera, alpha, scale=1 / 255)
    cv2.multiply(target, cv2.bitwise_not(alpha), dst=target, scale=1 / 255)
    cv2.add(target, person, dst=target)
