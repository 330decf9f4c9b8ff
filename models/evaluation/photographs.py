"""Score networks on photographs with hand-made masks, the "wild" ones of models/cards/hd.md.

    python -m models.evaluation.photographs hd selfie-square rvm --pictures WILD --peers ../shared/weights

WILD holds `images/` and `masks/`, whose files have the same names but for their endings, as `models.training.gather`
brings them back by models/cards/wild.csv. The masks are no network's, so Robust Video Matting can be judged too. They
show people of all sizes, most in the street and farther away than at a webcam.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.__main__ import open_network
from models.evaluation.clips import resized, score_matte
from models.evaluation.groups import figure
from models.training.prepare import read_picture

LOST = 50.0
"""J, in percent, below which the people of a photograph count as lost."""
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Where the second table parts the photographs: by how much of them people cover."""


def read_photographs(folder: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """The uint8 BGR pictures (h, w, 3) of a folder and their masks (h, w), 1 where somebody is and else 0.

    Raises:
        FileNotFoundError: there are none, or one has no mask; the message names the cure.
    """
    masks = {path.stem: path for path in (folder / "masks").glob("*")}
    pictures = sorted((folder / "images").glob("*"))
    missing = [path.name for path in pictures if path.stem not in masks]
    if not pictures or missing:
        what = f"masks/ lacks {', '.join(missing[:5])}" if missing else "images/ is empty"
        raise FileNotFoundError(f"{folder}: {what}; gather models/cards/wild.csv into it")
    return [(read_picture(p), np.asarray(read_picture(masks[p.stem])[..., 0] > 0, np.float32)) for p in pictures]


def main() -> int:
    """Print Markdown tables: J with its interval by chance, F, MAD, how many are lost; and J by the people's size."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.photographs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with images/ and masks/")
    parser.add_argument("--peers", type=Path, required=True, help="the folder with the peers' files")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        photographs = read_photographs(args.pictures)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(photographs)} photographs", "", sep="\n")
    print(f"| network | J | F | MAD | J below {LOST:.0f} |", "|---" * 5 + "|", sep="\n")
    sizes = np.digitize([float((mask > 0.5).mean()) for _, mask in photographs], SHARES[1:-1])
    by_size = []
    for name in args.models:
        matting = open_network(name, args.peers)
        shown = tqdm(photographs, desc=name, unit="picture", leave=False)
        scores = [score_matte(resized(matting(picture)), resized(mask)) for picture, mask in shown]
        j, f, mad = np.array(scores).T
        lost = np.count_nonzero(j < LOST)
        print(f"| {Path(name).stem} | {figure(j)} | {f.mean():.1f} | {mad.mean():.1f} | {lost} |", flush=True)
        by_size.append(
            [j[sizes == size].mean() if (sizes == size).any() else np.nan for size in range(len(SHARES) - 1)]
        )
    names = " | ".join(Path(name).stem for name in args.models)
    print("", f"| people cover | photographs | {names} |", "|---" * (2 + len(args.models)) + "|", sep="\n")
    for size, (least, most) in enumerate(pairwise(SHARES)):
        scored = " | ".join(f"{scores[size]:.1f}" for scores in by_size)
        print(f"| {least:.0%} to {most:.0%} | {np.count_nonzero(sizes == size)} | {scored} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
