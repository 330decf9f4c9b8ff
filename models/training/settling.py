"""`models.settle` in torch, with gradients: a network that learns through it may stay unsure where colour knows."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models import settle

LEAST_SURE = 0.02
"""A settled mask's logits are of values no nearer to 0 and 1 than this: cross-entropy's slope there is one over it, and
with a millionth single pixels were the whole step. Farther out the half of the loss that is not settled teaches alone.
"""


def _opened(doubt: Tensor) -> Tensor:
    """Doubt, opened with a square of `settle.AREA` pixels; beyond the border nothing is known, as for OpenCV."""
    reach = settle.AREA // 2
    eroded = -F.max_pool2d(-doubt, settle.AREA, 1, reach)
    return F.max_pool2d(eroded, settle.AREA, 1, reach)


@cache
def _blur(size: int, radius: int) -> Tensor:
    """What `cv2.blur` does along one axis, (size, size)."""
    return torch.from_numpy(cv2.blur(np.eye(size, dtype=np.float32), (1, 2 * radius + 1)))


def _solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """As `Settler`'s: each pixel's three equations, (N, 6, h, w) and (N, 3, h, w), to (N, 3, h, w)."""
    a00, a01, a02, a11, a12, a22 = matrix.unbind(1)
    b0, b1, b2 = vector.unbind(1)
    ratio = a01 / a00
    a11, a12, b1 = a11 - ratio * a01, a12 - ratio * a02, b1 - ratio * b0
    ratio = a02 / a00
    a22, b2 = a22 - ratio * a02, b2 - ratio * b0
    ratio = a12 / a11
    a22, b2 = a22 - ratio * a12, b2 - ratio * b1
    b2 = b2 / a22
    b1 = (b1 - a12 * b2) / a11
    b0 = (b0 - a01 * b1 - a02 * b2) / a00
    return torch.stack([b0, b1, b2], 1)


def settled(picture: Tensor, mask: Tensor) -> Tensor:
    """Masks (N, 1, h, w) in [0, 1], settled by their pictures (N, 3, h, w) in [0, 1]; neither is changed.

    But for masks with next to no doubt (`settle.NO_DOUBT`), which are settled, too, it is `settle.Settler`.
    """
    width, height = settle.shrunk(mask.shape[3], mask.shape[2])
    low = F.adaptive_avg_pool2d(mask, [height, width])
    guide = F.adaptive_avg_pool2d(picture, [height, width]) - 0.5
    weight = (2 * low - 1) ** 2**settle.SQUARINGS + settle.LEAST
    weighted, (ones, others) = guide * weight, zip(*settle.PAIRS, strict=True)
    terms = [weighted, weighted[:, ones] * guide[:, others], weighted * low, weight * low, weight]
    rows, columns = (_blur(size, settle.radius(width)).to(mask.device) for size in (height, width))
    means = rows @ torch.cat(terms, 1) @ columns.T
    mean, products, toward, level = (means[:, :13] / means[:, 13:]).split([3, 6, 3, 1], 1)
    noise = settle.EPSILON * torch.tensor([one == other for one, other in settle.PAIRS], device=mask.device)
    matrix = products - mean[:, ones] * mean[:, others] + noise.view(1, 6, 1, 1)
    slopes = _solve(matrix, toward - mean * level)
    answer = ((guide - mean) * slopes).sum(1, keepdim=True) + level
    answer = (settle.CONTRAST * (answer - 0.5) + 0.5).clamp(0, 1)
    change = _opened(4 * low * (1 - low)) * (answer - low)
    change = F.interpolate(change, mask.shape[2:], mode="bilinear", align_corners=False)
    return (mask + change).clamp(0, 1)


def settled_logits(picture: Tensor, logits: Tensor) -> Tensor:
    """The logits of the settled masks of these (N, 1, h, w).

    What `export` adds to a network's logits is left out, or the network would learn to take it back.
    """
    return torch.logit(settled(picture, torch.sigmoid(logits)), LEAST_SURE)
