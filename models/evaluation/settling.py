"""What each constant of `models.settle` is worth: masks of a network, and exact mattes, settled with other values.

    python -m models.evaluation.settling hd --data ../shared/data/dev --pictures .work/WILD

The clips' frames are looked at as wholes, one of `EVERY`. "Edge" is how far the mask is from the truth within `BAND`
pixels of the true edge, ×10³. The exact mattes are the clips' own, shrunk to the network's size: what settling does to
a mask that needs none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import settle
from models.evaluation.clips import find_clips, frames, resized, score_matte
from models.evaluation.ours import open_own
from models.evaluation.photographs import read_photographs
from models.segmenter import shrink

EVERY = 5
BAND = 4
WAYS: dict[str, dict[str, float]] = {
    "as it is": {},
    "half of the mask's size": {"SHRINK": 2},
    "a quarter of it": {"SHRINK": 4},
    "windows half as wide": {"WINDOWS": 10},
    "windows a quarter wider": {"WINDOWS": 4},
    "sureness squared once": {"SQUARINGS": 1},
    "sureness squared three times": {"SQUARINGS": 3},
    "no contrast": {"CONTRAST": 1.0},
    "contrast 2.5": {"CONTRAST": 2.5},
    "ten times the regularisation": {"EPSILON": 1e-3},
    "a tenth": {"EPSILON": 1e-5},
    "edges, too": {"AREA": 1},
    "only wider areas": {"AREA": 5},
}
"""By name, what is changed in `models.settle`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A picture as the network looks at it, uint8 BGR, a mask of that size and the truth, float32."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.float32]
    truth: NDArray[np.float32]


def edge_error(found: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean absolute difference ×10³ within `BAND` pixels of the true edge; 0 where there is none."""
    person, disc = (truth > 0.5).astype(np.uint8), np.ones((2 * BAND + 1,) * 2, np.uint8)
    band = cv2.dilate(person, disc) != cv2.erode(person, disc)
    return 1e3 * float(np.abs(found - truth)[band].mean()) if band.any() else 0.0


def score(cases: list[Case], way: dict[str, float] | None) -> str:
    """J, F, MAD and the edge's error of masks settled one way, None: not settled."""
    usual = {name: getattr(settle, name) for name in way or {}}
    try:
        for name, value in (way or {}).items():
            setattr(settle, name, value)
        settlers = {case.mask.shape: settle.Settler(*case.mask.shape[::-1]) for case in cases}
        scores = []
        for case in cases:
            mask = case.mask.copy()
            if way is not None:
                settlers[mask.shape](case.picture, mask)
            found = resized(mask)
            scores.append((*score_matte(found, case.truth), edge_error(found, case.truth)))
    finally:
        for name, value in usual.items():
            setattr(settle, name, value)
    return "{:.2f}, {:.2f} | {:.1f} | {:.1f}".format(*np.mean(scores, 0))


def look(name: str, pairs: Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> tuple[list[Case], list[Case]]:
    """Of frames and truths: a network's masks of them, not settled, and the truths as masks of its size."""
    segmenter = open_own(name, settled=False)
    shape = segmenter.model.output
    networks, exact = [], []
    for frame, truth in pairs:
        picture = np.empty((shape.height, shape.width, 3), np.uint8)
        shrink(frame, picture)  # stretched as the network sees it, but for upright pictures, which are padded for it
        truth = resized(truth)
        networks.append(Case(picture, segmenter(frame).copy(), truth))
        small = cv2.resize(truth, (shape.width, shape.height), interpolation=cv2.INTER_AREA)
        exact.append(Case(picture, np.asarray(small, np.float32), truth))
    return networks, exact


def main() -> int:
    """Print a Markdown table, a row for each way."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.settling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", metavar="MODEL", help="ours, or an .onnx or .tflite file")
    parser.add_argument("--data", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with images/ and masks/")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        clips, photographs = find_clips(args.data), read_photographs(args.pictures)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    every = (pair for clip in clips for number, pair in enumerate(frames(clip)) if number % EVERY == 0)
    networks, exact = look(args.model, every)
    wild, _ = look(args.model, iter(photographs))
    kinds = "clips: J, F | MAD | edge | wild: J, F | MAD | edge | exact mattes: J, F | MAD | edge"
    print(f"| settled | {kinds} |", "|---" * 10 + "|", sep="\n")
    for name, way in {"not at all": None, **WAYS}.items():
        print(f"| {name} | " + " | ".join(score(cases, way) for cases in (networks, wild, exact)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
