"""What NVIDIA's driver and libraries say: the GPU, its driver, and the library that is missing."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends import run

WINDOWS = sys.platform == "win32"

QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader,nounits")
"""`nvidia-smi` comes with every driver. The first GPU it names is CUDA's device 0 unless the user reordered them."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first NVIDIA GPU: `memory` in MiB, `precisions` as `backends.Device` has them."""

    name: str
    driver: str
    memory: int
    precisions: tuple[str, ...]


def gpu() -> Gpu | None:
    """The first NVIDIA GPU, None where the driver names none."""
    try:
        answer = run(QUERY, 10)
        name, driver, memory, capability = (part.strip() for part in answer.splitlines()[0].split(","))
        generation = float(capability)
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
    # CUDA's programming guide, "arithmetic instructions": half precision at speed from 5.3 on, but not on 6.1.
    precisions = ("fp16", "fp32") if generation >= 5.3 and generation != 6.1 else ("fp32",)
    return Gpu(name, driver, int(float(memory)), precisions)


def has_driver() -> bool:
    """Whether NVIDIA's driver is installed."""
    try:
        ctypes.CDLL("nvcuda.dll" if WINDOWS else "libcuda.so.1")
    except OSError:
        return False
    return True


def preload(runtime: Any) -> str:
    """Load CUDA's, cuDNN's and TensorRT's libraries from NVIDIA's wheels; the system's are found without.

    Returns:
        What ONNX Runtime said about libraries it found nowhere.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints, which would end up in the output of --json
        runtime.preload_dlls()
    for path in _tensorrt_libraries():
        with contextlib.suppress(OSError):  # the provider itself then names what is missing
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return said.getvalue()


def _tensorrt_libraries() -> list[Path]:
    """TensorRT's libraries in NVIDIA's wheel, those first that others need."""
    spec = importlib.util.find_spec("tensorrt_libs")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        return []
    pattern = "nvinfer{}_*.dll" if WINDOWS else "libnvinfer{}.so.*"
    parser = "nvonnxparser_*.dll" if WINDOWS else "libnvonnxparser.so.*"
    names = [pattern.format(""), pattern.format("_plugin"), parser]
    return [path for name in names for path in sorted(Path(next(iter(folders))).glob(name))]


def why_not(runtime: Any, library: str, install: str) -> str:
    """What a provider's library lacks here, with the cure; "" where there is no driver: nothing is lacking then.

    Args:
        runtime: the module `onnxruntime`.
        library: the provider's library beside it, without prefix and suffix.
        install: the command that installs what it needs.
    """
    if not has_driver():
        return ""
    path = Path(runtime.__file__).parent / "capi" / (f"{library}.dll" if WINDOWS else f"lib{library}.so")
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        return f"{error}. Install it: {install}"
    return f"the driver or the chip is too old. Update NVIDIA's driver, or: {install}"
