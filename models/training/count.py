"""Count networks' parameters and operations, beside Google's: `python -m models.training.count lite hd`."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from models.architectures.segmenter import Deployed, Segmenter
from models.training.config import Config, read_config


def count(config: Config) -> tuple[int, int]:
    """Parameters, and multiply-accumulates on one picture of all convolutions that learn, as the network ships."""
    module = Deployed(Segmenter(config.shape))
    operations = 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal operations
        # A transposed convolution uses its weights once for each pixel that goes in, an ordinary one for each out.
        pixels = (inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output).shape[2:].numel()
        operations += layer.weight.numel() * pixels

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(add)
    with torch.no_grad():
        module(torch.zeros(1, config.height, config.width, 3, dtype=torch.uint8))
    return sum(parameter.numel() for parameter in module.parameters()), operations


PAPERS = (
    ("Google, web, EfficientNetLite", "256×256", 1.65, None),
    ("Google, web, EfficientNetLite", "512×512", 1.65, None),
    ("Google, mobile, width 1.0, MLP decoder", "512×512", 8.7, 7.6),
    ("Google, mobile, the same", "256×256", 8.7, 1.9),
)
"""Name, input, MB and 10⁹ operations, of "Efficient Heterogeneous Video Segmentation at the Edge", Tables 1 and 3."""


def main() -> None:
    """Print a Markdown table; an operation is a multiplication or an addition, as in the paper."""
    parser = argparse.ArgumentParser(prog="python -m models.training.count", description=__doc__)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="names in models/training/configs")
    args = parser.parse_args()
    print("| network | input | parameters | MB (16 bits) | operations, 10⁹ |")
    print("|---|---|---|---|---|")
    for config in map(read_config, args.configs):
        parameters, multiplications = count(config)
        size, giga = f"{config.width}×{config.height}", 2e-9 * multiplications
        print(f"| `{config.name}` | {size} | {parameters:,} | {2e-6 * parameters:.2f} | {giga:.2f} |")
    for name, size, megabytes, operations in PAPERS:
        print(f"| {name} | {size} | – | {megabytes} | {operations or '–'} |")


if __name__ == "__main__":
    main()
