"""Cut out what networks take for somebody and is nobody: `python -m models.training.things --pool .work/pool …`.

A lamp, a stool or a bed's cover that somebody stands before is what every longer training took for a part of them
(models/cards/hd-training.md). `models.training.mine` shows a room in which that happens more often; here the thing
itself is cut out, along the networks' own mask, to stand behind and beside other people in other rooms. It is cut out
of rooms alone: what was taken beside people in their own pictures was one time in ten somebody whom the label, and a
peer, had missed. Hard negatives
as in Shrivastava et al. 2016, cut and pasted as in "Cut, Paste and Learn" (Dwibedi et al. 2017).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.ours import Matting, open_own
from models.training.augment import Composer
from models.training.cutouts import KINDS, THING, cut_out, grown, write_cut_outs
from models.training.data import split
from models.training.mine import NEAR, PLAINLY
from models.training.pool import Sample, read_pool

TAKEN = 0.4
"""Alpha from which a network takes a pixel; also what it is a little less sure of is cut out, to be whole."""
LEAST, MOST = 0.004, 0.35
"""Of the frame's area: what is smaller is noise, what is larger a wall."""
SIZE = (576, 324)
"""The frames', above what the networks look at."""
SEED = 97
"""Of the composites, which are no training's."""
ON_ROOM = dataclasses.replace(PLAINLY, other_room=1.0, room_for_street=1.0, least_shown=0.85)


def things(frame: NDArray[np.uint8], alpha: NDArray[np.uint8], networks: list[Matting], name: str) -> Iterator[Sample]:
    """What any network takes in a frame, uint8 BGR (h, w, 3), away from its people, whose uint8 alpha is (h, w)."""
    size = alpha.shape[::-1]
    mattes = [cv2.resize(network(frame), size) for network in networks]
    away = cv2.dilate(alpha, np.ones((2 * round(NEAR * size[0]) + 1,) * 2, np.uint8)) < 8
    taken = (np.maximum.reduce(mattes) > TAKEN) & away
    count, labels, stats, _ = cv2.connectedComponentsWithStats(taken.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        piece = labels == number
        if LEAST <= stats[number, cv2.CC_STAT_AREA] / piece.size <= MOST:
            mask = np.where(away, grown(piece, size), 0).astype(np.uint8)
            yield cut_out(frame, mask, f"{name}_{number}", THING)


def find(people: list[Sample], rooms: list[Sample], networks: list[Matting]) -> Iterator[Sample]:
    """All things of the rooms, somebody put before each."""
    composer = Composer(people, rooms, SIZE, ON_ROOM)
    whole = [index for index, sample in enumerate(people) if sample.kind not in KINDS]
    for number, room in enumerate(tqdm(rooms, unit="room")):
        composer.rooms, rng = [room], np.random.default_rng((SEED, number))
        frame, alpha = composer.draw(rng, int(rng.choice(whole)))
        yield from things(frame, alpha, networks, room.name)


def main() -> None:
    """Write the pool of cut-outs."""
    parser = argparse.ArgumentParser(prog="python -m models.training.things", description=__doc__)
    parser.add_argument("--pool", type=Path, nargs="+", required=True, help="the pools to cut from")
    parser.add_argument("--networks", nargs="+", default=["hd", "lite"], help="the manifest's, or files")
    parser.add_argument("--out", type=Path, default=Path(".work/things"), help="where the cut-outs go")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    people, rooms = read_pool(*args.pool)
    people, _ = split(people)
    networks: list[Matting] = [open_own(name) for name in args.networks]
    found = list(find(people, rooms, networks))
    write_cut_outs(args.out, found)
    print(f"{len(found)} cut-outs of {len(rooms)} rooms in {args.out}")


if __name__ == "__main__":
    main()
