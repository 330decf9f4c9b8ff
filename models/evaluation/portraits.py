"""Pictures of people with what is known of each: on clips, on composites of held-out people, on unseen pictures.

What is known is the skin's tone, measured, the light, measured, and how a person presents, only where their picture's
own set states it: it is never guessed from looks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.clips import SIZE, find_clips
from models.evaluation.peers import open_parts, open_peer
from models.evaluation.skin import measure, tone
from models.evaluation.stills import read_sources, read_stills
from models.training.pool import Sample, dropped, read_shard
from models.training.prepare import AGREE, FEW_PIXELS, iou

EVERY = 5
"""Of a clip's frames, one in so many: the ones between show the same."""
DRAWN = 2
"""Composites of each held-out person, in other rooms and lights."""
NEAR = 0.2
"""Share of the picture from which a person is as near as at a desk."""
REMEMBERED = 25
"""Measured pictures after which they are written down: a fifth of a second each."""
EVERY_ROOM = 8
"""Of the pools' rooms, one in so many is enough to compose with."""
COMPOSED = (512, 288)
"""Their size, `hd`'s: a network at another size gets them as it would a camera's frame."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A uint8 BGR frame, its truth (uint8, 255 where a person is), from which part, who it is and what is known."""

    part: str
    who: str
    frame: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    known: dict[str, str] = field(default_factory=dict)


class Examiner:
    """Measures skin, and asks whether other networks agree with a label; remembers both in a file.

    Args:
        parts: `selfie_multiclass_256x256.tflite`.
        teachers: the folder with the square selfie segmenter, training's second opinion.
        memory: where to remember: a JSON file.
    """

    def __init__(self, parts: Path, teachers: Path, memory: Path) -> None:
        self._parts, self._selfie = open_parts(parts, 1), open_peer("selfie-square", teachers, 1)
        self._memory = memory
        self._known: dict[str, tuple[float | None, bool]] = json.loads(memory.read_text()) if memory.is_file() else {}

    def __call__(self, part: str, name: str, picture: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> dict[str, str]:
        """What is known of a labelled person."""
        angle, _ = self._examined(part, name, picture, alpha)
        return {} if angle is None else {"skin": tone(angle), "angle": f"{angle:.0f}"}

    def trusted(self, part: str, sample: Sample) -> bool:
        """Whether training would have kept this label: another network sees the same person."""
        return self._examined(part, sample.name, sample.picture, sample.alpha)[1]

    def _examined(
        self, part: str, name: str, picture: NDArray[np.uint8], alpha: NDArray[np.uint8]
    ) -> tuple[float | None, bool]:
        key = f"{part}/{name}"
        if key not in self._known:
            size = alpha.shape[::-1]
            others = (self._selfie(picture), 1 - self._parts(picture)[..., 0])
            masks = [np.asarray(cv2.resize(np.clip(o, 0, 1) * 255, size), np.uint8) for o in others]
            somebody = np.count_nonzero(alpha > 127) >= FEW_PIXELS * alpha.size
            agreed = somebody and any(iou(alpha, mask) >= AGREE for mask in masks)
            self._known[key] = measure(picture, alpha, self._parts), bool(agreed)
            if len(self._known) % REMEMBERED == 0:
                self.remember()
        return self._known[key]

    def remember(self) -> None:
        """Write down what was measured, so that the next network need not wait for it."""
        partial = self._memory.with_suffix(".partial")
        partial.write_text(json.dumps(self._known, indent=0), encoding="utf-8")
        partial.replace(self._memory)


def on_clips(folder: Path, examine: Examiner) -> Iterator[Portrait]:
    """Frames of clips with true alpha."""
    for clip in find_clips(folder):
        pictures, alphas = sorted((clip / "rgb").iterdir()), sorted((clip / "alpha").iterdir())
        known: dict[str, str] | None = None
        for picture, alpha in list(zip(pictures, alphas, strict=True))[::EVERY]:
            frame = np.asarray(cv2.resize(cv2.imread(str(picture)), SIZE, interpolation=cv2.INTER_AREA), np.uint8)
            truth = np.asarray(cv2.resize(cv2.imread(str(alpha), cv2.IMREAD_GRAYSCALE), SIZE), np.uint8)
            if known is None:
                known = examine("clips", clip.name, frame, truth)
            yield Portrait("clips", clip.name, frame, truth, known)


def _composed(
    part: str, people: list[Sample], rooms: list[Sample], known: dict[str, dict[str, str]]
) -> Iterator[Portrait]:
    """Each person in other rooms, at a webcam's quality, as training's own validation does; nobody else beside them."""
    from models.training.augment import Composer
    from models.training.config import read_config

    chances = dataclasses.replace(read_config("lite-long").chances, nobody=0, second_person=0, poster=0)
    composer = Composer(people, rooms, COMPOSED, chances)
    for number, person in enumerate(people):
        for drawn in range(DRAWN):
            frame, truth = composer.draw(np.random.default_rng((1, number, drawn)), number)
            yield Portrait(part, person.name, frame, truth, known[person.name])


def read_pools(pools: list[Path]) -> tuple[list[Sample], list[Sample]]:
    """The people whom training on these pools, in this order, holds out, and some of the rooms.

    Frames of clips are left out: training saw their neighbours. Shard by shard, so that it fits beside a training.
    """
    from models.training.data import HELD_OUT

    wrong, number = dropped(), 0
    people: list[Sample] = []
    rooms: list[Sample] = []
    for shard in (shard for pool in pools for shard in sorted(pool.glob("*.npz"))):
        samples = read_shard(shard)
        if not shard.name.startswith("people_"):
            rooms += [room for room in samples[::EVERY_ROOM] if room.name not in wrong]
            continue
        people += samples[-number % HELD_OUT :: HELD_OUT]
        number += len(samples)
    return [sample for sample in people if sample.kind != "vid" and sample.name not in wrong], rooms


def held_out(others: list[Sample], rooms: list[Sample], examine: Examiner) -> Iterator[Portrait]:
    """Composites of the held-out people."""
    known = {s.name: examine("held out", s.name, s.picture, s.alpha) for s in others}
    yield from _composed("held out", others, rooms, known)


def stated(folder: Path, teachers: Path, rooms: list[Sample], examine: Examiner) -> Iterator[Portrait]:
    """Composites of people whose set states how they present: column `presentation` of the folder's sources.csv."""
    sources, people = read_sources(folder), read_stills(folder, teachers)
    people = [dataclasses.replace(s, kind="vt") for s in people if examine.trusted("stated", s)]  # on plain ground
    known = {
        s.name: {**examine("stated", s.name, s.picture, s.alpha), "presentation": sources[s.name]["presentation"]}
        for s in people
    }
    yield from _composed("stated", people, rooms, known)


def unseen(folder: Path, teachers: Path, examine: Examiner) -> Iterator[Portrait]:
    """Pictures never trained on, as they are; `who` in sources.csv, where given, tells which show the same person.

    Small people are left out: they are no webcam's, and a fault that strikes them would look like one of whoever they
    are. For the same reason those with raised hands (column `what`) are a part of their own.
    """
    sources = read_sources(folder)
    for sample in read_stills(folder, teachers):
        near = np.count_nonzero(sample.alpha > 127) >= NEAR * sample.alpha.size
        if near and examine.trusted("unseen", sample):
            source = sources[sample.name]
            part = "hands" if "hands" in source.get("what", "") else "unseen"
            known = examine("unseen", sample.name, sample.picture, sample.alpha)
            yield Portrait(part, source.get("who") or sample.name, sample.picture, sample.alpha, known)
