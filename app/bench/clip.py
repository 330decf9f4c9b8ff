"""The bundled clip in memory, as a camera would deliver it, and a sink that notes when each picture came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

from app.capture import EndOfSource
from app.capture.factory import open_source
from app.capture.supervisor import SupervisedSource
from app.frame import Image, Picture

FPS = 30
_FRAMES = 30
"""Frames kept: a second, 83 MB, played forth and back so that nothing jumps."""


@cache
def frames() -> tuple[Image, ...]:
    """The clip's first second, forth and back, uint8 BGR (720, 1280, 3)."""
    source = open_source("clip", width=1280, height=720, fps=FPS, loop=True)
    forth = [source.read().copy() for _ in range(_FRAMES)]
    source.close()
    return (*forth, *forth[-2:0:-1])


class ClipSource:
    """A source that plays `frames`, `count` of them."""

    name, fps, live = "clip in memory", float(FPS), False

    def __init__(self, count: int) -> None:
        self._count, self._next = count, 0

    def read(self) -> Image:
        if self._next == self._count:
            raise EndOfSource
        self._next += 1
        return frames()[self._next % len(frames())]

    def close(self) -> None:
        pass


def supervised(count: int, *, realtime: bool) -> SupervisedSource:
    """The clip as the pipeline takes it."""
    return SupervisedSource(lambda: ClipSource(count), realtime=realtime)


class NotingSink:
    """Counts pictures and how old each was when it came."""

    name = "noting"

    def __init__(self) -> None:
        self.ages: list[float] = []

    def write(self, picture: Picture) -> None:
        if picture.seq >= 0:
            self.ages.append(time.monotonic() - picture.captured_at)

    def close(self) -> None:
        pass


def camera(count: int) -> Iterator[tuple[float, int]]:
    """When each frame came (`time.monotonic()`) and its number: the newest when it is asked for, each once."""
    begin, number = time.monotonic(), 0
    while number < count:
        due = begin + number / FPS
        time.sleep(max(0.0, due - time.monotonic()))
        yield due, number
        number = max(number + 1, int((time.monotonic() - begin) * FPS))
