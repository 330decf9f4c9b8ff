"""What the user can afford changes: on battery, when the call takes the machine, for a file without a hurry."""

from __future__ import annotations

import dataclasses
import time

import pytest
from conftest import until
from loader_fakes import CPU, GPU, LITERT, Machine, Timed, loader, machine, take

import app.segmentation as module
from app import selection
from app.loaded import Loaded
from app.segmentation import Loader
from app.settings import Settings
from backends import selector
from backends.choice import Outcome, Verdict
from backends.request import Request
from backends.tiers import Candidate
from models.manifest import get_model

__all__ = ["loader", "machine"]  # fixtures


@pytest.mark.parametrize("quiet", [True, False])
def test_on_battery_a_cheaper_network_takes_over(
    quiet: bool, machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    battery = [False]
    for where in (module, selection):
        monkeypatch.setattr(where, "on_battery", lambda: battery[0])
    monkeypatch.setattr(selection, "cores", lambda: 1)
    monkeypatch.setattr(module, "POWER_SECONDS", 0.05)
    two = Candidate("onnxruntime", "CPU", 2)
    measured = [Outcome(CPU, ms=15.0, cpu_ms=10.0), Outcome(two, ms=8.0, cpu_ms=14.0)]
    monkeypatch.setattr(selector, "remembered", lambda *_: measured)
    monkeypatch.setattr(selector, "measured", lambda *_, **__: measured)
    # At 60 frames a second only two threads are quick enough, and need 84 % of a core.
    loader.wanted(Settings().replace(fps=60, cpu_limit=90, quiet_on_battery=quiet))
    assert take(loader).candidate == two
    battery[0] = True
    if quiet:
        assert take(loader).candidate == CPU
        battery[0] = False
        assert take(loader).candidate == two
    else:
        time.sleep(0.3)
        assert loader.take() is None


@pytest.mark.parametrize("cheaper", [True, False])
def test_a_network_that_cannot_keep_up_now_gives_way_to_a_cheaper_one(
    cheaper: bool, machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.5)
    monkeypatch.setattr(module, "POWER_SECONDS", 0.05)
    two = dataclasses.replace(CPU, threads=2)
    measured = [Outcome(CPU, ms=8.0, cpu_ms=8.0), Outcome(two, ms=5.0, cpu_ms=9.0)]
    measured += [Outcome(LITERT, ms=12.0, cpu_ms=5.0 if cheaper else 7.9)]
    monkeypatch.setattr(selector, "remembered", lambda *_: measured)
    monkeypatch.setattr(selector, "measured", lambda *_, **__: measured)
    monkeypatch.setattr(selection, "rank", lambda outcomes, *_: [Verdict(o, True, "") for o in outcomes])
    milliseconds: dict[Candidate, float] = {}

    def load(candidate: Candidate) -> Loaded:
        made = machine.load(candidate)
        request = Request(made.session, 1.0)
        return Loaded(made.segmenter, Timed(request, lambda: milliseconds.get(candidate)), candidate, made.look)

    monkeypatch.setattr(module, "load", load)
    loader.wanted(Settings())
    assert take(loader).candidate == CPU
    milliseconds[CPU] = 45.0
    if cheaper:
        assert take(loader).candidate == LITERT, "not the other that costs as much"
        until(lambda: loader.problem)
        assert "takes 45 ms now, too long for 30 frames a second" in str(loader.problem)
        milliseconds.clear()
        assert take(loader).candidate == CPU, "it is tried again later"
        until(lambda: loader.problem is None)
    else:
        time.sleep(0.3)
        assert loader.take() is None and loader.problem is None, "a slow mask is better than none"


def test_a_gpu_that_another_program_takes_gives_way_to_the_cpu(
    machine: Machine, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its CPU time says nothing about what is scarce then: a game's frames are the GPU's time."""
    monkeypatch.setattr(module, "POWER_SECONDS", 0.05)
    machine.known = machine.best = [GPU, CPU]  # the GPU takes half the CPU's time of both kinds
    loader.wanted(Settings())
    until(lambda: loader._running == GPU)
    fast = take(loader)
    request = Timed(fast.session, lambda: 60.0)  # type: ignore[arg-type]
    loader._offered = dataclasses.replace(fast, session=request)
    until(lambda: loader._running == CPU and loader.problem)
    assert "takes 60 ms now, too long for 30 frames a second" in str(loader.problem)
    request.close()


def test_files_get_the_best_masks_and_calls_what_they_can_afford(monkeypatch: pytest.MonkeyPatch) -> None:
    hd, lite = Candidate("onnxruntime", "CPU", 2, "hd"), Candidate("onnxruntime", "CPU", 1, "lite")
    measured = [Outcome(hd, ms=90.0, cpu_ms=180.0), Outcome(lite, ms=3.0, cpu_ms=3.0)]
    shipped = get_model("lite")
    both = {tier: dataclasses.replace(shipped, name=tier, tier=tier) for tier in ("lite", "hd")}
    monkeypatch.setattr(selection, "manifest", lambda: both)
    assert selection.ways(Settings(), measured)[0] == lite
    assert selection.ways(Settings(), measured, realtime=False)[0] == hd
    assert selection.ways(Settings(), [], realtime=False)[0].model == "hd", "also before anything is measured"
    assert selection.ways(Settings(), [])[0].model == "lite", "which loads sooner"
