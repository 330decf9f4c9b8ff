"""The training pictures, composed by worker processes while the network trains."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from models.training.augment import WHOLE, Composer
from models.training.config import Config
from models.training.cutouts import KINDS
from models.training.pool import Sample, dropped

MINED = "mined.json"
"""In a run's folder, by `models.training.mine`: how many times a picture stands in the list, where not once."""
HELD_OUT = 25
"""One in so many pictures is kept out of training, to see how it generalises."""


class Composites(Dataset[tuple[Tensor, Tensor]]):
    """Picture number n of an endless training: which person, and everything drawn, follow from the seed and n.

    All have the configuration's size or, where `other_sizes` is set, all of a batch have one of its sizes.
    """

    def __init__(self, people: list[Sample], rooms: list[Sample], config: Config, other_sizes: bool = False) -> None:
        composer = Composer(people, rooms, (config.width, config.height), config.chances)
        others = config.other_sizes if other_sizes else ()
        self._composers = [*(composer.resized((w, h)) for w, h, _ in others), composer]
        self._shares = np.cumsum([share for *_, share in others])
        self._batch = config.batch
        weights = np.array([0.0 if s.kind in KINDS else config.kinds.get(s.kind, 1.0) for s in people])
        self._cumulative = np.cumsum(weights) / weights.sum()
        self._seed = config.seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """The uint8 BGR picture (h, w, 3) and its uint8 alpha (h, w)."""
        drawn = np.random.default_rng((self._seed, number // self._batch, 1)).random()
        rng = np.random.default_rng((self._seed, number))
        person = int(np.searchsorted(self._cumulative, rng.random(), side="right"))
        composer = self._composers[int(np.searchsorted(self._shares, drawn, side="right"))]
        picture, alpha = composer.draw(rng, min(person, len(self._cumulative) - 1))
        return torch.from_numpy(picture), torch.from_numpy(alpha)


class _From(Sampler[int]):
    """The numbers from `first` on: a resumed run goes on with the pictures that would have come next."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self):  # type: ignore[no-untyped-def]
        number = self._first
        while True:
            yield number
            number += 1


def split(people: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    """The pictures to train on and those held out; wrong ones in neither.

    Nor is somebody trained on from head to feet whose upper body is held out, being of the same photograph, or held out
    so whose upper body is trained on.
    """
    wrong = dropped()
    ours, others = (
        [sample for sample in part if sample.name not in wrong]
        for part in ([s for i, s in enumerate(people) if i % HELD_OUT], people[::HELD_OUT])
    )
    halves = {sample.name.removeprefix("ccp_") for sample in others if sample.kind == "ccp"}
    ours = [s for s in ours if s.kind not in WHOLE or s.name.split("_", 1)[1] not in halves]
    return ours, [s for s in others if s.kind not in WHOLE]


def read_mined(run: Path) -> dict[str, int]:
    """What `models.training.mine` found for a run.

    Raises:
        FileNotFoundError: it was not asked; the message names the command.
    """
    path = run / MINED
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: run `python -m models.training.mine --config {run.name} --pool …` first"
        )
    often: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return often


def repeated(samples: list[Sample], often: dict[str, int]) -> list[Sample]:
    """The samples, those named so many times."""
    return [sample for sample in samples for _ in range(often.get(sample.name, 1))]


def loader(data: Composites, config: Config, first: int, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches from picture number `first` on, composed ahead by `workers` processes, or as needed by this one."""
    return DataLoader(
        data,
        config.batch,
        sampler=_From(first),
        num_workers=workers,
        prefetch_factor=max(2, 16 // workers) if workers else None,
        worker_init_fn=lambda _: cv2.setNumThreads(1),
        pin_memory=torch.cuda.is_available(),
    )


def to_network(picture: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, h, w, 3) → float32 (N, 3, h, w), 0…255, channels last in memory."""
    return picture.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
