"""What travels from the camera to the virtual camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: BGR (H, W, 3), gray or alpha (H, W), or I420 (H * 3 // 2, W); always uint8, C-contiguous."""


@dataclass(slots=True)
class Frame:
    """One camera frame on its way through the pipeline.

    Attributes:
        seq: counts the frames of this run of the pipeline from 0; gaps are frames that were dropped.
        captured_at: `time.monotonic()` seconds when the source delivered it.
        image: uint8 BGR (H, W, 3), in the pipeline's output size.
        scene: changes where a mask of the frame before says nothing about this one: another source, mirrored.
    """

    seq: int
    captured_at: float
    image: Image
    scene: int = 0


@dataclass(slots=True)
class Picture:
    """What sinks publish: a finished picture that holds no raw background.

    The arrays belong to the pipeline and are overwritten by a later picture: a sink that needs them after `write`
    returned makes a copy.

    Attributes:
        seq: the frame's `seq`, or -1 for a card or a repeated picture that belongs to no frame.
        captured_at: `time.monotonic()` seconds of the frame it was made from.
        i420: uint8 (H * 3 // 2, W), H and W even, planar YUV 4:2:0, BT.601 limited range.
        bgra: uint8 (H, W, 4), straight alpha, colour 0 where alpha is 0; only with the effect `alpha`, else None.
        raw: it shows the room, as the user asked for with the effect `none`; it may go out only while they still do.
    """

    seq: int
    captured_at: float
    i420: Image
    bgra: Image | None = None
    raw: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.i420.shape
        return width, height * 2 // 3
