"""The segmenter's life: first something at once, then the best, and another when a device fails or is lost."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections import Counter

import pytest
from conftest import fake_loaded, until
from loader_fakes import CPU, GPU, LITERT, Machine, closed, loader, machine, take

import app.segmentation as module
from app import selection
from app.loaded import Loaded, load
from app.segmentation import Loader
from app.settings import Settings
from backends import selector
from backends.choice import Outcome
from backends.tiers import Candidate, Network
from models.manifest import ModelError, get_model, manifest

__all__ = ["loader", "machine"]  # fixtures


def test_what_is_known_comes_at_once_and_is_kept_when_it_is_the_best(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings())
    assert take(loader).candidate == CPU
    until(lambda: machine.measurements == 1)
    loader.wanted(Settings().replace(cpu_limit=80))
    until(lambda: machine.measurements == 2)
    assert machine.names() == ["ONNX Runtime on CPU"], "the measurements confirmed it: not loaded twice"
    assert loader.problem is None


def test_a_better_one_takes_over_after_the_measurement(machine: Machine, loader: Loader) -> None:
    machine.best = [LITERT, CPU]
    loader.wanted(Settings())
    until(lambda: loader._running == LITERT)
    assert take(loader).candidate == LITERT
    until(lambda: closed(machine.loaded[0]))


@pytest.mark.parametrize("affordable", [True, False])
def test_the_best_tier_runs_before_the_others_are_measured(
    affordable: bool, machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = get_model("lite")
    both = {tier: dataclasses.replace(shipped, name=tier, tier=tier) for tier in ("lite", "hd")}
    monkeypatch.setattr(selection, "manifest", lambda: both)
    hd = dataclasses.replace(CPU, model="hd")
    going = threading.Event()

    taken = threading.Event()

    def measured(networks: list[Network], *_: object, **__: object) -> list[Outcome]:
        if networks[0].tier == "hd":
            taken.wait()
            return [Outcome(hd, ms=10.0 if affordable else 100.0, cpu_ms=10.0)]
        going.wait()
        return [Outcome(CPU, ms=2.0, cpu_ms=2.0)]

    monkeypatch.setattr(selector, "measured", measured)
    loader.wanted(Settings())
    assert take(loader).candidate == CPU, "what starts soonest"
    taken.set()
    if affordable:
        assert take(loader).candidate == hd
    going.set()
    until(lambda: loader._outcomes is not None and len(loader._outcomes) == 2)
    assert loader._running == (hd if affordable else CPU)
    assert loader.take() is None, "nothing was loaded in vain"


def test_one_that_another_has_replaced_is_closed(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings())
    old = take(loader)
    loader.retire(old)
    until(lambda: closed(old))


def test_an_order_ends_a_measurement_which_goes_on_after_it(machine: Machine, loader: Loader) -> None:
    machine.endless = True
    loader.wanted(Settings())
    assert take(loader).candidate == CPU
    until(lambda: machine.measurements == 1)
    loader.wanted(Settings().replace(backend="litert"))
    assert take(loader).candidate == LITERT, "while the first measurement would have gone on for ever"
    until(lambda: machine.measurements >= 2)


def test_what_is_pinned_exactly_needs_no_measurement(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings().replace(backend="litert", device="CPU", model="lite", threads=1))
    assert take(loader).candidate == LITERT
    time.sleep(0.1)
    assert machine.measurements == 0


def test_a_pinned_backend_is_used_and_replaced_when_it_does_not_work(machine: Machine, loader: Loader) -> None:
    machine.broken["LiteRT with XNNPACK on CPU"] = "it is on fire"
    loader.wanted(Settings().replace(backend="litert"))
    assert take(loader).candidate == CPU
    until(lambda: loader.problem)
    assert "on fire" in str(loader.problem)
    machine.broken.clear()
    loader.wanted(Settings().replace(backend="litert"))
    assert take(loader).candidate == LITERT
    until(lambda: loader.problem is None)


def test_what_cannot_be_is_told_and_something_else_runs(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings().replace(backend="litert", device="CUDA"))
    assert take(loader).candidate == CPU
    until(lambda: loader.problem)
    assert "What the settings hold fast (backend litert, device CUDA) is not here" in str(loader.problem)
    time.sleep(0.2)
    looks = machine.looks
    time.sleep(0.3)
    assert machine.looks == looks, "it waits for its time instead of trying again and again"


def test_while_a_gpu_loads_the_cpu_gives_masks_and_stands_by_afterwards(machine: Machine, loader: Loader) -> None:
    machine.known, machine.endless = [GPU, CPU, LITERT], True
    machine.slow[str(GPU)] = threading.Event()
    loader.wanted(Settings())
    cpu = take(loader)
    assert cpu.candidate == CPU
    machine.slow[str(GPU)].set()
    gpu = take(loader)
    assert gpu.candidate == GPU
    loader.retire(cpu)
    assert loader.failed(gpu, "device lost") is cpu and not closed(cpu), "the very one that ran before"
    until(lambda: closed(gpu))


def test_a_file_waits_for_the_best(machine: Machine) -> None:
    loader = Loader(realtime=False)
    machine.known = [GPU, CPU]
    loader.start()
    loader.wanted(Settings())
    until(lambda: loader._running == GPU)
    assert machine.names() == ["ONNX Runtime on CUDA"], "and nothing stands by"
    loader.stop()
    loader.join()
    assert machine.measurements == 0


def test_a_lost_gpu_is_replaced_at_once_and_comes_back(
    machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.2)
    monkeypatch.setattr(module, "POWER_SECONDS", 0.05)
    machine.known = machine.best = [GPU, CPU, LITERT]
    loader.wanted(Settings())
    until(lambda: loader._running == GPU)
    gpu = take(loader)
    until(lambda: loader._standby)
    machine.broken[str(GPU)] = "no such device"
    standby = loader.failed(gpu, "device lost")
    assert standby is not None and standby.candidate == CPU, "without waiting for anything"
    assert "device lost" in str(loader.problem), "and it is told at once"
    time.sleep(0.5)
    assert "no such device" in str(loader.problem), "it was tried again"
    machine.broken.clear()
    until(lambda: (one := loader.take()) is not None and one.candidate == GPU)
    until(lambda: loader.problem is None)


def test_nothing_stands_by_beside_the_cpu(machine: Machine, loader: Loader) -> None:
    """It would take memory for nothing."""
    machine.known = machine.best = [GPU, CPU]
    loader.wanted(Settings())
    until(lambda: loader._running == GPU)
    until(lambda: loader._standby)
    standby = loader._standby
    assert standby is not None
    loader.wanted(Settings().replace(device="CPU"))
    until(lambda: loader._running == CPU)
    until(lambda: standby.session.closed)  # type: ignore[attr-defined]
    assert loader._standby is None


def test_all_networks_of_a_lost_device_are_lost_and_one_that_fails_on_the_cpu_alone(
    machine: Machine, loader: Loader
) -> None:
    gpu_lite = Candidate("onnxruntime", "CUDA", 1, "lite", "fp16")
    openvino = Candidate("openvino", "CPU", 1)
    machine.known = machine.best = [GPU, gpu_lite, CPU, LITERT]
    loader.wanted(Settings())
    until(lambda: loader._running == GPU)
    gpu = take(loader)
    until(lambda: loader._standby)
    loader.failed(gpu, "device lost")
    until(lambda: loader._failed)
    assert gpu_lite not in [one.candidate for one in machine.loaded]
    two = Candidate("openvino", "CPU", 2)
    machine.known = machine.best = [openvino, two]
    loader.wanted(Settings())
    running = take(loader)
    assert running.candidate == openvino
    loader.failed(running, "no mask")
    assert take(loader).candidate == two


def test_a_load_that_hangs_is_given_up(machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOAD_SECONDS", 0.2)
    machine.known = machine.best = [GPU, CPU]
    machine.slow[str(GPU)] = threading.Event()
    loader.wanted(Settings())
    assert take(loader).candidate == CPU
    until(lambda: loader.problem)
    assert "did not end within" in str(loader.problem)
    machine.slow[str(GPU)].set()


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
    def fault(candidate: Candidate) -> Loaded:
        if candidate == CPU:
            raise ImportError("No module named 'openvino'")
        return machine.load(candidate)

    monkeypatch.setattr(module, "load", fault)
    loader.wanted(Settings())
    assert take(loader).candidate == LITERT
    until(lambda: loader.problem)
    assert "openvino" in str(loader.problem)


def test_an_unknown_network_is_told_and_another_runs(machine: Machine, loader: Loader) -> None:
    loader.wanted(Settings().replace(model="huge"))
    assert take(loader).candidate == CPU
    until(lambda: machine.measurements == 1)
    named = ", ".join(manifest())
    assert f"There is no model 'huge'; choose one of: {named}. Another is used." in str(loader.problem)
    loader.wanted(Settings())
    until(lambda: loader.problem is None)


def test_load_runs_the_network_before_the_first_frame_does(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    made = fake_loaded(lambda image: runs.append(1) or image[..., 0] * 0.0)  # type: ignore[func-returns-value]

    class Backend:
        FORMAT = "onnx"

        def load(self, *_: object) -> object:
            return made.session

    monkeypatch.setattr("app.loaded.get_backend", lambda name: Backend())
    loaded = load(CPU)
    assert runs == [1, 1]
    loaded.segmenter(made.segmenter._image)
    assert runs == [1, 1, 1]
    loaded.session.close()


def test_a_file_that_is_not_the_manifest_s_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = get_model("lite")
    monkeypatch.setattr(type(model.files[0]), "verify", lambda self: (_ for _ in ()).throw(ModelError("not the file")))
    with pytest.raises(ModelError, match="not the file"):
        load(CPU)
    with pytest.raises(ModelError, match="not the file"):
        selection.networks(Settings(), verify=True)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_every_session_is_closed_once(
    seed: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings change, devices fail and come back in any order; who runs is always one that is open."""
    monkeypatch.setattr(module, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(module, "POWER_SECONDS", 0.01)
    chance = random.Random(seed)
    closed: Counter[int] = Counter()
    sessions: list[object] = []

    def load(candidate: Candidate) -> Loaded:
        made = machine.load(candidate)
        sessions.append(made.session)
        number = len(sessions)
        monkeypatch.setattr(made.session, "close", lambda: closed.update([number]))
        return made

    monkeypatch.setattr(module, "load", load)
    machine.known = [GPU, CPU, LITERT]
    loader = Loader()
    loader.start()
    running: Loaded | None = None
    for _ in range(100):
        machine.best = chance.sample([GPU, CPU, LITERT], 3)
        machine.broken = {str(GPU): "gone"} if chance.random() < 0.4 else {}
        match chance.randrange(4):
            case 0:
                loader.wanted(Settings().replace(backend=chance.choice(["auto", "litert", "onnxruntime"])))
            case 1 if running is not None:
                running = loader.failed(running, "lost")
            case _:
                if (new := loader.take()) is not None:
                    if running is not None:
                        loader.retire(running)
                    running = new
        if running is not None:
            assert not closed[sessions.index(running.session) + 1], "it runs, so it is open"
        time.sleep(chance.random() * 0.01)
    loader.stop()
    loader.join()
    if running is not None:
        running.session.close()
    until(lambda: len(closed) == len(sessions))
    assert set(closed.values()) == {1} and len(sessions) > 5
