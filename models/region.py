"""Where the network looks: at the part of the frame that people fill, so that most of its pixels are theirs.

A network's picture is a few hundred pixels wide, whatever the camera's; of those, who sits in the middle of a frame has
half, and who stands at the wall a tenth. The last frame's mask tells where they are, so the next frame is cut to that
before it is shrunk, for nothing: the region of interest of a tracker (Bazarevsky et al., "BlazePose", 2020, section 3).
The whole frame is looked at besides on key frames (Xu et al., "DVSNet", 2018, section 3), for others may come in. Where
it shows nobody, somebody may be too far away for the network: then parts of it are searched, enlarged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.segmenter import MAX_STRETCH, Segmenter, shrink

KEY_FRAMES = 15
"""From one look at the whole frame to the next: half a second, in which who comes in is taken for the room."""

SOON = 5
"""Where something stirs outside the region, the next key frame comes so soon after the last: a fifth more work while a
television runs."""

STIRRED, STIRRED_SHARE = 30, 0.004
"""Something stirs where more than this share of the frame's samples have changed by more steps of 255: 10 of 2304. A
sensor's noise is a tenth of that."""

REFUSED_FRAMES = 10 * KEY_FRAMES
"""So long, 5 s, somebody whom a closer look has not found where the whole frame's did is not asked for again, as the
region widens for a frame each time; unless something stirs there."""

MARGIN = 0.1
"""Of the people's larger side, left around them: an arm that is raised moves less from frame to frame. On the wild
photographs (models/cards/hd.md) 0.15 gave 0.2 of J less."""

STRETCH = 1.2
"""The network's picture may be so much narrower or wider than the region, but for its rounding: people are taller than
wide. On the clips 1.3 gave 0.1 of J and 0.3 of F less; training stretches a third of its pictures by 1.33."""

LEAST_GAIN = 0.87
"""A region larger than this share of the frame is not worth the change of its pixels: then it is the frame. With 0.75,
which leaves the clips' people as they are, 1 of 612 pictures more was failed (models/cards/hd.md, "Where it looks")."""

CLOSEST = 4
"""Times that a region fits into the frame's width and height at most: closer, a 720p webcam has no more to show."""

SEARCHED = tuple((x, y) for y in (3 / 8, 1 / 8) for x in (1 / 4, 0.0, 1 / 2))
"""Where the parts begin that are searched, as shares of the frame, of which each has half the width and height: by
cameras people are in the middle, and on the floor rather than under the ceiling. Three of the five wild photographs in
which `hd` saw nobody are found so (models/cards/hd.md, "Where it looks")."""

SEARCH_MARGIN = 0.35
"""As `MARGIN`, of somebody who was found in a searched part, which may cut them. On the wild photographs 0.1 gave 0.3
of J and F less; 0.2 and 0.6 the same as this."""

DOUBT, SURE = 0.1, 0.45
"""Who is found by searching counts if the mask of the part, and then that of the closer look, is sure: of the cells
that are further than so much from nobody at least such a share is as near to somebody. Enlarged, an empty room's things
look like people: of 418 rooms `hd` takes something in 30, searching without this in 60, with it in 42, and loses nobody
on the wild photographs by it (models/cards/hd.md, "Where it looks")."""

SLACK = 0.7
"""The region stays while people have half the margin left, and a new one would not be smaller than so much of it."""

SOMEBODY = 0.5
"""Alpha from which a pixel counts as somebody's."""

CUT = 20
"""Mean change of a frame's samples, in steps of 255, from which it is another scene, of which the last mask says
nothing: a person who moves changes a fifth of it, by 30."""

_SAMPLES = (64, 36)
_SPECK = np.ones((5, 5), np.uint8)
"""In cells of the mask; what is smaller is nobody."""
_REACHING = 4
"""More cells than this at a region's edge are somebody's: of an arm that is held out, too thin to count as a person."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame, in its pixels; all even, but for the whole of a frame that is not."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def within(self, other: Region) -> bool:
        """Whether all of it lies in another."""
        return other.x <= self.x and other.y <= self.y and self.right <= other.right and self.bottom <= other.bottom

    def united(self, other: Region) -> Region:
        """The least that holds it and another."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Region(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def grown(self, share: float, whole: Region) -> Region:
        """With a margin all around of so much of its larger side, as far as the frame goes."""
        margin = round(share * max(self.size))
        x, y = max(0, self.x - margin), max(0, self.y - margin)
        return Region(x, y, min(whole.width, self.right + margin) - x, min(whole.height, self.bottom + margin) - y)

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.y, self.bottom), slice(self.x, self.right)


@dataclass(frozen=True, slots=True)
class Look:
    """What the network saw.

    Attributes:
        mask: float32 (h, w) in [0, 1] at network size; overwritten by the next look.
        region: the part of the frame that it is of; all else is room.
        later: a look at the whole of a key frame, or at a part that is searched, for which there is time once the mask
            has been used; the next look begins with it unless it has been called.
    """

    mask: NDArray[np.float32]
    region: Region
    later: Callable[[], None] | None = None


class Looking(Protocol):
    """Makes the masks of frames, one after the other."""

    def __call__(self, frame: NDArray[np.uint8], *, fresh: bool = False) -> Look:
        """A frame's mask.

        Args:
            frame: uint8 BGR (H, W, 3).
            fresh: the last frame says nothing about this one.

        Raises:
            UntrustedMask: the network gave something that is not a mask.
        """


class Tracker:
    """Looks where people are. One thread uses it.

    Args:
        segmenter: the network.
        patient: every frame has all the looks that it needs: for files, and for pictures that stand alone. Else it has
            one, or two where a region is left, and is looked at closer from the next frame on.
    """

    def __init__(self, segmenter: Segmenter, *, patient: bool = False) -> None:
        self._segmenter, self._patient = segmenter, patient
        self._cells = segmenter.model.output.width, segmenter.model.output.height
        self._whole = self._region = Region(0, 0, 0, 0)
        self._samples = self._key_samples = np.zeros(_SAMPLES[::-1], np.uint8)
        self._overview = np.zeros((0, 0, 3), np.uint8)
        self._waiting: Region | None = None
        self._found_by_search = False
        self._asked: Region | None = None
        self._refused: Region | None = None
        self._until_key = self._until_closer = self._until_asked = self._searched = 0
        self._until_search = 0 if patient else SOON  # not with a call's first frame, for which all wait

    def __call__(self, frame: NDArray[np.uint8], *, fresh: bool = False) -> Look:
        """A frame's mask; see `Looking`."""
        whole = Region(0, 0, frame.shape[1], frame.shape[0])
        if self._is_another(frame) or whole != self._whole or fresh:
            self._begin_anew(whole)
        if fresh:
            self._until_search = 0
        self._until_asked -= 1
        if self._until_asked <= 0:
            self._refused = None
        self._look_around()
        self._until_closer -= 1
        if self._region == whole:
            look = Look(self._segmenter(frame), whole)
            self._until_key, self._key_samples = KEY_FRAMES, self._samples
            seen = people(look)
            self._follow(seen)
            if seen is None and self._until_closer <= 0:
                return self._search_all(frame, look) if self._patient else self._search(frame, look)
            if self._region == whole or not self._patient:
                return look
        look = self._look_closer(frame)
        if look.later is None or not self._patient:
            return look
        look = Look(look.mask.copy(), look.region)  # the next look overwrites it
        self._look_around()
        return self._look_closer(frame, again=True) if self._asked else look

    def _look_closer(self, frame: NDArray[np.uint8], *, again: bool = False) -> Look:
        """Look at the region, or at the whole frame where that cuts people."""
        look = Look(self._segmenter(frame[self._region.place]), self._region)
        seen = None if self._found_by_search and not is_sure(look.mask) else people(look)
        self._found_by_search = False
        if seen is None or self._cuts(look):
            # They were faster than the margin is wide, and a region that cuts people is never shown.
            if seen is None and self._asked is not None:
                self._refused, self._until_asked = self._asked, REFUSED_FRAMES
            self._step_back()
            return Look(self._segmenter(frame), self._whole)
        if self._asked is not None:
            found = self._asked.within(seen.grown(MARGIN, self._whole))
            self._asked, self._refused, self._until_asked = None, None if found else self._asked, REFUSED_FRAMES
        self._follow(seen)
        self._until_key -= 1
        stirs = (self._patient or self._until_key <= KEY_FRAMES - SOON) and self._stirs(look.region)
        if again or not (stirs or self._until_key <= 0):
            return look
        self._until_key, self._key_samples = KEY_FRAMES, self._samples
        self._wait(frame, self._whole)
        return replace(look, later=self._look_around)

    def _search(self, frame: NDArray[np.uint8], look: Look) -> Look:
        """Have the next part searched later, one of them in so many frames: all in a second."""
        self._until_search -= 1
        if self._until_search > 0:
            return look
        self._until_search = SOON
        self._wait(frame, self._next_part())
        return replace(look, later=self._look_around)

    def _search_all(self, frame: NDArray[np.uint8], look: Look) -> Look:
        """Search all parts, as often as they come round else; the look at whom that finds, or the one at the whole."""
        self._until_search -= 1
        if self._until_search > 0:
            return look
        self._until_search = SOON * len(SEARCHED)
        look = Look(look.mask.copy(), look.region)  # the next look overwrites it
        for _ in SEARCHED:
            self._wait(frame, self._next_part())
            self._look_around()
            if self._region != self._whole:
                return self._look_closer(frame)
        return look

    def _next_part(self) -> Region:
        """The part to search: even, in the frame's pixels."""
        (x, y), (width, height) = SEARCHED[self._searched], self._whole.size
        self._searched = (self._searched + 1) % len(SEARCHED)
        even = [max(2, 2 * round(pixels / 2)) for pixels in (width / 2, height / 2)]
        left, top = 2 * int(x * width / 2), 2 * int(y * height / 2)
        return Region(left, top, min(even[0], width - left), min(even[1], height - top))

    def _wait(self, frame: NDArray[np.uint8], part: Region) -> None:
        """Keep a part of the frame, or its whole, to be looked at when there is time."""
        shrink(frame[part.place], self._overview)
        self._waiting = part

    def _begin_anew(self, whole: Region) -> None:
        if whole != self._whole:
            shape = self._segmenter.model.input
            scale = min(1.0, max(shape.width / whole.width, shape.height / whole.height))
            self._overview = np.empty((math.ceil(scale * whole.height), math.ceil(scale * whole.width), 3), np.uint8)
        self._whole = self._region = whole
        self._waiting = self._asked = self._refused = None
        self._found_by_search = False
        self._until_closer = self._searched = 0

    def _look_around(self) -> None:
        """Look at what waits, the whole of the last key frame or a part of a frame that showed nobody.

        As the look at the whole is coarse, it only widens the region. Neither asks twice for somebody whom a closer
        look has not found.
        """
        part, self._waiting = self._waiting, None
        if part is None:
            return
        look = Look(self._segmenter(self._overview), part)
        found = people(look)
        if found is None or (self._refused and found.within(self._refused.grown(MARGIN, self._whole))):
            return
        before = self._region
        if part == self._whole and not found.within(before):
            self._follow(found.united(before))
        elif part != self._whole and is_sure(look.mask):
            self._follow(found.grown(SEARCH_MARGIN, self._whole))
            self._found_by_search = self._region != before
        if self._region not in (before, self._whole):
            self._asked = found

    def _is_another(self, frame: NDArray[np.uint8]) -> bool:
        """Whether the scene is another than the last frame's."""
        last, samples = self._samples, cv2.resize(frame, _SAMPLES, interpolation=cv2.INTER_NEAREST)[..., 1]
        self._samples = np.asarray(samples, np.uint8)
        return float(cv2.absdiff(last, self._samples).mean()) > CUT

    def _stirs(self, region: Region) -> bool:
        """Whether something has moved outside a region since the last key frame; where it has, nobody is refused."""
        changed = np.asarray(cv2.absdiff(self._samples, self._key_samples) > STIRRED)
        changed[self._sampled(region)] = False
        if self._refused is not None and _many(changed[self._sampled(self._refused)]):
            self._refused = None
        return _many(changed)

    def _sampled(self, region: Region) -> tuple[slice, slice]:
        """The rows and columns of the samples in a region."""
        rows, columns = (
            slice(place.start * cells // side, -(-place.stop * cells // side))
            for place, cells, side in zip(region.place, _SAMPLES[::-1], self._whole.size[::-1], strict=True)
        )
        return rows, columns

    def _follow(self, seen: Region | None) -> None:
        """Choose the next region by where people are."""
        if seen is None or self._until_closer > 0:
            self._region = self._whole
            return
        wanted = around(seen, self._whole, self._cells)
        inside = seen.grown(MARGIN / 2, self._whole).within(self._region)
        if inside and self._region != self._whole and wanted.area > SLACK * self._region.area:
            return
        if wanted.area < LEAST_GAIN * self._whole.area:
            self._region = wanted
        elif self._region != self._whole:
            self._step_back()

    def _step_back(self) -> None:
        """Look at the whole frame for a while: a region that comes and goes makes edges shimmer."""
        self._region, self._until_closer, self._asked = self._whole, KEY_FRAMES, None

    def _cuts(self, look: Look) -> bool:
        """Whether people reach, to two cells of the mask, an edge of the region that is none of the frame."""
        region, whole, somebody = look.region, self._whole, look.mask > SOMEBODY
        edges = (
            (region.x > 0, somebody[:, :2]),
            (region.y > 0, somebody[:2]),
            (region.right < whole.right - 1, somebody[:, -2:]),
            (region.bottom < whole.bottom - 1, somebody[-2:]),
        )
        return any(inside and np.count_nonzero(cells) > _REACHING for inside, cells in edges)


def _many(changed: NDArray[np.bool_]) -> bool:
    return int(np.count_nonzero(changed)) > STIRRED_SHARE * _SAMPLES[0] * _SAMPLES[1]


def people(look: Look) -> Region | None:
    """The box around all people, in the frame's pixels; None when there is nobody."""
    somebody = cv2.morphologyEx((look.mask > SOMEBODY).view(np.uint8), cv2.MORPH_OPEN, _SPECK)
    x, y, width, height = cv2.boundingRect(somebody)
    if not width:
        return None
    across, down = (side / cells for side, cells in zip(look.region.size, look.mask.shape[::-1], strict=True))
    left, top = int(x * across), int(y * down)
    right, bottom = round((x + width) * across), round((y + height) * down)
    return Region(look.region.x + left, look.region.y + top, right - left, bottom - top)


def is_sure(mask: NDArray[np.float32]) -> bool:
    """Whether a mask is of somebody rather than of a doubt."""
    some = np.count_nonzero(mask > DOUBT)
    return bool(np.count_nonzero(mask > 1 - DOUBT) >= SURE * some)


def around(box: Region, whole: Region, cells: tuple[int, int]) -> Region:
    """The region to look at for people in a box within a frame, for a mask of so many cells across and down."""
    box = box.grown(MARGIN, whole)
    aspect, shape = cells[0] / cells[1], whole.width / whole.height
    width, height = max(box.width, whole.width / CLOSEST), max(box.height, whole.height / CLOSEST)
    height = max(height, max(width, height * min(aspect / STRETCH, shape)) / max(aspect * STRETCH, shape))
    y, height = _along(box.y + box.height / 2, height, 0, whole.height, cells[1] // 6)
    # Rounded to fewer units as long as the network's picture need not be padded.
    width, wished = max(width, height * min(aspect / MAX_STRETCH, shape)), height * min(aspect / STRETCH, shape)
    x, width = _along(box.x + box.width / 2, width, wished, whole.width, cells[0] // 8)
    return Region(x, y, width, height)


def _along(middle: float, needed: float, wished: float, most: int, unit: int) -> tuple[int, int]:
    """Where a region's side begins and how long it is: even, and of whole units as far as the frame goes.

    Then every sixteenth or twelfth cell of the mask begins with a pixel, and `app.matte.refine` has little to do beside
    the people: it took 0.9 ms more of 1280×720 without.
    """
    length = min(most, max(math.ceil(needed / unit), round(wished / unit)) * unit)
    first = min(max(0.0, middle - length / 2), most - length)
    return 2 * int(first / 2), min(most, max(2, length - length % 2))
