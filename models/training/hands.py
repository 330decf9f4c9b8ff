"""Cut hands and arms out of labelled pictures, for `props.hand`: `python -m models.training.hands --pool .work/pool …`.

Few of the pool's people raise a hand, and a hand beside the head is what `lite` loses most (models/cards/failures.md).
MediaPipe's multiclass segmenter finds the skin of bodies; a piece of it that lies inside the label's person and does
not touch the face is an arm, a hand, or a leg, which looks much the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.peers import FACE_SKIN, open_parts
from models.training.cutouts import HAND, cut_out, grown, write_cut_outs
from models.training.data import split
from models.training.pool import Sample, read_pool

BODY_SKIN = 2
"""Its class, beside `FACE_SKIN`."""

SURE = 0.6
"""Share of the class from which a pixel counts."""

LEAST, MOST = 0.006, 0.2
"""Of the picture's area: a hand is larger than its 256 × 256 pixels tell apart, and a bare chest is none."""

APART = 5
"""Pixels of 256 between it and the face; what is nearer is the neck."""

Parts = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def cut(sample: Sample, parts: Parts) -> Iterator[Sample]:
    """The hands and arms of one labelled picture, each with its own alpha."""
    shares = parts(sample.picture)
    height, width = shares.shape[:2]
    inside = cv2.resize(sample.alpha, (width, height), interpolation=cv2.INTER_AREA) > 200
    skin = ((shares[..., BODY_SKIN] > SURE) & inside).astype(np.uint8)
    face = cv2.dilate((shares[..., FACE_SKIN] > 0.3).astype(np.uint8), np.ones((2 * APART + 1,) * 2, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(skin, connectivity=4)
    for number in range(1, count):
        share = stats[number, cv2.CC_STAT_AREA] / skin.size
        piece = labels == number
        if not LEAST <= share <= MOST or (face[piece] > 0).any():
            continue
        # The label's own alpha is the edge where it is the person's.
        alpha = np.asarray(cv2.min(grown(piece, sample.alpha.shape[::-1]), sample.alpha), np.uint8)
        yield cut_out(sample.picture, alpha, f"{sample.name}_{number}", HAND)


def main() -> None:
    """Write the pool of cut-outs."""
    parser = argparse.ArgumentParser(prog="python -m models.training.hands", description=__doc__)
    parser.add_argument("--pool", type=Path, nargs="+", required=True, help="the pools to cut from")
    parser.add_argument("--kinds", nargs="*", default=[], help="only these kinds of pictures")
    parser.add_argument("--multiclass", type=Path, required=True, help="selfie_multiclass_256x256.tflite")
    parser.add_argument("--out", type=Path, default=Path(".work/hands"), help="where the cut-outs go")
    args = parser.parse_args()
    people, _ = split(read_pool(*args.pool)[0])
    parts = open_parts(args.multiclass, 1)
    chosen = [sample for sample in people if not args.kinds or sample.kind in args.kinds]
    found = [hand for sample in tqdm(chosen, unit="picture") for hand in cut(sample, parts)]
    write_cut_outs(args.out, found)
    print(f"{len(found)} cut-outs of {len(chosen)} pictures in {args.out}")


if __name__ == "__main__":
    main()
