"""OpenVINO on the CPU, Intel's GPUs and NPUs, and several of them together; its tensors live in our arrays."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import Availability, BackendError, Device, compiled_folder, last_line

FORMAT = "onnx"
CURE = "Reinstall Greenroom (the package openvino is part of it) and update the device's driver."

SYSTEM = Path("/")
"""Where the system's files are: a test puts its own there."""

INTEL = "0x8086"
"""Intel's number on the PCI bus."""

_PRECISIONS = {"FP32": "fp32", "FP16": "fp16", "INT8": "int8"}
"""OpenVINO's names of what a device is good at → ours; others (BF16, BIN, WINOGRAD) are no files of ours."""


def _core() -> Any:
    try:
        import openvino

        return openvino.Core()
    except Exception as error:
        raise BackendError(f"OpenVINO cannot be started ({last_line(error)}). {CURE}") from error


def probe() -> Availability:
    """Every device that OpenVINO lists ("CPU", "GPU" or "GPU.0", "NPU"), and combinations where there are several.

    HETERO gives each device the operations it can run, in the order named; AUTO chooses one by itself.
    """
    try:
        import openvino

        core = _core()
        devices = [_device(core, id) for id in core.available_devices]
        version = _version(openvino)
    except Exception as error:
        return Availability(problem=f"OpenVINO cannot list its devices ({last_line(error)}). {CURE}")
    missing = _missing({device.id.split(".")[0] for device in devices})
    if len(devices) > 1:
        order = sorted(devices, key=lambda d: ("npu", "gpu", "igpu", "cpu").index(d.kind))
        together = ",".join(device.id for device in order)
        devices.append(Device(f"HETERO:{together}", "each operation where it can run", "hetero"))
        devices.append(Device("AUTO", "OpenVINO's own choice", "auto"))
    return Availability(version, tuple(devices), missing=missing)


def _version(runtime: Any) -> str:
    return str(runtime.__version__).split("-")[0]


def _device(core: Any, id: str) -> Device:
    def tell(name: str, otherwise: Any) -> Any:
        """A property of the device: which there are depends on the plugin."""
        try:
            return core.get_property(id, name)
        except Exception:
            return otherwise

    kind = id.split(".")[0].lower()
    if kind == "gpu" and "integrated" in str(tell("DEVICE_TYPE", "")).lower():
        kind = "igpu"
    good_at = tuple(_PRECISIONS[c] for c in tell("OPTIMIZATION_CAPABILITIES", ()) if c in _PRECISIONS)
    return Device(
        id,
        str(tell("FULL_DEVICE_NAME", id)),
        kind if kind in ("cpu", "igpu", "npu") else "gpu",
        driver=str(tell("NPU_DRIVER_VERSION", "")),
        memory=int(tell("GPU_DEVICE_TOTAL_MEM_SIZE", 0)) >> 20 if kind == "gpu" else 0,
        precisions=tuple(sorted({"fp32", *good_at})),
    )


def _missing(found: set[str]) -> tuple[str, ...]:
    """Intel's devices on the bus that OpenVINO does not see, with the cure; on other systems none is known."""
    if sys.platform != "linux":
        return ()
    missing = []
    if "GPU" not in found and _has_intel("class/drm", "render*"):
        nodes = list((SYSTEM / "dev/dri").glob("renderD*"))
        if nodes and not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
            cure = "you may not use it: sudo usermod -aG render $USER, then log in again"
        else:
            cure = "its compute driver is missing: sudo apt install intel-opencl-icd"
        missing.append(f"Intel GPU: {cure}")
    if "NPU" not in found and _has_intel("class/accel", "accel*"):
        cure = (
            "install its driver (packages intel-driver-compiler-npu and intel-level-zero-npu of intel/linux-npu-driver)"
        )
        missing.append(f"Intel NPU: {cure}")
    return tuple(missing)


def _has_intel(folder: str, name: str) -> bool:
    vendors = (SYSTEM / "sys" / folder).glob(f"{name}/device/vendor")
    return any(vendor.read_text(encoding="ascii").strip() == INTEL for vendor in vendors)


def knows(device: str) -> bool:
    """A plugin's name, with a number ("GPU.1") or a list ("HETERO:GPU,CPU") where it takes one."""
    return device.split(".")[0].split(":")[0] in ("CPU", "GPU", "NPU", "AUTO", "HETERO")


class OpenVinoSession:
    """A network in OpenVINO, compiled for the lowest latency of one frame at a time."""

    def __init__(self, path: Path, device: str, threads: int) -> None:
        core = _core()
        if device.split(":")[0] not in (*core.available_devices, "GPU", "AUTO", "HETERO"):
            raise BackendError(
                f"there is no {device} here, only: {', '.join([*core.available_devices, *_missing(set())])}"
            )
        try:
            import openvino

            network = core.read_model(str(path))
            if network.is_dynamic():
                network.reshape([1, *list(network.input(0).partial_shape)[1:]])
            folder = compiled_folder("openvino", _version(openvino), path)
            compiled = core.compile_model(network, device, _configuration(device, threads, folder))
            self.input = np.zeros(tuple(compiled.input(0).shape), compiled.input(0).element_type.to_dtype())
            self.output = np.zeros(tuple(compiled.output(0).shape), np.float32)
            self._request = compiled.create_infer_request()
            self._request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))
            self._request.set_output_tensor(openvino.Tensor(self.output, shared_memory=True))
        except Exception as error:
            raise BackendError(f"OpenVINO cannot load {path.name} on {device} ({last_line(error)}). {CURE}") from error

    def start(self) -> None:
        """Begin a run on OpenVINO's own threads."""
        try:
            self._request.start_async()
        except Exception as error:
            raise BackendError(f"OpenVINO failed while running ({last_line(error)}).") from error

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it has not come in time."""
        try:
            return bool(self._request.wait_for(round(seconds * 1000)))
        except Exception as error:
            raise BackendError(f"OpenVINO failed while running ({last_line(error)}).") from error

    def run(self) -> None:
        try:
            self._request.infer()
        except Exception as error:
            raise BackendError(f"OpenVINO failed while running ({last_line(error)}).") from error

    def close(self) -> None:
        del self._request


class OpenVinoGraph:
    """A graph in OpenVINO; what is carried stays in the computer's memory, which an integrated GPU shares."""

    def __init__(self, graph: bytes, device: str, threads: int, carried: Mapping[str, str]) -> None:
        try:
            core = _core()
            # A GPU computes in 16 bits by itself: too few for colours and for the sums of a blur.
            exact = {"INFERENCE_PRECISION_HINT": "f32"}
            compiled = core.compile_model(core.read_model(graph), device, _configuration(device, threads, "") | exact)
            self._request = compiled.create_infer_request()
            shapes = {name: tuple(given.shape) for given in compiled.inputs for name in given.names}
        except Exception as error:
            raise BackendError(f"OpenVINO cannot load a graph on {device} ({last_line(error)}).") from error
        self._carried = carried
        self._arrays, self._handed = dict[str, NDArray[Any]](), dict[str, NDArray[Any]]()
        self._before, self._after = (
            {name: np.zeros(shapes[given], np.float32) for name, given in carried.items()} for _ in range(2)
        )

    def _set(self, name: str, array: NDArray[Any]) -> None:
        import openvino

        self._arrays[name] = array  # OpenVINO reads and writes it in its place
        self._request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def hold(self, name: str, array: NDArray[Any]) -> None:
        self._handed[name] = array

    def bind(self, given: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]]) -> None:
        self._handed |= {**given, **wanted}

    def run(self) -> None:
        try:
            for name, array in self._handed.items():
                self._set(name, array)
            self._handed.clear()
            for name, given in self._carried.items():
                self._set(given, self._before[name])
                self._set(name, self._after[name])
            self._request.infer()
        except Exception as error:
            raise BackendError(f"OpenVINO failed while running ({last_line(error)}).") from error
        self._before, self._after = self._after, self._before

    def carried(self, name: str) -> NDArray[np.float32]:
        return self._before[name].copy()

    def close(self) -> None:
        del self._request


def _configuration(device: str, threads: int, folder: str) -> dict[str, Any]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if folder:  # compiling once is enough: `lite` loads in 30 ms instead of 200 on the CPU; GPUs take seconds
        config["CACHE_DIR"] = folder
    if device == "CPU":
        # The hint alone may choose bf16 where the chip has it; measured slower without AMX, and masks must agree.
        config["INFERENCE_PRECISION_HINT"] = "f32"
        if threads:
            config["INFERENCE_NUM_THREADS"] = threads
    return config


def load(path: Path, device: str = "CPU", threads: int = 0) -> OpenVinoSession:
    """Load an ONNX network on one of `probe`'s devices."""
    return OpenVinoSession(path, device, threads)


def takes_graphs(device: str) -> bool:
    """Intel's GPUs: an NPU is made for networks, not for pictures."""
    return device.split(".")[0] == "GPU"


def load_graph(graph: bytes, device: str, threads: int, carried: Mapping[str, str]) -> OpenVinoGraph:
    """Load a graph of several inputs and outputs."""
    return OpenVinoGraph(graph, device, threads, carried)
