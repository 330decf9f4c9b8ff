"""From a labelled picture to a webcam frame with its mask: other rooms, framing, things, light, a camera's faults.

Everything works on uint8 BGR pictures and uint8 alphas, with OpenCV, in one thread: the other core is training's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training import props
from models.training.camera import dim, falloff, flatten, light, painted, spoil
from models.training.cutouts import HAND, KINDS, THING
from models.training.framing import PADDED, WIDE, blacken, coarsened, crop, padded, place, warp
from models.training.pool import Sample
from models.training.props import extent

Picture = NDArray[np.uint8]
PLAIN = ("vt",)
"""Kinds on plain ground, of which nothing is learnt about rooms: always put on one."""
WHOLE = ("whole",)
"""Kinds that show somebody from head to feet."""
FOREGROUNDS = 2000
"""Estimated foregrounds that are kept, about 1 GB at 512 pixels: of all people they filled 23 GB beside the pool."""
STREET = ("ccp", *WHOLE)
"""Kinds on the street, where the labels leave passers-by out, as nobody would on a webcam: mostly put on a room."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often what happens to a training picture.

    Attributes:
        other_room: the person is put on another room; `room_for_street` for those photographed on the street.
        second_person: somebody else is beside or behind them.
        nobody: the room alone.
        wall: the room is a plain wall; on such, `lite` takes the wall around a raised hand (models/cards/failures.md).
        cloth, chair, poster: such a thing is put behind the person, who is on another room.
        shadow, headphones: the person gets one.
        before: something hides a part of them.
        hand: a hand or an arm is held up somewhere, which is theirs, or somebody's where nobody else is; only where the
            pool has cut-outs of them (`models.training.hands`).
        thing: of what was taken for somebody, one or two are put behind them, or into the room alone; only where the
            pool has cut-outs of such (`models.training.things`).
        narrow: the camera is no 16:9 one: what it sees is stretched or padded as `models.segmenter` does.
        standing: of those seen from head to feet, how many stand in the room with their feet in the frame.
        least_standing: no chance, but the least height of those, in parts of the frame's, above 0 and at most 0.92.
        matched: their light is drawn towards the room's.
        even: on a room that has to be enlarged, they and it are shrunk to its own size and enlarged together, lest what
            is sharp be the sign of somebody; not the hands held up and the things before them.
        dim: too little light or too much.
        flat: noise reduction has taken the texture away; `hd` cut dark hair off that had none (models/cards/hd.md).
        painted: all texture and shading has gone, as in a painting or a cartoon, from all or from the people alone.
        sharpened: the camera sharpens, at most 0.72.
        sharpness: no chance, but by how much it does, at least and at most.
        least_shown: no chance, but how many times as high as wide at least what is shown of somebody on another room
            is, if there is as much of them: else of a portrait no more than the eyes and the hair may be seen.
        least_cut_out: no chance, but how high at least, in parts of the frame's height, somebody's cut-out is who is
            put on another room or before whom others are: who is smaller stays where they are, and as far away.
    """

    other_room: float = 0.5
    room_for_street: float = 0.85
    second_person: float = 0.1
    nobody: float = 0.04
    wall: float = 0.0
    cloth: float = 0.3
    chair: float = 0.12
    poster: float = 0.06
    shadow: float = 0.25
    headphones: float = 0.06
    before: float = 0.1
    hand: float = 0.0
    thing: float = 0.0
    narrow: float = 0.0
    standing: float = 0.0
    least_standing: float = 0.45
    matched: float = 0.4
    even: float = 0.0
    dim: float = 0.08
    flat: float = 0.0
    painted: float = 0.0
    sharpened: float = 0.12
    sharpness: tuple[float, float] = (0.7, 0.7)
    least_shown: float = 0.0
    least_cut_out: float = 0.0


def foreground(sample: Sample) -> Picture:
    """The picture with the old room taken out of the person's rim.

    Where alpha is partial the picture mixes both; the colour of the nearest certain person, a normalised blur of
    it, stands in there, so that no rim of the old room is learnt as the sign of a person.
    """
    sure = (sample.alpha > 242).astype(np.float32)
    size = (0, 0)
    weight = cv2.GaussianBlur(sure, size, 4.0)
    spread = cv2.GaussianBlur(sample.picture * sure[..., None], size, 4.0)
    rim = (sure == 0) & (weight >= 1e-2)
    result: Picture = sample.picture.copy()
    result[rim] = np.clip(spread[rim] / weight[rim][:, None], 0, 255)
    return result


def matched(rng: Generator, over: Picture, mask: Picture, room: Picture) -> Picture:
    """The person's picture with its mean colour drawn a random part of the way to the room's."""
    certain = mask > 127
    if not certain.any():
        return over
    ours, theirs = over[certain].mean(0), room.reshape(-1, 3).mean(0)
    gain = (np.maximum(theirs, 8) / np.maximum(ours, 8)) ** rng.uniform(0.1, 0.6)
    return np.clip(over * gain.astype(np.float32), 0, 255).astype(np.uint8)


class Composer:
    """Draws training frames from the labelled pool.

    Args:
        people: labelled pictures; the foregrounds estimated last are kept. Those of the `cutouts.KINDS` are not
            drawn by themselves.
        rooms: pictures without people.
        size: the frames' (width, height).
        chances: how often what happens.
    """

    def __init__(self, people: list[Sample], rooms: list[Sample], size: tuple[int, int], chances: Chances) -> None:
        self.people, self.rooms, self.size, self.chances = people, rooms, size, chances
        self.hands = [sample for sample in people if sample.kind == HAND]
        self.things = [sample for sample in people if sample.kind == THING]
        self._whole = [sample for sample in people if sample.kind not in KINDS and self._large_enough(sample)]
        self._foregrounds: dict[str, Picture] = {}

    def resized(self, size: tuple[int, int]) -> Composer:
        """The same for frames of another size; estimated foregrounds are shared."""
        other = copy.copy(self)
        other.size = size
        return other

    def draw(self, rng: Generator, index: int) -> tuple[Picture, Picture]:
        """One frame, uint8 BGR (h, w, 3), with its alpha, uint8 (h, w), of the person at `index`."""
        sample = self.people[index]
        inside = slice(0, self.size[0])
        wide = WIDE if self.chances.narrow and rng.random() < self.chances.narrow else 1.0
        if rng.random() < self.chances.nobody:
            frame, alpha = self._room(rng, wide)[0], np.zeros(self.size[::-1], np.uint8)
            self._put_things(rng, frame, (0, 0, *self.size))
        elif rng.random() < self._other_room(sample.kind) and self._large_enough(sample):
            frame, alpha = self._composite(rng, sample, wide)
        elif wide > 1 and sample.picture.shape[1] < PADDED * sample.picture.shape[0]:
            frame, alpha, inside = padded(rng, sample, self.size)
        else:
            matrix = crop(rng, sample.picture, self.size, sample.alpha, wide)
            frame = warp(sample.picture, matrix, self.size, cv2.BORDER_REPLICATE)
            alpha = warp(sample.alpha, matrix, self.size, cv2.BORDER_REPLICATE)
        if rng.random() < self.chances.before:
            props.before(rng, frame, alpha, self._texture(rng))
        if self.hands and rng.random() < self.chances.hand:
            self._hold_up(rng, frame, alpha)
        if rng.random() < 0.3:
            frame = np.clip(frame * falloff(rng, self.size), 0, 255).astype(np.uint8)
        frame = light(rng, frame, 0.7)
        if self.chances.painted and rng.random() < self.chances.painted:
            frame = painted(rng, frame, alpha if rng.random() < 0.6 else None)
        if self.chances.flat and rng.random() < self.chances.flat:
            frame = flatten(rng, frame)
        frame = dim(rng, frame) if rng.random() < self.chances.dim else frame
        frame = spoil(rng, frame, self.chances.sharpened, self.chances.sharpness)
        blacken(frame, inside)
        blacken(alpha, inside)
        return frame, alpha

    def _other_room(self, kind: str) -> float:
        if kind in PLAIN:
            return 1.0
        return self.chances.room_for_street if kind in STREET else self.chances.other_room

    def _large_enough(self, sample: Sample) -> bool:
        """Whether a cut-out need not be enlarged to a blur."""
        least = self.chances.least_cut_out * self.size[1]
        box = extent(sample.alpha) if least else None
        return box is None or box[3] - box[1] >= least

    def _room(self, rng: Generator, wide: float) -> tuple[Picture, float]:
        """A room, and how many times it was enlarged."""
        if self.chances.wall and rng.random() < self.chances.wall:
            return np.asarray(cv2.resize(props.wall(rng), self.size, interpolation=cv2.INTER_CUBIC), np.uint8), 1.0
        room = self.rooms[int(rng.integers(len(self.rooms)))].picture
        matrix = crop(rng, room, self.size, None, wide)
        frame = warp(room, matrix, self.size, cv2.BORDER_REFLECT_101)
        if rng.random() < 0.25:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.7, 3.5)), np.uint8)
        return light(rng, frame, 0.7), float(np.hypot(matrix[0, 1], matrix[1, 1]))

    def _composite(self, rng: Generator, sample: Sample, wide: float) -> tuple[Picture, Picture]:
        (frame, enlarged), alpha = self._room(rng, wide), np.zeros(self.size[::-1], np.uint8)
        others = [self._anyone(rng)] if rng.random() < self.chances.second_person else []
        for person in [*others, sample]:
            whole = person.kind in WHOLE and rng.random() < self.chances.standing
            standing = self.chances.least_standing if whole else 0.0
            matrix = place(rng, person.alpha, self.size, self.chances.least_shown, wide, standing)
            over = warp(self._foreground(person), matrix, self.size, cv2.BORDER_REPLICATE)
            mask = warp(person.alpha, matrix, self.size, cv2.BORDER_CONSTANT)
            if rng.random() < 0.5:
                over = light(rng, over, 0.5)
            if rng.random() < self.chances.matched:
                over = matched(rng, over, mask, frame)
            if person is sample:
                self._furnish(rng, frame, sample, mask)
            share = mask[..., None].astype(np.float32) / 255
            frame = np.rint(frame + (over.astype(np.float32) - frame) * share).astype(np.uint8)
            alpha = np.asarray(np.maximum(alpha, mask), np.uint8)
        if rng.random() < self.chances.headphones:
            props.headphones(rng, frame, alpha, mask)
        if enlarged > 1 and self.chances.even and rng.random() < self.chances.even:
            frame = coarsened(frame, enlarged)
        return frame, alpha

    def _hold_up(self, rng: Generator, frame: Picture, alpha: Picture) -> None:
        """A hand or an arm, somewhere beside, before or far from the head, in place: as near to the lens as may be."""
        hand = self.hands[int(rng.integers(len(self.hands)))]
        height, width = alpha.shape
        length = height * np.exp(rng.uniform(np.log(0.16), np.log(0.75)))
        turn, flip = rng.normal(0, 25), rng.random() < 0.5
        spot = (rng.uniform(0.0, 1.0) * width, rng.uniform(0.2, 1.05) * height)
        np.maximum(alpha, self._lay(rng, frame, hand, length, turn, flip, spot), out=alpha)

    def _put_things(self, rng: Generator, frame: Picture, box: props.Box) -> None:
        """Put one or two things somewhere beside or behind a box, in place."""
        if not self.things or rng.random() >= self.chances.thing:
            return
        left, top, right, bottom = box
        for _ in range(int(rng.integers(1, 3))):
            thing = self.things[int(rng.integers(len(self.things)))]
            length = self.size[1] * np.exp(rng.uniform(np.log(0.2), np.log(0.9)))
            across, down = rng.uniform(-0.25, 1.25), rng.uniform(0.0, 1.0)
            spot = (left + across * (right - left), top + down * (bottom - top))
            self._lay(rng, frame, thing, length, rng.normal(0, 8), rng.random() < 0.5, spot)

    def _lay(
        self,
        rng: Generator,
        frame: Picture,
        cut: Sample,
        length: float,
        turn: float,
        flip: bool,
        spot: tuple[float, float],
    ) -> Picture:
        """Lay a cut-out on the frame, in place, and return its mask there.

        Its longer side has so many pixels, its middle lies at `spot` (x, y); `turn` is in degrees.
        """
        cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        scale = length / max(cut.alpha.shape)
        linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
        shift = np.array(spot) - linear @ (np.array(cut.alpha.shape[::-1]) / 2)
        matrix = np.column_stack([linear, shift])
        over = light(rng, warp(self._foreground(cut), matrix, self.size, cv2.BORDER_REPLICATE), 0.4)
        mask = warp(cut.alpha, matrix, self.size, cv2.BORDER_CONSTANT)
        share = mask[..., None].astype(np.float32) / 255
        frame[...] = np.rint(frame + (over.astype(np.float32) - frame) * share)
        return mask

    def _furnish(self, rng: Generator, frame: Picture, sample: Sample, mask: Picture) -> None:
        """Put things where the person will stand before them."""
        box = extent(mask)
        if box is None:
            return
        if rng.random() < self.chances.poster:
            shown = self._anyone(rng)
            props.poster(rng, frame, props.printed(rng, shown.picture, shown.alpha))
        if rng.random() < self.chances.cloth:
            for _ in range(int(rng.integers(1, 4))):
                # Their own clothes' cloth is the hardest to tell from them.
                worn = sample if rng.random() < 0.5 else self._anyone(rng)
                props.behind(rng, frame, light(rng, props.cloth(rng, worn.picture, worn.alpha), 0.5), box)
        if rng.random() < self.chances.chair:
            props.chair(rng, frame, props.plain(rng) if rng.random() < 0.6 else self._texture(rng), box)
        self._put_things(rng, frame, box)
        if rng.random() < self.chances.shadow:
            props.shadow(rng, frame, mask)

    def _anyone(self, rng: Generator) -> Sample:
        return self._whole[int(rng.integers(len(self._whole)))]

    def _foreground(self, person: Sample) -> Picture:
        if person.name not in self._foregrounds:
            if len(self._foregrounds) >= FOREGROUNDS:
                del self._foregrounds[next(iter(self._foregrounds))]
            self._foregrounds[person.name] = foreground(person)
        return self._foregrounds[person.name]

    def _texture(self, rng: Generator) -> Picture:
        """A piece of a room."""
        room = self.rooms[int(rng.integers(len(self.rooms)))].picture
        y, x = (int(rng.integers(0, max(1, side - 48))) for side in room.shape[:2])
        return room[y : y + 64, x : x + 64]
