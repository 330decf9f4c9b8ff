"""What a second teacher would bring: `python -m models.training.teachers --isnet FILE --clips CLIPS`.

Robust Video Matting labels the training pictures. ISNet (Qin et al. 2022, "Highly Accurate Dichotomous Image
Segmentation"), a finder of whatever is salient, draws finer edges at 1024×1024 and does not know what a person is.
This scores both, and two ways to join them, on pictures whose masks are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.clips import find_clips, frames, score_matte
from models.evaluation.metrics import Matte
from models.evaluation.ours import open_session
from models.evaluation.peers import RVM_FILE, open_isnet, start_rvm
from models.training.prepare import read_picture, size_at

LONGEST = 384
"""Pixels of the longest side at which RVM looks and masks are compared: what most pictures are labelled at."""
EDGE = 8
"""Pixels along RVM's edge in which `along_edge` listens to ISNet; so far out its errors are edges."""


def along_edge(rvm: Matte, isnet: Matte) -> Matte:
    """RVM's matte (h, w) in [0, 1] with the mean of both in the `EDGE` pixels beside its outline."""
    mask = (rvm > 0.5).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * EDGE + 1, 2 * EDGE + 1))
    edge = cv2.dilate(mask, disc) != cv2.erode(mask, disc)
    return np.asarray(np.where(edge, (rvm + isnet) / 2, rvm), np.float32)


def joined(rvm: Matte, isnet: Matte) -> dict[str, Matte]:
    """The two mattes (h, w) in [0, 1], and two ways to join them."""
    mean = np.asarray((rvm + isnet) / 2, np.float32)
    return {"rvm": rvm, "isnet": isnet, "their mean": mean, "rvm, their mean along its edge": along_edge(rvm, isnet)}


def hand_masked(data: Path, count: int) -> Iterator[tuple[NDArray[np.uint8], Matte]]:
    """So many pictures, evenly spread over a folder's images/, that have a hand-made mask in masks/, and the masks."""
    masks = sorted((data / "masks").iterdir())
    for mask in masks[:: max(1, len(masks) // count)][:count]:
        picture = read_picture(next((data / "images").glob(f"{mask.stem}.*")))
        size = size_at(picture, LONGEST)
        drawn = cv2.resize(read_picture(mask), size, interpolation=cv2.INTER_AREA)[..., 0]
        shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        yield np.asarray(shown, np.uint8), np.asarray(drawn / np.float32(255), np.float32)


def from_clips(folder: Path, each: int) -> Iterator[tuple[NDArray[np.uint8], Matte]]:
    """So many frames of each clip, evenly spread, with their true mattes, at `SIZE`."""
    for clip in find_clips(folder):
        shown = list(frames(clip))
        yield from shown[:: max(1, len(shown) // each)][:each]


def main() -> None:
    """Print J, F and MAD of each on hand-made masks and on the clips."""
    parser = argparse.ArgumentParser(prog="python -m models.training.teachers", description=__doc__)
    parser.add_argument("--isnet", type=Path, required=True, help="models/medium of npm @imgly/background-removal-data")
    parser.add_argument("--clips", type=Path, required=True, help="clips with true alpha")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"), help="images/ and masks/")
    parser.add_argument("--teachers", type=Path, default=Path("../shared/weights"), help="the folder of RVM's file")
    parser.add_argument("--pictures", type=int, default=40, help="with hand-made masks, and about as many frames")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    session, isnet = open_session(args.teachers / RVM_FILE, args.threads), open_isnet(args.isnet, args.threads)
    clips = len(find_clips(args.clips))
    sources = {
        "hand-made masks": hand_masked(args.data, args.pictures),
        "clips": from_clips(args.clips, max(1, args.pictures // clips)),
    }
    for source, pairs in sources.items():
        scores: dict[str, list[tuple[float, float, float]]] = {}
        for picture, truth in tqdm(pairs, unit="picture"):
            size = size_at(picture, LONGEST)
            mattes = (
                np.asarray(cv2.resize(matting(picture), picture.shape[1::-1]), np.float32)
                for matting in (start_rvm(session, *size), isnet)
            )
            for name, found in joined(*mattes).items():
                scores.setdefault(name, []).append(score_matte(found, truth))
        for name, rows in scores.items():
            j, f, mad = np.mean(rows, 0)
            print(f"{source}, {len(rows)} pictures, {name}: J {j:.2f} F {f:.2f} MAD {mad:.1f}")


if __name__ == "__main__":
    main()
