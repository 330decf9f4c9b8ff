"""The segmenter's life: first something at once, then the best, and another when a device fails or is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import FakeSession, fake_loaded

import app.segmentation as module
from app.segmentation import Loaded, Loader, load
from app.settings import Settings
from backends import BackendError, selector
from backends.selector import Candidate
from models.manifest import Model, ModelError

CPU, LITERT, GPU = (
    Candidate("onnxruntime", "CPU", 1),
    Candidate("litert", "CPU", 1),
    Candidate("onnxruntime", "CUDA", 1),
)


class Machine:
    """A machine whose devices load or fail as told."""

    def __init__(self) -> None:
        self.known: list[Candidate] = [CPU, LITERT]
        self.best: list[Candidate] = [CPU, LITERT]
        self.broken: dict[str, str] = {}
        self.loaded: list[Loaded] = []

    def load(self, model: Model, candidate: Candidate) -> Loaded:
        if str(candidate) in self.broken:
            raise BackendError(self.broken[str(candidate)])
        made = fake_loaded()
        self.loaded.append(Loaded(made.segmenter, made.session, candidate))
        return self.loaded[-1]

    def names(self) -> list[str]:
        return [str(one.candidate) for one in self.loaded]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(module, "load", made.load)
    monkeypatch.setattr(module, "network_files", lambda model: {"onnx": Path("lite.onnx")})
    monkeypatch.setattr(selector, "remembered", lambda files, threads: made.known)
    monkeypatch.setattr(selector, "measured", lambda files, threads: made.best)
    return made


@pytest.fixture
def loader() -> Iterator[Loader]:
    made = Loader()
    made.start()
    yield made
    made.stop()
    made._thread.join(10)
    assert not made._thread.is_alive()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def take(loader: Loader) -> Loaded:
    taken: list[Loaded] = []
    until(lambda: (one := loader.take()) is not None and taken.append(one) is None)  # type: ignore[func-returns-value]
    return taken[0]


def test_what_is_known_comes_at_once_and_is_kept_when_it_is_the_best(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings())
    assert take(loader).candidate == CPU
    loader.wanted(Settings())
    until(lambda: len(machine.loaded) == 2)
    assert machine.names() == ["ONNX Runtime on CPU"] * 2, "the measurement confirmed it: not loaded twice"
    assert loader.problem is None


def test_a_better_one_takes_over_after_the_measurement(machine: Machine, loader: Loader) -> None:
    machine.best = [LITERT, CPU]
    loader.wanted(Settings())
    until(lambda: len(machine.loaded) == 2)
    assert take(loader).candidate == LITERT


def test_one_that_was_never_taken_is_closed(machine: Machine, loader: Loader) -> None:
    machine.best = [LITERT, CPU]
    loader.wanted(Settings())
    until(lambda: len(machine.loaded) == 2)
    session = machine.loaded[0].session
    assert isinstance(session, FakeSession)
    until(lambda: session.closed)


def test_a_pinned_backend_is_used_and_replaced_when_it_does_not_work(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings().replace(backend="litert"))
    assert take(loader).candidate == LITERT
    machine.broken["LiteRT with XNNPACK on CPU"] = "it is on fire"
    loader.wanted(Settings().replace(backend="litert"))
    assert take(loader).candidate == CPU
    until(lambda: loader.problem)
    assert "on fire" in str(loader.problem)


def test_a_lost_gpu_is_replaced_at_once_and_comes_back(
    machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.2)
    machine.known = machine.best = [GPU, CPU, LITERT]
    loader.wanted(Settings())
    assert take(loader).candidate == GPU
    until(lambda: loader._standby)
    machine.broken[str(GPU)] = "no such device"
    standby = loader.failed(GPU, "device lost")
    assert standby is not None and standby.candidate == CPU, "without waiting for anything"
    until(lambda: loader.problem)
    assert "device lost" in str(loader.problem)
    machine.broken.clear()
    until(lambda: (one := loader.take()) is not None and one.candidate == GPU)
    until(lambda: loader.problem is None)


def test_when_nothing_runs_it_says_why_and_tries_again(
    machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.2)
    machine.broken = {str(CPU): "out of memory", str(LITERT): "no such file"}
    loader.wanted(Settings())
    until(lambda: loader.problem)
    assert "out of memory" in str(loader.problem) and "no such file" in str(loader.problem)
    assert loader.take() is None
    machine.broken.clear()
    assert take(loader).candidate == CPU


def test_a_fault_of_any_kind_ends_no_loader(machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(model: Model, candidate: Candidate) -> Loaded:
        if candidate == CPU:
            raise ImportError("No module named 'openvino'")
        return machine.load(model, candidate)

    monkeypatch.setattr(module, "load", fault)
    loader.wanted(Settings())
    assert take(loader).candidate == LITERT
    until(lambda: loader.problem)
    assert "openvino" in str(loader.problem)


def test_a_damaged_file_is_told_and_the_loader_lives_on(
    machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Model) -> dict[str, Path]:
        raise ModelError("lite.onnx is not the file the manifest names")

    monkeypatch.setattr(module, "network_files", damaged)
    loader.wanted(Settings())
    until(lambda: loader.problem)
    assert "is not the file" in str(loader.problem)
    monkeypatch.setattr(module, "network_files", lambda model: {"onnx": Path("lite.onnx")})
    loader.wanted(Settings())
    assert take(loader).candidate == CPU


def test_load_runs_the_network_once_so_that_the_first_frame_is_not_the_slow_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[int] = []
    made = fake_loaded(lambda image: runs.append(1) or image[..., 0] * 0.0)  # type: ignore[func-returns-value]

    class Backend:
        FORMAT = "onnx"

        def load(self, *_: object) -> object:
            return made.session

    monkeypatch.setattr(module, "get_backend", lambda name: Backend())
    monkeypatch.setattr(module, "network_files", lambda model: {"onnx": Path("lite.onnx")})
    load(made.segmenter.model, CPU)
    assert runs == [1]
