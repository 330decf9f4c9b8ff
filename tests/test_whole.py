"""A frame's whole way as one graph: it makes the pictures that the CPU makes, and nothing it does wrong gets out."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import fake_loaded, looks_at_all, until
from numpy.typing import NDArray
from test_golden import CASES, COVERED, MEAN, WORST, clip_frames
from test_privacy import BASE, NETWORK, SIZE

import backends.onnxruntime as runtime
from app.capture.testpattern import contains_raw_background, draw, figure
from app.compose import graph
from app.compose.blur import Blur
from app.compose.effects import Still
from app.compose.graph import build
from app.compose.plan import CARRIED, Plan
from app.compose.planes import fit_frame, from_bgr
from app.compose.tape import Tape
from app.frame import Frame, Image
from app.loaded import Loaded, load
from app.processor import Processor
from app.segmentation import Loader
from app.settings import Settings
from app.status import Stopwatch
from app.whole import WholeFrame, plan_for
from backends import BackendError, get_backend
from backends.tiers import Candidate
from models.manifest import get_model
from models.region import KEY_FRAMES, Tracker
from models.segmenter import UntrustedMask
from models.settle import Settler

CPU = Candidate("onnxruntime", "CPU", 1)
ELSEWHERE = Candidate("openvino", "CPU", 1)
LITE = get_model("lite").file("onnx").path


def whole_frame(settings: Settings, network: Path = LITE, candidate: Candidate = CPU) -> WholeFrame:
    plan = plan_for(settings, blurred=settings.effect == "blur")
    assert plan is not None
    graph = get_backend(candidate.backend).load_graph(build(plan, network), candidate.device, 1, CARRIED)  # type: ignore[attr-defined]
    return WholeFrame(graph, plan)


def pictures(settings: Settings, loaded: Loaded, frames: list[Image]) -> Iterator[Image]:
    processor = Processor(settings, Stopwatch())
    for seq, frame in enumerate(frames):
        out = np.empty((frame.shape[0] * 3 // 2, frame.shape[1]), np.uint8)
        picture, failure = processor.process(Frame(seq, seq / 30, frame), loaded, out)
        assert failure is None
        yield picture.i420


@pytest.mark.parametrize("candidate", [CPU, ELSEWHERE], ids=str)
@pytest.mark.parametrize(
    ("case", "size"),
    [
        *[(case, (320, 180)) for name, case in CASES.items() if name not in COVERED],
        ({"effect": "blur", "blur": 60}, (1280, 720)),
        ({"effect": "blur", "blur": 10, "refine": False}, (640, 480)),
        ({"effect": "colour", "temporal": False}, (1920, 1080)),
    ],
    ids=str,
)
def test_both_ways_make_the_same_pictures(case: dict[str, Any], size: tuple[int, int], candidate: Candidate) -> None:
    """The golden frames hold the CPU's way; this holds the graph's to it, over three frames of the trained network."""
    settings = Settings().replace(size=f"{size[0]}x{size[1]}", **case)
    frames = [fit_frame(frame, *size) for frame, _ in clip_frames()]
    apart, together = load(CPU), load(CPU)
    apart.look = looks_at_all(apart.segmenter)  # as graphs do
    together.whole = whole_frame(settings, candidate=candidate)
    together.segmenter = together.look = None  # type: ignore[assignment]  # whoever asks them fails
    for expected, made in zip(pictures(settings, apart, frames), pictures(settings, together, frames), strict=True):
        difference = np.abs(made.astype(int) - expected)
        assert difference.mean() <= MEAN
        assert np.percentile(difference, 99.9) <= WORST


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((216, 384), (216, 384)),
        ((144, 256), (72, 128)),
        ((37, 65), (37, 65)),
        ((27, 48), (27, 48)),
        ((90, 51), (90, 51)),
    ],
)
def test_the_graph_settles_as_the_cpu_does(size: tuple[int, int], small: tuple[int, int]) -> None:
    rng = np.random.default_rng(9)
    picture = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), size[::-1])
    mask = np.clip(2 * cv2.resize(rng.random((5, 8), np.float32), small[::-1]) - 0.5, 0, 1)
    tape, floats = Tape(), onnx.TensorProto.FLOAT
    _, settled = graph._settle(tape, "picture", size, "mask", small)
    shapes = {"picture": [1, 3, *size], "mask": [1, 1, *small]}
    values = [onnx.helper.make_tensor_value_info(name, floats, shape) for name, shape in shapes.items()]
    made = onnx.helper.make_tensor_value_info(settled, floats, [1, 1, *small])
    model = onnx.helper.make_model(
        onnx.helper.make_graph(tape.nodes, "settle", values, [made], tape.constants),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    answer = session.run(None, {"picture": seen, "mask": mask[None, None]})[0][0, 0]
    expected = mask.copy()
    Settler(*small[::-1])(picture, expected)
    assert np.abs(expected - mask).max() > 0.1
    assert np.abs(answer - expected).max() < (1e-4 if size == small else 0.02)  # means of 6×6 colours round apart


def test_what_settles_and_is_no_number_covers_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that divides wrongly must not publish what it made of that, nor remember it."""
    right = graph._settle

    def wrong(tape: Tape, *rest: Any) -> tuple[str, str]:
        answer, settled = right(tape, *rest)
        lost = tape.do("Div", tape.do("Sub", answer, answer), 0.0)
        return tape.do("Add", answer, lost), settled

    monkeypatch.setattr(graph, "_settle", wrong)
    whole = whole_frame(BASE)
    with pytest.raises(UntrustedMask, match="the graph"):
        whole(draw(0, *SIZE), Blur(60), fresh=True)


def constant_network(path: Path, alpha: NDArray[np.float32]) -> Path:
    """A network that answers with the same alpha (h, w) whatever it sees."""
    height, width = alpha.shape
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["image"], ["seen"], to=kinds.FLOAT),
        helper.make_node("ReduceMin", ["seen"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "known"], ["alpha"]),
    ]
    known = onnx.numpy_helper.from_array(alpha.reshape(1, height, width, 1), "known")
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("image", kinds.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info("alpha", kinds.FLOAT, [1, height, width, 1])],
        [known, onnx.numpy_helper.from_array(np.float32(0), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_the_wall_behind_an_exact_mask_is_never_shown(tmp_path: Path) -> None:
    mask = figure(0, *NETWORK).astype(np.float32) / 255
    loaded = fake_loaded()
    loaded.whole = whole_frame(BASE, constant_network(tmp_path / "exact.onnx", mask))
    (picture,) = pictures(BASE, loaded, [draw(0, *SIZE)])
    assert not contains_raw_background(picture)
    assert np.abs(picture[180:300, 300:340].astype(int) - from_bgr(draw(0, *SIZE))[180:300, 300:340]).mean() < 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0, -1.0])
def test_a_mask_that_is_none_covers_the_frame_and_leaves_no_trace(tmp_path: Path, value: float) -> None:
    mask = np.full(NETWORK[::-1], 1, np.float32)  # all person: with it the wall would be shown
    mask[3, 4] = value
    loaded = fake_loaded()
    loaded.whole = whole_frame(BASE, constant_network(tmp_path / "wrong.onnx", mask))
    processor = Processor(BASE, Stopwatch())
    for seq in range(2):
        out = from_bgr(draw(seq, *SIZE))
        picture, failure = processor.process(Frame(seq, seq / 30, draw(seq, *SIZE)), loaded, out)
        assert isinstance(failure, UntrustedMask)
        assert not contains_raw_background(picture.i420)


class FakeGraph:
    """A graph that does what its `behaviour` says, and shows the raw frame wherever it writes one."""

    def __init__(self, plan: Plan, behaviour: str = "") -> None:
        self.plan, self.behaviour = plan, behaviour
        self.held: list[str] = []
        self.fresh: list[bool] = []
        self.closed: list[int] = []

    def hold(self, name: str, array: NDArray[Any]) -> None:
        self.held.append(name)

    def bind(self, given: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]]) -> None:
        self.given, self.wanted = given, wanted

    def run(self) -> None:
        self.fresh.append(bool(self.given["fresh"][0]))
        if self.behaviour == "hangs":
            time.sleep(0.3)
        from_bgr(self.given["frame"], self.wanted["picture"])
        if self.behaviour == "fails":
            raise BackendError("the driver is gone")
        if self.behaviour != "says nothing":
            self.wanted["trust"][...] = 0, 1, 5

    def carried(self, name: str) -> NDArray[np.float32]:
        return np.zeros((1, 1, *NETWORK[::-1]), np.float32)

    def close(self) -> None:
        self.closed.append(threading.get_ident())


def fake_whole(settings: Settings, behaviour: str = "") -> tuple[WholeFrame, FakeGraph]:
    plan = plan_for(settings, blurred=settings.effect == "blur")
    assert plan is not None
    graph = FakeGraph(plan, behaviour)
    whole = WholeFrame(graph, plan)
    whole.limit(0.1)
    return whole, graph


@pytest.mark.parametrize("behaviour", ["fails", "hangs", "says nothing"])
def test_a_run_that_goes_wrong_covers_the_frame(behaviour: str) -> None:
    loaded = fake_loaded()
    loaded.whole, _ = fake_whole(BASE, behaviour)
    processor = Processor(BASE, Stopwatch())
    for seq in range(2):
        picture, failure = processor.process(Frame(seq, seq / 30, draw(seq, *SIZE)), loaded, from_bgr(draw(seq, *SIZE)))
        assert isinstance(failure, BackendError | UntrustedMask)
        assert not contains_raw_background(picture.i420)
    processor.close()


@pytest.mark.parametrize("candidate", [CPU, ELSEWHERE], ids=str)
def test_the_arrays_that_a_driver_may_still_write_to_outlive_who_waited(candidate: Candidate) -> None:
    """A run that hangs may go on when its frame, its picture and all who knew them are forgotten."""
    settings = BASE.replace(size="320x180")
    whole = whole_frame(settings, candidate=candidate)
    whole(draw(0, 320, 180), Blur(60), fresh=True)
    graph, written = whole._graph, [weakref.ref(array) for array in (whole._pictures[0], whole._trust)]
    del whole
    gc.collect()
    assert graph and all(array() is not None for array in written), "whoever runs the graph holds them"


def test_a_driver_that_hangs_while_it_takes_a_backdrop_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = BASE.replace(size="320x180", effect="colour")
    whole, going = whole_frame(settings), threading.Event()
    backdrops = [Still(from_bgr(draw(n, 320, 180))) for n in (0, 1)]
    whole(draw(0, 320, 180), backdrops[0], fresh=True)
    whole.limit(0.1)
    placed = runtime.OnnxRuntimeGraph._placed
    monkeypatch.setattr(runtime.OnnxRuntimeGraph, "_placed", lambda *args: (going.wait(5), placed(*args))[1])
    start = time.monotonic()
    with pytest.raises(BackendError, match="given up"):
        whole(draw(0, 320, 180), backdrops[1], fresh=True)
    assert time.monotonic() - start < 4
    going.set()


@pytest.mark.parametrize("forgotten", [True, False])
def test_its_device_is_let_go_beside(forgotten: bool) -> None:
    """Closing what a lost driver holds may take for ever: not in the thread that makes the pictures."""
    whole, graph = fake_whole(BASE)
    whole(draw(0, *SIZE), Blur(60), fresh=True)
    if forgotten:
        del whole
    else:
        loaded = fake_loaded()
        loaded.whole = whole
        Loader().close(loaded)
    gc.collect()
    until(lambda: graph.closed)
    assert graph.closed[0] != threading.get_ident()
    time.sleep(0.05)
    assert len(graph.closed) == 1


def test_it_is_used_only_for_what_it_was_built_for() -> None:
    loaded = fake_loaded()
    loaded.whole, graph = fake_whole(BASE)
    processor = Processor(BASE, Stopwatch())
    seq = 0

    def runs(settings: Settings) -> bool:
        nonlocal seq
        before, seq = len(graph.fresh), seq + 1
        processor.configure(settings)
        frame = draw(seq, *settings.dimensions)
        out = np.empty((frame.shape[0] * 3 // 2, frame.shape[1]), np.uint8)
        processor.process(Frame(seq, seq / 30, frame), loaded, out)
        return len(graph.fresh) > before

    assert runs(BASE)
    assert not runs(BASE.replace(effect="colour")), "the backdrop is a picture"
    assert not runs(BASE.replace(effect="alpha")), "cut out by the CPU"
    assert runs(BASE.replace(effect="image", image="")), "what cannot be shown is blurred"
    assert not runs(BASE.replace(refine=False))
    assert not runs(BASE.replace(size="320x180"))
    assert not runs(BASE.replace(effect="none", show_room=True)), "nothing is to be made"
    assert runs(BASE)
    processor.close()


def test_a_frame_of_a_new_size_is_not_its() -> None:
    """The first frame after a change of size is begun before the settings are: that is no fault of the device's."""
    loaded = fake_loaded()
    loaded.whole, graph = fake_whole(BASE)
    processor = Processor(BASE, Stopwatch())
    smaller = BASE.replace(size="320x180")
    work = processor.begin(Frame(0, 0.0, draw(0, *smaller.dimensions)), loaded)
    processor.configure(smaller)
    processor.matte(work)
    assert work.failure is None
    assert not graph.fresh
    processor.close()


def test_the_last_mask_is_forgotten_when_it_says_nothing() -> None:
    loaded = fake_loaded()
    loaded.whole, graph = fake_whole(BASE)
    processor = Processor(BASE, Stopwatch())
    out = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
    for seq, (seconds, scene) in enumerate([(0.0, 0), (0.03, 0), (0.06, 1), (0.09, 1), (2.0, 1), (2.03, 1)]):
        processor.process(Frame(seq, seconds, draw(seq, *SIZE), scene), loaded, out)
    assert graph.fresh == [True, False, True, False, True, False]
    processor.configure(BASE.replace(temporal=False))
    processor.process(Frame(6, 2.06, draw(6, *SIZE), 1), loaded, out)
    assert graph.fresh[-1]
    processor.close()


def test_the_backdrop_is_handed_over_once() -> None:
    settings = BASE.replace(effect="colour")
    whole, graph = fake_whole(settings)
    first, second = (Still(from_bgr(draw(n, *SIZE))) for n in (0, 1))
    for effect in (first, first, second, second):
        whole(draw(0, *SIZE), effect, fresh=True)
    assert graph.held == ["backdrop", "backdrop"]
    whole, graph = fake_whole(BASE)
    for strength in (50, 50, 51):
        whole(draw(0, *SIZE), Blur(strength), fresh=True)
    assert graph.held == ["rows", "columns"] * 2


@pytest.mark.parametrize(
    ("settings", "blurred", "scale"),
    [
        ({"effect": "blur", "blur": 100}, True, 16),
        ({"effect": "image"}, False, 0),
        ({"effect": "alpha"}, False, None),
        ({"size": "640x480"}, False, 0),
        ({"size": "360x640"}, False, None),
    ],
)
def test_what_is_planned(settings: dict[str, Any], blurred: bool, scale: int | None) -> None:
    plan = plan_for(Settings().replace(**{"size": "1280x720"} | settings), blurred=blurred)
    assert (plan and plan.scale) == scale


def test_people_far_away_are_looked_at_closer_by_the_network_alone(tmp_path: Path) -> None:
    """The graph sees in its first frame that they are, and has them back once they are near."""
    far, near = (np.full((SIZE[1], SIZE[0], 3), 40, np.uint8) for _ in range(2))
    far[200:320, 300:360], near[40:, 100:540] = 220, 220
    seen: list[int] = []

    def bright(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(1)
        return np.asarray(image[..., 1] > 120, np.float32)

    mask = cv2.resize((far[..., 1] > 120).astype(np.float32), NETWORK, interpolation=cv2.INTER_AREA)
    settings = BASE.replace(effect="colour", colour="#000000")
    loaded = fake_loaded(bright)
    loaded.look = Tracker(loaded.segmenter)
    loaded.whole = whole_frame(settings, constant_network(tmp_path / "far.onnx", np.asarray(mask, np.float32)))
    processor, alone = Processor(settings, Stopwatch()), []
    for seq, frame in enumerate([far] * 3 + [near] * (2 * KEY_FRAMES + 2)):
        before = len(seen)
        picture, failure = processor.process(Frame(seq, seq / 30, frame), loaded, from_bgr(frame))
        assert failure is None
        alone.append(len(seen) > before)
        processor.rest()  # a key frame's second look is none of the next frame's
        if frame is far:
            assert picture.i420[210:310, 306:354].min() > 150, "the person"
            assert picture.i420[:180].max() <= 16, "not the room"
    processor.close()
    assert alone == [False] + [True] * (2 + 2 * KEY_FRAMES + 1) + [False], "back only once they have stayed near"
