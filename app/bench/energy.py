"""Joules that the machine has used, where it tells: processors through RAPL, NVIDIA's GPUs through NVML."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
NOT_HERE = "not readable here"


class Meter:
    """Counts joules from its making on.

    Args:
        powercap: where Linux keeps RAPL's counters; they are root's alone on most systems.
        nvml: loads NVIDIA's management library.
    """

    def __init__(self, powercap: Path = POWERCAP, nvml: Callable[[], Any] | None = None) -> None:
        self._counters = [*_rapl(powercap), *_nvml(nvml or _load_nvml)]
        self._begun = (time.monotonic(), self._read())

    def watts(self) -> float | None:
        """The mean power since the making; None where nothing can be read."""
        if not self._counters:
            return None
        (then, before), now = self._begun, time.monotonic()
        used = (counter.since(b) for counter, b in zip(self._counters, before, strict=True))
        return sum(used) / (now - then)

    def _read(self) -> list[float]:
        return [counter.read() for counter in self._counters]


class _Counter:
    """A counter of joules that starts anew at `wraps_at`."""

    def __init__(self, read: Callable[[], float], wraps_at: float = float("inf")) -> None:
        self.read = read
        self._wraps_at = wraps_at

    def since(self, before: float) -> float:
        now = self.read()
        return now - before if now >= before else now - before + self._wraps_at


def _rapl(powercap: Path) -> list[_Counter]:
    """One for each processor package; their parts are counted in it."""
    counters = []
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's processors are under this name too
        if zone.name.count(":") > 1 or not (zone / "name").is_file():
            continue
        if not (zone / "name").read_text().startswith("package"):
            continue
        path = zone / "energy_uj"
        try:
            path.read_text()
            wraps_at = int((zone / "max_energy_range_uj").read_text()) / 1e6
        except OSError:
            continue
        counters.append(_Counter(lambda path=path: int(path.read_text()) / 1e6, wraps_at))  # type: ignore[misc]
    return counters


def _load_nvml() -> Any:
    return ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")


def _nvml(load: Callable[[], Any]) -> list[_Counter]:
    """One for each NVIDIA GPU that counts (Volta and newer)."""
    try:
        library = load()
        count = ctypes.c_uint()
        if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return []
    except (OSError, AttributeError):
        return []
    counters = []
    for index in range(count.value):
        handle, joules = ctypes.c_void_p(), ctypes.c_ulonglong()
        library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
        if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(joules)):
            continue

        def read(handle: ctypes.c_void_p = handle) -> float:
            millijoules = ctypes.c_ulonglong()
            library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
            return millijoules.value / 1e3

        counters.append(_Counter(read))
    return counters
