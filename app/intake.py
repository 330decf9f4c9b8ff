"""Brings a source's frames to the wanted size, in arrays of a pool, without a copy where a camera decodes into them."""

from __future__ import annotations

import time

from app.buffers import Buffers
from app.compose.planes import fit_frame
from app.frame import Image
from app.settings import Settings
from app.status import Stopwatch


class Intake:
    """Used by the thread that captures.

    Args:
        frames: the pool that frames come from; whoever is done with one gives it back there.
        stopwatch: where "fit" is noted.
    """

    def __init__(self, frames: Buffers, stopwatch: Stopwatch) -> None:
        self._frames, self._stopwatch = frames, stopwatch

    def lend(self, settings: Settings) -> Image | None:
        """An array for a camera that has the wanted size to decode into; a mirrored picture is written anew anyway."""
        width, height = settings.dimensions
        return None if settings.mirror else self._frames.take((height, width, 3))

    def give_back(self, spare: Image | None) -> None:
        """Take back what was lent and is not needed."""
        if spare is not None:
            self._frames.give(spare)

    def fit(self, image: Image, spare: Image | None, settings: Settings) -> Image:
        """The frame in the wanted size, in an array of the pool: the very one it was decoded into, if that will do.

        Args:
            image: uint8 BGR (h, w, 3), as the source gave it.
            spare: what was lent for it.
            settings: the size, and whether to mirror.
        """
        width, height = settings.dimensions
        if image is spare and image.shape[:2] == (height, width) and not settings.mirror:
            return image
        start = time.perf_counter()
        out = self._frames.take((height, width, 3))
        fit_frame(image, width, height, mirror=settings.mirror, out=out)
        self.give_back(spare)
        self._stopwatch.add("fit", time.perf_counter() - start)
        return out
