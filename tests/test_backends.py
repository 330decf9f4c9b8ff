"""The runtimes on the shipped network, the child that shields us from bad drivers, and the choice of the fastest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.segmentation import network_files
from backends import BACKENDS, Availability, BackendError, Device, child, get_backend, selector
from models.manifest import get_model


@pytest.fixture
def files() -> dict[str, Path]:
    return network_files(get_model("lite"))


@pytest.mark.parametrize("name", BACKENDS)
def test_each_runtime_runs_the_network(name: str, files: dict[str, Path]) -> None:
    backend = get_backend(name)
    assert "CPU" in [device.id for device in backend.probe().devices]
    session = backend.load(files[backend.FORMAT], "CPU", 1)
    address = session.input.ctypes.data, session.output.ctypes.data
    answers = []
    for value in (0, 200):
        session.input[...] = value
        session.run()
        answers.append(session.output.copy())
    assert address == (session.input.ctypes.data, session.output.ctypes.data), "the arrays stay the same"
    assert not np.array_equal(*answers), "the input is read"
    assert all(np.isfinite(a).all() and a.min() >= 0 and a.max() <= 1 for a in answers)
    session.close()


@pytest.mark.parametrize("name", BACKENDS)
def test_a_file_that_is_no_network_is_an_error_with_a_cure(name: str, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.onnx"
    path.write_bytes(b"rubbish" * 100)
    with pytest.raises(BackendError, match=r"rubbish\.onnx.*Reinstall"):
        get_backend(name).load(path, "CPU", 1)


@pytest.mark.parametrize("name", BACKENDS)
def test_an_unknown_device_is_an_error(name: str, files: dict[str, Path]) -> None:
    backend = get_backend(name)
    with pytest.raises(BackendError):
        backend.load(files[backend.FORMAT], "TOASTER", 1)


def test_unknown_backends_are_refused_with_the_names_there_are() -> None:
    with pytest.raises(BackendError, match="onnxruntime, openvino, litert"):
        get_backend("toaster")


def test_a_child_that_crashes_or_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], -11, stdout="", stderr="libdriver.so: Segmentation fault")

    def hang(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired([], 60)

    monkeypatch.setattr(subprocess, "run", crash)
    assert "crashed (exit status -11): libdriver.so" in child.probe("openvino").problem
    monkeypatch.setattr(subprocess, "run", hang)
    assert "update the device's driver" in child.probe("openvino").problem


def test_the_real_child_measures_and_reports_errors(files: dict[str, Path], tmp_path: Path) -> None:
    assert 0 < child.measure("onnxruntime", files["onnx"], "CPU", 1) < 1000
    with pytest.raises(BackendError, match=r"gone\.onnx"):
        child.measure("onnxruntime", tmp_path / "gone.onnx", "CPU", 1)


class FakeRuntime:
    """ONNX Runtime's edge: these providers are in the wheel, of which those in `working` work."""

    __version__ = "9.9"
    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self, providers: list[str], working: set[str], lost: bool = False) -> None:
        self.providers, self.working, self.lost = [*providers, "CPUExecutionProvider"], working, lost
        self.opened: list[str] = []
        self.preloaded = 0

    def get_available_providers(self) -> list[str]:
        return self.providers

    def set_default_logger_severity(self, _: int) -> None: ...

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def SessionOptions(self) -> object:  # noqa: N802, the library's name
        return SimpleNamespace(add_session_config_entry=lambda *_: None)

    def InferenceSession(self, _: object, options: object, providers: list[tuple[str, dict[str, str]]]) -> object:  # noqa: N802
        wanted = providers[0][0]
        self.opened.append(wanted)
        got = wanted if wanted in self.working | {"CPUExecutionProvider"} else "CPUExecutionProvider"

        def run(_: object) -> None:
            if self.lost:
                raise RuntimeError("CUDA error 700: an illegal memory access")

        binding = SimpleNamespace(bind_input=lambda *_: None, bind_output=lambda *_: None)
        tensors = {"image": "tensor(uint8)", "alpha": "tensor(float)"}
        image, alpha = (SimpleNamespace(name=n, type=t, shape=[1, 4, 4, 1]) for n, t in tensors.items())
        return SimpleNamespace(
            get_providers=lambda: [got],
            get_inputs=lambda: [image],
            get_outputs=lambda: [alpha],
            io_binding=lambda: binding,
            run_with_iobinding=run,
        )


GPUS = {"CUDA": "CUDAExecutionProvider", "DirectML": "DmlExecutionProvider", "CoreML": "CoreMLExecutionProvider"}


@pytest.mark.parametrize("device", GPUS)
def test_a_provider_that_works_is_listed_and_loaded(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime([GPUS[device]], {GPUS[device]})
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    backend = get_backend("onnxruntime")
    assert [d.id for d in backend.probe().devices] == [device, "CPU"]
    session = backend.load(Path("lite.onnx"), device, 1)
    session.run()
    assert runtime.opened[-1] == GPUS[device]
    assert bool(runtime.preloaded) == (device == "CUDA")


@pytest.mark.parametrize("device", GPUS)
def test_a_provider_that_falls_back_in_silence_is_no_device(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime([GPUS[device]], set()))
    backend = get_backend("onnxruntime")
    assert [d.id for d in backend.probe().devices] == ["CPU"]
    with pytest.raises(BackendError, match="does not work here"):
        backend.load(Path("lite.onnx"), device, 1)


def test_what_cuda_lacks_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        if "providers_cuda" in name:
            raise OSError("libcublasLt.so.13: cannot open shared object file")

    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(["CUDAExecutionProvider"], set()))
    monkeypatch.setattr("ctypes.CDLL", load)
    (missing,) = get_backend("onnxruntime").probe().missing
    assert "libcublasLt.so.13" in missing and "greenroom[cuda]" in missing


def test_a_device_that_is_lost_while_running_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(["CUDAExecutionProvider"], set(GPUS.values()), True))
    session = get_backend("onnxruntime").load(Path("lite.onnx"), "CUDA", 1)
    with pytest.raises(BackendError, match="CUDA error 700"):
        session.run()


def test_two_onnxruntimes_in_one_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    availability = get_backend("onnxruntime").probe()
    assert "exactly one of onnxruntime" in availability.problem


def fake_machine(monkeypatch: pytest.MonkeyPatch, speeds: dict[tuple[str, str], float | None]) -> list[str]:
    """A machine with these devices and speeds, None for one that crashes; returns the log of measurements."""
    log: list[str] = []

    def probe(name: str) -> Availability:
        return Availability("1.0", tuple(Device(device, device) for backend, device in speeds if backend == name))

    def measure(name: str, path: Path, device: str, threads: int) -> float:
        log.append(f"{name} {device}")
        ms = speeds[name, device]
        if ms is None:
            raise BackendError("it crashed (exit status -11)")
        return ms

    monkeypatch.setattr(child, "probe", probe)
    monkeypatch.setattr(child, "measure", measure)
    return log


def test_the_fastest_is_first_what_crashes_last_and_it_is_remembered(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]
) -> None:
    speeds = {("onnxruntime", "CPU"): 5.0, ("openvino", "CPU"): 4.0, ("openvino", "GPU"): None, ("litert", "CPU"): 3.0}
    log = fake_machine(monkeypatch, speeds)
    ranked = selector.measured(files)
    assert [(c.backend, c.device) for c in ranked] == [
        ("litert", "CPU"),
        ("openvino", "CPU"),
        ("onnxruntime", "CPU"),
        ("openvino", "GPU"),
    ]
    assert "crashed" in ranked[-1].problem
    measurements = len(log)
    assert selector.measured(files) == ranked
    assert selector.remembered(files) == ranked[:3], "without probing, and only what works"
    assert len(log) == measurements, "nothing is measured twice"
    fake_machine(monkeypatch, speeds | {("openvino", "NPU"): 1.0})
    assert selector.measured(files)[0].device == "NPU", "a new device is measured"


def test_a_cache_that_cannot_be_read_or_written_only_costs_time(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], tmp_path: Path
) -> None:
    fake_machine(monkeypatch, {("onnxruntime", "CPU"): 5.0})
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setattr(selector, "cache_path", lambda: blocker / "selection.json")
    assert len(selector.measured(files)) == 1
    path = tmp_path / "selection.json"
    path.write_text("{broken")
    monkeypatch.setattr(selector, "cache_path", lambda: path)
    assert selector.remembered(files) == []
    assert len(selector.measured(files)) == 1
