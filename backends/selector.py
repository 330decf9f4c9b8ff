"""Which backend is fastest on this machine: measured once, remembered until something that matters changes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from backends import BACKENDS, BackendError, child, get_backend


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to run a network: `ms` is the measured median, None where it could not run, and then `problem` says why."""

    backend: str
    device: str
    threads: int
    ms: float | None = None
    problem: str = ""

    def __str__(self) -> str:
        return f"{BACKENDS[self.backend]} on {self.device}"


def default_threads() -> int:
    """Half the cores, at most 4: the camera, the compositor and the call need the others."""
    return min(4, max(1, (os.cpu_count() or 2) // 2))


def cache_path() -> Path:
    """Where measurements are remembered."""
    return Path(platformdirs.user_cache_dir("greenroom", appauthor=False)) / "selection.json"


def preliminary(files: Mapping[str, Path], threads: int = 0) -> list[Candidate]:
    """What to try while nothing is measured: each backend's CPU, in the table's order.

    Args:
        files: the network's file for each format.
        threads: 0 for `default_threads`.
    """
    usable = [name for name in BACKENDS if get_backend(name).FORMAT in files]
    return [Candidate(name, "CPU", threads or default_threads()) for name in usable]


def measured(files: Mapping[str, Path], threads: int = 0) -> list[Candidate]:
    """All candidates, measured, the fastest first and those that cannot run last.

    Each runs in a child process, one after the other. The outcome is kept with the runtimes' versions, the devices and
    the networks' size and time; a change of any repeats the measurement.
    """
    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        found = dict(zip(BACKENDS, pool.map(child.probe, BACKENDS), strict=True))
    fingerprint = {
        "probe": {name: asdict(availability) for name, availability in found.items()},
        "files": {format: [str(p), p.stat().st_size, p.stat().st_mtime] for format, p in files.items()},
        "threads": threads or default_threads(),
    }
    known = _recall(fingerprint)
    if known is not None:
        return known
    candidates = []
    for name, availability in found.items():
        path = files.get(get_backend(name).FORMAT)
        if availability.problem:
            candidates.append(Candidate(name, "CPU", 0, problem=availability.problem))
        elif path is not None:
            devices = [device.id for device in availability.devices]
            candidates += [_measure(name, path, device, threads or default_threads()) for device in devices]
    candidates.sort(key=lambda c: float("inf") if c.ms is None else c.ms)
    _remember(fingerprint, candidates)
    return candidates


def remembered(files: Mapping[str, Path], threads: int = 0) -> list[Candidate]:
    """The last measurement of these files without probing anything, [] when there is none.

    It may be out of date (a new driver): good enough to start with while `measured` looks again.
    """
    try:
        kept = json.loads(cache_path().read_text(encoding="utf-8"))
        if kept["fingerprint"]["threads"] != (threads or default_threads()):
            return []
        if {format: str(path) for format, path in files.items()} != {
            format: entry[0] for format, entry in kept["fingerprint"]["files"].items()
        }:
            return []
        return [c for entry in kept["candidates"] if (c := Candidate(**entry)).ms is not None]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _measure(name: str, path: Path, device: str, threads: int) -> Candidate:
    try:
        return Candidate(name, device, threads, ms=child.measure(name, path, device, threads))
    except BackendError as error:
        return Candidate(name, device, threads, problem=str(error))


def _recall(fingerprint: dict[str, Any]) -> list[Candidate] | None:
    try:
        kept = json.loads(cache_path().read_text(encoding="utf-8"))
        if json.dumps(kept["fingerprint"], sort_keys=True) != json.dumps(fingerprint, sort_keys=True):
            return None
        return [Candidate(**entry) for entry in kept["candidates"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(fingerprint: dict[str, Any], candidates: Sequence[Candidate]) -> None:
    """Keep the outcome; a cache folder that cannot be written to only means measuring again next time."""
    try:
        cache_path().parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"fingerprint": fingerprint, "candidates": [asdict(c) for c in candidates]})
        temporary = cache_path().with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(cache_path())
    except OSError:
        return
