"""Keeps a source alive: opens it, opens it again when it fails, and keeps the pace of what has none."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Event
from typing import Literal, NamedTuple

from app.capture import BrokenFrame, EndOfSource, Pooled, Source, Superseded
from app.frame import Image
from app.problems import Problem, SourceError

State = Literal["opening", "live", "lost", "ended"]

FIRST_WAIT = 0.25
LONGEST_WAIT = 4.0
"""Seconds between attempts double from the first to the longest: a camera that is back is seen within four seconds, and
looking for one costs nothing that can be measured."""

CHANGE_OVER = 1.0
"""Seconds between a source and the one that takes its place: the system makes the nodes of a camera one by one and then
sets their group, and the pipeline meanwhile forgets what the frames of the old one looked like (`FORGET_SECONDS`)."""

STEADY = 2.0
"""Seconds a source must deliver before its next failure is waited for from the beginning again, so that one that fails
right after each opening is not opened four times a second."""

LATE = 1.0
"""A reader this many seconds behind (the machine slept, the picture was paused) does not race to catch up."""

log = logging.getLogger(__name__)


class Captured(NamedTuple):
    """One frame: uint8 BGR (H, W, 3), valid until the next is asked for, and when it came (`time.monotonic()`).

    `spare` is the array that was lent for it: the image itself, or left unused, or None.
    """

    image: Image
    captured_at: float
    spare: Image | None = None


def no_array() -> None:
    """Lend nothing."""


class SupervisedSource:
    """A source that outlives its failures.

    `frames` does everything, in the thread that iterates over it; `state`, `problem`, `name` and `fps` may be read
    from any thread.

    Args:
        open_source: opens the source anew, or raises `SourceError`.
        name: what to call it before it is open.
        fps: the pace of sources that are not live and know none themselves.
        realtime: keep the pace of sources that are not live, and open again what fails. Without, sources are read as
            fast as they can be, and a failure is the end.
        now, wait: the clock, and how to wait for seconds or the event (True when the event came), for tests.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        *,
        name: str = "",
        fps: float = 30.0,
        realtime: bool = True,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[Event, float], bool] = Event.wait,
    ) -> None:
        self.name = name
        self.fps = fps
        self._wished_name, self._wished_fps = name, fps
        self._open = open_source
        self._realtime = realtime
        self._now = now
        self._wait = wait
        self._condition: tuple[State, Problem | None] = ("opening", None)

    @property
    def state(self) -> State:
        """ "opening" until the first frame, "live" while frames come, "lost" while waiting to try again, "ended"."""
        return self._condition[0]

    @property
    def problem(self) -> Problem | None:
        """What is wrong while the source is not live, with the cure."""
        return self._condition[1]

    def frames(self, stop: Event, lend: Callable[[], Image | None] = no_array) -> Iterator[Captured]:
        """The frames, until the source ends or the event is set (at most one `read` later); then all is closed.

        Args:
            stop: ends them.
            lend: gives an array for the next frame to be decoded into where the source can do that; with the frame it
                comes back.

        Raises:
            SourceError: it cannot be opened or read, and is not wanted in real time: nobody plugs a file in again.
        """
        delay = FIRST_WAIT
        while not stop.is_set():
            since = None
            try:
                with closing(self._open()) as source:
                    self.name, self.fps = source.name, source.fps or self._wished_fps
                    for captured in self._read(source, stop, lend):
                        since = captured.captured_at if since is None else since
                        self._condition = ("live", None)
                        yield captured
            except EndOfSource as end:
                self._condition = ("ended", end.problem)
                return
            except Superseded:
                self.name, self._condition = self._wished_name, ("opening", None)
                if self._wait(stop, CHANGE_OVER):
                    return
                continue
            except SourceError as error:
                if not self._realtime:
                    raise
                problem = error.problem
            except Exception as error:  # a fault in a source must not end the call: say it, and try again
                if not self._realtime:
                    raise
                log.exception("The source failed")
                problem = Problem("source", f"The source failed: {error!r}.", "It is opened again by itself.")
            else:
                return
            self._condition = ("lost", problem)
            if since is not None and self._now() - since >= STEADY:
                delay = FIRST_WAIT
            if self._wait(stop, delay):
                return
            delay = min(delay * 2, LONGEST_WAIT)

    def _read(self, source: Source, stop: Event, lend: Callable[[], Image | None]) -> Iterator[Captured]:
        paced = self._realtime and not source.live
        due = self._now()
        while not stop.is_set():
            spare = lend() if isinstance(source, Pooled) else None
            try:
                image = source.read_into(spare) if isinstance(source, Pooled) and spare is not None else source.read()
            except BrokenFrame as error:  # opening the source anew would bring it here again, and never further
                log.warning("%s", error)
                continue
            if paced:
                # Deadlines are counted from the first, so that rounding and slow frames do not add up to a drift.
                if self._now() - due > LATE:
                    due = self._now()
                if self._wait(stop, max(0.0, due - self._now())):
                    return
                due += 1 / self.fps
            yield Captured(image, self._now(), spare)
