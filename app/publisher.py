"""Keeps the sinks alive: opens them, writes to them, and after a failure opens them again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from app.frame import Picture
from app.problems import GreenroomError, Problem
from app.publish import Sink

OpenSink = Callable[[str, int, int, float], Sink]
"""Opens the sink of a specification for a width, height and rate; raises `SinkError`."""

FIRST_RETRY, LAST_RETRY = 0.5, 8.0
"""Seconds between two tries to open a sink, doubled each time: soon enough for a replug, rare enough for a log."""

FIRST_LOOK, LAST_LOOK = 10.0, 300.0
"""Seconds between two looks whether a sink that is not as it should be is still watched: to find out who holds a device
takes 6 µs for each open file of this user's programs, some 60 ms on a full desktop. Doubled each time it was opened
anew in vain: then somebody watches who cannot be seen, and notices that."""

AT_ONCE = 0.05
"""Seconds that pictures wait for a sink that is being opened: what is there opens in a few milliseconds. A daemon that
hangs is waited for for 3 s, and must not hold back from the other sinks that the user has just hidden something."""

LAST_SECONDS = 4.0
"""So long the end waits for sinks that are still being opened, so that they are closed; PipeWire answers within 3."""

Format = tuple[int, int, float]
"""Width, height and rate."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """A sink that is being opened in a thread of its own, for a format."""

    sink: Future[Sink]
    format: Format


@dataclass(slots=True)
class _Outlet:
    """One sink as the user specified it, open or waiting for its next try."""

    spec: str
    sink: Sink | None = None
    opening: _Opening | None = None
    format: Format = (0, 0, 0.0)
    problem: Problem | None = None
    retry_at: float = 0.0
    delay: float = FIRST_RETRY
    look_at: float = 0.0
    pause: float = FIRST_LOOK


class Publisher:
    """Writes pictures to any number of sinks. One thread uses it; `states` and `problems` may be read from any.

    A sink that fails is closed, reported and tried again later with growing pauses; the others go on. Sinks are opened
    beside: one that hangs meanwhile holds nothing up.

    Args:
        open_sink: how a specification becomes a sink.
        forgiving: False raises the first sink's error instead of trying again, for one-off work such as converting a
            file.
    """

    def __init__(self, open_sink: OpenSink, *, forgiving: bool = True) -> None:
        self._open_sink = open_sink
        self._forgiving = forgiving
        self._outlets: list[_Outlet] = []
        self._format: Format = (0, 0, 0.0)
        self._unclosed: dict[str, Problem] = {}
        self._unwanted: dict[str, _Opening] = {}

    def configure(self, specs: tuple[str, ...], width: int, height: int, fps: float) -> None:
        """Publish to these sinks in this size from now on; those that stay as they are are not touched.

        A sink that somebody watches keeps its size and fits the new pictures into it: a browser whose camera goes away
        in a call does not look for it again. It is opened in the new size soon after nobody does any more.
        """
        if (width, height, fps) != self._format:
            self._format = (width, height, fps)
            for outlet in self._outlets:
                outlet.retry_at, outlet.look_at, outlet.pause = 0.0, 0.0, FIRST_LOOK
                self._renew(outlet)
        wanted = list(dict.fromkeys(specs))
        for outlet in [o for o in self._outlets if o.spec not in wanted]:
            self._drop(outlet)
            self._outlets.remove(outlet)
        known = {o.spec: o for o in self._outlets}
        self._outlets = [known.get(spec) or _Outlet(spec) for spec in wanted]
        self.tend()

    def tend(self) -> None:
        """Try sinks again that are due, and take those that have been opened. This may take a while: what may be shown
        is to be asked after it.
        """
        for outlet in self._outlets:
            self._renew(outlet)
        begun = [opening.sink for outlet in self._outlets if (opening := self._begin_to_open(outlet))]
        if begun:
            wait(begun, AT_ONCE if self._forgiving else None)
        for outlet in self._outlets:
            self._take(outlet)
        for spec in [spec for spec, opening in self._unwanted.items() if opening.sink.done()]:
            _close_unwanted(self._unwanted.pop(spec).sink)

    def write(self, picture: Picture) -> bool:
        """Write a picture of the configured size to every sink that is open.

        Returns:
            Whether at least one sink took it.
        """
        taken = False
        failed: list[tuple[_Outlet, Exception]] = []
        for outlet in self._outlets:
            if outlet.sink is None:
                continue
            try:
                outlet.sink.write(picture)
                outlet.delay = FIRST_RETRY
                taken = True
            except Exception as error:
                failed.append((outlet, error))
        for outlet, why in failed:  # to close takes a while, and the picture may have to be hidden by then
            self._failed(outlet, why)
        return taken

    def close(self, *, whole: bool = True) -> None:
        """Close all sinks; those that care are told when what they got is not the whole.

        Raises:
            Exception: unless forgiving, what the first sink said that did not close well: its file is not whole.
        """
        outlets, self._outlets = self._outlets, []
        for outlet in outlets:
            if not whole and (abandon := getattr(outlet.sink, "abandon", None)) is not None:
                abandon()
        errors = [error for outlet in outlets if (error := self._drop(outlet))]
        openings = [opening.sink for opening in self._unwanted.values()]
        wait(openings, LAST_SECONDS)
        for opening in openings:
            opening.add_done_callback(_close_unwanted)  # at once, where it is done
        if errors and not self._forgiving:
            raise errors[0]

    def states(self) -> dict[str, str]:
        """Each sink's name, or its specification while it is not open → "open" or "lost"."""
        sinks = [(outlet.spec, outlet.sink) for outlet in list(self._outlets)]  # each read once: it may be dropped
        return {sink.name if sink else spec: "open" if sink else "lost" for spec, sink in sinks}

    def problems(self) -> list[Problem]:
        """What is wrong with the sinks now, and which did not close well: a recording may lack its end."""
        return [o.problem for o in list(self._outlets) if o.problem] + list(dict(self._unclosed).values())

    def _begin_to_open(self, outlet: _Outlet) -> _Opening | None:
        """Open a sink beside if it is due, and only then give what is begun."""
        if outlet.sink is not None or outlet.opening is not None or time.monotonic() < outlet.retry_at:
            return None
        if outlet.spec in self._unwanted:  # wanted again before it was open: opened twice it would be in its own way
            outlet.opening = self._unwanted.pop(outlet.spec)
            return None
        outlet.opening = _Opening(_beside(self._open_sink, outlet.spec, *self._format), self._format)
        return outlet.opening

    def _take(self, outlet: _Outlet) -> None:
        """Take the sink that has been opened beside, if it has."""
        if outlet.opening is None or not outlet.opening.sink.done():
            return
        opening, outlet.opening = outlet.opening, None
        try:
            outlet.sink, outlet.format, outlet.problem = opening.sink.result(), opening.format, None
        except Exception as error:
            self._failed(outlet, error)
            return
        self._unclosed.pop(outlet.spec, None)
        if outlet.format == self._format:
            outlet.look_at = time.monotonic() + outlet.pause
        else:  # it was changed meanwhile
            outlet.look_at = 0.0
            self._renew(outlet)

    def _renew(self, outlet: _Outlet) -> None:
        """Close a sink that is not as it should be, once nobody watches it, so that it is opened anew."""
        sink = outlet.sink
        if sink is None or (outlet.format == self._format and not getattr(sink, "fitted", False)):
            return
        if (now := time.monotonic()) < outlet.look_at:
            return
        if getattr(sink, "watched", False):
            outlet.look_at = now + outlet.pause
        else:
            self._drop(outlet)
            outlet.pause = min(2 * outlet.pause, LAST_LOOK)

    def _failed(self, outlet: _Outlet, error: Exception) -> None:
        if isinstance(error, GreenroomError):
            outlet.problem = error.problem
        else:
            outlet.problem = Problem("sink", f"{outlet.spec} failed ({error!r}).", "It is tried again.")
        outlet.retry_at = time.monotonic() + outlet.delay
        outlet.delay = min(2 * outlet.delay, LAST_RETRY)
        self._drop(outlet)
        if not self._forgiving:
            raise error

    def _drop(self, outlet: _Outlet) -> Exception | None:
        """Close an outlet's sink if it is open; returns what it said if it did not close well."""
        sink, outlet.sink = outlet.sink, None
        if outlet.opening is not None:
            self._unwanted[outlet.spec], outlet.opening = outlet.opening, None
        try:
            if sink is not None:
                sink.close()
        except Exception as error:
            known = error.problem if isinstance(error, GreenroomError) else None
            problem = known or Problem("sink", f"{outlet.spec} did not close ({error!r}).", "It is opened when needed.")
            self._unclosed[outlet.spec] = problem
            return error
        return None


def _beside(open_sink: OpenSink, spec: str, width: int, height: int, fps: float) -> Future[Sink]:
    """Open a sink in a thread of its own: a daemon's, for one that hangs for ever must not outlive the program."""
    opened: Future[Sink] = Future()

    def run() -> None:
        try:
            opened.set_result(open_sink(spec, width, height, fps))
        except BaseException as error:
            opened.set_exception(error)

    threading.Thread(target=run, name=f"open {spec}", daemon=True).start()
    return opened


def _close_unwanted(opening: Future[Sink]) -> None:
    """Close a sink that was opened after nobody wanted it any more."""
    if opening.exception() is None:
        with contextlib.suppress(Exception):  # of a sink that nobody wants nobody need be told
            opening.result().close()
