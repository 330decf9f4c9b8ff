"""Give the labels of a pool the edge that two teachers draw: `python -m models.training.joint --help`.

RVM knows what a person is, ISNet draws the finer edge; `models.training.teachers` measures which way to join them makes
the best labels, and this makes them so: a pool is written anew, whose labels follow both along RVM's outline.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.evaluation.ours import Matting
from models.evaluation.peers import open_isnet
from models.training.pool import Sample, read_shard, write_shard
from models.training.teachers import along_edge


def rejoined(sample: Sample, isnet: Matting) -> Sample:
    """The sample with its alpha, uint8 (h, w), joined with ISNet's matte (any size, 0…1) along the alpha's outline."""
    second = np.asarray(cv2.resize(isnet(sample.picture), sample.alpha.shape[::-1]), np.float32)
    alpha = along_edge(np.asarray(sample.alpha, np.float32) / np.float32(255), second)
    return Sample(sample.name, sample.kind, sample.picture, np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8))


def main() -> None:
    """Write a pool's shards of people anew, its rooms not; a stopped run goes on with the next shard."""
    parser = argparse.ArgumentParser(prog="python -m models.training.joint", description=__doc__)
    parser.add_argument("--isnet", type=Path, required=True, help="models/medium of npm @imgly/background-removal-data")
    parser.add_argument("--pool", type=Path, required=True, help="what `prepare` wrote")
    parser.add_argument("--out", type=Path, required=True, help="where the new shards go")
    parser.add_argument("--threads", type=int, default=2, help="ISNet's")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(args.pool.glob("people_*.npz"))
    if not paths:
        parser.error(f"{args.pool} holds no people_*.npz: name a folder that `prepare` wrote")
    args.out.mkdir(parents=True, exist_ok=True)
    isnet = open_isnet(args.isnet, args.threads)
    for path in paths:
        if not (args.out / path.name).exists():
            shown = tqdm(read_shard(path), desc=path.name, unit="picture")
            write_shard(args.out / path.name, [rejoined(sample, isnet) for sample in shown])


if __name__ == "__main__":
    main()
