"""From a labelled picture to a webcam frame with its mask: other rooms, framing, light, and a camera's faults.

Everything works on uint8 BGR pictures and uint8 alphas, with OpenCV, in one thread: the other core is training's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.pool import Sample

Picture = NDArray[np.uint8]
PLAIN = ("vt",)
"""Kinds on plain ground, of which nothing is learnt about rooms: always put on one."""
STREET = ("ccp",)
"""Kinds on the street, where the labels leave passers-by out, as nobody would on a webcam: mostly put on a room."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often what happens to a training picture: put on another room, a second person, nobody at all."""

    other_room: float = 0.5
    room_for_street: float = 0.85
    second_person: float = 0.1
    nobody: float = 0.04


def foreground(sample: Sample) -> Picture:
    """The picture with the old room taken out of the person's rim.

    Where alpha is partial the picture mixes both; the colour of the nearest certain person, a normalised blur of
    it, stands in there, so that no rim of the old room is learnt as the sign of a person.
    """
    sure = (sample.alpha > 242).astype(np.float32)
    size = (0, 0)
    weight = cv2.GaussianBlur(sure, size, 4.0)
    spread = cv2.GaussianBlur(sample.picture.astype(np.float32) * sure[..., None], size, 4.0)
    spread /= np.maximum(weight, 1e-3)[..., None]
    keep = np.where((sure > 0) | (weight < 1e-2), 1.0, 0.0)[..., None]
    result: Picture = np.clip(sample.picture * keep + spread * (1 - keep), 0, 255).astype(np.uint8)
    return result


def extent(alpha: Picture) -> tuple[int, int, int, int] | None:
    """The box (left, top, right, bottom) of the person, or None without one."""
    columns, rows = np.flatnonzero(alpha.max(0) > 127), np.flatnonzero(alpha.max(1) > 127)
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def warp(picture: Picture, matrix: NDArray[np.float64], size: tuple[int, int], border: int) -> Picture:
    """Warp by a 2×3 matrix (source → destination), averaging where it shrinks much."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.6:
        picture = np.asarray(cv2.blur(picture, (round(0.9 / scale),) * 2), np.uint8)
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def place(rng: Generator, alpha: Picture, size: tuple[int, int]) -> NDArray[np.float64]:
    """A matrix that puts a cut-out person into a frame of `size` as a webcam would see them.

    The head's top is in the frame's upper part and the lower edge cuts the body, most times: the cut-out's own lower
    end never floats above the frame's.
    """
    width, height = size
    left, top, right, bottom = extent(alpha) or (0, 0, alpha.shape[1], alpha.shape[0])
    shown = rng.uniform(0.3, 1.0)
    head_room = (0.36 * rng.random() ** 1.5 - 0.06) * height
    scale = max((height - head_room) / (shown * (bottom - top)), (height - head_room) / (bottom - top) * 1.02)
    scale = min(scale, 2.2 * width / max(1, right - left))
    scale = max(scale, (height - head_room) / (bottom - top) * 1.02)
    angle = np.deg2rad(rng.normal(0, 4))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    stretch = rng.uniform(0.9, 1.12)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * stretch, 1.0])
    centre = np.array([rng.normal(0.5, 0.16) * width, head_room])
    shift = centre - linear @ np.array([(left + right) / 2, top])
    return np.column_stack([linear, shift])


def crop(rng: Generator, picture: Picture, size: tuple[int, int], around: Picture | None) -> NDArray[np.float64]:
    """A matrix that crops a picture to a frame; with `around`, an alpha, most of its person stays inside."""
    width, height = size
    full = max(width / picture.shape[1], height / picture.shape[0])
    # A room may be seen closely, a bed's cover or a curtain filling much of the frame, which then is no clothing.
    scale = full * np.exp(rng.uniform(0.0, 0.9 if around is None else 0.5))
    stretch = rng.uniform(0.88, 1.14)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    angle = np.deg2rad(rng.normal(0, 3)) if rng.random() < 0.5 else 0.0
    cos, sin = np.cos(angle), np.sin(angle)
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip * stretch, 1.0])
    box = extent(around) if around is not None else None
    if box:
        # Somewhere near the head, in the frame's upper part.
        target = np.array([rng.uniform(box[0], box[2]), box[1] + (box[3] - box[1]) * rng.uniform(0.0, 0.35)])
        spot = np.array([rng.uniform(0.25, 0.75) * width, rng.uniform(0.1, 0.5) * height])
    else:
        target = np.array([rng.uniform(0.3, 0.7) * picture.shape[1], rng.uniform(0.3, 0.7) * picture.shape[0]])
        spot = np.array([0.5 * width, 0.5 * height])
    shift = spot - linear @ target
    # What lies beyond the picture's border would be its streaks: shift the border out of the frame.
    corners = linear @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * np.array([picture.shape[1::-1]]).T)
    low, high = corners.min(1) + shift, corners.max(1) + shift
    shift -= np.maximum(low, 0)
    shift += np.maximum(np.array(size) - high, 0)
    return np.column_stack([linear, shift])


def light(rng: Generator, picture: Picture, strength: float) -> Picture:
    """Exposure, contrast, gamma and colour cast, by one table per channel."""
    ramp = np.arange(256, dtype=np.float32) / 255
    gain = np.exp(rng.normal(0, 0.22 * strength))
    gamma = np.exp(rng.normal(0, 0.28 * strength))
    offset = rng.normal(0, 0.04 * strength)
    table = np.empty((256, 3), np.float32)
    for channel in range(3):
        table[:, channel] = np.clip(ramp**gamma * gain * np.exp(rng.normal(0, 0.07 * strength)) + offset, 0, 1) * 255
    toned: Picture = np.asarray(cv2.LUT(picture, table.astype(np.uint8).reshape(1, 256, 3)), np.uint8)
    if rng.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        share = rng.uniform(-0.3, 0.8)
        toned = np.asarray(cv2.addWeighted(toned, 1 - share, grey, share, 0), np.uint8)
    return toned


def falloff(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Uneven light: a smooth ramp over the frame, as from a window or a screen, about 1, (h, w, 1)."""
    width, height = size
    corners = np.exp(rng.normal(0, 0.35, (2, 2))).astype(np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)[..., None]


def spoil(rng: Generator, picture: Picture) -> Picture:
    """What a webcam does to a picture: defocus or motion blur, noise, compression."""
    draw = rng.random()
    if draw < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2)), np.uint8)
    elif draw < 0.28:
        length = int(rng.integers(2, 6))
        kernel = (1, length) if rng.random() < 0.3 else (length, 1)
        picture = np.asarray(cv2.blur(picture, kernel), np.uint8)
    elif draw < 0.4:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = np.asarray(cv2.addWeighted(picture, 1.7, soft, -0.7, 0), np.uint8)
    if rng.random() < 0.5:
        sigma = rng.uniform(1, 12)
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(sigma)
        if rng.random() < 0.3:
            noise = np.asarray(cv2.blur(noise, (2, 2)), np.float32) * 2
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 90))
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return picture


class Composer:
    """Draws training frames from the labelled pool.

    Args:
        people: labelled pictures; their foregrounds are estimated once, when first drawn.
        rooms: pictures without people.
        size: the frames' (width, height).
        chances: how often what happens.
    """

    def __init__(self, people: list[Sample], rooms: list[Sample], size: tuple[int, int], chances: Chances) -> None:
        self.people, self.rooms, self.size, self.chances = people, rooms, size, chances
        self._foregrounds: dict[str, Picture] = {}

    def draw(self, rng: Generator, index: int) -> tuple[Picture, Picture]:
        """One frame, uint8 BGR (h, w, 3), with its alpha, uint8 (h, w), of the person at `index`."""
        sample = self.people[index]
        if rng.random() < self.chances.nobody:
            frame, alpha = self._room(rng), np.zeros(self.size[::-1], np.uint8)
        elif rng.random() < self._other_room(sample.kind):
            frame, alpha = self._composite(rng, sample)
        else:
            matrix = crop(rng, sample.picture, self.size, sample.alpha)
            frame = warp(sample.picture, matrix, self.size, cv2.BORDER_REPLICATE)
            alpha = warp(sample.alpha, matrix, self.size, cv2.BORDER_REPLICATE)
        if rng.random() < 0.3:
            frame = np.clip(frame * falloff(rng, self.size), 0, 255).astype(np.uint8)
        return spoil(rng, light(rng, frame, 0.7)), alpha

    def _other_room(self, kind: str) -> float:
        if kind in PLAIN:
            return 1.0
        return self.chances.room_for_street if kind in STREET else self.chances.other_room

    def _room(self, rng: Generator) -> Picture:
        room = self.rooms[int(rng.integers(len(self.rooms)))].picture
        frame = warp(room, crop(rng, room, self.size, None), self.size, cv2.BORDER_REFLECT_101)
        if rng.random() < 0.25:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.7, 3.5)), np.uint8)
        return light(rng, frame, 0.7)

    def _composite(self, rng: Generator, sample: Sample) -> tuple[Picture, Picture]:
        frame, alpha = self._room(rng), np.zeros(self.size[::-1], np.uint8)
        others = [self.people[int(rng.integers(len(self.people)))]] if rng.random() < self.chances.second_person else []
        for person in [*others, sample]:
            matrix = place(rng, person.alpha, self.size)
            if person.name not in self._foregrounds:
                self._foregrounds[person.name] = foreground(person)
            over = warp(self._foregrounds[person.name], matrix, self.size, cv2.BORDER_REPLICATE)
            mask = warp(person.alpha, matrix, self.size, cv2.BORDER_CONSTANT)
            if rng.random() < 0.5:
                over = light(rng, over, 0.5)
            share = mask[..., None].astype(np.float32) / 255
            frame = np.rint(frame + (over.astype(np.float32) - frame) * share).astype(np.uint8)
            alpha = np.asarray(np.maximum(alpha, mask), np.uint8)
        return frame, alpha
