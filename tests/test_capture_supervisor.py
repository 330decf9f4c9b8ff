"""A source that outlives its failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from threading import Event

import cv2
import numpy as np
import pytest

from app.capture import EndOfSource, Superseded
from app.capture.standin import StandIn
from app.capture.supervisor import CHANGE_OVER, FIRST_WAIT, LONGEST_WAIT, SupervisedSource
from app.frame import Image
from app.problems import SourceError

SIZE = {"width": 64, "height": 48, "fps": 30.0, "loop": True}


class Clock:
    """Time that passes only when somebody waits or reads."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def wait(self, stop: Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.time += seconds
        return stop.is_set()


class FakeSource:
    """Delivers frames 0, 1, … that take `cost` seconds each; `faults` maps a frame to what it raises instead."""

    def __init__(
        self,
        clock: Clock,
        faults: dict[int, Exception] | None = None,
        *,
        live: bool = True,
        fps: float = 30.0,
        cost: Callable[[int], float] = lambda n: 1 / 30,
    ) -> None:
        self.name, self.live, self.fps = "Fake", live, fps
        self._clock, self._faults, self._cost = clock, faults or {}, cost
        self.count, self.closed = 0, 0

    def read(self) -> Image:
        n, self.count = self.count, self.count + 1
        self._clock.time += self._cost(n)
        if n in self._faults:
            raise self._faults[n]
        return np.full((2, 2, 3), n % 256, np.uint8)

    def close(self) -> None:
        self.closed += 1


def opener(*outcomes: FakeSource | Exception) -> Callable[[], FakeSource]:
    """Gives or raises one after the other."""
    left = iter(outcomes)

    def open_next() -> FakeSource:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return open_next


def supervised(clock: Clock, open_next: Callable[[], FakeSource], **options: bool) -> SupervisedSource:
    return SupervisedSource(open_next, now=clock.now, wait=clock.wait, **options)


def test_missing_camera_is_waited_for_and_comes_by_itself() -> None:
    clock = Clock()
    gone = SourceError("It is not there.", "Plug it in.")
    source = supervised(clock, opener(*[gone] * 7, FakeSource(clock)))
    assert (source.state, source.problem) == ("opening", None)
    first = next(source.frames(Event()))
    assert clock.waits == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert (source.state, source.problem, source.name) == ("live", None, "Fake")
    assert first.captured_at == clock.time


def test_problem_can_be_seen_while_waiting() -> None:
    clock, seen = Clock(), []

    def wait(stop: Event, seconds: float) -> bool:
        seen.append((source.state, source.problem))
        return clock.wait(stop, seconds)

    gone = SourceError("It is not there.", "Plug it in.")
    source = SupervisedSource(opener(gone, FakeSource(clock)), now=clock.now, wait=wait)
    next(source.frames(Event()))
    assert seen == [("lost", gone.problem)]


@pytest.mark.parametrize("fault", [SourceError("Unplugged.", "Plug it in."), RuntimeError("a bug"), cv2.error("torn")])
def test_failure_midway_closes_and_opens_again(fault: Exception) -> None:
    clock = Clock()
    first, second = FakeSource(clock, {5: fault}), FakeSource(clock)
    source = supervised(clock, opener(first, second))
    frames = [int(frame.image[0, 0, 0]) for frame in islice(source.frames(Event()), 8)]
    assert frames == [0, 1, 2, 3, 4, 0, 1, 2]
    assert first.closed == 1
    assert clock.waits == [FIRST_WAIT]


def test_stall_shows_as_lost_and_heals() -> None:
    clock = Clock()
    stalled = SourceError("It stopped delivering.", "Wait.")
    sources = [
        FakeSource(clock, {1: stalled}, cost=lambda n: 2.0 if n else 0.03),
        FakeSource(clock, {0: stalled}, cost=lambda n: 6.0),
        FakeSource(clock),
    ]
    source = supervised(clock, opener(*sources))
    frames = source.frames(Event())
    next(frames)
    next(frames)
    assert source.state == "live"
    assert [s.closed for s in sources] == [1, 1, 0]


def test_back_off_starts_anew_only_after_steady_delivery() -> None:
    clock = Clock()
    fault = SourceError("Gone.", "")
    flapping = [FakeSource(clock, {1: fault}) for _ in range(3)]
    steady = FakeSource(clock, {100: fault})
    source = supervised(clock, opener(*flapping, steady, FakeSource(clock)))
    list(islice(source.frames(Event()), 104))
    assert clock.waits == [0.25, 0.5, 1.0, 0.25]
    assert max(clock.waits) <= LONGEST_WAIT


@pytest.mark.parametrize("fault", [SourceError("Unreadable.", "Look."), RuntimeError("a bug")])
@pytest.mark.parametrize("midway", [False, True])
def test_a_failure_ends_what_is_not_wanted_in_real_time(fault: Exception, midway: bool) -> None:
    clock = Clock()
    inner = FakeSource(clock, {2: fault}, live=False)
    source = supervised(clock, opener(inner if midway else fault), realtime=False)
    with pytest.raises(type(fault), match=str(fault)):
        list(source.frames(Event()))
    assert (clock.waits, inner.closed) == ([], int(midway))


def test_another_source_takes_over_after_a_pause() -> None:
    clock, seen = Clock(), []

    def wait(stop: Event, seconds: float) -> bool:
        seen.append((source.state, source.problem, source.name))
        return clock.wait(stop, seconds)

    first, second = FakeSource(clock, {2: Superseded()}), FakeSource(clock)
    source = SupervisedSource(opener(first, second), name="auto", now=clock.now, wait=wait)
    assert len(list(islice(source.frames(Event()), 4))) == 4
    assert (first.closed, clock.waits, seen) == (1, [CHANGE_OVER], [("opening", None, "auto")])
    assert (source.state, source.name) == ("live", "Fake")


def test_a_stand_in_looks_seldom_and_gives_way() -> None:
    clock, looks = Clock(), []

    def better() -> bool:
        looks.append(clock.time)
        return len(looks) == 3

    source = StandIn(FakeSource(clock, live=False, fps=25), better, 2.0, clock.now)
    assert (source.name, source.fps, source.live) == ("Fake", 25, False)
    with pytest.raises(Superseded):
        while True:
            source.read()
    assert [round(at) for at in looks] == [102, 104, 106]


def test_end_of_source() -> None:
    clock = Clock()
    inner = FakeSource(clock, {3: EndOfSource()}, live=False)
    source = supervised(clock, opener(inner), realtime=False)
    assert len(list(source.frames(Event()))) == 3
    assert (source.state, source.problem, inner.closed) == ("ended", None, 1)


def test_stop_closes_within_one_read_and_interrupts_waiting() -> None:
    clock, stop = Clock(), Event()
    inner = FakeSource(clock)
    for n, _ in enumerate(supervised(clock, opener(inner)).frames(stop)):
        if n == 4:
            stop.set()
    assert (inner.count, inner.closed) == (5, 1)

    stop = Event()

    def wait(event: Event, seconds: float) -> bool:
        event.set()  # somebody stops while it waits
        return True

    source = SupervisedSource(opener(SourceError("Gone.", "")), wait=wait)
    assert list(source.frames(stop)) == []


def test_abandoned_iterator_closes_the_source() -> None:
    clock = Clock()
    inner = FakeSource(clock)
    frames = supervised(clock, opener(inner)).frames(Event())
    next(frames)
    assert isinstance(frames, Iterator)
    frames.close()
    assert inner.closed == 1


def times(source: SupervisedSource, count: int) -> list[float]:
    return [frame.captured_at for frame in islice(source.frames(Event()), count)]


def test_pace_is_kept_without_drift() -> None:
    clock = Clock()
    slow_every_tenth = FakeSource(clock, live=False, fps=25, cost=lambda n: 0.1 if n % 10 == 5 else 0.01)
    at = times(supervised(clock, opener(slow_every_tenth)), 1001)
    assert at[1000] - at[0] == pytest.approx(1000 / 25, abs=0.02)


def test_pace_does_not_race_after_a_pause() -> None:
    clock = Clock()
    pausing = FakeSource(clock, live=False, fps=25, cost=lambda n: 60.0 if n == 10 else 0.001)
    at = times(supervised(clock, opener(pausing)), 30)
    assert min(np.diff(at[11:])) > 0.035


def test_live_and_unhurried_sources_are_not_slowed() -> None:
    clock = Clock()
    at = times(supervised(clock, opener(FakeSource(clock, live=True, cost=lambda n: 0.001))), 50)
    assert at[-1] - at[0] == pytest.approx(0.049)
    clock = Clock()
    at = times(supervised(clock, opener(FakeSource(clock, live=False, cost=lambda n: 0.001)), realtime=False), 50)
    assert at[-1] - at[0] == pytest.approx(0.049)


def test_source_without_a_rate_is_read_at_the_wanted_one() -> None:
    clock = Clock()
    source = SupervisedSource(
        opener(FakeSource(clock, live=False, fps=0, cost=lambda n: 0.0)), fps=20, now=clock.now, wait=clock.wait
    )
    at = times(source, 21)
    assert at[20] - at[0] == pytest.approx(1.0)
