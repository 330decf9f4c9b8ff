"""The bundled clip before a colour: every picture as it would be with a perfect mask."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scene import is_card

from app.capture import EndOfSource
from app.capture.file import VideoFileSource
from app.compose.planes import fit_frame
from assets import asset

Image = NDArray[np.uint8]

SEARCH = (64, 36)
"""Size at which the clip's frame that is shown is looked for; the whole size then decides."""


CLOSE = 8.0
"""Grey levels that a picture may differ from the perfect composite on average: 2.6 to 3.9 with `lite` (measured); the
colour alone differs by 24, the raw clip by 57."""


class Composite:
    """The clip's frames over a colour, by the alpha that the clip's own script has made.

    Args:
        size: width and height of the published pictures.
        colour: BGR.
    """

    def __init__(self, size: tuple[int, int], colour: tuple[int, int, int]) -> None:
        self.colour = np.array(colour, np.float32)
        self._pictures: list[Image] = []
        for frame, alpha in zip(_frames("clips/sample.mp4"), _frames("clips/sample-alpha.mp4"), strict=True):
            weight = fit_frame(alpha, *size).astype(np.float32) / 255
            picture = fit_frame(frame, *size) * weight + self.colour * (1 - weight)
            self._pictures.append(picture.round().astype(np.uint8))
        self._small = np.stack([_small(picture) for picture in self._pictures])

    def nearest(self, frame: Image) -> tuple[int, float]:
        """Which of the clip's frames a published one shows, and by how many grey levels it differs on average."""
        differences = np.abs(self._small - _small(frame)).mean(axis=(1, 2, 3))
        candidates = np.argsort(differences)[:5]
        exact = [float(cv2.absdiff(frame, self._pictures[n]).mean()) for n in candidates]
        best = int(np.argmin(exact))
        return int(candidates[best]), exact[best]

    def check_all(self, frames: list[Image]) -> None:
        """Check frames that a consumer got.

        Raises:
            AssertionError: a frame is not the composite of one of the clip's, most are the card, or nothing moves.
        """
        pictures = [frame for frame in frames if not is_card(frame)]
        assert len(pictures) * 2 >= len(frames), f"{len(frames) - len(pictures)} of {len(frames)} frames are the card"
        found = [self.nearest(picture) for picture in pictures]
        assert max(difference for _, difference in found) < CLOSE, f"frame and difference: {found}"
        steps = [(later - earlier) % len(self._pictures) for (earlier, _), (later, _) in itertools.pairwise(found)]
        assert sum(step > 0 for step in steps) * 2 >= len(steps), f"it stands still: {found}"
        assert all(step < len(self._pictures) // 2 or step >= len(self._pictures) - 2 for step in steps), found

    def is_covered(self, frame: Image) -> bool:
        """Whether a frame shows the colour alone, as it does until the network runs."""
        return bool(np.abs(frame - self.colour).mean() < 3)


def _small(picture: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, SEARCH, interpolation=cv2.INTER_AREA), np.float32)


def _frames(name: str) -> Iterator[Image]:
    source = VideoFileSource(asset(name), loop=False)
    try:
        while True:
            yield source.read().copy()
    except EndOfSource:
        return
    finally:
        source.close()
