"""Sinks that are not as they should be: kept while somebody watches, opened anew when nobody does, not waited for."""

from __future__ import annotations

import threading
import time

import pytest

from app import publisher as module
from app.compose.card import card
from app.frame import Picture
from app.problems import SinkError
from app.publisher import FIRST_LOOK, LAST_LOOK, Publisher


class FakeSink:
    """A device; `looks` counts how often it was asked for its watchers."""

    name = "fake"

    def __init__(self, size: tuple[int, int], *, watched: bool = False, fitted: bool = False) -> None:
        self.size, self.fitted = size, fitted
        self.in_use = watched
        self.looks = self.written = 0
        self.closed = False

    @property
    def watched(self) -> bool:
        self.looks += 1
        return self.in_use

    def write(self, picture: Picture) -> None:
        assert not self.closed
        self.written += 1

    def close(self) -> None:
        self.closed = True


class Bench:
    """A publisher with a clock of its own, and the sinks it opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 100.0
        self.sinks: list[FakeSink] = []
        self.watched = self.fitted = False
        monkeypatch.setattr(module.time, "monotonic", lambda: self.time)
        self.publisher = Publisher(self._open)

    def _open(self, spec: str, width: int, height: int, fps: float) -> FakeSink:
        self.sinks.append(FakeSink((width, height), watched=self.watched, fitted=self.fitted))
        return self.sinks[-1]

    def write(self, seconds: float) -> None:
        """Write 30 pictures a second."""
        for _ in range(round(30 * seconds)):
            self.time += 1 / 30
            self.publisher.tend()
            assert self.publisher.write(Picture(0, 0.0, card(64, 48)))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_after_the_last_watcher_has_gone_the_new_size_comes(bench: Bench) -> None:
    bench.watched = True
    bench.publisher.configure(("auto",), 64, 48, 30)
    bench.publisher.configure(("auto",), 128, 96, 30)
    bench.write(60)
    (old,) = bench.sinks
    assert not old.closed and old.written == 1800
    assert old.looks <= 60 / FIRST_LOOK + 1, "a look is no matter of each picture"
    old.in_use = bench.watched = False
    bench.write(FIRST_LOOK + 1)
    assert old.closed and [sink.size for sink in bench.sinks] == [(64, 48), (128, 96)]
    bench.write(60)
    assert len(bench.sinks) == 2 and bench.sinks[-1].looks == 0, "all is as it should be"


def test_a_size_that_is_changed_back_leaves_the_sink_alone(bench: Bench) -> None:
    bench.watched = True
    for size in ((64, 48), (128, 96), (64, 48)):
        bench.publisher.configure(("auto",), *size, 30)
    bench.sinks[0].in_use = False
    bench.write(60)
    assert len(bench.sinks) == 1 and not bench.sinks[0].closed


def test_a_device_that_insisted_on_another_size_is_tried_again(bench: Bench) -> None:
    bench.watched = bench.fitted = True
    bench.publisher.configure(("auto",), 64, 48, 30)
    bench.write(60)
    assert len(bench.sinks) == 1
    bench.sinks[0].in_use = bench.watched = bench.fitted = False
    bench.write(FIRST_LOOK + 1)
    assert len(bench.sinks) == 2
    bench.write(60)
    assert len(bench.sinks) == 2


def test_it_is_tried_ever_more_seldom_where_it_is_in_vain(bench: Bench) -> None:
    bench.fitted = True  # for somebody who cannot be seen
    bench.publisher.configure(("auto",), 64, 48, 30)
    bench.write(3600)
    assert 3600 / LAST_LOOK < len(bench.sinks) < 3600 / LAST_LOOK + 8


def test_a_sink_that_nobody_watches_changes_at_once(bench: Bench) -> None:
    bench.publisher.configure(("auto",), 64, 48, 30)
    bench.publisher.configure(("auto",), 128, 96, 30)
    assert [sink.closed for sink in bench.sinks] == [True, False]


class Hanging:
    """Opens sinks: `slow` only when it is told to, and never before."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []
        self.opened: list[FakeSink] = []

    def __call__(self, spec: str, width: int, height: int, fps: float) -> FakeSink:
        self.asked.append(spec)
        if spec == "slow":
            self.go.wait(10)
        self.opened.append(FakeSink((width, height)))
        return self.opened[-1]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    monkeypatch.setattr(module, "AT_ONCE", 0.2)
    return Hanging()


def tend(publisher: Publisher, states: dict[str, str]) -> None:
    """Tend until the sinks are so."""
    end = time.monotonic() + 10
    while publisher.states() != states:
        assert time.monotonic() < end
        publisher.tend()


def test_a_sink_that_hangs_while_it_opens_holds_no_other_up(hanging: Hanging) -> None:
    publisher, picture = Publisher(hanging), Picture(0, 0.0, card(64, 48))
    publisher.configure(("slow", "quick"), 64, 48, 30)
    tend(publisher, {"slow": "lost", "fake": "open"})
    for _ in range(3):
        publisher.tend()
        assert publisher.write(picture)
    assert hanging.opened[0].written == 3
    hanging.go.set()
    tend(publisher, {"fake": "open"})
    publisher.write(picture)
    assert [sink.written for sink in hanging.opened] == [4, 1]
    publisher.close()
    assert all(sink.closed for sink in hanging.opened)


def test_what_opens_after_nobody_wants_it_any_more_is_closed(hanging: Hanging) -> None:
    publisher = Publisher(hanging)
    publisher.configure(("slow",), 64, 48, 30)
    publisher.configure(("quick",), 64, 48, 30)
    tend(publisher, {"fake": "open"})
    hanging.go.set()
    publisher.close()
    assert len(hanging.opened) == 2 and all(sink.closed for sink in hanging.opened)


def test_what_is_wanted_again_while_it_opens_is_opened_once(hanging: Hanging) -> None:
    publisher = Publisher(hanging)
    for specs in (("slow",), (), ("slow",)):
        publisher.configure(specs, 64, 48, 30)
    hanging.go.set()
    tend(publisher, {"fake": "open"})
    assert hanging.asked == ["slow"]
    publisher.close()


def test_a_size_that_changes_while_a_sink_opens_is_the_sink_s_at_once(hanging: Hanging) -> None:
    publisher = Publisher(hanging)
    publisher.configure(("slow",), 64, 48, 30)
    publisher.configure(("slow",), 128, 96, 30)
    hanging.go.set()
    end = time.monotonic() + 10
    while [sink.size for sink in hanging.opened if not sink.closed] != [(128, 96)]:
        assert time.monotonic() < end
        publisher.tend()
        assert not any(sink.written for sink in hanging.opened)
    publisher.close()


def test_a_sink_that_fails_is_closed_after_the_others_have_the_picture() -> None:
    order: list[str] = []

    class Told(FakeSink):
        def __init__(self, name: str) -> None:
            super().__init__((64, 48))
            self.name = name

        def write(self, picture: Picture) -> None:
            order.append(f"{self.name} takes")
            if self.name == "one":
                raise OSError("gone")

        def close(self) -> None:
            order.append(f"{self.name} closes")

    publisher = Publisher(lambda spec, *_: Told(spec))
    publisher.configure(("one", "other"), 64, 48, 30)
    publisher.write(Picture(0, 0.0, card(64, 48)))
    assert order == ["one takes", "other takes", "one closes"]
    publisher.close()


def test_what_does_not_close_well_is_told_until_it_is_opened_again() -> None:
    class Full(FakeSink):
        def close(self) -> None:
            raise SinkError("a.mp4 lacks its end.", "Make room on the disk.")

    publisher = Publisher(lambda *_: Full((64, 48)))
    publisher.configure(("a.mp4",), 64, 48, 30)
    publisher.configure((), 64, 48, 30)
    assert [str(problem) for problem in publisher.problems()] == ["a.mp4 lacks its end. Make room on the disk."]
    publisher.configure(("a.mp4",), 64, 48, 30)
    assert publisher.problems() == []
    publisher.close()
    assert len(publisher.problems()) == 1
