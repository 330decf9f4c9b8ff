"""The runtimes on the shipped network, on devices faked at the modules' edge, and the child that shields us."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

import backends.nvidia as nvidia
import backends.windows as windows
from backends import BACKENDS, BackendError, child, compiled_folder, get_backend, selector
from models.manifest import get_model


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
        assert (session.input == value).all(), "and a run leaves it as it is"
        answers.append(session.output.copy())
    assert address == (session.input.ctypes.data, session.output.ctypes.data), "the arrays stay the same"
    assert not np.array_equal(*answers), "the input is read"
    session.output.fill(0.5)
    session.run()
    assert np.array_equal(session.output, answers[1]), "whoever asked may write into the answer"
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


def test_each_backend_knows_its_own_devices() -> None:
    owners = {
        "CPU": ["onnxruntime", "openvino", "litert"],
        "CUDA": ["onnxruntime"],
        "GPU.1": ["openvino"],
        "HETERO:GPU,CPU": ["openvino"],
        "TOASTER": [],
    }
    for device, names in owners.items():
        assert [name for name in BACKENDS if get_backend(name).knows(device)] == names


def test_unknown_backends_are_refused_with_the_names_there_are() -> None:
    with pytest.raises(BackendError, match="onnxruntime, openvino, litert"):
        get_backend("toaster")


POPEN = subprocess.Popen
CHILDREN = {
    "crash": "import os; os.abort()",
    "hang": "import time; time.sleep(60)",
    "rubbish": "print('loading CUDA')",
}


def fake_child(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Children run this instead of the module they are asked for."""
    command = [sys.executable, "-S", "-c", CHILDREN[what]]
    monkeypatch.setattr(child.subprocess, "Popen", lambda _, **kwargs: POPEN(command, **kwargs))


def test_a_child_that_crashes_or_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PROBE_SECONDS", 0.5)
    fake_child(monkeypatch, "crash")
    assert "crashed (exit status -6)" in child.probe("openvino").problem
    fake_child(monkeypatch, "rubbish")
    assert "crashed (exit status 0)" in child.probe("openvino").problem
    fake_child(monkeypatch, "hang")
    start = time.monotonic()
    assert "update the device's driver" in child.probe("openvino").problem
    assert time.monotonic() - start < 5


def test_a_child_that_cannot_be_killed_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that waits for its driver in the kernel takes no signal: whoever asked goes on all the same."""
    children: list[subprocess.Popen[str]] = []
    monkeypatch.setattr(POPEN, "kill", lambda self: children.append(self))
    monkeypatch.setattr(child, "PROBE_SECONDS", 0.2)
    fake_child(monkeypatch, "hang")
    assert "update the device's driver" in child.probe("openvino").problem
    with pytest.raises(child.Cancelled):
        child.probe("openvino", lambda: True)
    assert len(children) == 2
    monkeypatch.undo()
    for process in children:
        assert process.poll() is None, "it hangs still"
        process.kill()
        process.communicate()


def test_a_measurement_that_nobody_wants_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_child(monkeypatch, "hang")
    start = time.monotonic()
    with pytest.raises(child.Cancelled):
        selector.probe_all(lambda: time.monotonic() - start > 0.2)
    start = time.monotonic()
    with pytest.raises(child.Cancelled):
        child.measure(
            "openvino", Path("lite.onnx"), "CPU", 1, Path("picture.npy"), lambda: time.monotonic() - start > 0.2
        )
    assert time.monotonic() - start < 5


def test_the_real_child_measures_and_reports_errors(files: dict[str, Path], tmp_path: Path) -> None:
    picture = tmp_path / "picture.npy"
    np.save(picture, np.full((144, 256, 3), 90, np.uint8))
    figures, mask = child.measure("onnxruntime", files["onnx"], "CPU", 1, picture)
    assert mask.shape == (144 * 256,) and mask.dtype == bool
    assert set(figures) == {"ms", "p95", "cpu_ms", "load_ms", "memory"}
    assert 0 < figures["ms"] < 1000 and figures["cpu_ms"] > 0 and figures["memory"] > 1
    with pytest.raises(BackendError, match=r"gone\.onnx"):
        child.measure("onnxruntime", tmp_path / "gone.onnx", "CPU", 1, picture)


class FakeRuntime:
    """ONNX Runtime's edge: these providers are in the wheel, of which those in `working` work."""

    __version__ = "9.9"
    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self, providers: list[str], working: set[str], lost: bool = False) -> None:
        self.options: list[dict[str, str]] = []
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

    def InferenceSession(  # noqa: N802
        self, _: object, options: object, providers: list[tuple[str, dict[str, str]]], enable_fallback: int
    ) -> object:
        assert not enable_fallback, "else it falls back to the CPU and prints to standard output"
        wanted = providers[0][0]
        self.options.append(providers[0][1])
        self.opened.append(wanted)
        got = wanted if wanted in self.working | {"CPUExecutionProvider"} else "CPUExecutionProvider"

        def run(*_: object) -> list[NDArray[np.float32]]:
            if self.lost:
                raise RuntimeError("CUDA error 700: an illegal memory access")
            return [np.ones([1, 4, 4, 1], np.float32)]

        binding = SimpleNamespace(bind_input=lambda *_: None, bind_output=lambda *_: None)
        tensors = {"image": "tensor(uint8)", "alpha": "tensor(float)"}
        image, alpha = (SimpleNamespace(name=n, type=t, shape=[1, 4, 4, 1]) for n, t in tensors.items())
        return SimpleNamespace(
            get_providers=lambda: [got],
            get_inputs=lambda: [image],
            get_outputs=lambda: [alpha],
            io_binding=lambda: binding,
            run_with_iobinding=run,
            run=run,
        )


GPUS = {
    "TensorRT": "TensorrtExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "DirectML": "DmlExecutionProvider",
    "CoreML-ANE": "CoreMLExecutionProvider",
    "CoreML-GPU": "CoreMLExecutionProvider",
}


@pytest.mark.parametrize("device", GPUS)
def test_a_provider_that_works_is_listed_and_loaded(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime([GPUS[device]], {GPUS[device]})
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    backend = get_backend("onnxruntime")
    listed = [d.id for d in backend.probe().devices]
    assert device in listed and listed[-1] == "CPU"
    session = backend.load(Path("lite.onnx"), device, 1)
    session.run()
    assert runtime.opened[-1] == GPUS[device]
    assert bool(runtime.preloaded) == (device in ("CUDA", "TensorRT"))


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
    assert "libcublasLt.so.13" in missing
    cure = shlex.split(missing.partition("Install it: ")[2])
    assert cure == [sys.executable, "-m", "pip", "install", "onnxruntime-gpu[cuda,cudnn]"], "into this environment"


def test_a_session_elsewhere_gives_what_one_on_the_cpu_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU plays a device with memory of its own: each run takes the input of now and fills the same output."""
    from backends import onnxruntime

    monkeypatch.setitem(onnxruntime.PROVIDERS, "Other", dataclasses.replace(onnxruntime.PROVIDERS["CPU"]))
    path = get_model("lite").file("onnx").path
    here, elsewhere = (onnxruntime.load(path, device, 1) for device in ("CPU", "Other"))
    output, rng = elsewhere.output, np.random.default_rng(1)
    for _ in range(2):
        here.input[...] = elsewhere.input[...] = rng.integers(0, 256, here.input.shape, np.uint8)
        here.run()
        elsewhere.run()
        np.testing.assert_array_equal(output, here.output)
    assert output.any()


def test_a_device_that_is_lost_while_running_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(["CUDAExecutionProvider"], set(GPUS.values()), True))
    session = get_backend("onnxruntime").load(Path("lite.onnx"), "CUDA", 1)
    with pytest.raises(BackendError, match="CUDA error 700"):
        session.run()


def test_two_onnxruntimes_in_one_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    availability = get_backend("onnxruntime").probe()
    assert "exactly one of onnxruntime" in availability.problem


def test_new_weights_never_run_as_what_was_compiled_of_old_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CoreML tells its networks by their path, TensorRT by their structure."""
    runtime = FakeRuntime([*GPUS.values()], set(GPUS.values()))
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    path = tmp_path / "lite.onnx"
    for device, option in (("TensorRT", "trt_engine_cache_path"), ("CoreML-ANE", "ModelCacheDirectory")):
        folders = []
        for weights in (b"old", b"old", b"new"):
            path.write_bytes(weights)
            get_backend("onnxruntime").load(path, device, 1)
            folders.append(runtime.options[-1][option])
        assert folders[0] == folders[1] != folders[2]
        assert all(Path(folder).is_dir() for folder in folders), "not every runtime makes it"
    assert compiled_folder("TensorRT", "1.0", tmp_path / "gone.onnx") == "", "and nothing is kept of what is not there"


SMI = "NVIDIA GeForce RTX 4060 Laptop GPU, 570.86.15, 8188, 8.9\n"


def test_an_nvidia_gpu_is_named_with_driver_memory_and_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(["CUDAExecutionProvider"], set(GPUS.values())))
    done = subprocess.CompletedProcess([], 0, stdout=SMI)
    monkeypatch.setattr(nvidia.subprocess, "run", lambda *_, **__: done)
    gpu = get_backend("onnxruntime").probe().devices[0]
    assert (gpu.id, gpu.kind, gpu.driver, gpu.memory) == ("CUDA", "gpu", "570.86.15", 8188)
    assert "RTX 4060" in gpu.name and gpu.precisions == ("fp16", "fp32")
    done.stdout = SMI.replace("8.9", "6.1")
    assert get_backend("onnxruntime").probe().devices[0].precisions == ("fp32",), "Pascal's half precision is slow"
    done.stdout = "No devices were found"
    assert get_backend("onnxruntime").probe().devices[0].name == "NVIDIA CUDA", "it works all the same"


def test_a_windows_gpu_is_named_with_driver_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeRuntime(["DmlExecutionProvider"], set(GPUS.values())))
    answer = '[{"Name": "AMD Radeon 780M", "DriverVersion": "32.0.11037.4004", "AdapterRAM": 536870912}]'
    done = subprocess.CompletedProcess([], 0, stdout=answer)
    monkeypatch.setattr(windows.subprocess, "run", lambda *_, **__: done)
    gpu = get_backend("onnxruntime").probe().devices[0]
    assert (gpu.name, gpu.driver, gpu.memory) == ("AMD Radeon 780M through DirectML", "32.0.11037.4004", 512)
    done.stdout = "[]"
    assert get_backend("onnxruntime").probe().devices[0].name == "DirectML", "it works all the same"


def test_what_onnx_runtime_prints_about_libraries_is_no_output_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = FakeRuntime(["CUDAExecutionProvider"], set(GPUS.values()))
    monkeypatch.setattr(runtime, "preload_dlls", lambda: print("Failed to load libcudnn.so.9"))
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    get_backend("onnxruntime").load(Path("lite.onnx"), "CUDA", 1)
    assert capsys.readouterr().out == ""


def test_tensorrt_s_libraries_come_from_nvidia_s_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10", "libnvinfer_lean.so.10"):
        (tmp_path / name).touch()
    monkeypatch.setattr(nvidia, "WINDOWS", False)
    monkeypatch.setattr(
        nvidia.importlib.util, "find_spec", lambda _: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    loaded: list[str] = []
    monkeypatch.setattr(nvidia.ctypes, "CDLL", lambda path, **_: loaded.append(Path(path).name))
    nvidia.preload(FakeRuntime([], set()))
    assert loaded == ["libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"]
