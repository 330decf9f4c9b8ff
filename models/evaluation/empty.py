"""Count the rooms without anybody in which networks take something for somebody.

    python -m models.evaluation.empty hd hd:followed lite lite:followed --rooms UNSEEN-ROOMS/rooms UNSEEN-TOURS/rooms

The folders are `rooms/` as `models.training.gather` brings them back by models/cards/unseen-rooms.csv and
unseen-tours.csv. A picture stands alone: with `:followed` its parts are searched, too (`models.region`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from models.evaluation.__main__ import open_network
from models.training.prepare import read_picture

SOMETHING = 0.001
"""Share of the picture from which something is taken: less is a speck."""


def main() -> int:
    """Print a Markdown table: in how many rooms something is taken, and how much of the picture in those."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.empty", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--rooms", type=Path, nargs="+", required=True, help="folders of pictures without anybody")
    parser.add_argument("--peers", type=Path, default=Path(), help="the folder with the peers' files")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(path for folder in args.rooms for path in folder.glob("*"))
    if not paths:
        print(f"{' '.join(map(str, args.rooms))}: there are no pictures; gather unseen-rooms.csv", file=sys.stderr)
        return 1
    print("| network | rooms | something taken | of the picture, then |", "|---" * 4 + "|", sep="\n")
    for name in args.models:
        matting = open_network(name, args.peers)
        shown = tqdm(paths, desc=name, unit="room", leave=False)
        shares = np.array([float((matting(read_picture(path)) > 0.5).mean()) for path in shown])
        taken = shares[shares > SOMETHING]
        much = f"{100 * taken.mean():.1f} %" if taken.size else ""
        print(f"| {Path(name).stem} | {len(paths)} | {taken.size} | {much} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
