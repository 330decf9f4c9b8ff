"""The labelled pool: pictures and alphas packed small into shards, so that it can travel and is decoded once.

A shard is one .npz of JPEG pictures and PNG alphas, laid end to end, with where each ends, its name and its kind. A
room is a picture whose alpha is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

DROPPED = Path(__file__).parent / "dropped.txt"
SHARD = 400
"""Samples in a shard: 40 KB each at 384 pixels, so a shard stays well below 60 MB."""
JPEG_QUALITY = 93


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    `picture` is uint8 BGR (h, w, 3), `alpha` uint8 (h, w), 255 where a person is. `kind` is the prefix of its file's
    name: pictures of a kind share a source, and with it what they are good for.
    """

    name: str
    kind: str
    picture: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


def write_shard(path: Path, samples: list[Sample]) -> None:
    """Write samples as one shard; a half-written file never bears the shard's name."""
    jpegs = [cv2.imencode(".jpg", s.picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1] for s in samples]
    pngs = [cv2.imencode(".png", s.alpha)[1] for s in samples]
    empty = [np.zeros(0, np.uint8)]
    partial = path.with_name(f".{path.name}")
    np.savez(
        partial,
        pictures=np.concatenate(empty + jpegs),
        alphas=np.concatenate(empty + pngs),
        picture_ends=np.cumsum([len(x) for x in jpegs], dtype=np.int64),
        alpha_ends=np.cumsum([len(x) for x in pngs], dtype=np.int64),
        names=np.array([s.name for s in samples], dtype=np.str_),
        kinds=np.array([s.kind for s in samples], dtype=np.str_),
    )
    partial.replace(path)


def _decode(file: NDArray[np.uint8], flags: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(file, flags), np.uint8)


def read_shard(path: Path) -> list[Sample]:
    """Read a shard back, decoded."""
    with np.load(path) as shard:
        pictures = np.split(shard["pictures"], shard["picture_ends"][:-1])
        alphas = np.split(shard["alphas"], shard["alpha_ends"][:-1])
        names, kinds = shard["names"].tolist(), shard["kinds"].tolist()
    return [
        Sample(name, kind, _decode(jpeg, cv2.IMREAD_COLOR), _decode(png, cv2.IMREAD_GRAYSCALE))
        for name, kind, jpeg, png in zip(names, kinds, pictures, alphas, strict=False)
    ]


def dropped(path: Path = DROPPED) -> frozenset[str]:
    """The names of samples that were looked at and are wrong: people's labels, and rooms with somebody in them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def read_pool(*folders: Path) -> tuple[list[Sample], list[Sample]]:
    """Read all of one or more pools: people, rooms.

    Rooms that are wrong are left out here, wrong people by `data.split`, which counts them all first.

    Raises:
        FileNotFoundError: a folder holds no shards; the message names the command that makes them.
    """
    people: list[Sample] = []
    rooms: list[Sample] = []
    for folder in folders:
        shards = sorted(folder.glob("*.npz"))
        if not shards:
            raise FileNotFoundError(f"no labelled pool in {folder}: run `python -m models.training.prepare` first")
        for shard in shards:
            (people if shard.name.startswith("people_") else rooms).extend(read_shard(shard))
    wrong = dropped()
    return people, [room for room in rooms if room.name not in wrong]
