"""Clips with true alpha, and what a network scores on them.

A folder of clips holds `<clip>/rgb/*.jpg` and `<clip>/alpha/*.png`, frames in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import Matte, contour, flicker, mean_difference, region, unsteadiness
from models.evaluation.ours import Matting

SIZE = (640, 360)
"""Where mattes are scored, whatever the network's and the clip's size."""


@dataclass(frozen=True, slots=True)
class Score:
    """J and F in percent, MAD ×10³, dtSSD ×10², flicker ×10³; each a mean over frames."""

    j: float
    f: float
    mad: float
    dtssd: float
    flicker: float


def mean(scores: list[Score]) -> Score:
    """Each figure's mean."""
    return Score(*(float(np.mean(values)) for values in zip(*map(astuple, scores), strict=True)))


def resized(matte: NDArray[np.float32]) -> Matte:
    """A matte of any size at `SIZE`, where it is scored."""
    return np.asarray(cv2.resize(matte, SIZE, interpolation=cv2.INTER_LINEAR), np.float32)


def frames(clip: Path) -> Iterator[tuple[NDArray[np.uint8], Matte]]:
    """The clip's frames, uint8 BGR, and their true mattes."""
    pictures, alphas = sorted((clip / "rgb").iterdir()), sorted((clip / "alpha").iterdir())
    if not pictures or len(pictures) != len(alphas):
        raise ValueError(f"{clip} holds {len(pictures)} frames but {len(alphas)} alphas: each frame needs its own")
    for picture, alpha in zip(pictures, alphas, strict=True):
        frame, truth = cv2.imread(str(picture)), cv2.imread(str(alpha), cv2.IMREAD_GRAYSCALE)
        if frame is None or truth is None:
            raise OSError(f"{picture} or {alpha} cannot be read as a picture")
        frame = cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA)
        yield np.asarray(frame, np.uint8), resized(truth.astype(np.float32) / 255)


def farther(clip: Path, room: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], Matte]]:
    """The clip's people twice as far away: its frames' people on a room, uint8 BGR, twice as wide and high as they.

    They stand in the middle of the lower edge; what their alpha lets through of their own room stays.
    """
    width, height = SIZE
    backdrop = cv2.resize(room, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    place = slice(height, 2 * height), slice(width // 2, width // 2 + width)
    for frame, truth in frames(clip):
        picture, matte = backdrop.copy(), np.zeros(backdrop.shape[:2], np.float32)
        share = truth[..., None]
        picture[place] = np.rint(share * frame + (1 - share) * picture[place])
        matte[place] = truth
        yield picture, resized(matte)


def with_true_edge(found: Matte, truth: Matte, reach: int) -> Matte:
    """The matte with what lies within `reach` pixels of its own edge taken from the truth.

    No head that works so far along a coarse mask's edge (PointRend, Kirillov et al. 2020) can do better.
    """
    mask = (found > 0.5).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.where(cv2.dilate(mask, disc) != cv2.erode(mask, disc), truth, found)


def score_matte(found: Matte, truth: Matte) -> tuple[float, float, float]:
    """J and F in percent and MAD ×10³ of one frame's matte."""
    masks = found > 0.5, truth > 0.5
    return 100 * region(*masks), 100 * contour(*masks), 1e3 * mean_difference(found, truth)


def score_clip(matting: Matting, clip: Path, true_edge: int = 0, room: NDArray[np.uint8] | None = None) -> Score:
    """Run a network over a clip, in order, and score it.

    Args:
        matting: the network.
        clip: the clip.
        true_edge: so many pixels along its masks' edges are given to it.
        room: the people are farther away in it, None: they are where they are.
    """
    still: list[tuple[float, float, float]] = []
    moving: list[tuple[float, float]] = []
    last: tuple[Matte, Matte, NDArray[np.uint8]] | None = None
    for frame, truth in frames(clip) if room is None else farther(clip, room):
        found = resized(matting(frame))
        if true_edge:
            found = with_true_edge(found, truth, true_edge)
        still.append(score_matte(found, truth))
        frame = np.asarray(cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        if last:
            moving.append((unsteadiness(found, last[0], truth, last[1]), flicker(found, last[0], frame, last[2])))
        last = found, truth, frame
    j, f, mad = np.mean(still, 0)
    dtssd, flickering = np.mean(moving, 0) if moving else (0.0, 0.0)
    return Score(j, f, mad, 1e2 * dtssd, 1e3 * flickering)


def find_clips(folder: Path) -> list[Path]:
    """The clips in a folder, by name.

    Raises:
        FileNotFoundError: there are none.
    """
    clips = sorted(path for path in folder.iterdir() if (path / "rgb").is_dir()) if folder.is_dir() else []
    if not clips:
        raise FileNotFoundError(f"no clips in {folder}: it has to hold folders with rgb/ and alpha/ in them")
    return clips
