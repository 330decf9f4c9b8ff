"""LiteRT, which runs TFLite networks through XNNPACK on every CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends import Availability, BackendError, Device, cpu_name, last_line

FORMAT = "tflite"
CURE = "Reinstall Greenroom (the package ai-edge-litert is part of it)."


def _interpreter() -> Any:
    try:
        from ai_edge_litert import interpreter
    except Exception as error:
        raise BackendError(f"LiteRT cannot be imported ({last_line(error)}). {CURE}") from error
    return interpreter.Interpreter


def probe() -> Availability:
    """The CPU; XNNPACK is part of every LiteRT package."""
    try:
        _interpreter()
        from importlib.metadata import version

        return Availability(version("ai-edge-litert"), (Device("CPU", cpu_name(), precisions=("fp32", "int8")),))
    except BackendError as error:
        return Availability(problem=str(error))


def knows(device: str) -> bool:
    """XNNPACK is the CPU's."""
    return device == "CPU"


class LiteRtSession:
    """A network in LiteRT. Its arrays are copied in and out: the interpreter lends its own only between two runs."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._interpreter = _interpreter()(str(path), num_threads=threads or None)
            self._interpreter.allocate_tensors()
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(f"LiteRT cannot load {path.name} ({last_line(error)}). {CURE}") from error
        image = self._interpreter.get_input_details()[0]
        alpha = self._interpreter.get_output_details()[0]
        if alpha["dtype"] is not np.float32:
            raise BackendError(f"{path.name} gives {alpha['dtype']} instead of float32: it is no network of ours.")
        self._image, self._alpha = image["index"], alpha["index"]
        self.input = np.zeros(image["shape"], image["dtype"])
        self.output = np.zeros(alpha["shape"], np.float32)

    def run(self) -> None:
        try:
            self._interpreter.set_tensor(self._image, self.input)
            self._interpreter.invoke()
            np.copyto(self.output, self._interpreter.tensor(self._alpha)())
        except Exception as error:
            raise BackendError(f"LiteRT failed while running ({last_line(error)}).") from error

    def close(self) -> None:
        del self._interpreter


def load(path: Path, device: str = "CPU", threads: int = 0) -> LiteRtSession:
    """Load a TFLite network; the only device is "CPU"."""
    if device != "CPU":
        raise BackendError(f"LiteRT has no device {device!r} here; choose CPU.")
    return LiteRtSession(path, threads)


def takes_graphs(device: str) -> bool:
    """Never: a TFLite file is a network alone."""
    return False
