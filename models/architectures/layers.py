"""What every part of the network is made of."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM = {"eps": 1e-3, "momentum": 0.01}
"""As EfficientNet was trained."""


SOFTNESS = 3 / 16
"""What a softened pixel takes of each neighbour, along rows and then columns: the middle of a Gaussian of 0.65 pixels,
in numbers that 16 bits hold (models/cards/hd-training.md, "Softened")."""


class Softener(nn.Module):
    """Blurs a picture a little, so that how sharp a camera is, and its noise, matter less.

    Beyond the border nothing is taken, and what is there weighs more. Filled up with grey, as the stem is, the border
    would be a line that the network sees.
    """

    filters: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([SOFTNESS, 1 - 2 * SOFTNESS, SOFTNESS])
        # In the state, so that weights tell whether they were trained so.
        self.register_buffer("filters", torch.outer(row, row).repeat(channels, 1, 1, 1))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """Weights of a network that was not softened fit, too."""
        state_dict.setdefault(f"{prefix}filters", self.filters)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) → the same size."""
        y = F.conv2d(x, self.filters, padding=1, groups=len(self.filters))
        return y * self._weight(x.shape[2], x)[:, None] * self._weight(x.shape[3], x)

    @staticmethod
    def _weight(length: int, like: Tensor) -> Tensor:
        """What makes up, along one side, for the neighbours that are not there."""
        outermost = [1 / (1 - SOFTNESS)]
        return torch.tensor(outermost + [1.0] * (length - 2) + outermost, dtype=like.dtype, device=like.device)


class Convolution(nn.Sequential):
    """Convolution, batch norm and, unless `linear`, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        layers = [convolution, nn.BatchNorm2d(outputs, **BATCH_NORM)]
        super().__init__(*layers, *([] if linear else [nn.ReLU6(inplace=True)]))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) → (N, outputs, h / stride, w / stride).

        A batch norm that no longer learns its statistics is folded into the filters on the way: they are small, and a
        pass over a large tensor is saved. A training whose first stages are frozen takes a seventh less time.
        """
        convolution, norm, *activation = self
        if norm.training or not isinstance(norm, nn.BatchNorm2d):
            y: Tensor = super().forward(x)
            return y
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        filters, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
        y = F.conv2d(x, filters, bias, convolution.stride, convolution.padding, 1, convolution.groups)
        return activation[0](y) if activation else y
