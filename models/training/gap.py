"""Tell whether a run lacks pictures or training: `python -m models.training.gap --config hd-core --pool .work/pool …`.

Its J on the people it was trained on, and on those held out, all on other rooms and all in their own (but for those
photographed on plain ground). Where both are alike, more training or a larger network helps; where the second is lower,
more people do.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from models.training.config import read_config
from models.training.data import Composites, split
from models.training.pool import read_pool
from models.training.train import Trainer

SEED = 99
"""Of the pictures drawn; no training's."""


def main() -> None:
    """Print four figures."""
    parser = argparse.ArgumentParser(prog="python -m models.training.gap", description=__doc__)
    parser.add_argument("--config", required=True, help="a name in models/training/configs")
    parser.add_argument("--pool", type=Path, nargs="+", required=True, help="what it was trained on")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where its checkpoint is")
    args = parser.parse_args()
    config = read_config(args.config)
    trainer = Trainer(config, args.runs / config.name, torch.device("cpu"))
    trainer.resume()
    if not trainer.step:
        parser.error(f"there is no checkpoint in {trainer.folder}: train {config.name} first")
    people, rooms = read_pool(*args.pool)
    for chance, where in ((1.0, "on other rooms"), (0.0, "in their own room")):
        chances = dataclasses.replace(config.chances, other_room=chance, room_for_street=chance, nobody=0.0)
        drawn = dataclasses.replace(config, seed=SEED, chances=chances)
        for part, who in zip(split(people), ("trained on", "held out"), strict=True):
            print(f"{who}, {where}: J {trainer.held_out(Composites(part, rooms, drawn)):.1f}")


if __name__ == "__main__":
    main()
