"""A moving background whose every picture tells its number, and what a frame that shows it must look like."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.testpattern import contains_raw_background
from app.compose.card import card
from app.compose.planes import to_bgr

Image = NDArray[np.uint8]

LENGTH, FPS = 120, 15
"""Pictures of the background and their rate: it repeats after 8 seconds. Half of that is longer than any gap between
two frames; a page in the emulated machine took 2.3 s for one."""

BITS = 7
TOLERANCE = 8.0
"""Grey levels that a frame may differ from the expected on average. Measured: 0.4 in GStreamer and Chromium; by 80 from
the background's next picture."""


@cache
def background(n: int, width: int, height: int) -> Image:
    """Picture n, BGR: its number in light and dark blocks along the top, below stripes of colour that wander."""
    image = np.zeros((height, width, 3), np.uint8)
    top = height // 8
    stripe = width // 8
    for x in range(0, width, stripe):
        colour = ((40, 60, 200), (190, 120, 40), (60, 180, 60), (170, 60, 160))[(x // stripe + n) % 4]
        image[top:, x : x + stripe] = colour
    block = width // BITS
    for bit in range(BITS):
        image[:top, bit * block : (bit + 1) * block] = 220 if n >> bit & 1 else 30
    return image


def write_background(path: Path, width: int, height: int) -> None:
    """Write all pictures, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for n in range(LENGTH):
            frame = av.VideoFrame.from_ndarray(background(n, width, height), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def number_of(frame: Image) -> int:
    """Which picture of the background a frame shows."""
    height, width = frame.shape[:2]
    top, block = height // 8, width // BITS
    number = 0
    for bit in range(BITS):
        patch = frame[top // 4 : top * 3 // 4, bit * block + block // 4 : (bit + 1) * block - block // 4]
        level = float(patch.mean())
        assert abs(level - 220) < 25 or abs(level - 30) < 25, f"block {bit} is {level:.0f}: no background of ours"
        number |= (level > 125) << bit
    return number


def check(frame: Image, width: int, height: int) -> int:
    """Check a frame that shows this background and nothing else; returns the background's number.

    Raises:
        AssertionError: size or colours are wrong, or the raw wall can be seen.
    """
    assert frame.shape == (height, width, 3)
    assert width < 320 or not contains_raw_background(frame), "the raw wall is in the picture"
    number = number_of(frame)
    assert number < LENGTH
    difference = cv2.absdiff(frame, background(number, width, height))
    assert difference.mean() < TOLERANCE, f"differs from picture {number} by {difference.mean():.1f} on average"
    assert np.percentile(difference, 95) < 2 * TOLERANCE, "a part is not of this picture"
    return number


def check_all(frames: list[Image], width: int, height: int) -> None:
    """Check every frame, and that the background moves forward through them.

    The card may be among them: it is what is shown until the first picture, and whenever a busy machine comes to a
    standstill for a second. How many are cards, and how often one picture is seen again, is how fast the machine is.

    Raises:
        AssertionError: a frame is wrong (see `check`), all but one are cards, or nothing moves.
    """
    pictures = [frame for frame in frames if not is_card(frame)]
    assert len(pictures) >= 2, f"{len(frames) - len(pictures)} of {len(frames)} frames are the card"
    numbers = [check(frame, width, height) for frame in pictures]
    steps = [(later - earlier) % LENGTH for earlier, later in itertools.pairwise(numbers)]
    assert any(step > 0 for step in steps), f"it stands still: {numbers}"
    assert all(step < LENGTH // 2 for step in steps), f"it goes back: {numbers}"


def is_card(frame: Image) -> bool:
    """Whether a frame shows the card."""
    height, width = frame.shape[:2]
    return bool(cv2.absdiff(frame, to_bgr(card(width, height))).mean() < TOLERANCE)


def bgr_of(rgba: tuple[int, int, bytes]) -> Image:
    """A frame of a page (width, height, RGBA) as uint8 BGR (H, W, 3)."""
    width, height, pixels = rgba
    return np.ascontiguousarray(np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[..., 2::-1])
