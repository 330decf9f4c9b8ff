"""The stages run at the same time, hand buffers over instead of copying, and never mix two frames up."""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import RecordingSink, fake_loaded, until
from numpy.typing import NDArray

from app.capture import EndOfSource
from app.capture.supervisor import SupervisedSource
from app.compose.compositor import Compositor
from app.compose.planes import from_bgr, planes
from app.frame import Frame, Picture
from app.loaded import Loaded
from app.pipeline import Pipeline
from app.processor import Processor
from app.segmentation import Loader
from app.settings import Settings
from app.status import Stopwatch

PARTS = 8
"""The person of frame n stands in the n-th of so many parts of the picture, from the left."""

BASE = Settings().replace(size="320x180", effect="colour", colour="#000000", sinks=("fake",), temporal=False)


class Walk:
    """Frames whose brightness says in which part the person stands; the picture itself is the same everywhere."""

    name, fps, live = "walk", 30.0, True

    def __init__(self, count: int | None, pause: float) -> None:
        self._numbers = itertools.count() if count is None else iter(range(count))
        self._pause = pause
        self.live = count is None

    def read(self) -> NDArray[np.uint8]:
        number = next(self._numbers, None)
        if number is None:
            raise EndOfSource
        time.sleep(self._pause)
        return np.full((180, 320, 3), brightness(number), np.uint8)

    def close(self) -> None:
        pass


def brightness(number: int) -> int:
    return 60 + 20 * (number % PARTS)


def mask_of(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network: the person fills the part that the picture's brightness names."""
    part = round((float(image.mean()) - 60) / 20)
    mask = np.zeros(image.shape[:2], np.float32)
    width = image.shape[1] // PARTS
    mask[:, part * width : (part + 1) * width] = 1
    return mask


def part_of(picture: Picture) -> int:
    """Where the finished picture shows somebody."""
    row = planes(picture.i420)[0][90].astype(int)
    return int(row.reshape(PARTS, -1).mean(axis=1).argmax())


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[..., object]], None]]:
    """Makes the loader hand out a network at once."""

    def use(function: Callable[..., object]) -> None:
        handed = iter([fake_loaded(function)])  # type: ignore[arg-type]
        monkeypatch.setattr(Loader, "start", lambda self: None)
        monkeypatch.setattr(Loader, "take", lambda self: next(handed, None))

    yield use
    while RUNNING:  # a failed test's threads must not disturb the next one
        RUNNING.pop().stop()


RUNNING: list[Pipeline] = []


def make(sink: RecordingSink, count: int | None, pause: float, settings: Settings = BASE) -> Pipeline:
    realtime = count is None
    pipeline = Pipeline(
        settings,
        realtime=realtime,
        loop=False,
        supervise=lambda s: SupervisedSource(lambda: Walk(count, pause), realtime=realtime),
        open_sink=lambda *_: sink,
    )
    RUNNING.append(pipeline)
    return pipeline


@pytest.mark.parametrize("slow", ["network", "compositor", "both"])
@pytest.mark.parametrize("realtime", [True, False])
def test_each_frame_carries_its_own_mask(
    sink: RecordingSink,
    network: Callable[[Callable[..., object]], None],
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
    realtime: bool,
) -> None:
    """Whoever is slow, and whatever is dropped: where the person stands fits the picture that shows them."""
    rng = np.random.default_rng(3)

    def answer(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        mask = mask_of(image)
        time.sleep(rng.uniform(0, 0.02) if slow != "compositor" else 0)
        return mask

    compose = Compositor.compose

    def slowly(self: Compositor, *args: object) -> None:
        time.sleep(rng.uniform(0, 0.02) if slow != "network" else 0)
        compose(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Compositor, "compose", slowly)
    network(answer)
    pipeline = make(sink, None if realtime else 60, 0.004)
    pipeline.start()
    if realtime:
        until(lambda: pipeline.status().published > 50)
        assert pipeline.status().dropped
    else:
        assert pipeline.wait(20)
    pipeline.stop()
    pictures = [p for p in sink.pictures if p.seq >= 0]
    assert [p.seq for p in pictures] == sorted({p.seq for p in pictures})
    if not realtime:
        assert len(pictures) == 60
    luma = {n: int(planes(from_bgr(np.full((2, 2, 3), brightness(n), np.uint8)))[0][0, 0]) for n in range(PARTS)}
    for picture in pictures:
        assert part_of(picture) == picture.seq % PARTS, "the mask is another frame's"
        assert abs(int(planes(picture.i420)[0].max()) - luma[picture.seq % PARTS]) <= 1, "the picture is another's"


def test_the_next_mask_is_made_while_a_frame_is_composited(
    sink: RecordingSink, network: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compositing frame n waits until the network has begun with n + 1: one after the other this would never come.

    No mask is ready before the next frame is there, so that nothing depends on who is faster.
    """
    frames, begun = 20, threading.Semaphore(0)
    pipeline = make(sink, frames, 0.0)

    def answer(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        begun.release()
        until(lambda: pipeline._inbox._item is not None or pipeline._inbox.closed, 60)
        return mask_of(image)

    together: list[bool] = []
    compose = Compositor.compose

    def waiting(self: Compositor, *args: object) -> None:
        if not together:
            assert begun.acquire(timeout=60), "its own"
        if len(together) < frames - 1 and all(together):
            together.append(begun.acquire(timeout=60))
        compose(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Compositor, "compose", waiting)
    network(answer)
    pipeline.start()
    assert pipeline.wait(300)
    pipeline.stop()
    assert len(sink.pictures) == frames
    assert together == [True] * (frames - 1)


def test_a_slow_sink_has_its_cutout_to_itself(network: Callable[[Callable[..., object]], None]) -> None:
    """While a sink writes one picture with transparency, a dozen others are made: none into the same array."""
    network(mask_of)
    changed, arrays = list[bool](), set[int]()

    class Slow(RecordingSink):
        def write(self, picture: Picture) -> None:
            if picture.bgra is None or len(changed) == 5:
                return
            arrays.add(picture.bgra.ctypes.data)
            before, made = picture.bgra.copy(), pipeline.status().captured
            until(lambda: pipeline.status().captured > made + 12)
            changed.append(not np.array_equal(picture.bgra, before))

    pipeline = make(Slow(), None, 0.004, BASE.replace(effect="alpha"))
    pipeline.start()
    until(lambda: len(changed) == 5)
    pipeline.stop()
    assert not any(changed)
    assert len(arrays) <= 4, "they go round"


def test_a_session_that_never_closes_does_not_keep_the_program(
    sink: RecordingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freeing what a lost driver holds may take for ever."""
    never, closing, loaded = threading.Event(), threading.Event(), fake_loaded(mask_of)

    def close() -> None:
        closing.set()
        never.wait(60)

    monkeypatch.setattr(loaded.session, "close", close)
    monkeypatch.setattr("app.segmentation.LAST_SECONDS", 0.2)
    monkeypatch.setattr(Loader, "start", lambda self: None)
    handed = iter([loaded])
    monkeypatch.setattr(Loader, "take", lambda self: next(handed, None))
    pipeline = make(sink, None, 0.004)
    pipeline.start()
    until(lambda: pipeline.status().published > 3)
    stopping = threading.Thread(target=pipeline.stop)
    stopping.start()
    stopping.join(10)
    ended = not stopping.is_alive()
    never.set()
    stopping.join(10)
    assert ended and closing.is_set()
    RUNNING.remove(pipeline)


@pytest.mark.parametrize("slot", ["_inbox", "_outbox"])
def test_the_last_frame_is_not_lost_when_it_comes_just_after_the_wait_for_it(
    sink: RecordingSink, network: Callable[[Callable[..., object]], None], monkeypatch: pytest.MonkeyPatch, slot: str
) -> None:
    """A wait that ends without a frame, and before anybody looks what is up the last one is put and the slot closed."""
    network(mask_of)
    pipeline = make(sink, 1, 0.0)
    waited = getattr(pipeline, slot)
    take = waited.take

    def late(timeout: float) -> object:
        if waited.closed:
            return take(timeout)
        until(lambda: waited.closed)
        return None

    monkeypatch.setattr(waited, "take", late)
    pipeline.start()
    assert pipeline.wait(20)
    pipeline.stop()
    assert len(sink.pictures) == 1


def test_no_stage_allocates_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 300 frames of 1280×720, whose person walks, never as much at a time as one finished picture takes."""
    size = (1280, 720)
    alphas = [np.zeros(size[::-1], np.uint8) for _ in range(6)]
    for number, alpha in enumerate(alphas):
        cv2.ellipse(alpha, (400 + 60 * number, 500), (220, 400), 0, 0, 360, 255, -1)
    masks = [cv2.resize(a, (256, 144), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 for a in alphas]
    frames = [np.random.default_rng(n).integers(0, 256, (720, 1280, 3), np.uint8) for n in range(2)]
    out = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    for effect in ({"effect": "blur"}, {"effect": "image", "image": "bookshelf"}):
        processor = Processor(Settings().replace(size="1280x720", **effect), Stopwatch())
        number = itertools.count()
        loaded = fake_loaded(lambda image, number=number: masks[next(number) // 25 % 6])  # type: ignore[misc]
        tracemalloc.start()
        most = []
        for seq in range(150):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            _, failure = processor.process(Frame(seq, seq / 30, frames[seq % 2]), loaded, out)
            assert failure is None
            most.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        processor.close()
        assert max(most[50:]) < out.nbytes, f"{effect}: {max(most[50:])} bytes"


def looks_around(loaded: Loaded, later: Callable[[], None]) -> Loaded:
    """Every frame is a key frame."""
    look = loaded.look
    loaded.look = lambda frame, *, fresh=False: replace(look(frame, fresh=fresh), later=later)
    return loaded


def test_no_picture_waits_for_a_look_around() -> None:
    going = threading.Event()
    loaded = looks_around(fake_loaded(mask_of), lambda: going.wait(10) and None)
    processor, out = Processor(BASE, Stopwatch()), np.empty((270, 320), np.uint8)
    _, failure = processor.process(Frame(0, 0.0, np.full((180, 320, 3), brightness(0), np.uint8)), loaded, out)
    assert failure is None
    assert not going.is_set()
    going.set()
    processor.close()


def test_no_network_is_given_back_while_it_looks_around(sink: RecordingSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session is closed then, beside."""
    looking, retired = threading.Event(), list[bool]()

    def around() -> None:
        looking.set()
        time.sleep(0.05)
        looking.clear()

    handed: list[Loaded] = [looks_around(fake_loaded(mask_of), around) for _ in range(4)]
    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", lambda self: handed.pop() if handed and not len(sink.pictures) % 5 else None)
    monkeypatch.setattr(Loader, "retire", lambda self, old: retired.append(looking.is_set()))
    pipeline = make(sink, None, 0.004)
    pipeline.start()
    until(lambda: len(retired) == 3)
    pipeline.stop()
    assert retired == [False] * 3


def test_buffers_go_round(sink: RecordingSink, network: Callable[[Callable[..., object]], None]) -> None:
    """After the start no new buffer is made, neither of a frame nor of a picture, and the preview is none's copy."""
    network(mask_of)
    pipeline = make(sink, None, 0.004)
    seen: list[set[int]] = [set(), set()]
    for pool, ids in zip((pipeline._frames, pipeline._pictures), seen, strict=True):
        take = pool.take

        def noted(shape: tuple[int, ...], take: Callable[..., NDArray[np.uint8]] = take, ids: set[int] = ids):  # type: ignore[no-untyped-def]
            image = take(shape)
            ids.add(image.ctypes.data)
            return image

        pool.take = noted  # type: ignore[method-assign]
    pipeline.start()
    until(lambda: pipeline.status().published > 150)
    preview = pipeline.preview()
    pipeline.stop()
    assert preview is not None
    assert all(len(ids) <= 6 for ids in seen), "as many as a pool keeps"
