"""Measures each way to run a network once on this machine, and remembers until something that matters changes."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import BACKENDS, Availability, BackendError, cache_folder, child, get_backend
from backends.choice import Outcome
from backends.tiers import Candidate, Network, Pin, candidates, cores, place

AGREE = 95.0
"""A way whose mask agrees less with the CPU's is wrong: int8 files agree by 99.7 (`greenroom bench backends`), while a
driver's or a converter's fault is seldom a small one."""

Entry = dict[str, Any]
"""An outcome as it is kept: its fields, and under "runtime" and "file" what it depends on."""


def cache_path() -> Path:
    """Where measurements are remembered."""
    return cache_folder() / "selection.json"


def probe_all(cancelled: Callable[[], bool] = child.never) -> dict[str, Availability]:
    """What each backend has here, each asked in a child of its own, all at once.

    Raises:
        Cancelled: `cancelled` said so meanwhile.
    """
    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        return dict(zip(BACKENDS, pool.map(lambda name: child.probe(name, cancelled), BACKENDS), strict=True))


def preliminary(networks: Sequence[Network], pin: Pin, *, quickest: bool = True) -> list[Candidate]:
    """What to try while nothing is measured: each backend's CPU, in `BACKENDS`' order, fp32, half the cores.

    Args:
        networks: the files there are.
        pin: what the user holds fast.
        quickest: the cheapest tier first, else the best.
    """
    device = "CPU" if pin.device == "auto" else pin.device
    threads = pin.threads or min(4, max(1, cores() // 2))
    ranked = sorted(networks, key=lambda n: place(n.tier), reverse=quickest)
    ways = [
        Candidate(name, device, threads, network.model, network.precision)
        for network in ranked
        for name in BACKENDS
        if network.format == get_backend(name).FORMAT and get_backend(name).knows(device)
    ]
    # What every CPU runs the same, before what may be slow or wrong on this one.
    return sorted((way for way in ways if pin.allows(way)), key=lambda way: way.precision != "fp32")


def measured(
    networks: Sequence[Network],
    pin: Pin,
    picture: Callable[[str], Path],
    *,
    found: Mapping[str, Availability] | None = None,
    again: bool = False,
    cancelled: Callable[[], bool] = child.never,
) -> list[Outcome]:
    """Measure all candidates, one after the other, each in a child process; what is known is not measured again.

    Each outcome is kept at once, with the runtime's version, the device, its driver, the system, and the file's size
    and time: a change of any repeats the measurement of what depends on it.

    Args:
        networks: the files there are.
        pin: what the user holds fast.
        picture: gives a model's picture to run it on, a `.npy` of its input (h, w, 3); asked for only when needed.
        found: what `probe_all` found, when that is known already.
        again: measure also what is known.
        cancelled: looked at now and then; True ends the measurement, and what it has so far is kept.

    Raises:
        Cancelled: it was.
    """
    found = probe_all(cancelled) if found is None else found
    files = {(n.model, n.format, n.precision): n.path for n in networks}
    kept, outcomes = _read(), []
    judge = _Judge(networks, picture, cancelled)
    for candidate in candidates(found, networks, pin, cores()):
        path = files[candidate.model, get_backend(candidate.backend).FORMAT, candidate.precision]
        depends = {"runtime": _runtime(found[candidate.backend], candidate.device), "file": _stamp(path)}
        outcome = None if again else _recall(kept, candidate, depends)
        if outcome is None:
            outcome = judge.measure(candidate, path)
            kept = [e for e in kept if _candidate(e) != candidate] + [asdict(outcome) | depends]
            _write(kept)
        outcomes.append(outcome)
    return outcomes


def remembered(networks: Sequence[Network], pin: Pin) -> list[Outcome]:
    """What was measured of these files, without probing anything: what could not run is left out.

    It may be out of date (a new driver): good enough to start with while `measured` looks again.
    """
    stamps = {(n.model, n.precision, n.format): _stamp(n.path) for n in networks}
    outcomes = []
    for entry in _read():
        candidate = _candidate(entry)
        if candidate is None or candidate.backend not in BACKENDS or not pin.allows(candidate):
            continue
        if not pin.threads and candidate.threads > cores():
            continue  # it was asked for once, by number; nobody would choose it
        stamp = stamps.get((candidate.model, candidate.precision, get_backend(candidate.backend).FORMAT))
        outcome = _recall([entry], candidate, {"file": stamp})
        if outcome is not None and not outcome.problem:
            outcomes.append(outcome)
    return outcomes


class _Judge:
    """Measures candidates, and compares their masks with those of the network's fp32 file on the CPU."""

    def __init__(
        self, networks: Sequence[Network], picture: Callable[[str], Path], cancelled: Callable[[], bool]
    ) -> None:
        self._whole = {n.model: n.path for n in networks if (n.format, n.precision) == ("onnx", "fp32")}
        self._picture, self._cancelled = picture, cancelled
        self._masks: dict[str, NDArray[np.bool_] | None] = {}

    def measure(self, candidate: Candidate, path: Path) -> Outcome:
        """Measure a candidate; one whose mask is another has a problem."""
        try:
            figures, mask = self._run(candidate, path)
            if candidate == _judges(candidate.model):
                self._masks[candidate.model] = mask
            reference = self._reference(candidate.model)
        except BackendError as error:
            return Outcome(candidate, problem=str(error))
        agreement = None if reference is None else 100 * iou(mask, reference)
        wrong = agreement is not None and agreement < AGREE
        problem = f"its masks are wrong here (J {agreement:.0f} with those of the CPU)" if wrong else ""
        return Outcome(candidate, **figures, agreement=agreement, problem=problem)

    def _run(self, candidate: Candidate, path: Path) -> tuple[dict[str, float], NDArray[np.bool_]]:
        picture = self._picture(candidate.model)
        return child.measure(candidate.backend, path, candidate.device, candidate.threads, picture, self._cancelled)

    def _reference(self, model: str) -> NDArray[np.bool_] | None:
        """The mask by ONNX Runtime on the CPU, None where that cannot be had."""
        if model not in self._masks:
            self._masks[model] = None
            if path := self._whole.get(model):
                with contextlib.suppress(BackendError):  # said when it is measured itself
                    _, self._masks[model] = self._run(_judges(model), path)
        return self._masks[model]


def _judges(model: str) -> Candidate:
    """Whose masks the others' are compared with."""
    return Candidate("onnxruntime", "CPU", 1, model)


def iou(mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """J, the intersection over the union of two masks of one shape, 1 where both are empty."""
    union = int((mask | reference).sum())
    return int((mask & reference).sum()) / union if union else 1.0


def _runtime(availability: Availability, device: str) -> Entry:
    """What of the machine a measurement depends on; the system's release stands for drivers that tell no version."""
    (facts,) = (asdict(d) for d in availability.devices if d.id == device)
    facts["precisions"] = list(facts["precisions"])  # as it comes back from the file
    return facts | {"version": availability.version, "system": platform.platform(), "cores": cores()}


def _stamp(path: Path) -> list[Any]:
    stat = path.stat()
    return [str(path), stat.st_size, stat.st_mtime]


def _candidate(entry: Entry) -> Candidate | None:
    try:
        return Candidate(**entry["candidate"])
    except (KeyError, TypeError):
        return None


def _recall(kept: Iterable[Entry], candidate: Candidate, depends: Mapping[str, Any]) -> Outcome | None:
    """The candidate's outcome among these, None where there is none or what it depends on has changed."""
    for entry in kept:
        if _candidate(entry) == candidate and all(entry.get(name) == fact for name, fact in depends.items()):
            figures = {k: v for k, v in entry.items() if k not in ("candidate", "runtime", "file")}
            try:
                return Outcome(candidate, **figures)
            except TypeError:
                return None
    return None


def _read() -> list[Entry]:
    try:
        kept = json.loads(cache_path().read_text(encoding="utf-8"))["outcomes"]
        return [entry for entry in kept if isinstance(entry, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write(entries: list[Entry]) -> None:
    """Keep the outcomes; a cache folder that cannot be written to only means measuring again next time."""
    try:
        cache_path().parent.mkdir(parents=True, exist_ok=True)
        temporary = cache_path().with_suffix(".tmp")
        temporary.write_text(json.dumps({"outcomes": entries}, indent=1), encoding="utf-8")
        temporary.replace(cache_path())
    except OSError:
        return
