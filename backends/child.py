"""Probe and measure backends in a child process, so that a driver that crashes or hangs is a finding, not an exit.

Run as `python -m backends.child probe NAME` or `… measure NAME PATH DEVICE THREADS PICTURE`, PICTURE a `.npy` of the
network's input (h, w, 3); prints one line of JSON.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from backends import NO_WINDOW, Availability, BackendError, Device, get_backend

PROBE_SECONDS, MEASURE_SECONDS = 30.0, 120.0
"""How long a child may take. Probing is a second; the slowest load is TensorRT building an engine the first time, which
takes up to a minute for networks of this size by its documentation."""

POLL_SECONDS = 0.1
"""Pause between two looks at whether the answer is still wanted."""

KILL_SECONDS = 1.0
"""A child that is killed is gone in milliseconds, or never."""

WARM_UP, RUNS, WINDOW, SECONDS = 3, 48, 8, 1.5
"""Runs before measuring; runs while measuring, at most so many, at least a window of so few, and none begun after so
many seconds. The quietest window counts: what else runs on the machine just now (a browser that starts) only ever adds,
and the choice is for good."""


class Cancelled(Exception):
    """Nobody wants the answer any more; the child was ended."""


def never() -> bool:
    """The answer stays wanted."""
    return False


def ask(arguments: list[str], seconds: float, cancelled: Callable[[], bool] = never) -> dict[str, Any]:
    """Run a module of ours in a child and return the JSON it prints last.

    Args:
        arguments: what follows `python -m`.
        seconds: the time limit.
        cancelled: looked at now and then; True ends the child.

    Raises:
        BackendError: the child crashed, hung or said why it could not.
        Cancelled: the answer is not wanted any more.
    """
    root = Path(__file__).parent.parent
    end = time.monotonic() + seconds
    command, pipe = [sys.executable, "-m", *arguments], subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=root, creationflags=NO_WINDOW)
    while True:
        try:
            out, err = process.communicate(timeout=POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if cancelled():
                _end(process)
                raise Cancelled from None
            if time.monotonic() > end:
                _end(process)
                raise BackendError(f"it did not answer within {seconds:.0f} s: update the device's driver") from None
    try:
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        last = (err.strip().splitlines() or ["no message"])[-1]
        raise BackendError(f"it crashed (exit status {process.returncode}): {last}") from None
    if "error" in answer:
        raise BackendError(answer["error"])
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    """End a child; one that hangs inside its driver in the kernel cannot be ended and is left to itself."""
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=KILL_SECONDS)


def probe(name: str, cancelled: Callable[[], bool] = never) -> Availability:
    """What the backend's `probe` says; a crash or a hang is an `Availability` with a problem.

    Raises:
        Cancelled: the answer is not wanted any more.
    """
    try:
        answer = ask(["backends.child", "probe", name], PROBE_SECONDS, cancelled)
    except BackendError as error:
        return Availability(problem=f"{name}: {error}")
    devices = tuple(Device(**device | {"precisions": tuple(device["precisions"])}) for device in answer["devices"])
    return Availability(answer["version"], devices, answer["problem"], tuple(answer["missing"]))


def measure(
    name: str, path: Path, device: str, threads: int, picture: Path, cancelled: Callable[[], bool] = never
) -> tuple[dict[str, float], NDArray[np.bool_]]:
    """Measure a network on a device, with a picture as its input.

    Returns:
        `ms`, `p95`, `cpu_ms`, `load_ms` and `memory`, as `backends.choice.Outcome`; and the picture's mask, flat: where
        the network's answer is above 0.5.

    Raises:
        BackendError: it cannot run there, crashed or hung.
        Cancelled: the answer is not wanted any more.
    """
    arguments = ["backends.child", "measure", name, str(path), device, str(threads), str(picture)]
    answer = ask(arguments, MEASURE_SECONDS, cancelled)
    mask = np.frombuffer(base64.b64decode(answer.pop("mask")), np.uint8)
    return answer, np.unpackbits(mask).view(np.bool_)


def _measure_here(name: str, path: str, device: str, threads: str, picture: str) -> dict[str, Any]:
    process, start = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    session = get_backend(name).load(Path(path), device, int(threads))
    session.input[0] = np.load(picture)
    session.run()
    load = time.perf_counter() - start
    for _ in range(WARM_UP):
        session.run()
    times: list[float] = []
    cpu, begin = time.process_time(), time.perf_counter()
    while len(times) < RUNS and (len(times) < WINDOW or time.perf_counter() - begin < SECONDS):
        start = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - start)
    cpu = (time.process_time() - cpu) / len(times)
    memory = process.memory_info().rss - before
    mask = base64.b64encode(np.packbits(session.output > 0.5).tobytes()).decode()
    session.close()
    quietest = np.median(np.lib.stride_tricks.sliding_window_view(times, WINDOW), axis=1).min()
    figures = {"ms": float(quietest) * 1e3, "p95": float(np.percentile(times, 95)) * 1e3, "cpu_ms": cpu * 1e3}
    return figures | {"load_ms": load * 1e3, "memory": memory / 2**20, "mask": mask}


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
