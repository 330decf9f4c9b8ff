"""What networks make of people without texture: real ones, made flat.

    python -m models.evaluation.flat hd OLD.onnx --data ../shared/data/dev --pictures WILD

A painted figure (`models.training.figure`) is flat, but nobody looks like one. Here every sixth frame of the clips with
true alpha and every second photograph with a hand-made mask is shown as it is, as a camera's noise reduction and
crushed blacks leave it, and as patches of a few colours, all of it or the people alone (`models.training.camera`).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.__main__ import open_network
from models.evaluation.clips import SIZE, find_clips, frames, resized, score_matte
from models.evaluation.photographs import read_photographs
from models.training.camera import flatten, painted

FRAMES, PHOTOGRAPHS = 6, 2
"""One in so many is taken: what is left is measured in two minutes."""
HOW = ("as they are", "noise reduction", "patches of colour", "the people alone so")

Picture = NDArray[np.uint8]
Matte = NDArray[np.float32]


def read_clips(folder: Path) -> Iterator[tuple[Picture, Matte]]:
    """Frames of the clips and their mattes."""
    for clip in find_clips(folder):
        yield from list(frames(clip))[::FRAMES]


def read_wild(folder: Path) -> Iterator[tuple[Picture, Matte]]:
    """Photographs as large as the clips, at which the filters have the same width, and their masks."""
    for picture, mask in read_photographs(folder)[::PHOTOGRAPHS]:
        scale = SIZE[0] / max(picture.shape[:2])
        size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
        small, matte = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (picture, mask))
        yield np.asarray(small, np.uint8), np.asarray(matte, np.float32)


def flattened(number: int, picture: Picture, matte: Matte) -> tuple[Picture, ...]:
    """The picture in each of the ways of `HOW`; what is drawn follows from its number."""
    alpha = np.rint(255 * matte).astype(np.uint8)
    draws = [np.random.default_rng(number) for _ in range(3)]
    return (
        picture,
        flatten(draws[0], picture),
        painted(draws[1], picture, None),
        painted(draws[2], picture, alpha),
    )


def main() -> int:
    """Print a Markdown table of J."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.flat", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--data", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with images/ and masks/")
    parser.add_argument("--peers", type=Path, help="the folder with the peers' files")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        sets = {"clips": list(read_clips(args.data)), "wild": list(read_wild(args.pictures))}
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    columns = [f"{name}: {how}" for name in sets for how in HOW]
    print(f"| network | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|", sep="\n")
    for name in args.models:
        matting = open_network(name, args.peers)
        scores: defaultdict[str, list[float]] = defaultdict(list)
        for part, pictures in sets.items():
            for number, (picture, matte) in enumerate(pictures):
                for how, seen in zip(HOW, flattened(number, picture, matte), strict=True):
                    scores[f"{part}: {how}"].append(score_matte(resized(matting(seen)), resized(matte))[0])
        print(f"| {Path(name).stem} | {' | '.join(f'{np.mean(scores[c]):.1f}' for c in columns)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
