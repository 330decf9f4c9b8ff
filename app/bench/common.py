"""What the benches share."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import psutil

from app.pipeline import Pipeline
from backends import cpu_name

Results = dict[str, Any]


def machine() -> Results:
    """What this is measured on."""
    return {
        "cpu": cpu_name(),
        "cores": psutil.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "load": psutil.getloadavg()[0],
    }


def until(true: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait for something; returns the time when it came."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("The pipeline did not start within a minute: run `greenroom doctor`.")
        time.sleep(0.005)
    return time.monotonic()


def settle(running: Pipeline) -> None:
    """Let the choice of the backend come to its end, which costs CPU of its own."""
    name, since = running.status().segmenter_name, time.monotonic()
    while time.monotonic() - since < 5.0:
        if running.status().segmenter_name != name:
            name, since = running.status().segmenter_name, time.monotonic()
        time.sleep(0.1)


def percentiles(seconds: list[float]) -> Results:
    p50, p95 = np.percentile(np.array(seconds) * 1e3, (50, 95))
    return {"p50": float(p50), "p95": float(p95)}
