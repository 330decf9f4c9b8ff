"""From a frame to a mask: a network's pre- and post-processing, read from its manifest entry."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from models.manifest import Model
from models.settle import Settler

MAX_STRETCH = 1.4
"""A frame's aspect may be stretched this much to the network's; beyond, the rest is padded. 4:3 on 16:9 is 1.33. Of 242
such pictures `hd` failed 129 stretched and 125 padded, no real difference, and stretched, the person has a third more
pixels. A phone's 9:16 on 16:9 is 3.2."""

SATURATED = 0.99
"""No picture, of a covered lens neither, is of somebody everywhere. The mask of a driver whose numbers have overflowed
may be, and would show all of the room. tests/test_network.py holds hands before the lens far from it."""

SIZES = 3
"""So many sizes of masks are settled without buffers being made anew: a tall camera's whole frames are padded, its
regions are not."""


class UntrustedMask(Exception):
    """The network's answer is no mask (not finite, out of range, all one): whoever asked must cover the whole frame."""


class Segmenter:
    """Runs one network on frames.

    Args:
        model: the manifest entry.
        image: the session's input array, uint8 BGR (1, h, w, 3); frames are resized straight into it.
        alpha: the session's output array, float32 (1, h, w, 1); it is settled in place (`models.settle`).
        run: computes `alpha` from `image`, which it leaves as it is.
        settled: False leaves the network's answer as it is, for what settling buys to be measured.
    """

    def __init__(
        self,
        model: Model,
        image: NDArray[np.uint8],
        alpha: NDArray[np.float32],
        run: Callable[[], None],
        settled: bool = True,
    ) -> None:
        if image.shape != model.input.shape or alpha.shape != model.output.shape:
            raise ValueError(
                f"{model.name} takes {model.input.shape} and gives {model.output.shape} by the manifest, "
                f"but the file {image.shape} and {alpha.shape}"
            )
        self.model = model
        self._image, self._alpha, self._run = image[0], alpha[0, ..., 0], run
        self._settled = settled
        self._settlers: dict[tuple[int, int], Settler] = {}
        self._halves: Halves = {}

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The frame's mask.

        Args:
            frame: uint8 BGR (H, W, 3), at least one pixel.

        Returns:
            float32 (h, w) in [0, 1] at network size, 1 where the person is; overwritten by the next call.

        Raises:
            UntrustedMask: the network gave something that is not a mask.
        """
        x, y, width, height = self._fit(frame)
        self._alpha.fill(np.nan)  # a run that writes nothing must not leave the last frame's mask to be trusted
        self._run()
        alpha = self._alpha
        trust(self.model.name, alpha)
        # The alpha may have another size than the picture; what was padded is neither settled nor kept.
        across, down = alpha.shape[1] / self._image.shape[1], alpha.shape[0] / self._image.shape[0]
        left, right = round(across * x), round(across * (x + width))
        top, bottom = round(down * y), round(down * (y + height))
        inside = alpha[top : max(bottom, top + 1), left : max(right, left + 1)]
        self._settle(self._image[y : y + height, x : x + width], inside)
        if inside.shape == alpha.shape:
            return alpha
        enlarged: NDArray[np.float32] = cv2.resize(inside, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return enlarged

    def _settle(self, picture: NDArray[np.uint8], mask: NDArray[np.float32]) -> None:
        """Settle the part of the mask that shows the frame, in place."""
        if not self._settled:
            return
        size = mask.shape[1], mask.shape[0]
        if size not in self._settlers:
            if len(self._settlers) == SIZES:
                del self._settlers[next(iter(self._settlers))]
            self._settlers[size] = Settler(*size)
        self._settlers[size](picture, mask)
        trust(self.model.name, mask)

    def _fit(self, frame: NDArray[np.uint8]) -> tuple[int, int, int, int]:
        """Resize the frame into the network's input; return the box (x, y, width, height) that it fills."""
        height, width = self._image.shape[:2]
        stretch = (frame.shape[1] / frame.shape[0]) / (width / height)
        if 1 / MAX_STRETCH <= stretch <= MAX_STRETCH:
            shrink(frame, self._image, self._halves)
            return 0, 0, width, height
        inner_width = max(1, round(width * min(1.0, stretch * MAX_STRETCH)))
        inner_height = max(1, round(height * min(1.0, MAX_STRETCH / stretch)))
        x, y = (width - inner_width) // 2, (height - inner_height) // 2
        inner = np.empty((inner_height, inner_width, 3), np.uint8)
        shrink(frame, inner, self._halves)
        self._image[...] = 0
        self._image[y : y + inner_height, x : x + inner_width] = inner
        return x, y, inner_width, inner_height


def trust(name: str, mask: NDArray[np.float32]) -> None:
    """Judge a mask.

    Raises:
        UntrustedMask: it is none.
    """
    judge(name, float(mask.min()), float(mask.max()), float(mask.sum()))


def judge(name: str, low: float, high: float, total: float) -> None:
    """Judge a mask by its least, greatest and summed alpha.

    Raises:
        UntrustedMask: it is none.
    """
    # The sum is NaN or infinite if any value is, and costs a tenth of isfinite over the array.
    if not (math.isfinite(total) and low >= -1e-3 and high <= 1 + 1e-3):
        raise UntrustedMask(f"{name} gave values from {low} to {high} for a mask")
    if low > SATURATED:
        raise UntrustedMask(f"{name} took every pixel for somebody")


Halves = dict[tuple[int, int], NDArray[np.uint8]]
"""By width and height, pictures that `shrink` halves into."""

MOST_HALVES = 8
"""So many sizes are kept: a region has another size every few seconds, and halves of it are up to 0.7 MB each."""


def shrink(frame: NDArray[np.uint8], out: NDArray[np.uint8], halves: Halves | None = None) -> None:
    """Resize without aliasing into `out`, uint8 (h, w, 3), cheaply; `halves` of earlier calls are used again.

    Halving by 2 is exact and vectorised in OpenCV's INTER_AREA; other factors are several times slower. So halve while
    more than half remains, then go linearly the last factor below 2.
    """
    height, width = out.shape[:2]
    halves = {} if halves is None else halves
    while frame.shape[0] >= 2 * height and frame.shape[1] >= 2 * width:
        half = frame.shape[1] // 2, frame.shape[0] // 2
        if half not in halves:
            if len(halves) == MOST_HALVES:
                del halves[next(iter(halves))]
            halves[half] = np.empty((half[1], half[0], 3), np.uint8)
        frame = np.asarray(cv2.resize(frame, half, dst=halves[half], interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(frame, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
