"""Fail closed: whatever fails and whenever, no published picture holds raw room.

The source paints a wall that a detector finds in any picture that shows it; the segmenter is a fake that knows the
figure's exact alpha, so that only a fault can show the wall.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import RecordingSink, fake_loaded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.capture.supervisor import SupervisedSource
from app.capture.testpattern import contains_raw_background, draw, figure
from app.compose.card import card
from app.compose.planes import from_bgr
from app.frame import Frame, Picture
from app.loaded import Loaded
from app.pipeline import Pipeline
from app.problems import SourceError
from app.processor import Processor
from app.segmentation import Loader
from app.settings import Settings
from app.status import Stopwatch
from backends import BackendError

SIZE = (640, 360)
NETWORK = (256, 144)
BASE = Settings().replace(size="640x360", source="pattern", sinks=("fake",))

STAGES = {
    "segmenter": "models.segmenter.Segmenter.__call__",
    "luminance": "app.matte.refine.Refiner.luminance",
    "temporal": "app.processor.steady",
    "turn_to": "app.compose.view.View.turn_to",
    "refine": "app.matte.refine.Refiner.__call__",
    "blur": "app.compose.blur.Blur.fill",
    "blend": "app.compose.compositor.Compositor.compose",
    "surroundings": "app.compose.compositor._surroundings",
    "to I420": "app.processor.from_bgr",
}


def exact_network(number: list[int]) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A network that answers with the exact alpha of frame `number[0]`."""
    return lambda _: figure(number[0], *NETWORK).astype(np.float32) / 255


class Faulty:
    """Wraps a function so that chosen calls of it fail."""

    def __init__(self, function: Callable[..., object], failing: set[int]) -> None:
        self._function, self._failing, self._calls = function, failing, itertools.count()

    def __call__(self, *args: object, **kwargs: object) -> object:
        if next(self._calls) in self._failing:
            raise RuntimeError("injected fault")
        return self._function(*args, **kwargs)


def publish(chosen: Settings, loaded: Loaded | None, number: list[int], frames: int) -> Iterator[Picture]:
    """Send frames of the pattern through a processor."""
    processor = Processor(chosen, Stopwatch())
    for seq in range(frames):
        number[0] = seq
        out = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
        # What a buffer held before must not matter: the worst it can hold is the raw frame itself.
        from_bgr(draw(seq, *SIZE), out)
        picture, _ = processor.process(Frame(seq, seq / 30, draw(seq, *SIZE)), loaded, out)
        yield picture


def test_the_detector_sees_the_raw_frame_and_not_the_good_composite() -> None:
    """Otherwise the other tests here would prove nothing."""
    number = [0]
    consent = BASE.replace(effect="none", show_room=True)
    assert all(contains_raw_background(p.i420) for p in publish(consent, None, number, 3))
    loaded = fake_loaded(exact_network(number))
    pictures = list(publish(BASE, loaded, number, 3))
    assert not any(contains_raw_background(p.i420) for p in pictures)
    middle = pictures[0].i420[180:300, 260:380]
    assert np.std(middle) > 1 and not np.array_equal(pictures[0].i420, card(*SIZE)), "the person is there"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.dictionaries(st.sampled_from(sorted(STAGES)), st.sets(st.integers(0, 5), min_size=1), max_size=4),
    effect=st.sampled_from(["blur", "colour", "alpha", "image"]),
    blur=st.sampled_from([0, 3, 60, 100]),
    temporal=st.booleans(),
    lost=st.booleans(),
)
def test_no_fault_in_any_stage_shows_the_room(
    faults: dict[str, set[int]], effect: str, blur: int, temporal: bool, lost: bool
) -> None:
    number = [0]
    chosen = BASE.replace(effect=effect, blur=blur, temporal=temporal, image="missing.png")
    loaded = None if lost else fake_loaded(exact_network(number))
    with pytest.MonkeyPatch.context() as patch:
        for name, calls in faults.items():
            parent, attribute = STAGES[name].rsplit(".", 1)
            target = _resolve(parent)
            patch.setattr(target, attribute, _as_attribute(target, Faulty(getattr(target, attribute), calls)))
        for picture in publish(chosen, loaded, number, 5):
            assert not contains_raw_background(picture.i420)
            if picture.bgra is not None:
                assert not contains_raw_background(np.ascontiguousarray(picture.bgra[..., :3]))


def test_every_stage_that_is_to_fail_is_there() -> None:
    for path in STAGES.values():
        parent, attribute = path.rsplit(".", 1)
        assert callable(getattr(_resolve(parent), attribute)), path


def _resolve(path: str) -> object:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return found
    raise AssertionError(path)


def _as_attribute(target: object, faulty: Faulty) -> object:
    """A method's replacement must take `self`."""
    return (lambda self, *a, **k: faulty(self, *a, **k)) if isinstance(target, type) else faulty


BAD_MASKS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "nan": lambda image: np.full(image.shape[:2], np.nan, np.float32),
    "one nan": lambda image: np.pad([[np.nan]], ((0, NETWORK[1] - 1), (0, NETWORK[0] - 1))).astype(np.float32),
    "inf": lambda image: np.full(image.shape[:2], np.inf, np.float32),
    "too large": lambda image: np.full(image.shape[:2], 255.0, np.float32),
    "negative": lambda image: np.full(image.shape[:2], -1.0, np.float32),
    "saturated": lambda image: np.ones(image.shape[:2], np.float32),
}


@pytest.mark.parametrize("kind", BAD_MASKS)
def test_what_is_no_mask_covers_the_whole_frame(kind: str) -> None:
    loaded = fake_loaded(BAD_MASKS[kind])
    for picture in publish(BASE, loaded, [0], 3):
        assert not contains_raw_background(picture.i420)


def test_a_weak_blur_is_strong_while_there_is_no_mask() -> None:
    for picture in publish(BASE.replace(blur=0), None, [0], 2):
        assert not contains_raw_background(picture.i420)


def numbered(number: int) -> NDArray[np.uint8]:
    """A frame of the pattern that bears its number, 0 to 119, in a corner."""
    image = draw(number, *SIZE)
    image[:24, :24] = 2 * number
    return image


class Pattern:
    """The pattern as a source that stalls, fails or comes back as told."""

    name, fps, live = "fake", 30.0, True

    def __init__(self, script: Iterator[str], number: list[int]) -> None:
        self._script, self._number = script, number

    def read(self) -> NDArray[np.uint8]:
        step = next(self._script, "frame")
        if step == "stall":
            time.sleep(1.3)
        if step == "lost":
            raise SourceError("The camera was unplugged.", "Plug it in again.")
        time.sleep(0.01)
        self._number[0] += 1
        return numbered(self._number[0] % 120)

    def close(self) -> None:
        pass


def run_pipeline(
    monkeypatch: pytest.MonkeyPatch, script: list[str], loads: list[Loaded | None], wait: Callable[[Pipeline], bool]
) -> tuple[RecordingSink, Pipeline]:
    """Run the real threads on a scripted source and scripted loads, until `wait` is satisfied."""
    number = [0]
    steps = iter(script)
    sink = RecordingSink()
    pending = iter(loads)
    monkeypatch.setattr(Loader, "start", lambda self: None)
    monkeypatch.setattr(Loader, "take", lambda self: next(pending, None))
    pipeline = Pipeline(
        BASE,
        supervise=lambda s: SupervisedSource(lambda: Pattern(steps, number)),
        open_sink=lambda *_: sink,
    )
    pipeline.start()
    end = time.monotonic() + 20
    while not wait(pipeline) and time.monotonic() < end:
        preview = pipeline.preview()
        assert preview is None or not contains_raw_background(preview), (
            "the preview shows what others see, nothing else"
        )
        time.sleep(0.02)
    satisfied = wait(pipeline)
    pipeline.stop()
    assert satisfied, pipeline.status()
    assert pipeline.wait(0), "no thread ended with an error"
    return sink, pipeline


def seen(sink: RecordingSink) -> None:
    """No picture of a run holds the room, and the sink was closed."""
    assert sink.closed
    assert sink.pictures
    assert not any(contains_raw_background(p.i420) for p in sink.pictures)


def frame_network(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A mask that is right for every frame: the figure's shadow is all that the swaying frames have in common."""
    common = np.min([figure(n, *NETWORK) for n in range(0, 120, 10)], axis=0)
    return common.astype(np.float32) / 255


def test_before_a_model_is_loaded_while_it_is_swapped_and_when_it_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = iter(range(10**9))

    def dies(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if next(dying) > 8:
            raise BackendError("device lost")
        return frame_network(image)

    loads: list[Loaded | None] = [None] * 5 + [fake_loaded(dies)] + [None] * 25 + [fake_loaded(frame_network)]
    sink, _ = run_pipeline(monkeypatch, [], loads, lambda p: p.status().published > 60)
    seen(sink)
    assert any(not np.array_equal(p.i420, card(*SIZE)) for p in sink.pictures)
    first, second = (one for one in loads if one is not None)
    assert first.session.closed and second.session.closed  # type: ignore[attr-defined]


def test_a_frozen_source_shows_the_card_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    script = ["frame"] * 10 + ["stall"] + ["frame"] * 1000
    sink, _ = run_pipeline(monkeypatch, script, [fake_loaded(frame_network)], lambda p: p.status().captured > 30)
    seen(sink)
    cards = [i for i, p in enumerate(sink.pictures) if np.array_equal(p.i420, card(*SIZE)) and i > 5]
    assert cards, "the card came while the source stood still"
    assert not np.array_equal(sink.pictures[-1].i420, card(*SIZE)), "and went when it moved again"


def test_a_lost_source_shows_the_card_tells_the_cure_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    script = ["frame"] * 10 + ["lost"] * 3 + ["frame"] * 1000
    told: list[str] = []

    def back(pipeline: Pipeline) -> bool:
        status = pipeline.status()
        told.extend(p.cure for p in status.problems)
        return status.captured > 30 and status.source == "live"

    sink, _ = run_pipeline(monkeypatch, script, [fake_loaded(frame_network)], back)
    seen(sink)
    assert "Plug it in again." in told


def seeing_network(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The exact mask of the very frame, whose number it reads from the corner."""
    return figure(round(float(image[1:5, 1:5].mean()) / 2), *NETWORK).astype(np.float32) / 255


def test_a_mask_of_another_frame_would_show_the_room() -> None:
    """Otherwise the next test could not fail."""
    for other, shown in ((0, False), (30, True)):
        mask = figure(other, *NETWORK).astype(np.float32) / 255
        picture = next(publish(BASE.replace(temporal=False), fake_loaded(lambda _, m=mask: m), [0], 1))  # type: ignore[misc]
        assert contains_raw_background(picture.i420) == shown


def test_every_picture_was_made_with_its_own_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """While frames are dropped at random, none gets another's mask: that would show the wall beside the figure."""
    delays = itertools.cycle([0.0, 0.03, 0.01, 0.05])

    def network(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        mask = seeing_network(image)
        time.sleep(next(delays))
        return mask

    sink, _ = run_pipeline(monkeypatch, [], [fake_loaded(network)], lambda p: p.status().published > 40)
    seen(sink)
    made = [p.seq for p in sink.pictures if p.seq >= 0]
    assert made == sorted(set(made)) and made[-1] > len(made), "in order, and some were dropped"


def test_a_vanished_background_is_replaced_by_blur(tmp_path: Path) -> None:
    chosen = BASE.replace(effect="image", image=str(tmp_path / "gone.png"))
    processor = Processor(chosen, Stopwatch())
    out = np.zeros((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    picture, failure = processor.process(Frame(0, 0.0, draw(0, *SIZE)), fake_loaded(frame_network), out)
    assert failure is None
    assert not contains_raw_background(picture.i420)
    assert "blurred meanwhile" in processor.problems["effect"].cure
