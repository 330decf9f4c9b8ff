"""The effects by name, built from the settings.

`none` is no effect of its own here: the pipeline publishes the frame itself, after the user's consent.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from app.capture.file import VideoFileSource
from app.capture.image import read_image
from app.compose.backgrounds import bundled
from app.compose.blur import Blur
from app.compose.planes import fit_frame, from_bgr, new_i420, yuv_of
from app.compose.view import View
from app.files import file_exists, named
from app.frame import Image
from app.problems import EffectError, SourceError
from app.settings import Settings


class Effect(Protocol):
    """Fills a picture with what stands behind the person."""

    def fill(self, view: View, out: Image) -> None:
        """Fill `out` whole.

        Args:
            view: the frame and its alpha; without one no mask can be trusted, and nothing of the frame may then be
                recognisable.
            out: uint8 I420 of the frame's size.
        """


class Still:
    """Fills with a picture that never changes, uint8 I420 of the frames' size."""

    def __init__(self, i420: Image) -> None:
        self._i420 = i420

    def current(self) -> Image:
        """The picture of now; the same array as long as it is the same picture."""
        return self._i420

    def fill(self, view: View, out: Image) -> None:
        np.copyto(out, self._i420)


class Video:
    """Fills with a video that loops at its own pace; a thread decodes the next picture meanwhile.

    Each picture has an array of its own: while one thread hands it to a GPU, another may cover a frame with the next.

    Args:
        path: the video file.
        width, height, fit: how its pictures are laid out.
    """

    def __init__(self, path: Path, width: int, height: int, fit: str) -> None:
        self._source = VideoFileSource(path, loop=True)
        self._layout = (width, height, fit)
        self._period = 1 / (self._source.fps or 30)
        self._i420 = lay_out(self._source.read(), *self._layout)
        self._decoding = ThreadPoolExecutor(1, "background")  # its thread ends when the effect is forgotten
        self._next = self._decoding.submit(self._decode, 1)
        self._due = time.monotonic() + self._period

    def current(self) -> Image:
        """The picture of now; another array than before when it is another picture."""
        now, following = time.monotonic(), self._next
        if now >= self._due and following.done():
            self._i420 = following.result()
            # A few late pictures are skipped so that the video keeps its pace; after a pause it goes on from there.
            late = min(2, int((now - self._due) / self._period))
            self._next = self._decoding.submit(self._decode, 1 + late)
            self._due = max(self._due + self._period * (1 + late), now)
        return self._i420

    def fill(self, view: View, out: Image) -> None:
        np.copyto(out, self.current())

    def _decode(self, pictures: int) -> Image:
        for _ in range(pictures):
            picture = self._source.read()
        return lay_out(picture, *self._layout)


def lay_out(image: Image, width: int, height: int, fit: str) -> Image:
    """Lay a BGR picture of any size out as an I420 background: cropped to fill, inside black bars, or in tiles.

    Args:
        image: uint8 BGR (h, w, 3).
        width, height, fit: how.
    """
    if image.shape[:2] == (height, width):
        return from_bgr(image)
    if fit == "fill":
        return from_bgr(fit_frame(image, width, height))
    canvas = np.zeros((height, width, 3), np.uint8)
    if fit == "tile":
        for y, x in itertools.product(range(0, height, image.shape[0]), range(0, width, image.shape[1])):
            part = image[: height - y, : width - x]
            canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    else:
        scale = min(width / image.shape[1], height / image.shape[0])
        inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[y : y + inner[1], x : x + inner[0]] = cv2.resize(image, inner, interpolation=method)
    return from_bgr(canvas)


def _image(settings: Settings) -> Effect:
    choice = f"Choose a file, or one of: {', '.join(bundled())} (--image)."
    if not settings.image:
        raise EffectError("No background picture is chosen.", choice)
    known = bundled().get(settings.image)
    path = known.path if known else named(settings.image)
    if not file_exists(path):
        raise EffectError(f"There is no background picture {settings.image}.", choice)
    width, height = settings.dimensions
    return Still(lay_out(read_image(path, max_side=2 * max(width, height)), width, height, settings.fit))


def _video(settings: Settings) -> Effect:
    if not settings.video:
        raise EffectError("No background video is chosen.", "Choose one, e.g. --video followed by a file.")
    return Video(named(settings.video), *settings.dimensions, settings.fit)


def _colour(settings: Settings) -> Effect:
    return Still(new_i420(*settings.dimensions, yuv_of(settings.colour)))


_BUILDERS: dict[str, Callable[[Settings], Effect]] = {
    "blur": lambda settings: Blur(settings.blur),
    "image": _image,
    "video": _video,
    "colour": _colour,
    "alpha": _colour,
    "none": lambda settings: Blur(settings.blur),  # what covers the frame should something fail
}


def build_effect(settings: Settings) -> Effect:
    """The effect that the settings ask for.

    Raises:
        EffectError: its picture or video cannot be used.
    """
    try:
        return _BUILDERS[settings.effect](settings)
    except SourceError as error:
        raise EffectError(error.problem.message, error.problem.cure) from error
