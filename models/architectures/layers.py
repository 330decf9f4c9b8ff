"""What every part of the network is made of."""

from __future__ import annotations

from torch import nn

BATCH_NORM = {"eps": 1e-3, "momentum": 0.01}
"""As EfficientNet was trained."""


class Convolution(nn.Sequential):
    """Convolution, batch norm and, unless `linear`, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        layers = [convolution, nn.BatchNorm2d(outputs, **BATCH_NORM)]
        super().__init__(*layers, *([] if linear else [nn.ReLU6(inplace=True)]))
