"""The mean of several networks' weights, as a run to export: `python -m models.training.soup --help`.

"Model soups" (Wortsman et al. 2022): networks trained on from one another, each differently, lie in one basin, and
the mean of their weights errs less than they do, at no cost when it runs.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch

from models.architectures.segmenter import Segmenter
from models.training.config import read_config
from models.training.train import CHECKPOINT, read_weights, widened


def soup(networks: list[Segmenter]) -> Segmenter:
    """A network whose weights and statistics are the mean of these ones', which have one shape."""
    mean = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    mean.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(0) if tensor.is_floating_point() else tensor
            for name, tensor in states[0].items()
        }
    )
    return mean


def main() -> None:
    """Write the mean where `export` looks for a run's average."""
    parser = argparse.ArgumentParser(prog="python -m models.training.soup", description=__doc__)
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="kept in git, or else a run's average")
    parser.add_argument("--config", required=True, help="the name in models/training/configs whose run it becomes")
    parser.add_argument("--runs", type=Path, default=Path(".work/runs"), help="where checkpoints are")
    args = parser.parse_args()
    config = read_config(args.config)
    networks = []
    for name in args.networks:
        networks.append(Segmenter(config.shape))
        weights = widened(read_weights(name, args.runs), networks[-1].state_dict())
        networks[-1].load_state_dict(weights)  # which says what does not fit, if it is another
    folder = args.runs / config.name
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"average": soup(networks).state_dict()}, folder / CHECKPOINT)


if __name__ == "__main__":
    main()
