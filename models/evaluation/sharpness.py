"""How sharp pictures are as a network gets them: cameras' beside those it is trained on.

    python -m models.evaluation.sharpness --clips CLIPS --pictures HUNT --config hd-homes --pools .work/pool

Of a picture shrunk to the network's size, the ratio of its finest detail (what a Gaussian of 0.8 pixels takes away) to
the next coarser octave: noise and sharpening raise it, defocus and enlarging lower it; contrast and content hardly
matter.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.clips import find_clips, frames
from models.segmenter import MAX_STRETCH, shrink
from models.training.config import Config, read_config
from models.training.data import Composites, split
from models.training.pool import read_pool
from models.training.prepare import read_picture

Picture = NDArray[np.uint8]
COMPOSITES = 400
"""Training pictures to look at; with other seeds the quartiles came out up to 0.05 apart."""
FINE = 0.8
"""Pixels, of the Gaussian that takes the finest detail away; the coarser one is twice as wide."""


def sharpness(picture: Picture) -> float:
    """The ratio of a uint8 BGR picture's finest detail to the next coarser; 0 for an even picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    once, twice = (cv2.GaussianBlur(grey, (0, 0), width) for width in (FINE, 2 * FINE))
    coarse = float(np.abs(once - twice).mean())
    return float(np.abs(grey - once).mean()) / coarse if coarse else 0.0


def at_size(pictures: Iterator[Picture], size: tuple[int, int]) -> Iterator[Picture]:
    """Pictures as a network of this (width, height) gets them; those that would be padded are left out."""
    for picture in pictures:
        stretch = picture.shape[1] / picture.shape[0] / (size[0] / size[1])
        if 1 / MAX_STRETCH <= stretch <= MAX_STRETCH:
            shrunk = np.empty((size[1], size[0], 3), np.uint8)
            shrink(picture, shrunk)
            yield shrunk


def training_pictures(config: Config, pools: list[Path]) -> Iterator[Picture]:
    """What a training by this configuration sees of these pools."""
    people, rooms = read_pool(*pools)
    data = Composites(split(people)[0], rooms, config)
    return (data[number][0].numpy() for number in range(COMPOSITES))


def main() -> int:
    """Print a Markdown table of quartiles."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.sharpness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clips", type=Path, required=True, help="clips as `models.evaluation` reads them")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with images/, as `gather` makes it")
    parser.add_argument("--config", required=True, help="a training's, for its size and what is drawn")
    parser.add_argument("--pools", type=Path, nargs="+", required=True, help="what it reads")
    args = parser.parse_args()
    try:
        config, clips = read_config(args.config), find_clips(args.clips)
        drawn = training_pictures(config, args.pools)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    size = config.width, config.height
    stills = sorted((args.pictures / "images").glob("*"))
    sets = {
        "clips": at_size((frame for clip in clips for frame, _ in frames(clip)), size),
        "pictures": at_size((read_picture(path) for path in stills), size),
        f"training, {config.name}": drawn,
    }
    print("| | pictures | a quarter below | half below | a quarter above |", "|---" * 5 + "|", sep="\n")
    for name, pictures in sets.items():
        found = [sharpness(picture) for picture in pictures]
        low, half, high = np.percentile(found, [25, 50, 75])
        print(f"| {name} | {len(found)} | {low:.2f} | {half:.2f} | {high:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
