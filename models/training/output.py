"""Is a mask of a quarter of the size cheaper, its enlargement counted? `python -m models.training.output --help`.

The mask could be read off a lower block of the decoder, at 1/4 or 1/2 of the picture, and enlarged. This times the
network cut off there, and scores the true mattes of clips shrunk to that size and enlarged: no network with such an
output can do better.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.architectures.segmenter import MEAN, Segmenter
from models.evaluation.clips import find_clips, frames, resized, score_matte
from models.evaluation.ours import open_file
from models.training.config import Config, read_config
from models.training.export import deployed, write_onnx
from models.training.train import load_start

BLOCKS = {1: 4, 2: 4, 4: 3}
"""How many of the decoder's blocks lie below a mask that is so many times smaller than the picture."""
RUNS = 200


class Cut(nn.Module):
    """The network as it ships, its mask read off after so many of the decoder's blocks by a new 1×1 convolution."""

    def __init__(self, network: Segmenter, config: Config, blocks: int) -> None:
        super().__init__()
        self.network = deployed(network).network
        self.blocks = blocks
        self.head = nn.Conv2d(config.shape.decoder[blocks - 1], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 BGR (1, h, w, 3) → float32 alpha (1, h / n, w / n, 1), of no use but to be timed."""
        x, skips = self.network.encoder(image.permute(0, 3, 1, 2).float() - MEAN)
        x, _ = self.network.bottleneck(x)
        for block, skip in zip(self.network.decoder[: self.blocks], skips, strict=False):
            x = block(x, skip)
        return torch.sigmoid(self.head(x)).permute(0, 2, 3, 1)


def milliseconds(config: Config, runs: Path) -> dict[int, float]:
    """Median time of one thread of each cut, taken in turns, each enlarged to the picture's size."""
    network = Segmenter(config.shape).eval()
    load_start(network, config.name, runs)
    size = (config.width, config.height)
    picture = torch.randint(0, 256, (1, config.height, config.width, 3), dtype=torch.uint8)
    computes = {}
    with tempfile.TemporaryDirectory() as folder:
        for factor, blocks in BLOCKS.items():
            path = Path(folder) / f"{factor}.onnx"
            write_onnx(deployed(network) if factor == 1 else Cut(network, config, blocks).eval(), picture, path)
            computes[factor] = open_file(path)[0]
    times: dict[int, list[float]] = {factor: [] for factor in BLOCKS}
    for _ in range(RUNS):
        for factor, compute in computes.items():
            compute(picture.numpy())
            began = time.perf_counter()
            alpha = compute(picture.numpy())[0, ..., 0]
            if factor > 1:
                cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
            times[factor].append(1e3 * (time.perf_counter() - began))
    return {factor: statistics.median(taken) for factor, taken in times.items()}


def main() -> None:
    """Print time and the best possible scores of each size of the mask."""
    parser = argparse.ArgumentParser(prog="python -m models.training.output", description=__doc__)
    parser.add_argument("--config", default="hd", help="a name in models/training/configs")
    parser.add_argument("--data", type=Path, required=True, help="clips with true alpha")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where checkpoints are")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = read_config(args.config)
    for factor, taken in milliseconds(config, args.runs).items():
        size = (config.width // factor, config.height // factor)
        scores = [
            score_matte(resized(np.asarray(cv2.resize(truth, size, interpolation=cv2.INTER_AREA), np.float32)), truth)
            for clip in find_clips(args.data)
            for _, truth in frames(clip)
        ]
        j, f, mad = np.mean(scores, 0)
        print(
            f"1/{factor}: {taken:.2f} ms; a mask of {size[0]}×{size[1]} has at most J {j:.2f} F {f:.2f} MAD {mad:.1f}"
        )


if __name__ == "__main__":
    main()
