"""ONNX Runtime: every CPU, NVIDIA through CUDA and TensorRT, any Windows GPU through DirectML, Apple through CoreML.

Which of these there are depends on the installed wheel; which of those work, on the machine. On the CPU input and
output are bound to our arrays, so nothing is copied.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import Availability, BackendError, Device, compiled_folder, cpu_name, last_line, nvidia, windows

FORMAT = "onnx"
CURE = "Reinstall Greenroom, or install exactly one of onnxruntime, onnxruntime-gpu and onnxruntime-directml."

PIP = f"{shlex.quote(sys.executable)} -m pip"
"""The pip of the environment that this runs in: the system's installs elsewhere, or refuses (Debian)."""

CUDA = f'{PIP} install "onnxruntime-gpu[cuda,cudnn]"'
"""What Greenroom's extra `cuda` installs: NVIDIA's libraries from PyPI, 2 GB."""

TENSORRT = f'{PIP} install "tensorrt-cu13<11"'
"""ONNX Runtime 1.31 is built for TensorRT 10 (`libnvinfer.so.10`) and CUDA 13; PyPI's newest is 11."""

_TINY = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01pZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)
"""A network of one ReLU on one float: a provider that runs it works."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider.

    Attributes:
        name: ONNX Runtime's name for it.
        title: what the user calls it.
        kind: its devices' class, as `backends.Device.kind`.
        options: its options, given the folder for what it compiles, "" where nothing can be kept.
        why_not: says why it does not work here, "" when there is no such device.
        describe: says more about its device, or None.
        precisions: what it is good at, where `describe` does not know better.
        session: what it demands of the session's options.
        preload: whether it needs NVIDIA's libraries.
        compiles: whether it keeps what it compiles.
        memory: ONNX Runtime's name for its memory, where a frame had better stay; "" where that gains nothing or
            (TensorRT) building an engine for each graph takes a minute.
    """

    name: str
    title: str
    kind: str
    options: Callable[[str], Mapping[str, str]] = lambda folder: {}
    why_not: Callable[[], str] = str
    describe: Callable[[], nvidia.Gpu | windows.Adapter | None] = lambda: None
    precisions: tuple[str, ...] = ("fp16", "fp32")
    session: Mapping[str, Any] = field(default_factory=dict)
    preload: bool = False
    compiles: bool = False
    memory: str = ""


def _coreml(units: str, folder: str) -> Mapping[str, str]:
    return {"ModelFormat": "MLProgram", "MLComputeUnits": units, "ModelCacheDirectory": folder}


def _tensorrt(folder: str) -> Mapping[str, str]:
    # Building an engine takes up to a minute: once, in the child that measures; from then on it comes from the cache.
    cache = {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": folder,
    }
    return {"trt_fp16_enable": "True"} | (cache if folder else {})


PROVIDERS = {
    "TensorRT": Provider(
        "TensorrtExecutionProvider",
        "NVIDIA TensorRT",
        "gpu",
        _tensorrt,
        lambda: nvidia.why_not(_runtime(), "onnxruntime_providers_tensorrt", TENSORRT),
        nvidia.gpu,
        preload=True,
        compiles=True,
    ),
    "CUDA": Provider(
        "CUDAExecutionProvider",
        "NVIDIA CUDA",
        "gpu",
        # The search for the fastest convolution costs a second once; the default heuristic is up to twice as slow.
        lambda folder: {"cudnn_conv_algo_search": "EXHAUSTIVE"},
        lambda: nvidia.why_not(_runtime(), "onnxruntime_providers_cuda", CUDA),
        nvidia.gpu,
        preload=True,
        memory="cuda",
    ),
    "DirectML": Provider(
        "DmlExecutionProvider",
        "DirectML",
        "gpu",
        why_not=lambda: "no GPU with DirectX 12. Update the graphics driver.",
        describe=windows.adapter,
        session={"enable_mem_pattern": False},  # DirectML refuses memory patterns
        memory="dml",
    ),
    "CoreML-ANE": Provider(
        "CoreMLExecutionProvider",
        "Apple Neural Engine",
        "npu",
        lambda folder: _coreml("CPUAndNeuralEngine", folder),
        lambda: "macOS 12 or newer is needed.",
        compiles=True,
    ),
    "CoreML-GPU": Provider(
        "CoreMLExecutionProvider",
        "Apple GPU",
        "igpu",
        lambda folder: _coreml("CPUAndGPU", folder),
        lambda: "macOS 12 or newer is needed.",
        compiles=True,
    ),
    "CPU": Provider("CPUExecutionProvider", "CPU", "cpu", precisions=("fp32", "int8")),
}
"""Every device by its id, as `load` takes it."""


def _runtime() -> Any:
    try:
        import onnxruntime
    except Exception as error:
        raise BackendError(f"ONNX Runtime cannot be imported ({last_line(error)}). {CURE}") from error
    onnxruntime.set_default_logger_severity(4)  # what concerns the user comes as exceptions; the rest are no news
    return onnxruntime


def _open(network: Path | bytes, device: str, threads: int) -> Any:
    """A session on exactly this provider: ONNX Runtime by itself falls back to the CPU in silence.

    Raises:
        BackendError: the provider does not work here.
    """
    ort, provider = _runtime(), PROVIDERS[device]
    if provider.name not in ort.get_available_providers():
        raise BackendError(f"{provider.title} is not in the installed ONNX Runtime. {CURE}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Idle worker threads sleep at once: by default they spin, which costs a core between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in provider.session.items():
        setattr(options, name, value)
    if provider.preload:
        nvidia.preload(ort)
    folder = (
        compiled_folder(device, ort.__version__, network) if provider.compiles and isinstance(network, Path) else ""
    )
    wanted = [(provider.name, dict(provider.options(folder)))]
    file = str(network) if isinstance(network, Path) else network
    session = ort.InferenceSession(file, options, providers=wanted, enable_fallback=0)
    if session.get_providers()[0] != provider.name:
        raise BackendError(f"{provider.title} does not work here: {provider.why_not() or 'there is no such device'}")
    return session


def probe() -> Availability:
    """The CPU, and every other provider of the installed wheel that runs a tiny network."""
    try:
        ort = _runtime()
    except BackendError as error:
        return Availability(problem=str(error))
    devices, missing = [], []
    for id, provider in PROVIDERS.items():
        if provider.name not in ort.get_available_providers():
            continue
        try:
            _open(_TINY, id, 1)
            devices.append(_device(id, provider))
        except Exception:
            if why := provider.why_not():
                missing.append(f"{provider.title}: {why}")
    return Availability(ort.__version__, tuple(devices), missing=tuple(dict.fromkeys(missing)))


def _device(id: str, provider: Provider) -> Device:
    if (gpu := provider.describe()) is not None:
        name = f"{gpu.name} through {provider.title}"
        return Device(id, name, provider.kind, gpu.driver, gpu.memory, gpu.precisions)
    return Device(id, cpu_name() if id == "CPU" else provider.title, provider.kind, precisions=provider.precisions)


def knows(device: str) -> bool:
    """One of `PROVIDERS`."""
    return device in PROVIDERS


def _bind(bind: Callable[..., None], name: str, array: NDArray[Any]) -> None:
    """Bind an array in the computer's memory."""
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


class OnnxRuntimeSession:
    """A network in ONNX Runtime."""

    def __init__(self, path: Path, device: str, threads: int) -> None:
        try:
            self._session = _open(path, device, threads)
        except BackendError:
            raise
        except Exception as error:
            why = last_line(error)
            raise BackendError(f"ONNX Runtime cannot load {path.name} on {device} ({why}). {CURE}") from error
        image, alpha = self._session.get_inputs()[0], self._session.get_outputs()[0]
        if alpha.type != "tensor(float)":
            raise BackendError(f"{path.name} gives {alpha.type} instead of float32: it is no network of ours.")
        self.input = np.zeros([1, *image.shape[1:]], np.uint8 if "uint8" in image.type else np.float32)
        self.output = np.zeros([1, *alpha.shape[1:]], np.float32)
        self._names = image.name, alpha.name
        # A provider with memory of its own copies an input when it is bound, and with Python's lock held: a driver that
        # hangs would stop all threads. A run lets go of the lock.
        self._binding = self._session.io_binding() if device == "CPU" else None
        if self._binding is not None:
            _bind(self._binding.bind_input, image.name, self.input)
            _bind(self._binding.bind_output, alpha.name, self.output)

    def run(self) -> None:
        try:
            if self._binding is not None:
                self._session.run_with_iobinding(self._binding)
                return
            image, alpha = self._names
            (self.output[...],) = self._session.run([alpha], {image: self.input})
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed while running ({last_line(error)}).") from error

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            del self._binding, self._session


def load(path: Path, device: str = "CPU", threads: int = 0) -> OnnxRuntimeSession:
    """Load an ONNX network on one of `PROVIDERS`."""
    if device not in PROVIDERS:
        raise BackendError(f"ONNX Runtime has no device {device!r}; choose one of: {', '.join(PROVIDERS)}.")
    return OnnxRuntimeSession(path, device, threads)


class OnnxRuntimeGraph:
    """A graph in ONNX Runtime; what is held or carried lies in the device's memory."""

    def __init__(self, graph: bytes, device: str, threads: int, carried: Mapping[str, str]) -> None:
        try:
            self._session = _open(graph, device, threads)
            self._memory = PROVIDERS[device].memory or "cpu"
            self._binding, self._values = self._session.io_binding(), _runtime().OrtValue
            shapes = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
            self._before, self._after = (
                {name: self._placed(np.zeros(shapes[given], np.float32)) for name, given in carried.items()}
                for _ in range(2)
            )
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(
                f"ONNX Runtime cannot load the frame's graph on {device} ({last_line(error)})."
            ) from error
        self._carried, self._held = carried, dict[str, Any]()
        self._given, self._wanted, self._handed = (dict[str, NDArray[Any]]() for _ in range(3))

    def _placed(self, array: NDArray[Any]) -> Any:
        return self._values.ortvalue_from_numpy(array, self._memory, 0)

    def hold(self, name: str, array: NDArray[Any]) -> None:
        self._handed[name] = array

    def bind(self, given: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]]) -> None:
        self._given, self._wanted = dict(given), dict(wanted)  # kept: the binding knows their addresses only

    def run(self) -> None:
        try:
            for name, array in self._handed.items():
                self._held[name] = self._placed(array)
                self._binding.bind_ortvalue_input(name, self._held[name])
            self._handed.clear()
            for name, array in self._given.items():
                _bind(self._binding.bind_input, name, array)
            for name, array in self._wanted.items():
                _bind(self._binding.bind_output, name, array)
            for name, given in self._carried.items():
                self._binding.bind_ortvalue_input(given, self._before[name])
                self._binding.bind_ortvalue_output(name, self._after[name])
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed while running ({last_line(error)}).") from error
        self._before, self._after = self._after, self._before

    def carried(self, name: str) -> NDArray[np.float32]:
        return np.array(self._before[name].numpy())

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            del self._binding, self._session, self._before, self._after, self._held


def takes_graphs(device: str) -> bool:
    """A GPU whose memory ONNX Runtime lets tensors stay in."""
    return bool(PROVIDERS[device].memory)


def load_graph(graph: bytes, device: str, threads: int, carried: Mapping[str, str]) -> OnnxRuntimeGraph:
    """Load a graph of several inputs and outputs on one of `PROVIDERS`."""
    return OnnxRuntimeGraph(graph, device, threads, carried)
