"""Pieces of pictures with an alpha of their own, which training lays on frames: a hand held up, a thing of a room."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.pool import SHARD, Sample, write_shard

HAND = "hand"
"""The kind of hands and arms, by `models.training.hands`: they are somebody's."""
THING = "thing"
"""The kind of what was taken for somebody and is nobody, by `models.training.things`."""
KINDS = (HAND, THING)
"""What is never drawn as a picture by itself."""
MARGIN = 4
"""Pixels around a cut-out, in which its edge fades."""


def cut_out(picture: NDArray[np.uint8], alpha: NDArray[np.uint8], name: str, kind: str) -> Sample:
    """The part of a uint8 BGR picture (h, w, 3) around what the uint8 alpha (h, w), somewhere above 20, holds."""
    rows, columns = np.flatnonzero(alpha.max(1) > 20), np.flatnonzero(alpha.max(0) > 20)
    top, bottom = max(0, rows[0] - MARGIN), rows[-1] + MARGIN
    left, right = max(0, columns[0] - MARGIN), columns[-1] + MARGIN
    picture, alpha = (np.ascontiguousarray(x[top:bottom, left:right]) for x in (picture, alpha))
    return Sample(f"{kind}_{name}", kind, picture, alpha)


def grown(piece: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The soft uint8 mask, of `size` (width, height), of a piece of a coarse one, with what that leaves out around."""
    around = cv2.dilate(piece.astype(np.uint8) * 255, np.ones((5, 5), np.uint8))
    soft = cv2.GaussianBlur(cv2.resize(around, size, interpolation=cv2.INTER_LINEAR), (0, 0), 1.0)
    return np.asarray(soft, np.uint8)


def write_cut_outs(folder: Path, found: list[Sample]) -> None:
    """Write them as a pool of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(found), SHARD):
        write_shard(folder / f"people_{first // SHARD:03}.npz", found[first : first + SHARD])
