"""The decoder's blocks: three of "Efficient Heterogeneous Video Segmentation at the Edge" (section 3), and a wider one.

Each takes the tensor from below, (N, inputs, h, w), and the encoder's skip connection, (N, skip, 2h, 2w), and gives
(N, outputs, 2h, 2w). `last` is True for the one at 1/2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.architectures.layers import Convolution


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear upsampling to another tensor's size."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Bilinear(nn.Module):
    """Upsample, apply a non-linearity, add the skip connection."""

    def __init__(self, inputs: int, skip: int, outputs: int, *, last: bool):
        super().__init__()
        self.below = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.skip = Convolution(skip, outputs, 1, linear=True)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """See the module."""
        summed: Tensor = F.relu(enlarge(self.below(x), skip)) + self.skip(skip)
        return summed


class Attention(nn.Module):
    """Upsample, weigh the channels by what the whole tensor shows, then 1×1 convolutions and a depthwise one of 3×3."""

    def __init__(self, inputs: int, skip: int, outputs: int, *, last: bool):
        super().__init__()
        self.below = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.skip = Convolution(skip, outputs, 1, linear=True)
        self.squeeze = nn.Conv2d(outputs, max(4, outputs // 4), 1)
        self.excite = nn.Conv2d(max(4, outputs // 4), outputs, 1)
        self.mix = Convolution(outputs, outputs, 1)
        self.filter = Convolution(outputs, outputs, 3, groups=outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """See the module."""
        joined = F.relu(enlarge(self.below(x), skip) + self.skip(skip))
        weights = torch.sigmoid(self.excite(F.relu6(self.squeeze(joined.mean((2, 3), keepdim=True)))))
        mixed: Tensor = self.filter(self.mix(joined * weights))
        return mixed


class MLP(nn.Module):
    """Upsample, join the skip connection, mix by 1×1 convolutions.

    A 1×1 convolution of the two joined is the sum of one of each; and as it commutes with the upsampling, the lower
    tensor goes through its own before it grows, at a quarter of the cost. Runtimes fuse a sum and a ReLU into the
    convolution before, but not a ReLU6.

    The last block, at 1/2, mixes within each channel, by kernels of 3, rather than between them: what is to be told
    there is where the edge runs, and it costs less. The others mix by kernels of `side`, 1 in the paper.
    """

    def __init__(self, inputs: int, skip: int, outputs: int, *, last: bool, side: int = 1):
        super().__init__()
        self.below = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.skip = Convolution(skip, outputs, 1, linear=True)
        self.mix = Convolution(outputs, outputs, 3, groups=outputs) if last else Convolution(outputs, outputs, side)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """See the module."""
        mixed: Tensor = self.mix(F.relu(enlarge(self.below(x), skip) + self.skip(skip)))
        return mixed


BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "bilinear": Bilinear,
    "attention": Attention,
    "mlp": MLP,
    "wide": partial(MLP, side=3),
}
"""The variants by name; "mlp" is the paper's choice and `lite`'s. "wide" sees what is beside, too, as most decoders of
the field do (U-Net's, RVM's); from the weights of an "mlp" it begins as that (`models.training.train.load_start`)."""
