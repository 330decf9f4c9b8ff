"""The pipeline's threads: nothing lost in a conversion, late frames dropped in real time, changes while running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conftest import RecordingSink, fake_loaded, until
from numpy.typing import NDArray

from app.capture import EndOfSource
from app.capture.supervisor import SupervisedSource
from app.compose.card import card
from app.compose.effects import build_effect
from app.compose.planes import fit_frame, from_bgr, planes, yuv_of
from app.frame import Picture
from app.pipeline import Pipeline
from app.problems import EffectError, SinkError
from app.publisher import Publisher
from app.segmentation import Loader
from app.settings import Settings

BASE = Settings().replace(size="320x180", effect="colour", colour="#204060", sinks=("fake",), source="pattern")


class Numbered:
    """Frames that bear their number: the person, in the middle, is as bright as it."""

    name, fps = "numbered", 30.0

    def __init__(self, count: int | None = None, pause: float = 0.0) -> None:
        self.live = count is None
        self._count, self._pause, self._next = count, pause, 0

    def read(self) -> NDArray[np.uint8]:
        if self._next == self._count:
            raise EndOfSource
        time.sleep(self._pause)
        self._next += 1
        return np.full((180, 320, 3), self._next % 256, np.uint8)

    def close(self) -> None:
        pass


class Pooling(Numbered):
    """Decodes into what it is lent, as a camera does; notes which arrays those were."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.lent: list[int] = []

    def read_into(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.lent.append(array.ctypes.data)
        np.copyto(array, self.read())
        return array


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """No weights: the loader hands out a fake at once, made by the last of this list."""
    makers: list[Callable[[], object]] = [fake_loaded]
    handed: list[object] = []

    def take(_: Loader) -> object:
        if handed:
            return None
        handed.append(makers[-1]())
        return handed[-1]

    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", take)
    yield makers
    while RUNNING:  # a failed test's threads must not disturb the next one
        RUNNING.pop().stop()


RUNNING: list[Pipeline] = []


def make(sink: RecordingSink, source: Numbered, settings: Settings = BASE, *, realtime: bool = True) -> Pipeline:
    pipeline = Pipeline(
        settings,
        realtime=realtime,
        loop=False,
        supervise=lambda s: SupervisedSource(lambda: source, realtime=realtime),
        open_sink=lambda *_: sink,
    )
    RUNNING.append(pipeline)
    return pipeline


def middle(i420: NDArray[np.uint8]) -> int:
    luminance = planes(i420)[0]
    return int(luminance[luminance.shape[0] // 2, luminance.shape[1] // 2])


def luma(value: int) -> int:
    return int(planes(from_bgr(np.full((2, 2, 3), value, np.uint8)))[0][0, 0])


@pytest.mark.parametrize("mirror", [False, True])
def test_a_camera_decodes_into_the_pool(sink: RecordingSink, monkeypatch: pytest.MonkeyPatch, mirror: bool) -> None:
    """No frame is copied on its way, and none is overwritten while somebody still works on it."""
    copied: list[object] = []
    monkeypatch.setattr("app.intake.fit_frame", lambda *args, **kwargs: copied.append(fit_frame(*args, **kwargs)))
    source = Pooling(40)
    pipeline = make(sink, source, BASE.replace(mirror=mirror), realtime=False)
    pipeline.start()
    pipeline.wait()
    assert [p.seq for p in sink.pictures] == list(range(40))
    middle = [int(p.i420[100, 160]) for p in sink.pictures]
    assert middle == sorted(middle) and middle[-1] > middle[0] + 20
    if mirror:
        assert not source.lent and len(copied) == 40
    else:
        assert not copied and len(set(source.lent)) < 12, "the same few arrays go round"


def test_in_real_time_late_frames_are_dropped_and_the_newest_shown(
    sink: RecordingSink, network: list[Callable[[], object]]
) -> None:
    def slow(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.1)
        return np.full(image.shape[:2], 0.9, np.float32)

    network.append(lambda: fake_loaded(slow))
    pipeline = make(sink, Numbered(pause=0.02))
    pipeline.start()
    until(lambda: pipeline.status().published > 8)
    status = pipeline.status()
    pipeline.stop()
    assert status.dropped > 8
    sequence = [p.seq for p in sink.pictures if p.seq >= 0]
    assert sequence == sorted(sequence)
    assert sequence[-1] > 2 * len(sequence)


def test_the_effect_changes_while_running(sink: RecordingSink) -> None:
    pipeline = make(sink, Numbered(pause=0.005))
    pipeline.start()
    until(lambda: pipeline.status().published > 5)
    for colour in ("#800000", "#008000"):
        pipeline.configure(BASE.replace(colour=colour))
        y = yuv_of(colour)[0]
        until(lambda y=y: abs(int(sink.pictures[-1].i420[2, 2]) - y) <= 1)  # type: ignore[misc]
    pipeline.stop()
    assert pipeline.status().problems == ()


def test_size_and_sinks_change_while_running() -> None:
    opened: dict[str, RecordingSink] = {}

    def open_sink(spec: str, width: int, height: int, fps: float) -> RecordingSink:
        opened[f"{spec} {width}x{height}"] = sink = RecordingSink()
        return sink

    pipeline = Pipeline(BASE, supervise=lambda s: SupervisedSource(lambda: Numbered(pause=0.005)), open_sink=open_sink)
    pipeline.start()
    until(lambda: pipeline.status().published > 5)
    pipeline.configure(BASE.replace(sinks=("fake", "second")))
    until(lambda: "second 320x180" in opened and len(opened["second 320x180"].pictures) > 3)
    assert list(opened) == ["fake 320x180", "second 320x180"], "the first was not opened again"
    pipeline.configure(BASE.replace(sinks=("fake", "second"), size="160x90"))
    until(lambda: "second 160x90" in opened and len(opened["second 160x90"].pictures) > 3)
    pipeline.stop()
    for name, sink in opened.items():
        width, height = map(int, name.split()[1].split("x"))
        assert {p.i420.shape for p in sink.pictures} == {(height * 3 // 2, width)}
        assert sink.closed


def test_a_watched_sink_keeps_its_size_and_place() -> None:
    opened: list[RecordingSink] = []

    def open_sink(spec: str, *_: object) -> RecordingSink:
        sink = RecordingSink()
        sink.watched = spec == "watched"  # type: ignore[attr-defined]
        opened.append(sink)
        return sink

    publisher = Publisher(open_sink)
    publisher.configure(("watched", "alone"), 320, 180, 30)
    publisher.configure(("watched", "alone"), 640, 360, 30)
    assert [sink.closed for sink in opened] == [False, True, False]
    publisher.write(Picture(0, 0.0, card(640, 360)))
    assert [len(sink.pictures) for sink in opened] == [1, 0, 1], "it gets the pictures of the new size and fits them"
    publisher.close()


@pytest.mark.parametrize(("rate", "longest", "shortest"), [(60, 42, 25), (30, 42, 24), (25, 50, 30)])
def test_the_pace_is_even_whatever_the_camera_s(
    sink: RecordingSink, monkeypatch: pytest.MonkeyPatch, rate: int, longest: float, shortest: float
) -> None:
    """A camera of 60, 30 or 25 frames a second with 4 ms of jitter: 30 a second or fewer, evenly, none lost."""
    rng = np.random.default_rng(0)
    times = iter(np.arange(601) / rate + rng.uniform(-0.004, 0.004, 601))
    taken: list[float] = []
    monkeypatch.setattr(Pipeline, "_hand_over", lambda self, frame: taken.append(frame.captured_at))

    class Camera(Numbered):
        fps = float(rate)

    source = Camera()
    clock = [0.0]

    def read() -> NDArray[np.uint8]:
        try:
            clock[0] = float(next(times))
        except StopIteration:
            raise EndOfSource from None
        return np.zeros((180, 320, 3), np.uint8)

    monkeypatch.setattr(source, "read", read)
    pipeline = Pipeline(
        BASE,
        supervise=lambda s: SupervisedSource(lambda: source, now=lambda: clock[0]),
        open_sink=lambda *_: sink,
    )
    RUNNING.append(pipeline)
    pipeline.start()
    until(lambda: pipeline.status().source == "ended")
    gaps = np.diff(taken) * 1000
    assert len(taken) >= 600 * min(1.0, 30 / rate) - 2
    assert gaps.max() < longest and gaps.min() > shortest


def test_off_air_others_see_the_card_and_the_preview_stays(sink: RecordingSink) -> None:
    pipeline = make(sink, Numbered(pause=0.005), BASE.replace(on_air=False))
    pipeline.start()
    until(lambda: pipeline.status().published > 5)
    preview = pipeline.preview()
    pipeline.stop()
    assert all(np.array_equal(p.i420, card(320, 180)) for p in sink.pictures)
    assert preview is not None and not np.array_equal(preview, card(320, 180))


def test_a_sink_that_vanishes_is_told_and_opened_again(sink: RecordingSink, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = make(sink, Numbered(pause=0.005))
    pipeline.start()
    until(lambda: len(sink.pictures) > 5)
    sink.failing = True
    until(lambda: any(p.cure == "Plug it in again." for p in pipeline.status().problems))
    assert "lost" in pipeline.status().sinks.values()
    sink.failing = False
    count = len(sink.pictures)
    until(lambda: len(sink.pictures) > count + 5 and not pipeline.status().problems)
    pipeline.stop()


def test_one_broken_sink_leaves_the_others_alone(sink: RecordingSink) -> None:
    def open_sink(spec: str, *_: object) -> RecordingSink:
        if spec == "broken":
            raise SinkError("It is on fire.", "Put it out.")
        return sink

    publisher = Publisher(open_sink)
    publisher.configure(("broken", "fake"), 320, 180, 30)
    for seq in range(3):
        publisher.write(Picture(seq, 0.0, card(320, 180)))
    assert len(sink.pictures) == 3
    assert publisher.states() == {"broken": "lost", "recording": "open"}
    assert [p.cure for p in publisher.problems()] == ["Put it out."]
    publisher.close()
    assert sink.closed


def test_it_stops_at_once_whatever_it_does(sink: RecordingSink, network: list[Callable[[], object]]) -> None:
    pipeline = make(sink, Numbered(pause=0.005))
    pipeline.start()
    until(lambda: pipeline.status().published > 3)
    start = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - start < 2
    assert sink.closed
    never_started = make(RecordingSink(), Numbered())
    never_started.stop()


def test_a_background_that_cannot_be_read_is_told_and_blurred_meanwhile(sink: RecordingSink) -> None:
    pipeline = make(sink, Numbered(pause=0.005), BASE.replace(effect="image", image="gone.png"))
    pipeline.start()
    until(lambda: bool(pipeline.status().problems))
    assert "gone.png" in str(pipeline.status().problems[0])
    pipeline.configure(BASE)
    until(lambda: not pipeline.status().problems)
    pipeline.stop()
    with pytest.raises(EffectError):
        build_effect(BASE.replace(effect="image", image="gone.png"))
