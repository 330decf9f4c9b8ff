"""A training's configuration: one TOML file in `configs/`, whose name is the run's."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.architectures.segmenter import Shape, multiplied
from models.training.augment import Chances

FOLDER = Path(__file__).parent / "configs"


@dataclass(frozen=True, slots=True)
class Loss:
    """The weights of the loss's terms; see `losses.py`. `settled` is the share that asks of the settled mask."""

    jaccard: float = 1.0
    cross_entropy: float = 0.5
    edge: float = 4.0
    gap: float = 0.0
    gradient: float = 0.5
    coarse: float = 0.3
    steady: float = 0.0
    hardest: float = 0.0
    teacher: float = 0.0
    settled: float = 0.0


@dataclass(frozen=True, slots=True)
class Config:
    """One training.

    Attributes:
        name: the run's, and its folder's.
        width, height: of the pictures.
        other_sizes: (width, height, share) of batches that are larger or smaller, so that nothing hangs on one scale.
        minutes: how long it trains; the learning rate follows the clock, since that is what the machine limits.
        batch: pictures in a step.
        rate: the learning rate at its highest; it rises for the first `warm_up` of the time, then falls as a cosine.
        decay: AdamW's weight decay.
        average: how much of the averaged weights is kept each step; those are evaluated and exported.
        seed: of everything drawn.
        start: the network in `kept/`, or the run, whose weights to start with, "" for ImageNet's.
        start_share: how much of the start's weights is mixed into the average at the end.
        offset: added by `export` to the mask's logits, below 0 for less of a person: composites make a network surer
            than webcams' frames bear out. What is kept, and so `mine`, `start` and a soup, is without it. One number of
            Platt scaling ("Probabilistic outputs for support vector machines", 1999), chosen, not fitted; the figures
            are in models/cards/hd-training.md.
        frozen: the layers, by the beginnings of their names, that keep the start's weights and do not learn. Without
            the stem and the encoder's first stages, which see the most pixels, a step takes a quarter less time.
        statistics: whether the batch norms go on counting means and variances. If not, they stay as the start's and are
            folded into the filters, which learn on: passes over large tensors are saved.
        teacher: a finished run of a wider network for pictures of this size; its masks are learnt beside the truth, as
            much as the loss's weight says (Hinton et al. 2015). "" for none.
        mined: a run that `models.training.mine` was asked about: what was hard for it is seen more often. "" for none.
        kinds: how often each kind of picture is drawn, 1 if not named.
        rooms: how many times each kind of room stands in the list, 1 if not named.
        pictures: how many to train on, instead of the minutes, where runs are to be compared.
    """

    name: str
    width: int
    height: int
    minutes: float
    batch: int
    rate: float
    warm_up: float
    decay: float
    average: float
    seed: int
    shape: Shape
    other_sizes: tuple[tuple[int, int, float], ...] = ()
    start: str = ""
    start_share: float = 0.0
    offset: float = 0.0
    frozen: tuple[str, ...] = ()
    statistics: bool = True
    teacher: str = ""
    mined: str = ""
    loss: Loss = field(default_factory=Loss)
    chances: Chances = field(default_factory=Chances)
    kinds: dict[str, float] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)
    pictures: int = 0


def _shape(entry: dict[str, Any]) -> Shape:
    """A network's shape: with `hidden`, every block's channels; else EfficientNet-Lite0 times `width` and `depth`."""
    if "hidden" in entry:
        hidden = tuple(tuple(blocks) for blocks in entry.pop("hidden"))
        shape = Shape(hidden=hidden, stem=entry.pop("stem"))
    else:
        shape = multiplied(entry.pop("width", 1.0), entry.pop("depth", 1.0))
    if "decoder" in entry:
        first, second, third, fourth = entry.pop("decoder")
        shape = dataclasses.replace(shape, decoder=(first, second, third, fourth))
    return dataclasses.replace(shape, **entry)


def read_config(name: str, folder: Path = FOLDER) -> Config:
    """Read `configs/<name>.toml`.

    Raises:
        FileNotFoundError: there is none; the message lists those there are.
        TypeError: an entry lacks a field or has one nobody knows.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        have = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise FileNotFoundError(f"there is no {path}; choose one of: {have}")
    entry = tomllib.loads(path.read_text(encoding="utf-8"))
    return Config(
        name=name,
        shape=_shape(entry.pop("shape")),
        loss=Loss(**entry.pop("loss", {})),
        chances=Chances(**entry.pop("chances", {})),
        frozen=tuple(entry.pop("frozen", ())),
        other_sizes=tuple((width, height, share) for width, height, share in entry.pop("other_sizes", ())),
        **entry,
    )
