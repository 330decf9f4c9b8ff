"""ONNX Runtime on the CPU; input and output are bound to our arrays, so nothing is copied."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from backends import Availability, BackendError, Device, cpu_name

FORMAT = "onnx"
CURE = "Reinstall Greenroom, or install exactly one of onnxruntime, onnxruntime-gpu and onnxruntime-directml."


def _runtime() -> Any:
    try:
        import onnxruntime
    except Exception as error:
        raise BackendError(f"ONNX Runtime cannot be imported ({error}). {CURE}") from error
    onnxruntime.set_default_logger_severity(3)  # warnings about GPUs that are not there are no news to the user
    return onnxruntime


def probe() -> Availability:
    """The CPU, which every ONNX Runtime has."""
    try:
        return Availability(_runtime().__version__, (Device("CPU", cpu_name()),))
    except BackendError as error:
        return Availability(problem=str(error))


class OnnxRuntimeSession:
    """A network in ONNX Runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        ort = _runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Idle worker threads sleep at once: by default they spin, which costs a core between two frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise BackendError(f"ONNX Runtime cannot load {path.name} ({error}). {CURE}") from error
        image, alpha = self._session.get_inputs()[0], self._session.get_outputs()[0]
        self.input = np.zeros([1, *image.shape[1:]], np.uint8 if "uint8" in image.type else np.float32)
        self.output = np.zeros([1, *alpha.shape[1:]], np.float32)
        self._binding = self._session.io_binding()
        self._binding.bind_input(image.name, "cpu", 0, self.input.dtype, self.input.shape, self.input.ctypes.data)
        self._binding.bind_output(alpha.name, "cpu", 0, np.float32, self.output.shape, self.output.ctypes.data)

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed while running ({error}).") from error

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            del self._binding, self._session


def load(path: Path, device: str = "CPU", threads: int = 0) -> OnnxRuntimeSession:
    """Load an ONNX network; the only device is "CPU"."""
    if device != "CPU":
        raise BackendError(f"ONNX Runtime has no device {device!r} here; choose CPU.")
    return OnnxRuntimeSession(path, threads)
