"""Keeps a network loaded in a child process and runs it when told, so that several are measured in turns.

Run as `python -m backends.serve NAME PATH DEVICE THREADS PICTURES`, PICTURES a `.npy` of inputs (n, h, w, 3). Prints a
line of JSON once it is loaded and one for each line it reads: "run N", or "masks PATH" to write every picture's mask.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from backends import BackendError, Session, get_backend


def _load(name: str, path: str, device: str, threads: str, first: Any) -> tuple[Session, dict[str, Any]]:
    start = time.perf_counter()
    session = get_backend(name).load(Path(path), device, int(threads))
    session.input[0] = first
    session.run()
    load = time.perf_counter() - start
    return session, {"load_ms": load * 1e3, "memory": psutil.Process().memory_info().rss / 2**20}


def _run(session: Session, count: int) -> dict[str, Any]:
    times, cpu = [], time.process_time()
    for _ in range(count):
        start = time.perf_counter()
        session.run()
        times.append((time.perf_counter() - start) * 1e3)
    return {"ms": times, "cpu_ms": (time.process_time() - cpu) / count * 1e3}


def _masks(session: Session, pictures: Any, path: str) -> dict[str, Any]:
    masks = np.empty((len(pictures), *session.output.shape[1:3]), bool)
    for mask, picture in zip(masks, pictures, strict=True):
        session.input[0] = picture
        session.run()
        mask[...] = session.output[0, ..., 0] > 0.5
    np.save(path, masks)
    return {}


def main(arguments: list[str]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints is no answer
    name, path, device, threads, file = arguments
    pictures = np.load(file, mmap_mode="r")

    def answer(facts: dict[str, Any]) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    try:
        session, loaded = _load(name, path, device, threads, pictures[0])
        answer(loaded)
        for line in sys.stdin:
            verb, argument = line.strip().split(" ", 1)
            answer(_run(session, int(argument)) if verb == "run" else _masks(session, pictures, argument))
    except BackendError as error:
        answer({"error": str(error)})


if __name__ == "__main__":
    main(sys.argv[1:])
