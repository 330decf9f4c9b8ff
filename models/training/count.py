"""Count a network's parameters and multiply-accumulates: `python -m models.training.count --config lite`."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from models.architectures.segmenter import Deployed, Segmenter
from models.training.config import Config, read_config


def count(config: Config) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of all convolutions on one picture, of the network as it ships."""
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


def main() -> None:
    """Print both, beside those of the papers."""
    parser = argparse.ArgumentParser(prog="python -m models.training.count", description=__doc__)
    parser.add_argument("--config", required=True, help="a name in models/training/configs")
    args = parser.parse_args()
    parameters, operations = count(read_config(args.config))
    print(f"{args.config}: {parameters:,} parameters ({2 * parameters / 1e6:.2f} MB in half precision)")
    print(f"{operations / 1e6:.1f} M multiply-accumulates a picture")
    print('Google\'s, in "Efficient Heterogeneous Video Segmentation at the Edge": web 1.65 MB, mobile 8.7 MB')


if __name__ == "__main__":
    main()
