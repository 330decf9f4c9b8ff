"""Find the pictures that a run errs on, for the next to see more often: `python -m models.training.mine --config …`.

Hard-example mining after Shrivastava et al. 2016 ("Training Region-based Object Detectors with Online Hard Example
Mining"), of pictures instead of regions and once instead of online, since a wrong label looks hard as well. So only
what cannot be wrong counts: rooms, on which a composite's alpha is exact, and people whom a peer finds as the label
has them and the run does not. Weighing the hardest pixels, without such a second opinion, made masks soft
(models/cards/lite.md).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from models.architectures.segmenter import Segmenter
from models.evaluation.metrics import region
from models.evaluation.ours import Matting
from models.evaluation.peers import open_peer
from models.training.ablation import matting
from models.training.augment import Chances, Composer
from models.training.config import Config, read_config
from models.training.cutouts import KINDS
from models.training.data import MINED, read_mined, split
from models.training.pool import Sample, read_pool
from models.training.train import load_start

PEER = "selfie-landscape"
SEEN, BETTER = 85.0, 4.0
"""J from which the peer agrees with the label, and by how much the run has to be below it."""
PEOPLE_COPIES, ROOM_COPIES = 3, 4
"""How many times at most one stands in the next run's list; of people a few labels may be wrong, looked at or not."""
DRAWS = 4
"""Composites on which a room is tried; in one the person may hide what is hard about it."""
NEAR = 9 / 256
"""Share of the frame's width around the person that do not count against the room: there the edge is what is hard."""
SEED = 98
"""Of the pictures drawn; no training's."""

PLAINLY = Chances(nobody=0.0, cloth=0.0, chair=0.0, poster=0.0, shadow=0.0, headphones=0.0, before=0.0, dim=0.0)
"""Nothing drawn that could be what the run erred on, instead of the picture."""


def hard_people(people: list[Sample], rooms: list[Sample], config: Config, run: Matting, peer: Matting) -> list[str]:
    """The names of those whom the peer finds in their own room and the run does not; `PLAIN` ones on some room."""
    own = dataclasses.replace(PLAINLY, other_room=0.0, room_for_street=0.0)
    composer, found = Composer(people, rooms, (config.width, config.height), own), []
    for index, sample in enumerate(tqdm(people, unit="picture")):
        if sample.kind in KINDS:
            continue
        frame, alpha = composer.draw(np.random.default_rng((SEED, index)), index)
        mattes = (cv2.resize(matte(frame), alpha.shape[::-1]) for matte in (run, peer))
        ours, theirs = (100 * region(matte > 0.5, alpha > 127) for matte in mattes)
        if theirs >= SEEN and ours < theirs - BETTER:
            found.append(sample.name)
    return found


def hard_rooms(
    people: list[Sample], rooms: list[Sample], config: Config, run: Matting, draws: int = DRAWS
) -> dict[str, float]:
    """For each room the share of the frame that the run takes for the person away from them, in the mean of `draws`."""
    chances = dataclasses.replace(PLAINLY, other_room=1.0, room_for_street=1.0, least_shown=config.chances.least_shown)
    composer = Composer(people, rooms, (config.width, config.height), chances)
    whole = [index for index, sample in enumerate(people) if sample.kind not in KINDS]
    around, shares = np.ones((2 * round(NEAR * config.width) + 1,) * 2, np.uint8), {}
    for number, room in enumerate(tqdm(rooms, unit="room")):
        composer.rooms, rng = [room], np.random.default_rng((SEED, number))
        taken = 0.0
        for _ in range(draws):
            frame, alpha = composer.draw(rng, int(rng.choice(whole)))
            away: NDArray[np.bool_] = cv2.dilate(alpha, around) < 8
            taken += float(((run(frame) > 0.5) & away).mean())
        shares[room.name] = taken / draws
    return shares


def copies(people: list[str], rooms: dict[str, float]) -> dict[str, int]:
    """How many times each picture stands in the next run's list; what is not named, once."""
    usual = float(np.mean(list(rooms.values()))) or 1.0
    often = {name: 1 + min(ROOM_COPIES - 1, int(share / usual)) for name, share in rooms.items()}
    return {name: times for name, times in often.items() if times > 1} | dict.fromkeys(people, PEOPLE_COPIES)


def main() -> None:
    """Write what is hard beside the run's checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m models.training.mine", description=__doc__)
    parser.add_argument("--config", required=True, help="the run's name")
    parser.add_argument("--weights", help="the network kept in git, or the run, to ask, unless it is this one")
    parser.add_argument("--pool", type=Path, nargs="+", required=True, help="what it was trained on, in that order")
    parser.add_argument("--peers", type=Path, default=Path("../shared/weights"), help="the folder of the peer's file")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where its checkpoint is")
    parser.add_argument("--rooms-only", action="store_true", help="people are only put on the rooms, not tried")
    parser.add_argument("--draws", type=int, default=DRAWS, help="composites on which a room is tried")
    parser.add_argument("--keep", help="a run whose findings stay as they are where these pools hold nothing of it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = read_config(args.config)
    folder = args.runs / config.name
    network = Segmenter(config.shape)
    if lacking := network.state_dict().keys() - load_start(network, args.weights or config.name, args.runs):
        raise ValueError(f"{args.weights or config.name} is another network than {config.name}: no {min(lacking)}")
    run = matting(network.eval(), config)
    folder.mkdir(parents=True, exist_ok=True)
    people, rooms = read_pool(*args.pool)
    people, _ = split(people)
    peer = open_peer(PEER, args.peers, 1)
    hard = [] if args.rooms_only else hard_people(people, rooms, config, run, peer)
    found = copies(hard, hard_rooms(people, rooms, config, run, args.draws))
    often = (read_mined(args.runs / args.keep) if args.keep else {}) | found
    (folder / MINED).write_text(json.dumps(often, indent=0, sort_keys=True))
    print(f"{len(hard)} of {len(people)} people and {len(found) - len(hard)} of {len(rooms)} rooms are hard")


if __name__ == "__main__":
    main()
