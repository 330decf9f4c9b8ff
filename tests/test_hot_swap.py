"""Another network takes over while frames flow: the real pipeline on a runtime whose GPU comes late and goes away.

ONNX Runtime is faked at its edge, so that all that is ours runs: loader, selector, requests with their time limit, the
pipeline's threads. The fake network sees which frame it is given, and answers with that frame's exact mask: a mask of
another frame, or none, would show the wall that the detector finds. How long a change took is printed: `pytest -s`.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import RecordingSink, looks_at_all, until
from numpy.typing import NDArray
from test_privacy import BASE, numbered, seeing_network

import app.segmentation as segmentation
from app import selection
from app.capture import EndOfSource
from app.capture.supervisor import SupervisedSource
from app.capture.testpattern import contains_raw_background
from app.frame import Picture
from app.pipeline import Pipeline
from backends import Availability, BackendError, Device, child, selector
from backends.tiers import Candidate
from models.manifest import get_model

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
LITE = get_model("lite")
CHOSEN = BASE.replace(model="lite")


class FakeRuntime:
    """ONNX Runtime with a GPU that loads, runs, fails or hangs as told."""

    __version__ = "9.9"
    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self) -> None:
        self.load_seconds = 0.0
        self.load_error = ""
        self.run_error = ""
        self.going = threading.Event()
        self.going.set()
        self.runs: list[tuple[str, float]] = []
        self.loads: list[str] = []

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def set_default_logger_severity(self, _: int) -> None: ...

    def preload_dlls(self) -> None: ...

    def SessionOptions(self) -> object:  # noqa: N802, the library's name
        return SimpleNamespace(add_session_config_entry=lambda *_: None)

    def InferenceSession(self, _: object, options: object, providers: list[Any], enable_fallback: int) -> object:  # noqa: N802
        return FakeSession(self, providers[0][0])


class FakeSession:
    """One session: reads and writes the memory that was bound to it."""

    def __init__(self, runtime: FakeRuntime, provider: str) -> None:
        self.runtime, self.provider = runtime, provider
        if provider == CUDA:
            time.sleep(runtime.load_seconds)
            if runtime.load_error:
                raise RuntimeError(runtime.load_error)
        runtime.loads.append(provider)

    def get_providers(self) -> list[str]:
        return [self.provider]

    def get_inputs(self) -> list[object]:
        return [SimpleNamespace(name="image", type="tensor(uint8)", shape=list(LITE.input.shape))]

    def get_outputs(self) -> list[object]:
        return [SimpleNamespace(name="alpha", type="tensor(float)", shape=list(LITE.output.shape))]

    def io_binding(self) -> FakeSession:
        return self

    def bind_input(self, name: str, device: str, number: int, dtype: Any, shape: Any, pointer: int) -> None:
        # Else ONNX Runtime copies to the GPU at once, and all threads wait meanwhile: for ever where the driver hangs.
        assert self.provider == CPU
        self.image = _memory(pointer, ctypes.c_uint8, shape)

    def bind_output(self, name: str, device: str, number: int, dtype: Any, shape: Any, pointer: int) -> None:
        self.alpha = _memory(pointer, ctypes.c_float, shape)

    def run_with_iobinding(self, _: object) -> None:
        self.alpha[0, ..., 0] = seeing_network(self.image[0])
        self.runtime.runs.append((self.provider, time.monotonic()))

    def run(self, names: list[str], given: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        if self.provider == CUDA:
            self.runtime.going.wait()
            if self.runtime.run_error:
                self.runtime.runs.append(("failed", time.monotonic()))
                raise RuntimeError(self.runtime.run_error)
        assert names == ["alpha"]
        self.runtime.runs.append((self.provider, time.monotonic()))
        return [seeing_network(given["image"][0])[None, ..., None]]


def _memory(pointer: int, kind: type[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.ctypeslib.as_array((kind * int(np.prod(shape))).from_address(pointer)).reshape(shape)


class Camera:
    """The pattern at 12 frames a second: a busy machine that runs the tests drops none of them."""

    name, fps, live = "fake", 12.0, True

    def __init__(self) -> None:
        self._number = 0

    def read(self) -> NDArray[np.uint8]:
        time.sleep(1 / self.fps)
        self._number += 1
        return numbered(self._number % 120)

    def close(self) -> None: ...


class Timed(RecordingSink):
    """Keeps when each picture came, and none that was looked at: minutes of pictures would fill the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.raw = 0

    def write(self, picture: Picture) -> None:
        self.times.append(time.monotonic())
        self.raw += contains_raw_background(picture.i420)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    """A machine with an NVIDIA GPU, which measures as the fastest, and a CPU."""
    made = FakeRuntime()
    monkeypatch.setattr("app.loaded.Tracker", looks_at_all)  # what a part of a frame shows says nothing of its number
    gpu = Device("CUDA", "A GPU", "gpu", precisions=("fp16", "fp32"))

    def probe(name: str, *_: object) -> Availability:
        if name == "onnxruntime":
            return Availability("9.9", (gpu, Device("CPU", "A chip")))
        return Availability(problem="it is not installed")

    def measure(name: str, path: Path, device: str, *_: object) -> tuple[dict[str, float], NDArray[np.bool_]]:
        if path.suffix != ".onnx":
            raise BackendError("it is not installed")
        ms = 1.0 if device == "CUDA" else 5.0
        return {"ms": ms, "p95": ms, "cpu_ms": ms, "load_ms": 10.0, "memory": 10.0}, np.ones(8, bool)

    monkeypatch.setitem(sys.modules, "onnxruntime", made)
    monkeypatch.setattr(child, "probe", probe)
    monkeypatch.setattr(child, "measure", measure)
    monkeypatch.setattr(segmentation, "FIRST_RETRY", 0.5)
    monkeypatch.setattr(segmentation, "POWER_SECONDS", 0.05)
    return made


@pytest.fixture
def sink() -> Timed:
    return Timed()


@pytest.fixture
def pipeline(runtime: FakeRuntime, sink: Timed) -> Iterator[Pipeline]:
    made = Pipeline(CHOSEN, supervise=lambda s: SupervisedSource(Camera), open_sink=lambda *_: sink)
    yield made
    runtime.going.set()
    made.stop()
    assert made.wait(0), "no thread ended with an error"
    assert sink.raw == 0, "no picture showed the room"


def runs_on(pipeline: Pipeline, device: str) -> bool:
    status = pipeline.status()
    return device in status.segmenter_name and not status.protected


def test_a_gpu_that_loads_slowly_takes_over_between_two_frames(
    pipeline: Pipeline, runtime: FakeRuntime, sink: Timed
) -> None:
    runtime.load_seconds = 1.5
    pipeline.start()
    until(lambda: runs_on(pipeline, "CPU"))
    before = pipeline.status()
    until(lambda: CUDA in runtime.loads)
    loaded = pipeline.status()
    until(lambda: runs_on(pipeline, "CUDA"))
    after = pipeline.status()
    assert after.published - before.published > 5, "the CPU's masks meanwhile"
    assert after.covered == before.covered, "the change covered no frame"
    assert after.dropped - loaded.dropped <= 1
    assert not after.problems


FAULTS: dict[str, Callable[[FakeRuntime], None]] = {
    "driver reset": lambda runtime: setattr(runtime, "run_error", "CUDA error 719: unspecified launch failure"),
    "out of memory": lambda runtime: setattr(runtime, "run_error", "CUDA error 2: out of memory"),
    "hangs for ever": lambda runtime: runtime.going.clear(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_gpu_falls_to_the_cpu_and_comes_back(
    fault: str, pipeline: Pipeline, runtime: FakeRuntime, sink: Timed
) -> None:
    pipeline.start()
    until(lambda: runs_on(pipeline, "CUDA") and pipeline._loader._standby)
    before, cpu_loads = pipeline.status(), runtime.loads.count(CPU)
    runtime.load_error = "CUDA error 100: no device"
    FAULTS[fault](runtime)
    begin = time.monotonic()
    last = max((t for name, t in runtime.runs if name == CUDA), default=begin)
    until(lambda: any(name == CPU and t > begin for name, t in runtime.runs))
    first = next(t for name, t in runtime.runs if name == CPU and t > begin)
    assert runtime.loads.count(CPU) == cpu_loads, "the one that stood by was used: nothing was loaded first"
    until(lambda: runs_on(pipeline, "CPU"))
    after = pipeline.status()
    assert after.covered - before.covered <= 1, "one frame was covered, the one it happened in"
    assert any("CUDA failed" in str(p) or "no device" in str(p) for p in after.problems), "the user is told"
    until(lambda: len(sink.times) > 5 and sink.times[-2] > first)
    longest = max(np.diff([t for t in sink.times if t > begin - 0.1]))
    print(f"\n{fault}: first mask of the CPU {1e3 * (first - last):.0f} ms after the last of the GPU, ", end="")
    print(f"longest time without a picture {1e3 * longest:.0f} ms")
    assert longest < 3, "the picture never stands still for long"
    runtime.load_error = runtime.run_error = ""
    runtime.going.set()
    until(lambda: runs_on(pipeline, "CUDA"))
    until(lambda: not pipeline.status().problems)


def test_a_gpu_that_is_lost_while_another_loads_leaves_the_picture_running(
    pipeline: Pipeline, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader is busy with a load that hangs; who runs fails; the one that stands by takes over all the same."""
    pipeline.start()
    until(lambda: runs_on(pipeline, "CUDA") and pipeline._loader._standby)
    runtime.load_seconds = 1.5
    pipeline.configure(CHOSEN.replace(device="CUDA", threads=2))
    time.sleep(0.2)
    runtime.run_error = "CUDA error 719"
    until(lambda: runs_on(pipeline, "CPU"))
    assert any("CUDA error 719" in str(p) for p in pipeline.status().problems)
    runtime.run_error = ""
    until(lambda: runs_on(pipeline, "CUDA"))


class Film:
    """A short file of the pattern."""

    name, fps, live = "film", 30.0, False

    def __init__(self) -> None:
        self._numbers = iter(range(30))

    def read(self) -> NDArray[np.uint8]:
        if (number := next(self._numbers, None)) is None:
            raise EndOfSource
        return numbered(number)

    def close(self) -> None: ...


def test_a_file_waits_for_another_network_when_the_gpu_is_lost(
    runtime: FakeRuntime, sink: Timed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not end with the trouble while the next network is being loaded."""
    selection.measure(CHOSEN, selector.probe_all())
    load, loading = segmentation.load, threading.Event()

    def slow(candidate: Candidate) -> segmentation.Loaded:
        if loading.is_set():
            time.sleep(0.2)
        return load(candidate)

    monkeypatch.setattr(segmentation, "load", slow)

    def lose_it(picture: Picture) -> None:
        Timed.write(sink, picture)
        if len(sink.times) == 10:
            loading.set()
            runtime.run_error = "CUDA error 719"

    monkeypatch.setattr(sink, "write", lose_it)
    made = Pipeline(
        CHOSEN,
        realtime=False,
        loop=False,
        supervise=lambda s: SupervisedSource(Film, realtime=False),
        open_sink=lambda *_: sink,
    )
    made.start()
    assert made.wait(30)
    made.stop()
    assert (len(sink.times), sink.raw, made.status().covered) == (30, 0, 1)
    assert {name for name, _ in runtime.runs} == {CUDA, "failed", CPU}
