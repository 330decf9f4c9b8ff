"""Where a network runs: one contract, one file a runtime, one selector.

The contract, for whoever writes the next backend (a module of this package, named in `BACKENDS`):

- `probe() -> Availability` says which devices there are, or why none and what would cure it. It may crash or hang with
  a bad driver: call it through `backends.child.probe`, which runs it in a child process with a time limit.
- `knows(device)` says whether a device of this name could be this backend's, on some machine.
- `load(path, device, threads) -> Session` loads a network file on one of those devices. `threads` 0 lets the runtime
  choose. It raises `BackendError` with the cure when it cannot.
- `takes_graphs(device)` says whether a whole frame's graph (`app.compose.graph`) had better run there than a network
  alone, i.e. whether it is a GPU; `load_graph(graph, device, threads, carried) -> Graph` loads one, an ONNX file's
  bytes. `carried` maps outputs to the inputs that they are in the next run, all float32 and at first 0.
- A `Session` owns two arrays, `input` and `output`, that stay the same for its life. Fill `input`, call `run`, read
  `output`: nothing is copied where the runtime allows that. A run leaves `input` as it is, and `output` is the caller's
  to change until the next. One thread uses it at a time; it may be loaded on one
  thread and handed to another. `close` is called once. A session whose runtime works asynchronously also has `start`
  and `wait` (`AsyncSession`); `backends.request.Request` gives any session both, and a time limit.

Networks come as plain paths: backends know nothing of manifests, models know nothing of runtimes.
"""

from __future__ import annotations

import hashlib
import importlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import platformdirs
from numpy.typing import NDArray

from backends import telemetry

telemetry.forbid()  # before any runtime is imported: each is imported where it is used, and only after this package


class BackendError(Exception):
    """A runtime cannot be used; the message says why and what cures it."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device a runtime can use.

    Attributes:
        id: what `load` takes.
        name: what the vendor calls it.
        kind: its class, which decides what is worth measuring on it (`backends.tiers`): "cpu", "gpu" with memory of its
            own, "igpu", "npu", "hetero" (several, each taking the operations it can), "auto" (the runtime chooses).
        driver: its driver's version, "" where the runtime does not tell or there is none.
        memory: MiB of its own, 0 where it shares the computer's.
        precisions: what it is good at; "fp32" runs everywhere.
    """

    id: str
    name: str
    kind: str = "cpu"
    driver: str = ""
    memory: int = 0
    precisions: tuple[str, ...] = ("fp32",)


@dataclass(frozen=True, slots=True)
class Availability:
    """What `probe` found: the runtime's version and devices, or in `problem` why there are none, with the cure.

    `missing` holds what devices that are there still lack, each with its cure.
    """

    version: str = ""
    devices: tuple[Device, ...] = ()
    problem: str = ""
    missing: tuple[str, ...] = ()


class Session(Protocol):
    """A loaded network: see the module's text for the contract."""

    input: NDArray[Any]
    output: NDArray[np.float32]

    def run(self) -> None: ...

    def close(self) -> None: ...


class AsyncSession(Session, Protocol):
    """A session whose runtime works on its own while the caller goes on; between the two `input` is left alone."""

    def start(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Wait for the end of what `start` began; False when it has not come in time."""


class Graph(Protocol):
    """A loaded graph of several inputs and outputs, some of which stay on the device from run to run.

    Only `run`, `carried` and `close` may wait for the device. The arrays live as long as the graph: a driver may write
    to them when nobody waits any more.
    """

    def hold(self, name: str, array: NDArray[Any]) -> None:
        """Hand an input over once, in the next run; it stays until another takes its place."""

    def bind(self, given: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]]) -> None:
        """Name the arrays that the next runs read, each run anew, and those that they write."""

    def run(self) -> None: ...

    def carried(self, name: str) -> NDArray[np.float32]:
        """A copy of what the last run left for the next."""

    def close(self) -> None: ...


class Backend(Protocol):
    """What each backend module offers. `FORMAT` is the file format it loads: "onnx" or "tflite"."""

    FORMAT: str

    def probe(self) -> Availability: ...

    def knows(self, device: str) -> bool: ...

    def load(self, path: Path, device: str, threads: int) -> Session: ...

    def takes_graphs(self, device: str) -> bool: ...


class GraphBackend(Backend, Protocol):
    """A backend that takes graphs on some device."""

    def load_graph(self, graph: bytes, device: str, threads: int, carried: Mapping[str, str]) -> Graph: ...


BACKENDS = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "litert": "LiteRT with XNNPACK",
}
"""Module name in this package → what users call it, in the order of preference while nothing is measured.

ONNX Runtime first: it loads in a quarter of OpenVINO's time, so the first mask comes soonest.
"""


NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""On Windows a child of a program without a console would open one."""


def run(command: Sequence[str], seconds: float) -> str:
    """What a program of the system prints.

    Raises:
        OSError: there is no such program.
        SubprocessError: it failed, or took too long.
    """
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=True, creationflags=NO_WINDOW
    ).stdout


def get_backend(name: str) -> Backend:
    """The backend of this name; importing it does not load its runtime.

    Raises:
        BackendError: there is none of this name.
    """
    if name not in BACKENDS:
        raise BackendError(f"there is no backend {name!r}; choose one of: {', '.join(BACKENDS)}")
    return cast(Backend, importlib.import_module(f"backends.{name}"))


def last_line(error: Exception) -> str:
    """An error's message for people: of a runtime's stack of messages the last says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)


def cache_folder() -> Path:
    """Where measurements and compiled networks are kept."""
    return Path(platformdirs.user_cache_dir("greenroom", appauthor=False))


def compiled_folder(runtime: str, version: str, network: Path) -> str:
    """Where a runtime keeps what it compiles of a network, "" where nothing can be kept.

    A folder for each network's content and runtime's version: CoreML knows its networks again by their path, TensorRT
    by their structure, so that old weights would run in the place of new ones.
    """
    try:
        digest = hashlib.sha256(network.read_bytes()).hexdigest()[:16]
        folder = cache_folder() / runtime / f"{digest}-{version}"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""  # it only means compiling again
    return str(folder)


def cpu_name() -> str:
    """What the processor calls itself, "CPU" where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        import platform

        return platform.processor() or "CPU"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "CPU")
