"""A frame's graph is built for what is wanted now, beside who runs the network, and taken only where it is good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RecordingSink, until
from loader_fakes import GPU, Machine, loader, machine, take
from test_privacy import BASE
from test_whole import CPU, LITE, FakeGraph

import app.segmentation as segmentation
import app.whole as module
import backends.onnxruntime as runtime
from app import selection
from app.compose.blur import Blur
from app.compose.plan import Plan
from app.compose.view import View
from app.frame import Image
from app.loaded import Loaded, load
from app.pipeline import Pipeline
from app.segmentation import Loader
from app.settings import Settings
from app.whole import Rival, WholeFrame, fit, plan_for, rival
from backends import BackendError
from backends.tiers import Candidate
from models.segmenter import Segmenter

__all__ = ["loader", "machine"]  # fixtures


def no_time(run: Callable[[], object]) -> float:
    """The CPU that plays a GPU here is slower at it than the other way: times are taken as equal."""
    run()
    return 0.0


class TestFit:
    """Only a graph that makes the same picture in no more time is taken."""

    settings = Settings().replace(size="640x360", effect="blur")
    plan = Plan(640, 360, True, 4)

    @pytest.fixture
    def other(self) -> Rival:
        return rival(load(CPU).segmenter, selection.sample(640, 360))

    @pytest.fixture
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_usual", no_time)

    def fit(self, other: Rival, settings: Settings | None = None) -> WholeFrame:
        plan = plan_for(settings or self.settings, blurred=True)
        assert plan is not None
        return fit(CPU, LITE, plan, settings or self.settings, other)

    @pytest.mark.usefixtures("patient")
    def test_a_good_one_is_taken(self, other: Rival) -> None:
        whole = self.fit(other)
        assert whole(other.frame, Blur(60), fresh=True).shape == (540, 640)

    @pytest.mark.usefixtures("patient")
    @pytest.mark.parametrize("size", ["640x480", "1920x1080", "320x180", "1280x800"])
    def test_another_aspect_is_compared_with_the_same_picture(self, other: Rival, size: str) -> None:
        """The network may not be run again: what it was shown is stretched, not cropped anew."""
        settings = self.settings.replace(size=size)
        assert self.fit(other, settings).plan == plan_for(settings, blurred=True)

    @pytest.mark.usefixtures("patient")
    def test_another_mask_is_refused(self, other: Rival) -> None:
        with pytest.raises(BackendError, match="mask is another"):
            self.fit(Rival(other.frame, 1 - other.mask, other.seconds))

    @pytest.mark.usefixtures("patient")
    def test_another_picture_is_refused(self, other: Rival, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "blurring", lambda length, sigma: np.eye(length, dtype=np.float32))
        with pytest.raises(BackendError, match="picture is another"):
            self.fit(other)

    @pytest.mark.usefixtures("patient")
    def test_the_cpu_is_timed_as_it_works_with_buffers_that_are_there(
        self, other: Rival, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Made anew for each frame they took four times the work itself."""
        views: list[View] = []
        monkeypatch.setattr(module, "View", lambda *size: views.append(View(*size)) or views[-1])
        self.fit(other)
        assert len(views) == 1

    def test_a_slower_one_is_refused(self, other: Rival, monkeypatch: pytest.MonkeyPatch) -> None:
        times = iter([0.5, 0.2])
        monkeypatch.setattr(module, "_usual", lambda run: next(times))
        with pytest.raises(BackendError, match=r"500\.0 ms, network and CPU apart"):
            self.fit(other)


class Fitter:
    """Stands in for `rival` and `fit`, and notes what it is asked for."""

    def __init__(self) -> None:
        self.taken = False
        self.rivals: list[bool] = []
        self.plans: list[Plan] = []
        self.refusing = False

    def rival(self, segmenter: Segmenter, frame: Image) -> Rival:
        self.rivals.append(self.taken)
        return Rival(frame, segmenter(frame).copy(), 0.01)

    def fit(self, candidate: Candidate, network: Path, plan: Plan, settings: Settings, other: Rival) -> WholeFrame:
        self.plans.append(plan)
        if self.refusing:
            raise BackendError("it is slower")
        return WholeFrame(FakeGraph(plan), plan)


class TestLoader:
    """A graph for what is wanted now, while another thread runs the network."""

    @pytest.fixture
    def fitter(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Fitter:
        machine.known = machine.best = [GPU]
        made = Fitter()
        monkeypatch.setattr(segmentation, "rival", made.rival)
        monkeypatch.setattr(segmentation, "fit", made.fit)
        return made

    def gpu(self, loader: Loader, fitter: Fitter, settings: Settings) -> Loaded:
        """The segmenter on the GPU, which the caller runs from now on."""
        loader.wanted(settings)
        while (taken := take(loader)).candidate != GPU:
            pass
        fitter.taken = True
        return taken

    def test_the_network_is_not_run_beside_who_runs_it(self, loader: Loader, fitter: Fitter) -> None:
        """It has one input: the other's frame would get the mask of the sample."""
        loaded = self.gpu(loader, fitter, BASE.replace(effect="alpha"))
        assert loaded.whole is None
        loader.dressed(BASE)
        until(lambda: loaded.whole)
        assert fitter.rivals == [False]

    def test_what_is_refused_is_not_built_for_each_step_of_the_blur(self, loader: Loader, fitter: Fitter) -> None:
        fitter.refusing = True
        self.gpu(loader, fitter, BASE.replace(blur=60))
        for blur in (61, 62, 63):
            loader.dressed(BASE.replace(blur=blur))
        loader.dressed(BASE.replace(effect="colour"))
        until(lambda: [plan.scale for plan in fitter.plans][-1:] == [0])
        assert len(fitter.plans) == 2

    def test_nothing_is_built_for_a_look_that_is_over(
        self, loader: Loader, fitter: Fitter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded = self.gpu(loader, fitter, BASE)
        going, busy = threading.Event(), threading.Event()
        loader._orders.put(lambda: (busy.set(), going.wait())[0])
        busy.wait()
        for size in ("640x480", "320x180", "1280x720"):
            loader.dressed(BASE.replace(size=size))
        going.set()
        until(lambda: loaded.whole and loaded.whole.plan.width == 1280)
        assert [plan.width for plan in fitter.plans] == [640, 1280]

    def test_without_a_gpu_another_look_disturbs_no_measurement(self, machine: Machine, loader: Loader) -> None:
        """Each of a slider's steps would end the children that measure, and start three to look for devices."""
        machine.endless = True
        loader.wanted(BASE)
        until(lambda: machine.measurements == 1)
        for blur in range(5):
            loader.dressed(BASE.replace(blur=blur))
            time.sleep(0.03)
        machine.endless = False
        until(lambda: loader._outcomes is not None)
        assert machine.measurements == 1

    def test_a_look_that_changes_while_a_gpu_is_fitted_out_is_not_missed(
        self, loader: Loader, fitter: Fitter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slowly(*args: Any) -> WholeFrame:
            monkeypatch.setattr(segmentation, "fit", fitter.fit)
            loader.dressed(BASE.replace(effect="colour"))
            return fitter.fit(*args)

        monkeypatch.setattr(segmentation, "fit", slowly)
        loaded = self.gpu(loader, fitter, BASE)
        until(lambda: loaded.whole and loaded.whole.plan.scale == 0)

    def test_look_and_network_may_change_at_once(self, loader: Loader, fitter: Fitter) -> None:
        loaded = self.gpu(loader, fitter, BASE)
        loader.wanted(BASE.replace(size="320x180", fps=15))
        until(lambda: loaded.whole and loaded.whole.plan.width == 320)


def test_the_whole_product_uses_it(monkeypatch: pytest.MonkeyPatch, sink: RecordingSink) -> None:
    """The CPU plays a GPU: the loader builds a graph for the effect of now, and another when that changes."""
    monkeypatch.setattr(runtime, "takes_graphs", lambda device: True)
    monkeypatch.setattr(module, "_usual", no_time)
    monkeypatch.setattr(module, "HANG_SECONDS", 30.0)  # a CPU that others use may take a GPU's patience
    built: list[int] = []
    fitted = segmentation.fit

    def noted(candidate: Candidate, network: Path, plan: Plan, settings: Settings, other: Rival) -> WholeFrame:
        built.append(plan.scale)
        return fitted(candidate, network, plan, settings, other)

    monkeypatch.setattr(segmentation, "fit", noted)
    settings = Settings().replace(
        size="320x180", source="clip", sinks=("fake",), effect="blur", model="lite",
        backend="onnxruntime", device="CPU", precision="fp32", threads=1,
    )  # fmt: skip
    pipeline = Pipeline(settings, open_sink=lambda *_: sink)
    pipeline.start()

    def whole() -> WholeFrame | None:
        return pipeline._loaded and pipeline._loaded.whole

    try:
        until(lambda: whole() is not None and not pipeline.status().protected)
        assert not pipeline.status().problems
        pipeline.configure(settings.replace(effect="colour"))
        until(lambda: (made := whole()) is not None and made.plan.scale == 0)
        pipeline.configure(settings.replace(effect="colour", size="640x360"))
        until(lambda: (made := whole()) is not None and made.plan.width == 640)
        until(lambda: sink.pictures[-1].size == (640, 360) and not pipeline.status().protected)
        assert not pipeline.status().problems
        pipeline.configure(settings.replace(effect="alpha"))
        until(lambda: whole() is None)
        published = len(sink.pictures)
        until(lambda: len(sink.pictures) > published + 3)
        assert not pipeline.status().problems
    finally:
        pipeline.stop()
    assert built == [4, 0, 0]
