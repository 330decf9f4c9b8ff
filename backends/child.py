"""Probe and measure backends in a child process, so that a driver that crashes or hangs is a finding, not an exit.

Run as `python -m backends.child probe NAME` or `… measure NAME PATH DEVICE THREADS`; prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends import Availability, BackendError, Device, get_backend

TIME_LIMIT = 60.0
"""Seconds a child may take. The slowest seen is OpenVINO compiling for a GPU the first time, about 20 s."""

WARM_UP, RUNS = 3, 20
"""Runs before and while measuring: the median of 20 repeats within 5 % on an otherwise idle machine."""


def _ask(*arguments: str) -> dict[str, Any]:
    """Run this module in a child and return its answer.

    Raises:
        BackendError: the child crashed, hung or said why it could not.
    """
    command = [sys.executable, "-m", "backends.child", *arguments]
    root = Path(__file__).parent.parent
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, cwd=root, check=False)
    except subprocess.TimeoutExpired:
        raise BackendError(f"it did not answer within {TIME_LIMIT:.0f} s: update the device's driver") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BackendError(f"it crashed (exit status {done.returncode}): {last}") from None
    if "error" in answer:
        raise BackendError(answer["error"])
    return answer


def probe(name: str) -> Availability:
    """What the backend's `probe` says; a crash or a hang is an `Availability` with a problem."""
    try:
        answer = _ask("probe", name)
    except BackendError as error:
        return Availability(problem=f"{name}: {error}")
    devices = tuple(Device(**device) for device in answer["devices"])
    return Availability(answer["version"], devices, answer["problem"], tuple(answer["missing"]))


def measure(name: str, path: Path, device: str, threads: int) -> float:
    """Median milliseconds of one run of the network on that device.

    Raises:
        BackendError: it cannot run there, crashed or hung.
    """
    return float(_ask("measure", name, str(path), device, str(threads))["ms"])


def _measure_here(name: str, path: str, device: str, threads: str) -> dict[str, Any]:
    session = get_backend(name).load(Path(path), device, int(threads))
    session.input[...] = np.random.default_rng(0).integers(0, 256, session.input.shape)
    times = []
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - start)
    session.close()
    return {"ms": float(np.median(times[WARM_UP:])) * 1e3}


def main(arguments: list[str]) -> None:
    try:
        verb, *rest = arguments
        with contextlib.redirect_stdout(sys.stderr):  # what a runtime prints is not the answer
            answer = asdict(get_backend(*rest).probe()) if verb == "probe" else _measure_here(*rest)
    except BackendError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
