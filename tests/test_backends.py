"""The runtimes on the shipped network, the child that shields us from bad drivers, and the choice of the fastest."""

from __future__ import annotations

import subprocess
from pathlib import Path

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
