"""The next frame, and the mask of the last, out of a single training picture.

A clip with true alpha would be better; there are none that may be trained on. What a network can learn from stills is
not to change its mind when nothing changed but the noise, the light and the place in the picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STEP = 6
"""Pixels by which things move between two frames, at most: at 256 pixels and 30 a second a hand's wave, not a blow."""
FORGOTTEN = 0.4
"""How often there is no last mask: a first frame, or a cut."""


def shifted(x: Tensor, across: int, down: int) -> Tensor:
    """(N, c, h, w) moved by whole pixels; what comes in at the border repeats it."""
    height, width = x.shape[2:]
    padded = F.pad(x, (STEP,) * 4, mode="replicate")
    return padded[..., STEP - down : STEP - down + height, STEP - across : STEP - across + width]


def step() -> tuple[int, int]:
    """A random motion in pixels (across, down)."""
    across, down = torch.randint(-STEP, STEP + 1, (2,)).tolist()
    return across, down


def next_frame(picture: Tensor, across: int, down: int) -> Tensor:
    """The picture (N, 3, h, w), 0…255, a frame later: moved, a little lighter or darker, with noise of its own."""
    gain = 1 + 0.03 * torch.randn(len(picture), 1, 1, 1, device=picture.device)
    noise = torch.randn_like(picture) * (6 * torch.rand(len(picture), 1, 1, 1, device=picture.device))
    return (shifted(picture, across, down) * gain + noise).clamp(0, 255)


def unsteadiness(alpha: Tensor, later: Tensor, across: int, down: int) -> Tensor:
    """Mean absolute difference of a mask moved along with the picture, and the mask found there; borders left out."""
    difference = (shifted(alpha, across, down) - later).abs()
    return difference[..., STEP:-STEP, STEP:-STEP].mean()


def last_mask(truth: Tensor) -> Tensor:
    """A mask (N, 1, h, w) such as a network may have given for the frame before: moved, blurred, in parts wrong."""
    mask = shifted(truth, *step())
    radius = int(torch.randint(0, 4, ()))
    mask = F.avg_pool2d(mask, 2 * radius + 1, 1, radius)
    for number in range(len(mask)):
        draw = float(torch.rand(()))
        if draw < FORGOTTEN:
            mask[number] = 0
        elif draw < FORGOTTEN + 0.4:
            # A limb was missed, or a cushion taken for one.
            height, width = mask.shape[2:]
            top, left = int(torch.randint(0, height, ())), int(torch.randint(0, width, ()))
            tall, wide = int(torch.randint(8, height // 2, ())), int(torch.randint(8, width // 4, ()))
            mask[number, :, top : top + tall, left : left + wide] = float(torch.rand(()) < 0.5)
    return mask
