"""OpenVINO on the CPU, Intel GPUs and NPUs; input and output tensors live in our arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from backends import Availability, BackendError, Device, last_line

FORMAT = "onnx"
CURE = "Reinstall Greenroom (the package openvino is part of it) and update the device's driver."


def _core() -> Any:
    try:
        import openvino

        return openvino.Core()
    except Exception as error:
        raise BackendError(f"OpenVINO cannot be started ({last_line(error)}). {CURE}") from error


def probe() -> Availability:
    """Every device that OpenVINO lists: "CPU", "GPU" or "GPU.0", "NPU"."""
    try:
        import openvino

        core = _core()
        devices = tuple(Device(d, core.get_property(d, "FULL_DEVICE_NAME")) for d in core.available_devices)
        return Availability(str(openvino.__version__).split("-")[0], devices)
    except Exception as error:
        return Availability(problem=f"OpenVINO cannot list its devices ({last_line(error)}). {CURE}")


class OpenVinoSession:
    """A network in OpenVINO, compiled for the lowest latency of one frame at a time."""

    def __init__(self, path: Path, device: str, threads: int) -> None:
        core = _core()
        config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if device == "CPU":
            # The hint alone may choose bf16 where the chip has it; measured slower without AMX, and masks must agree.
            config["INFERENCE_PRECISION_HINT"] = "f32"
            if threads:
                config["INFERENCE_NUM_THREADS"] = threads
        else:
            config["CACHE_DIR"] = platformdirs.user_cache_dir("greenroom", appauthor=False)
        try:
            import openvino

            compiled = core.compile_model(str(path), device, config)
            self.input = np.zeros(tuple(compiled.input(0).shape), compiled.input(0).element_type.to_dtype())
            self.output = np.zeros(tuple(compiled.output(0).shape), np.float32)
            self._request = compiled.create_infer_request()
            self._request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))
            self._request.set_output_tensor(openvino.Tensor(self.output, shared_memory=True))
        except Exception as error:
            raise BackendError(f"OpenVINO cannot load {path.name} on {device} ({last_line(error)}). {CURE}") from error

    def run(self) -> None:
        try:
            self._request.infer()
        except Exception as error:
            raise BackendError(f"OpenVINO failed while running ({last_line(error)}).") from error

    def close(self) -> None:
        del self._request


def load(path: Path, device: str = "CPU", threads: int = 0) -> OpenVinoSession:
    """Load an ONNX network on one of `probe`'s devices."""
    return OpenVinoSession(path, device, threads)
