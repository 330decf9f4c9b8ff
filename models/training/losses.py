"""What the training minimises."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.training.config import Loss
from models.training.settling import settled_logits

FEW_PIXELS = 50.0
"""Added to intersection and union: so that a few wrong pixels in an empty room cost little, not everything."""
RIM = 7
"""Width in pixels of the band along the person's outline in which cross-entropy weighs more."""

GAP, COARSE = 11, 4
"""Width of the widest gap between parts of somebody, as an arm and the body, in squares of 4×4 pixels: an eighth of the
picture at 384×216. (With pixels for squares it took as long as half a step.)"""

HARDEST = 0.04
"""Share of a picture's pixels that count as its hardest; no other share was tried."""


def jaccard(alpha: Tensor, truth: Tensor) -> Tensor:
    """1 − intersection over union with soft values, each picture by itself."""
    both = (alpha * truth).sum((1, 2, 3))
    either = (alpha + truth - alpha * truth).sum((1, 2, 3))
    return (1 - (both + FEW_PIXELS) / (either + FEW_PIXELS)).mean()


def highest(x: Tensor, size: int = RIM) -> Tensor:
    """The maximum over size × size pixels, an odd number, of (N, 1, h, w), by rows and then by columns.

    The maximum of two that overlap covers both, so three steps cover seven pixels. Torch's pooling notes where each
    maximum lies, for a gradient that nobody asks for, and takes seventeen times as long on a CPU: a twelfth of a step.
    """
    for dimension in (3, 2):
        edge = [0, 0, 0, 0]
        edge[2 * (3 - dimension)] = edge[2 * (3 - dimension) + 1] = size // 2
        x, covered = F.pad(x, edge, value=float("-inf")), 1
        while covered < size:
            step = min(covered, size - covered)
            rest = x.shape[dimension] - step
            x = torch.maximum(x.narrow(dimension, 0, rest), x.narrow(dimension, step, rest))
            covered += step
    return x


def gaps(truth: Tensor) -> Tensor:
    """What is between parts of somebody (N, 1, h, w), 1 where it is: the room that a closing over `GAP` fills."""
    # Beyond the border is room: else all that is narrow between somebody and it would be a gap, as above a head.
    small = F.pad(F.avg_pool2d(truth, COARSE), (GAP // 2,) * 4)
    closed = -highest(-highest(small, GAP), GAP)
    closed = closed[..., GAP // 2 : -(GAP // 2), GAP // 2 : -(GAP // 2)]
    return (F.interpolate(closed, truth.shape[2:]) - truth).clamp(min=0)


def cross_entropy(logits: Tensor, truth: Tensor, edge: float, gap: float = 0.0) -> Tensor:
    """Binary cross-entropy, weighing 1 + `edge` along the outline and 1 + `gap` in gaps."""
    weight = 1 + edge * (highest(truth) + highest(-truth))
    if gap:
        weight = weight + gap * gaps(truth)
    return (F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight).sum() / weight.sum()


def hardest(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean binary cross-entropy of the `HARDEST` share of each picture's pixels: where whole areas are still wrong.

    The cushion in the gap between an arm and the body is a thousandth of all pixels, and the means hardly feel it.
    """
    errors = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1)
    return errors.topk(max(1, round(HARDEST * errors.shape[1])), dim=1, sorted=False).values.mean()


def gradient(alpha: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the two masks' slopes: what makes an edge as sharp as the truth's, and no sharper."""
    difference = alpha - truth
    across = (difference[..., 1:] - difference[..., :-1]).abs()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs()
    return across.mean() + down.mean()


def of_mask(logits: Tensor, truth: Tensor, weights: Loss) -> Tensor:
    """The terms that ask how a mask, given by its logits (N, 1, h, w), differs from the alpha of that shape."""
    alpha = torch.sigmoid(logits)
    loss = weights.jaccard * jaccard(alpha, truth)
    loss = loss + weights.cross_entropy * cross_entropy(logits, truth, weights.edge, weights.gap)
    if weights.hardest:
        loss = loss + weights.hardest * hardest(logits, truth)
    return loss + weights.gradient * 10 * gradient(alpha, truth)


def total(logits: Tensor, coarse: Tensor, truth: Tensor, weights: Loss, picture: Tensor | None = None) -> Tensor:
    """The loss of a batch.

    Args:
        logits: the mask's (N, 1, h, w).
        coarse: the coarse mask's (N, 1, h', w').
        truth: the alpha (N, 1, h, w) in [0, 1].
        weights: of the terms.
        picture: BGR (N, 3, h, w) in [0, 1], which settles the mask for `weights.settled` of its terms.

    Raises:
        ValueError: the mask is to be settled, and there is no picture.
    """
    small = F.adaptive_avg_pool2d(truth, [coarse.shape[2], coarse.shape[3]])
    loss = weights.coarse * F.binary_cross_entropy_with_logits(coarse, small)
    if not weights.settled:
        return loss + of_mask(logits, truth, weights)
    if picture is None:
        raise ValueError(f"{weights.settled} of the loss asks of the settled mask: give the picture that settles it")
    loss = loss + weights.settled * of_mask(settled_logits(picture, logits), truth, weights)
    return loss + (1 - weights.settled) * of_mask(logits, truth, weights)
