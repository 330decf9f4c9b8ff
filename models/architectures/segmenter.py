"""The segmentation network, after "Efficient Heterogeneous Video Segmentation at the Edge" (section 3).

An EfficientNet-Lite0 encoder (inverted residual bottlenecks, ReLU6, no squeeze-and-excitation) goes down to 1/32 of the
picture. There a bottleneck with channel attention, cheap on so small a tensor, predicts a coarse mask. The decoder
climbs back through the encoder's skip connections with the paper's MLP blocks: upsampling, then 1×1 convolutions.

    picture 1/1 → stem, stage 0 1/2 ──────────────────────────────────────── MLP 1/2 → mask, enlarged to 1/1
                        stage 1 1/4 ──────────────────────────────── MLP 1/4
                           stage 2 1/8 ────────────────────── MLP 1/8
                               stages 3, 4 1/16 ──── MLP 1/16
                                       stage 5 1/32 → bottleneck → coarse mask
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.architectures.decoder import BLOCKS
from models.architectures.layers import Convolution, Softener

MEAN, SCALE = 127.0, 128.0
"""EfficientNet-Lite's normalisation of pixels 0…255, the same in every channel."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the encoder: bottlenecks of `channels` with kernels of `kernel`, the first with `stride`."""

    kernel: int
    stride: int
    channels: int


STAGES = (Stage(3, 1, 16), Stage(3, 2, 24), Stage(5, 2, 40), Stage(3, 2, 80), Stage(5, 1, 112), Stage(5, 2, 192))
"""EfficientNet-Lite0 without its last stage (320 channels) and its head, which serve ImageNet's thousand classes."""
SKIPS = (0, 1, 2, 4)
"""The stages whose output a skip connection carries: the last at 1/2, 1/4, 1/8 and 1/16."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What may be varied of the network; the defaults are EfficientNet-Lite0 as it is.

    A narrower network keeps the channels between its blocks and has fewer inside them, for these ImageNet's weights can
    be thinned out one by one: each hidden channel adds its own term to the block's output.

    Attributes:
        stem: channels of the first convolution, 32 or fewer.
        hidden: the bottlenecks' inner channels, stage by stage, block by block; the first stage's are the stem's.
        bottleneck: channels of the block at 1/32.
        decoder: channels of the decoder's blocks at 1/16, 1/8, 1/4, 1/2.
        variant: the decoder's blocks, one of `decoder.BLOCKS`.
        group: channels that the encoder's 3×3 and 5×5 convolutions filter together; 1 is depthwise. NPUs make better
            use of groups (the paper's Table 1).
        previous: whether the mask of the frame before is a fourth channel of the input.
        soft: whether the picture is softened first, by `layers.Softener`.
    """

    stem: int = 32
    hidden: tuple[tuple[int, ...], ...] = (
        (32,),
        (96, 144),
        (144, 240),
        (240, 480, 480),
        (480, 672, 672),
        (672, 1152, 1152, 1152),
    )
    bottleneck: int = 128
    decoder: tuple[int, int, int, int] = (64, 48, 32, 16)
    variant: str = "mlp"
    group: int = 1
    previous: bool = False
    soft: bool = False


def multiplied(width: float, depth: float) -> Shape:
    """EfficientNet-Lite0 with so many times its hidden channels (in steps of 8) and blocks (at least one a stage)."""
    whole = Shape()
    hidden = tuple(
        tuple(max(8, round(inner * width / 8) * 8) for inner in blocks[: max(1, round(len(blocks) * depth))])
        for blocks in whole.hidden
    )
    return Shape(stem=hidden[0][0], hidden=hidden)


class InvertedResidual(nn.Module):
    """Expand 1×1, filter in groups of channels (of one: depthwise), project 1×1; added to the input of equal shape."""

    def __init__(self, inputs: int, hidden: int, outputs: int, kernel: int, stride: int, expand: bool, group: int = 1):
        super().__init__()
        self.expand = Convolution(inputs, hidden, 1) if expand else nn.Identity()
        self.depthwise = Convolution(hidden, hidden, kernel, stride, groups=hidden // group)
        self.project = Convolution(hidden, outputs, 1, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) → (N, outputs, h / stride, w / stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Encoder(nn.Module):
    """EfficientNet-Lite0 up to 1/32."""

    def __init__(self, shape: Shape):
        super().__init__()
        channels = shape.stem
        self.stem = Convolution(3 + shape.previous, channels, 3, 2)
        self.stages = nn.ModuleList()
        for index, (stage, hidden) in enumerate(zip(STAGES, shape.hidden, strict=True)):
            blocks = []
            for block, inner in enumerate(hidden):
                stride = stage.stride if block == 0 else 1
                sizes = (channels, inner, stage.channels, stage.kernel, stride)
                blocks.append(InvertedResidual(*sizes, index > 0, shape.group))
                channels = stage.channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, 3, h, w) normalised BGR → the features at 1/32, and the skips at 1/16, 1/8, 1/4, 1/2."""
        x = self.stem(x)
        skips = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in SKIPS:
                skips.append(x)
        return x, skips[::-1]


class Bottleneck(nn.Module):
    """The decoder's begin at 1/32: a 1×1 convolution whose channels are weighed by what the whole picture shows."""

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        self.reduce = Convolution(inputs, channels, 1)
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)
        self.coarse = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inputs, h, w) → features (N, channels, h, w), coarse mask's logits (N, 1, h, w)."""
        x = self.reduce(x)
        attention = torch.sigmoid(self.excite(F.relu6(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = x * attention
        return x, self.coarse(x)


class Segmenter(nn.Module):
    """The whole network, as it is trained."""

    def __init__(self, shape: Shape = Shape()):
        super().__init__()
        self.previous = shape.previous
        self.soften = Softener(3) if shape.soft else nn.Identity()
        self.encoder = Encoder(shape)
        self.bottleneck = Bottleneck(STAGES[-1].channels, shape.bottleneck)
        sizes = zip((shape.bottleneck, *shape.decoder), reversed(SKIPS), shape.decoder, strict=False)
        self.decoder = nn.ModuleList(
            BLOCKS[shape.variant](below, STAGES[skip].channels, outputs, last=skip == SKIPS[0])
            for below, skip, outputs in sizes
        )
        self.head = nn.ConvTranspose2d(shape.decoder[-1], 1, 2, 2)

    def forward(self, image: Tensor, previous: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the people.

        Args:
            image: BGR (N, 3, h, w), 0…255, any float type.
            previous: the alpha (N, 1, h, w) of the frame before, where the shape asks for it; nobody if None.

        Returns:
            The mask's logits (N, 1, h, w), and the coarse mask's (N, 1, h / 32, w / 32).
        """
        return self.segment((image - MEAN) / SCALE, previous)

    def segment(self, picture: Tensor, previous: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The same for a picture with mean and scale taken out."""
        x = self.soften(picture)
        if self.previous:
            x = torch.cat([x, torch.zeros_like(x[:, :1]) if previous is None else previous], 1)
        x, skips = self.encoder(x)
        x, coarse = self.bottleneck(x)
        for block, skip in zip(self.decoder, skips, strict=True):
            x = block(x, skip)
        return self.head(x), coarse


class Deployed(nn.Module):
    """What is exported: uint8 BGR (1, h, w, 3) in, float32 alpha (1, h, w, 1) in [0, 1] out.

    The network's copy has its batch norms folded into the convolutions, and the pictures' scale into the stem. Only
    the mean is still subtracted: the stem pads with zeros, so it cannot be folded exactly.
    """

    def __init__(self, network: Segmenter):
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        for module in self.network.modules():
            if isinstance(module, Convolution):
                module[0] = fuse_conv_bn_eval(module[0], module[1])
                module[1] = nn.Identity()
        with torch.no_grad():
            self.network.encoder.stem[0].weight[:, :3] /= SCALE

    def forward(self, image: Tensor, previous: Tensor | None = None) -> Tensor:
        """The alpha of one picture; `previous`, if the network looks at it, is the alpha given for the last."""
        before = None if previous is None else previous.permute(0, 3, 1, 2)
        logits, _ = self.network.segment(image.permute(0, 3, 1, 2).float() - MEAN, before)
        return torch.sigmoid(logits).permute(0, 2, 3, 1)
