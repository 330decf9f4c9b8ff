"""Score networks on people and rooms that training saw neither of: composites with true alpha.

    python -m models.evaluation.rooms hd selfie-landscape --peers ../shared/weights --rooms UNSEEN/rooms \\
        --pools .work/pool .work/pool-third .work/pool-more

The people are those whom training holds out, and the rooms a folder of their own (models/cards/unseen-rooms.csv), each
with `PEOPLE` of them. Ten clips with true alpha are ten rooms; these are hundreds. Their alpha is RVM's label, so a
network is judged on what it does with the room, not along the edge, and RVM cannot be judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.__main__ import open_network
from models.evaluation.clips import SIZE, resized, score_matte
from models.evaluation.groups import figure
from models.evaluation.portraits import read_pools
from models.training.augment import WHOLE, Chances, Composer
from models.training.cutouts import KINDS
from models.training.pool import Sample
from models.training.prepare import read_picture

PEOPLE = 2
"""Composites of each room: in one the person may hide what is hard about it."""
SEED = 97
"""Of the composites; no training's."""
AS_THEY_ARE = Chances(
    room_for_street=1.0, other_room=1.0, nobody=0, cloth=0, chair=0, poster=0, headphones=0, before=0, least_shown=0.85
)
"""People on other rooms in a webcam's light and quality, and nothing drawn that might be what a network errs on."""
BADLY = 90.0
"""J below which a frame is seen to be wrong in a call."""


def read_rooms(folder: Path) -> list[Sample]:
    """The rooms in a folder, as uint8 BGR pictures with empty alphas.

    Raises:
        FileNotFoundError: there are none; the message names the cure.
    """
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no rooms: gather models/cards/unseen-rooms.csv into its parent folder")
    pictures = [(path, read_picture(path)) for path in paths]
    return [Sample(path.stem, path.stem.split("_")[0], p, np.zeros(p.shape[:2], np.uint8)) for path, p in pictures]


def composites(people: list[Sample], rooms: list[Sample]) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """For each room its name, and frames (uint8 BGR) with true alphas (uint8) of people drawn on it."""
    people = [sample for sample in people if sample.kind not in (*KINDS, *WHOLE)]
    composer = Composer(people, rooms, SIZE, AS_THEY_ARE)
    for number, room in enumerate(rooms):
        composer.rooms, rng = [room], np.random.default_rng((SEED, number))
        for _ in range(PEOPLE):
            yield (room.name, *composer.draw(rng, int(rng.integers(len(people)))))


def main() -> int:
    """Print a Markdown table: J with the interval that chance gives it over rooms, F, MAD, the share of bad frames."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.rooms", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ours, an .onnx or .tflite file, or a peer")
    parser.add_argument("--rooms", type=Path, required=True, help="a folder of rooms that no training saw")
    parser.add_argument("--pools", type=Path, nargs="+", required=True, help="what training reads, in its order")
    parser.add_argument("--peers", type=Path, required=True, help="the folder with the peers' files")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        rooms = read_rooms(args.rooms)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    networks = {Path(name).stem: open_network(name, args.peers) for name in args.models}
    people, _ = read_pools(args.pools)
    scores: dict[str, dict[str, list[tuple[float, float, float]]]] = {name: {} for name in networks}
    drawn = composites(people, rooms)
    for room, frame, alpha in tqdm(drawn, total=PEOPLE * len(rooms), unit="frame", leave=False):
        truth = resized(alpha.astype(np.float32) / 255)
        for name, matting in networks.items():
            scores[name].setdefault(room, []).append(score_matte(resized(matting(frame)), truth))
    print(f"{len(people)} people, {len(rooms)} rooms", "", sep="\n")
    print(f"| network | J | F | MAD | J below {BADLY:.0f}, % |", "|---" * 5 + "|", sep="\n")
    for name, by_room in scores.items():
        j, f, mad = np.array([np.mean(of, 0) for of in by_room.values()]).T
        bad = np.mean([score[0] < BADLY for of in by_room.values() for score in of])
        print(f"| {name} | {figure(j)} | {f.mean():.1f} | {mad.mean():.1f} | {100 * bad:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
