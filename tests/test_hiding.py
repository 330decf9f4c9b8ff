"""What the user hides is hidden from then on, whatever was under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import RecordingSink, fake_loaded, until
from test_privacy import BASE, SIZE, Pattern, seeing_network

from app.capture.supervisor import SupervisedSource
from app.capture.testpattern import contains_raw_background
from app.compose.card import card
from app.frame import Picture
from app.pipeline import Pipeline
from app.problems import SinkError
from app.segmentation import Loader
from app.settings import Settings


class Slow(RecordingSink):
    """Notes when each write began, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[float] = []

    def write(self, picture: Picture) -> None:
        self.began.append(time.monotonic())
        super().write(picture)
        time.sleep(0.05)


def test_what_the_user_hides_is_hidden_from_the_next_picture_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw pictures that were made before the effect was switched on, or off air chosen, do not go out after it."""
    shown = BASE.replace(effect="none", show_room=True)
    loads = iter([fake_loaded(seeing_network)])
    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", lambda self: next(loads, None))
    for hidden in (BASE, shown.replace(on_air=False)):
        sink = Slow()
        source = SupervisedSource(lambda: Pattern(iter(()), [0]))
        pipeline = Pipeline(shown, supervise=lambda s, source=source: source, open_sink=lambda *_, sink=sink: sink)  # type: ignore[misc]
        pipeline.start()
        for _ in range(6):
            count = len(sink.pictures)
            while len(sink.pictures) < count + 4:
                time.sleep(0.005)
            assert contains_raw_background(sink.pictures[-1].i420), "the room is seen before"
            pipeline.configure(hidden)
            switched = time.monotonic()
            count = len(sink.pictures)
            while len(sink.pictures) < count + 4:
                time.sleep(0.005)
            later = [p for p, t in zip(sink.pictures, sink.began, strict=False) if t > switched]
            assert not any(contains_raw_background(p.i420) for p in later)
            if hidden.effect != "none":
                preview = pipeline.preview()
                assert preview is not None and not contains_raw_background(preview)
            pipeline.configure(shown)
        pipeline.stop()


@pytest.mark.parametrize("hidden", [BASE, BASE.replace(effect="none", show_room=True, on_air=False)])
def test_what_the_user_hides_while_another_sink_opens_is_hidden(
    monkeypatch: pytest.MonkeyPatch, hidden: Settings
) -> None:
    """A picture that was judged before the opening does not go out after it."""
    shown = BASE.replace(effect="none", show_room=True, sinks=("lost", "fake"))
    loads = iter([fake_loaded(seeing_network)])
    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", lambda self: next(loads, None))
    monkeypatch.setattr("app.publisher.LAST_RETRY", 0.01)
    monkeypatch.setattr("app.publisher.FIRST_RETRY", 0.01)
    sink, hide, switched = Slow(), threading.Event(), list[float]()

    def open_sink(spec: str, *_: object) -> Slow:
        if spec == "fake":
            return sink
        if hide.is_set():
            hide.clear()
            pipeline.configure(hidden.replace(sinks=shown.sinks))  # the user does while this hangs
            switched.append(time.monotonic())
        raise SinkError("It hangs.", "Wait.")

    source = SupervisedSource(lambda: Pattern(iter(()), [0]))
    pipeline = Pipeline(shown, supervise=lambda _: source, open_sink=open_sink)
    pipeline.start()
    try:
        for turn in range(1, 5):
            until(lambda: sink.pictures and contains_raw_background(sink.pictures[-1].i420))
            hide.set()
            until(lambda turn=turn: len(switched) == turn)  # type: ignore[misc]
            count = len(sink.pictures)
            until(lambda count=count: len(sink.pictures) >= count + 4)  # type: ignore[misc]
            later = [p for p, t in zip(sink.pictures, sink.began, strict=False) if t > switched[-1]]
            assert not any(contains_raw_background(p.i420) for p in later)
            pipeline.configure(shown)
    finally:
        pipeline.stop()


@pytest.mark.parametrize("hidden", [BASE, BASE.replace(effect="none", show_room=True, on_air=False)])
def test_what_the_user_hides_while_the_camera_stalls_is_hidden_at_once(
    monkeypatch: pytest.MonkeyPatch, hidden: Settings
) -> None:
    """Nothing would come for a minute, and until then the room would stay in the device."""
    monkeypatch.setattr("app.shown.FREEZE_SECONDS", 60.0)
    loads = iter([fake_loaded(seeing_network)])
    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", lambda self: next(loads, None))
    moves = threading.Event()

    def script() -> Iterator[str]:
        yield from ["frame"] * 20
        moves.wait(60)

    sink, source = RecordingSink(), SupervisedSource(lambda: Pattern(script(), [0]))
    shown = BASE.replace(effect="none", show_room=True)
    pipeline = Pipeline(shown, supervise=lambda _: source, open_sink=lambda *_: sink)
    pipeline.start()
    try:
        until(lambda: sum(p.seq >= 0 for p in sink.pictures) > 10 and pipeline.status().captured == 20)
        until(lambda: contains_raw_background(sink.pictures[-1].i420))
        time.sleep(0.3)  # whatever was under way has arrived
        pipeline.configure(hidden)
        until(lambda: np.array_equal(sink.pictures[-1].i420, card(*SIZE)))
        until(lambda: np.array_equal(pipeline.preview(), card(*SIZE)))
    finally:
        moves.set()
        pipeline.stop()
