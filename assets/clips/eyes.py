"""Blinking: lids painted over the eyes of scikit-image's `astronaut`."""

from __future__ import annotations

import cv2
import numpy as np

from assets.painting import Floats, floats, lay, polygon

_EYES = (
    # The corner on the left, the corner on the right, the middle of the upper and of the lower lid, as x, y.
    ((192.5, 101.6), (213.8, 102.8), (203.0, 96.2), (203.0, 105.0)),
    ((236.8, 104.6), (259.0, 103.6), (248.0, 98.8), (248.0, 107.2)),
)


def with_lids(layers: Floats, shut: float) -> Floats:
    """The portrait (512, 512, 4), linear and premultiplied, with its lids shut as far as `shut` says (0–1)."""
    picture = layers.copy()
    for left, right, upper, lower in _EYES:
        x = np.linspace(left[0], right[0], 25)
        t = np.linspace(-1, 1, 25)
        chord = np.linspace(left[1], right[1], 25)
        bow = 1 - np.abs(t) ** 2.2
        top = chord + (upper[1] - (left[1] + right[1]) / 2) * bow
        bottom = chord + (lower[1] - (left[1] + right[1]) / 2) * bow
        edge = top + (bottom - 0.6 - top) * shut
        outline = [*zip(x, top - 0.8, strict=True), *zip(x[::-1], edge[::-1], strict=True)]
        # The lid's skin is that between the eye and the brow, a little darker towards the lashes.
        skin = layers[round(upper[1]) - 4 : round(upper[1]) - 1, round(upper[0]) - 5 : round(upper[0]) + 6, :3]
        down = np.clip((np.arange(512, dtype=np.float32) - upper[1]) / (lower[1] - upper[1]), 0, 1)
        tone = skin.mean(axis=(0, 1)) * floats([0.94, 0.86, 0.79])
        lid = np.broadcast_to((tone * (1 - 0.22 * down[:, None]))[:, None], (512, 512, 3))
        rgb = picture[..., :3]
        lay(rgb, lid, cv2.GaussianBlur(polygon((512, 512), outline), (0, 0), 0.5))
        lashes = [*zip(x, edge - 0.7, strict=True), *zip(x[::-1], edge[::-1] + 0.7 * bow + 0.1, strict=True)]
        lay(rgb, floats([0.045, 0.025, 0.018]), 0.8 * cv2.GaussianBlur(polygon((512, 512), lashes), (0, 0), 0.45))
    return picture
