"""Let the frame's own colours settle what a network is unsure about.

Where a network gives neither 0 nor 1, whole areas may be in doubt: a cushion beside the hips, a sleeve before a bed.
What it is sure about around has colours, too. In each window the mask is explained as a linear function of colour,
fitted by least squares in which a pixel counts the more, the surer the network is of it, and where it is not sure that
function answers. This is the guided filter's model (He, Sun and Tang, "Guided Image Filtering", PAMI 2013, section 3.1)
with the confidences of the bilateral solver (Barron and Poole, "The Fast Bilateral Solver", ECCV 2016, section 2),
solved in one step. What it buys is in models/cards/hd.md, "Settled by colour".
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SHRINK = 3
"""It works at about a third of the mask's size. What other values of this and of the other constants but `LEAST` give,
`models.evaluation.settling` prints."""
WINDOWS = 5
"""Half a window is a fifth of the picture's width, a window two fifths: most of a person and much of the room."""
EPSILON = 1e-4
"""Regularisation against the variance of a colour in [0, 1]: 1 % of the range, about a webcam's noise."""
SQUARINGS = 2
"""How sure the network is, 0 to 1, is squared so many times for what a pixel counts: who is half sure may be wrong."""
LEAST = 1e-3
"""What a pixel in full doubt counts, so that windows in which nothing is sure have a fit, too."""
CONTRAST = 1.5
"""What colour says is moved away from one half by this factor: a person who is half there lets the room be seen. Where
colours tell little it decides on little."""

AREA = 3
"""Doubt that is narrower than this many pixels, of that size, is an edge's, which the colours of a wide window only
blur: with edges settled, too, the error along those of exact mattes nearly doubles."""

Floats = NDArray[np.float32]

PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""The entries of a symmetric 3×3 matrix, in the order in which they are kept."""
NO_DOUBT = 1 / 64
"""Where the greatest doubt is less than this the mask is left as it is: it could change by no more, and an empty room's
frames need no work."""


def shrunk(width: int, height: int) -> tuple[int, int]:
    """The (width, height) at which masks of this size are settled."""
    return max(1, width // SHRINK), max(1, height // SHRINK)


def radius(width: int) -> int:
    """Half a window in a picture this wide, in pixels."""
    return max(1, round(width / WINDOWS))


class Settler:
    """Settles masks of one size; its buffers are allocated once.

    Args:
        width, height: the masks' size.
    """

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self._small = shrunk(width, height)
        small = self._small[::-1]
        self._window = (2 * radius(self._small[0]) + 1,) * 2
        self._square = np.ones((AREA, AREA), np.uint8)
        self._colours = np.empty((*small, 3), np.uint8)
        self._guide = np.empty((3, *small), np.float32)
        self._mask, self._weight = np.empty(small, np.float32), np.empty(small, np.float32)
        self._means = np.empty((14, *small), np.float32)
        self._scratch = np.empty((5, *small), np.float32)
        self._doubts = np.empty((2, *small), np.float32)
        self._large = np.empty((height, width), np.float32)

    def __call__(self, picture: NDArray[np.uint8], mask: Floats) -> None:
        """Settle a mask in place.

        Args:
            picture: uint8 BGR (h, w, 3), what the network looked at, of any size.
            mask: float32 (height, width) in [0, 1]; its rows need not lie one behind the other.
        """
        cv2.resize(mask, self._small, dst=self._mask, interpolation=cv2.INTER_AREA)
        doubt = self._doubt()
        if doubt.max() < NO_DOUBT:
            return
        self._weigh(picture)
        change = self._answer()
        change -= self._mask
        change *= doubt
        cv2.resize(change, self.size, dst=self._large, interpolation=cv2.INTER_LINEAR)
        mask += self._large
        np.clip(mask, 0, 1, out=mask)

    def _doubt(self) -> Floats:
        """How unsure the network is, 0 to 1, of areas; a sharp edge, too, is between 0 and 1, but narrow."""
        doubt, opened = self._doubts
        np.subtract(1, self._mask, out=doubt)
        doubt *= self._mask
        doubt *= 4
        cv2.morphologyEx(doubt, cv2.MORPH_OPEN, self._square, dst=opened)
        areas: Floats = opened
        return areas

    def _weigh(self, picture: NDArray[np.uint8]) -> None:
        """Shrink what is looked at, and find how much each pixel counts."""
        cv2.resize(picture, self._small, dst=self._colours, interpolation=cv2.INTER_AREA)
        for channel in range(3):
            np.multiply(self._colours[..., channel], np.float32(1 / 255), out=self._guide[channel])
        self._guide -= np.float32(0.5)  # around 0 the products lose fewer digits to each other
        np.multiply(self._mask, 2, out=self._weight)
        self._weight -= 1
        for _ in range(SQUARINGS):
            self._weight *= self._weight
        self._weight += np.float32(LEAST)

    def _fill_means(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Each window's weighted means: of the colours, of their products, of colours times mask, of the mask."""
        guide, mask, means, (scratch, inverse, *_) = self._guide, self._mask, self._means, self._scratch
        weighted = self._scratch[2:]
        total = means[13]
        np.multiply(guide, self._weight, out=weighted)
        for index in range(3):
            cv2.blur(weighted[index], self._window, dst=means[index])
            np.multiply(weighted[index], mask, out=scratch)
            cv2.blur(scratch, self._window, dst=means[9 + index])
        for index, (one, other) in enumerate(PAIRS):
            np.multiply(weighted[one], guide[other], out=scratch)
            cv2.blur(scratch, self._window, dst=means[3 + index])
        np.multiply(self._weight, mask, out=scratch)
        cv2.blur(scratch, self._window, dst=means[12])
        cv2.blur(self._weight, self._window, dst=total)
        np.divide(1, total, out=inverse)
        means[:13] *= inverse
        return means[:3], means[3:9], means[9:12], means[12]

    def _answer(self) -> Floats:
        """What colour says of each pixel, in [0, 1]."""
        colours, products, toward, mask = self._fill_means()
        scratch: Floats = self._scratch[0]
        for index, (one, other) in enumerate(PAIRS):
            np.multiply(colours[one], colours[other], out=scratch)
            products[index] -= scratch
        for index in (0, 3, 5):
            products[index] += np.float32(EPSILON)
        for index in range(3):
            np.multiply(colours[index], mask, out=scratch)
            toward[index] -= scratch
        answer: Floats = self._scratch[1]
        part = self._scratch[2]
        answer.fill(0)
        self._solve(products, toward)
        for index in range(3):
            np.subtract(self._guide[index], colours[index], out=part)
            part *= toward[index]
            answer += part
        answer += mask
        answer -= np.float32(0.5)
        answer *= np.float32(CONTRAST)
        answer += np.float32(0.5)
        np.clip(answer, 0, 1, out=answer)
        return answer

    def _solve(self, matrix: Floats, vector: Floats) -> None:
        """Solve each pixel's three equations in place; the matrix is symmetric and positive, so nothing is swapped."""
        a00, a01, a02, a11, a12, a22 = matrix
        b0, b1, b2 = vector
        ratio, part = self._scratch[3], self._scratch[4]

        def less(target: Floats, factor: Floats, times: Floats) -> None:
            np.multiply(factor, times, out=part)
            np.subtract(target, part, out=target)

        # Elimination: rows 1 and 2 lose what row 0 explains, then row 2 what row 1 does.
        np.divide(a01, a00, out=ratio)
        less(a11, ratio, a01)
        less(a12, ratio, a02)
        less(b1, ratio, b0)
        np.divide(a02, a00, out=ratio)
        less(a22, ratio, a02)
        less(b2, ratio, b0)
        np.divide(a12, a11, out=ratio)
        less(a22, ratio, a12)
        less(b2, ratio, b1)
        # And back.
        np.divide(b2, a22, out=b2)
        less(b1, a12, b2)
        np.divide(b1, a11, out=b1)
        less(b0, a01, b1)
        less(b0, a02, b2)
        np.divide(b0, a00, out=b0)
