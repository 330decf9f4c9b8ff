"""Single pictures that no network was trained on, with the masks of Robust Video Matting to measure against.

A folder of them holds `images/*.jpg` and `sources.csv` (file, source, licence); RVM's masks, which take half a second
each, are made once and kept beside them in `labels/`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.evaluation.ours import open_session
from models.evaluation.peers import RVM_FILE, RVM_MULTIPLE, start_rvm
from models.training.pool import SHARD, Sample, read_pool, write_shard

LONGEST_SIDE = 512
"""The width that RVM has in the peers' table; here it keeps the picture's shape."""


def shape_for_rvm(height: int, width: int) -> tuple[int, int]:
    """The (width, height) at which RVM looks at a picture of this size."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    height, width = (max(RVM_MULTIPLE, round(side * scale / RVM_MULTIPLE) * RVM_MULTIPLE) for side in (height, width))
    return width, height


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise OSError(f"{path} cannot be read as a picture: take it out of the folder")
    return np.asarray(picture, np.uint8)


def _label(folder: Path, teachers: Path) -> None:
    """Write the shards that are still missing: a stopped run goes on where it was."""
    paths = sorted((folder / "images").iterdir())
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    session = open_session(teachers / RVM_FILE, 1)
    with tqdm(total=len(paths), desc="rvm", unit="picture") as progress:
        for start in range(0, len(paths), SHARD):
            shard = labels / f"people_{start // SHARD:03d}.npz"
            part = paths[start : start + SHARD]
            if not shard.exists():
                samples = []
                for path in part:
                    picture = _read(path)
                    size = shape_for_rvm(*picture.shape[:2])
                    picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
                    alpha = np.rint(np.clip(start_rvm(session, *size)(picture), 0, 1) * 255).astype(np.uint8)
                    samples.append(Sample(path.stem, path.stem.split("_")[0], picture, alpha))
                    progress.update()
                write_shard(shard, samples)


def read_stills(folder: Path, teachers: Path) -> list[Sample]:
    """The folder's pictures with RVM's alphas; `kind` is the name's prefix, which tells the source.

    Raises:
        FileNotFoundError: there are no pictures.
    """
    if not (folder / "images").is_dir():
        raise FileNotFoundError(f"no pictures in {folder}: it has to hold images/*.jpg and sources.csv")
    if not any((folder / "labels").glob("*.npz")) or _unlabelled(folder):
        _label(folder, teachers)
    return read_pool(folder / "labels")[0]


def read_sources(folder: Path) -> dict[str, dict[str, str]]:
    """What sources.csv says of each picture, by its name without the ending."""
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).stem: row for row in csv.DictReader(file)}


def _unlabelled(folder: Path) -> bool:
    shards = -(-len(list((folder / "images").iterdir())) // SHARD)
    return len(list((folder / "labels").glob("people_*.npz"))) < shards
