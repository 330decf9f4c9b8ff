"""Blend the person over a background, plane by plane, with the room's colour taken out of the edge.

Most pixels are all person or all background and are only copied. The few in the band between (about 3 % of a frame)
get the foreground's own colour instead of the camera's mixture (Forte 2021, equation 7):

    F = F̂ + alpha · (C − alpha · F̂ − (1 − alpha) · B̂),    out = alpha · F + (1 − alpha) · background

with C the camera's colour and F̂, B̂ the smooth colours of person and room from `surroundings`.

Alpha comes at half the frame's size and is never enlarged as a whole: one value of it is a quad, four pixels of
luminance and one of each chroma plane, and only the band's quads need values between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.planes import BLACK, double, planes
from app.compose.scratch import Scratch
from app.compose.surroundings import average
from app.compose.view import View
from app.frame import Image

SCALE = 8
"""The edge's surroundings are estimated at 1/8: Gaussian and all 0.45 ms; at 1/4 it is three times that and looks the
same."""

SIGMA = 1.2
"""Reach of the estimate in cells, i.e. about 10 pixels of 720p: the width of the soft edge."""

MAX_BAND = 0.15
"""A band wider than this share of the frame is no edge (0.03 to 0.05) but an unsure mask; its colours cannot be told
apart, and the plain blend bounds the time: 7.5 ms at 0.15 of a 720p frame, 1 ms beyond."""

_AROUND = np.ones((3, 3), np.uint8)
_FOLD = 1024
"""cv2.remap takes destinations up to 32767 wide, so lists of positions are folded into rows."""


Floats = NDArray[np.float32]


class Compositor:
    """Composites frames of one size; its buffers are allocated once.

    Args:
        width, height: the frame's size, even.
    """

    def __init__(self, width: int, height: int) -> None:
        half = (height // 2, width // 2)
        self._low, self._high = np.empty(half, np.uint8), np.empty(half, np.uint8)
        self._inside, self._band = np.empty(half, np.bool_), np.empty(half, np.bool_)
        self._scratch = Scratch()
        self._person = np.empty((0, 0), np.uint8)
        self._alpha = np.empty((0, 0), np.uint8)

    def compose(self, view: View, out: Image) -> None:
        """Lay the person of `view` over the background that is already in `out`.

        Args:
            view: the frame, and its alpha.
            out: uint8 I420 (H * 3 // 2, W), the background; becomes the finished picture.
        """
        self._blend(view, out, keep_colour=False)

    def cut_out(self, view: View, out: Image) -> None:
        """The person alone, straight alpha, colour 0 where alpha is 0.

        Args:
            view: as for `compose`.
            out: uint8 BGRA (H, W, 4) to write into.
        """
        if self._person.shape != view.frame.shape:
            self._person = np.empty_like(view.frame)
        for plane, value in zip(planes(self._person), BLACK, strict=True):
            plane.fill(value)
        self._blend(view, self._person, keep_colour=True)
        cv2.cvtColor(self._person, cv2.COLOR_YUV2BGRA_I420, dst=out)
        alpha = self._enlarged(view)
        cv2.insertChannel(alpha, out, 3)
        # As one number a pixel: a twentieth of the time that indexing by a mask takes.
        pixels = out.view(np.uint32)[..., 0]
        np.multiply(pixels, alpha > 0, out=pixels)

    def _blend(self, view: View, out: Image, *, keep_colour: bool) -> None:
        band = self._find(_alpha_of(view))
        if len(band) > MAX_BAND * self._band.size:
            if keep_colour:
                _fill_with_mean_colour(view, out)
            self._blend_plainly(view, out)
            return
        self._copy_inside(view.frame, out)
        if len(band):
            _blend_band(view, band, out, self._scratch, keep_colour=keep_colour)

    def _find(self, alpha: Image) -> NDArray[np.intp]:
        """Note which quads are all person; return the flat indices of those that are neither that nor all room.

        A quad's luminance is interpolated from its neighbours' alpha too, so they count.
        """
        cv2.erode(alpha, _AROUND, dst=self._low)
        cv2.dilate(alpha, _AROUND, dst=self._high)
        np.equal(self._low, 255, out=self._inside)
        np.greater(self._high, 0, out=self._band)
        np.greater(self._band, self._inside, out=self._band)
        return np.flatnonzero(self._band)  # as bool it is a quarter of the time of uint8

    def _copy_inside(self, camera: Image, out: Image) -> None:
        mask = self._inside.view(np.uint8)
        (luma, *chroma), (target, *targets) = planes(camera), planes(out)
        pairs, target_pairs = luma.view(np.uint16), target.view(np.uint16)  # a quad's two pixels of a row as one
        for row in (0, 1):
            cv2.copyTo(pairs[row::2], mask, target_pairs[row::2])
        for plane, place in zip(chroma, targets, strict=True):
            cv2.copyTo(plane, mask, place)

    def _blend_plainly(self, view: View, out: Image) -> None:
        alphas = (self._enlarged(view), _alpha_of(view), _alpha_of(view))
        for camera, alpha, target in zip(planes(view.frame), alphas, planes(out), strict=True):
            _plain_blend(camera, alpha, target)

    def _enlarged(self, view: View) -> Image:
        """The alpha at the frame's size; overwritten by the next call."""
        height, width = view.frame.shape[0] * 2 // 3, view.frame.shape[1]
        if self._alpha.shape != (height, width):
            self._alpha = np.empty((height, width), np.uint8)
        return double(_alpha_of(view), self._alpha)


def _alpha_of(view: View) -> Image:
    if view.alpha is None:
        raise ValueError("a frame without an alpha cannot be composited, only covered")
    return view.alpha


def _blend_band(view: View, band: NDArray[np.intp], out: Image, scratch: Scratch, *, keep_colour: bool) -> None:
    """Blend the quads `band` in place; `keep_colour` writes F itself instead of blending it."""
    alpha = _alpha_of(view)
    rows, columns = np.divmod(band.astype(np.int32), np.int32(alpha.shape[1]))
    places = _places(band, rows, columns, alpha.shape, scratch)
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    share = _alpha_between(alpha, x, y)
    person, room = _surroundings(view, x, y)
    camera, background = (scratch.array(name, places.shape, np.float32) for name in ("camera", "background"))
    np.copyto(camera, view.frame.reshape(-1).take(places))
    np.copyto(background, out.reshape(-1).take(places))
    product = scratch.array("product", share.shape, np.float32)
    _mix(camera[:4], background[:4], share, person[0], room[0], product, keep_colour=keep_colour)
    # OpenCV's I420 takes a chroma sample from the upper left pixel of its four.
    _mix(camera[4:], background[4:], share[0], person[1:], room[1:], product[:2], keep_colour=keep_colour)
    np.clip(camera, 0, 255, out=camera)
    out.reshape(-1)[places] = np.rint(camera, out=camera)


def _mix(
    camera: Floats, background: Floats, a: Floats, person: Floats, room: Floats, product: Floats, *, keep_colour: bool
) -> None:
    """The module's formula, in place of `camera`; shapes broadcast to that of `camera` and of `product`, scratch."""
    camera -= np.multiply(a, person, out=product)
    camera -= np.multiply(1 - a, room, out=product)
    camera *= a
    camera += person
    if not keep_colour:
        camera *= a
        background *= 1 - a
        camera += background


def _places(
    band: NDArray[np.intp],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    shape: tuple[int, ...],
    scratch: Scratch,
) -> NDArray[np.intp]:
    """Flat indices into an I420 picture of the quads' samples, (6, n); `shape` is the half size's."""
    height, width = shape
    places: NDArray[np.intp] = scratch.array("places", (6, len(band)), np.intp)
    np.multiply(rows, 4 * width, out=places[0])
    places[0] += 2 * columns
    np.add(places[0], 1, out=places[1])
    np.add(places[:2], 2 * width, out=places[2:4])
    np.add(band, 4 * width * height, out=places[4])
    np.add(band, 5 * width * height, out=places[5])
    return places


def _alpha_between(alpha: Image, x: Floats, y: Floats) -> Floats:
    """Alpha in [0, 1] at the four pixels of luminance of each quad at (x, y), float32 (4, n)."""
    offsets = np.array([[-0.25, 0.25, -0.25, 0.25], [-0.25, -0.25, 0.25, 0.25]], np.float32)[..., None]
    (values,) = _sample([alpha], (x + offsets[0]).reshape(-1), (y + offsets[1]).reshape(-1))
    share: Floats = values.reshape(4, -1).astype(np.float32)
    share *= np.float32(1 / 255)
    return share


def _surroundings(view: View, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The smooth colours of person and room around the quads at (x, y) of the half size, each float32 (3, n)."""
    person, room = (average(weighted, SIGMA) for weighted in (view.person(SCALE), view.room(SCALE)))
    across, down = (
        np.float32(small / half) for small, half in zip(room.shape[:0:-1], view.half.shape[::-1], strict=True)
    )
    middle = np.float32(0.5)
    colours = np.stack(_sample([*person, *room], (x + middle) * across - middle, (y + middle) * down - middle))
    return colours[:3], colours[3:]


def _sample(planes: Sequence[Image | Floats], x: Floats, y: Floats) -> list[Any]:
    """Bilinear samples of each plane, (n,), at positions in its own pixels."""
    folded = np.zeros((2, -(-len(x) // _FOLD), _FOLD), np.float32)
    for axis, positions in zip(folded, (x, y), strict=True):
        axis.reshape(-1)[: len(x)] = positions
    u, v = folded
    found = (cv2.remap(p, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for p in planes)
    return [samples.reshape(-1)[: len(x)] for samples in found]


def _fill_with_mean_colour(view: View, out: Image) -> None:
    """Fill a picture with the person's mean colour, which shows no room where hardly anybody is."""
    alpha = _alpha_of(view)
    weight = max(float(cv2.sumElems(alpha)[0]), 1.0)
    for camera, plane in zip((view.half, *planes(view.frame)[1:]), planes(out), strict=True):
        total = cv2.sumElems(cv2.multiply(camera, alpha, dtype=cv2.CV_32F))[0]
        plane.fill(round(total / weight))


def _plain_blend(camera: Image, alpha: Image, target: Image) -> None:
    """target = alpha · camera + (1 − alpha) · target, in place, with OpenCV's vectorised 8-bit arithmetic."""
    person = cv2.multiply(camera, alpha, scale=1 / 255)
    cv2.multiply(target, cv2.bitwise_not(alpha), dst=target, scale=1 / 255)
    cv2.add(target, person, dst=target)
