"""What is worth measuring, as data: on which class of devices, which tier of networks, in which precisions and threads.

The table only bounds the measurement; which of its rows runs is decided by what they measured (`backends.choice`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends import BACKENDS, Availability, Device, get_backend


@dataclass(frozen=True, slots=True)
class Tier:
    """One row: on devices of `kind` networks of `tier` are tried in these precisions with these numbers of threads."""

    kind: str
    tier: str
    precisions: tuple[str, ...]
    threads: tuple[int, ...] = (1,)


ORDER = ("hd", "lite")
"""The tiers of networks, the best masks first."""

TIERS = (
    # An NPU is built for int8 and runs fp16 as well; fp32 files are converted by its compiler.
    Tier("npu", "hd", ("int8", "fp16", "fp32")),
    Tier("npu", "lite", ("int8", "fp16", "fp32")),
    # GPUs: half precision is twice as fast where there is arithmetic for it; int8 in ONNX runs dequantised there.
    Tier("gpu", "hd", ("fp16", "fp32")),
    Tier("gpu", "lite", ("fp16", "fp32")),
    Tier("igpu", "hd", ("fp16", "fp32")),
    Tier("igpu", "lite", ("fp16", "fp32")),
    Tier("hetero", "hd", ("fp16", "fp32")),
    Tier("hetero", "lite", ("fp16", "fp32")),
    # CPUs: int8 gains where the chip has VNNI or AMX. `hd` takes 0.7 to 0.8 of its time on two threads (`greenroom
    # bench backends`). More than four would leave too few cores to the compositor and the call.
    Tier("cpu", "hd", ("int8", "fp32"), (1, 2, 4)),
    Tier("cpu", "lite", ("int8", "fp32"), (1, 2)),
    # "auto" has no row: it would measure what is measured already. It can be pinned.
)


def place(tier: str) -> int:
    """A tier's place in `ORDER`, 0 the best; what is not in it comes last."""
    return ORDER.index(tier) if tier in ORDER else len(ORDER)


@dataclass(frozen=True, slots=True)
class Network:
    """One file of a network, as plain data: backends know no manifest."""

    model: str
    tier: str
    format: str
    precision: str
    path: Path


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a network."""

    backend: str
    device: str
    threads: int
    model: str = "lite"
    precision: str = "fp32"

    def __str__(self) -> str:
        return f"{BACKENDS[self.backend]} on {self.device}"

    @property
    def title(self) -> str:
        """With all that tells it from the others."""
        precision = "" if self.precision == "fp32" else f" {self.precision}"
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "CPU" else ""
        return f"{self.model}{precision} on {self}{threads}"


@dataclass(frozen=True, slots=True)
class Pin:
    """What the user holds fast: "auto", or 0 threads, leaves the choice open."""

    backend: str = "auto"
    device: str = "auto"
    model: str = "auto"
    precision: str = "auto"
    threads: int = 0

    @property
    def exact(self) -> bool:
        """Whether it leaves nothing to be measured."""
        return "auto" not in (self.backend, self.device, self.model) and self.threads > 0

    def __str__(self) -> str:
        """What is held fast, for messages; "" for nothing."""
        held = {name: getattr(self, name) for name in ("model", "backend", "device", "precision", "threads")}
        return ", ".join(f"{name} {value}" for name, value in held.items() if value not in ("auto", 0))

    def allows(self, candidate: Candidate) -> bool:
        """Whether a candidate is of this kind."""
        return (
            self.backend in ("auto", candidate.backend)
            and self.device in ("auto", candidate.device)
            and self.model in ("auto", candidate.model)
            and self.precision in ("auto", candidate.precision)
            and self.threads in (0, candidate.threads)
        )


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def candidates(
    found: Mapping[str, Availability], networks: Iterable[Network], pin: Pin, processors: int
) -> Iterator[Candidate]:
    """Every way of the table that this machine, these networks and the user allow; the best tier first.

    A pinned precision, number of threads or device counts although the table has no row for it.

    Args:
        found: what each backend's probe found.
        networks: the files there are.
        pin: what the user holds fast.
        processors: more threads than these are not tried.
    """
    ranked = sorted(networks, key=lambda n: place(n.tier))
    for network in ranked:
        for name, availability in found.items():
            if network.format != get_backend(name).FORMAT:
                continue
            for device in availability.devices:
                row = _row(device, network, pin)
                if row is None:
                    continue
                for threads in (pin.threads,) if pin.threads else (t for t in row.threads if t <= max(1, processors)):
                    candidate = Candidate(name, device.id, threads, network.model, network.precision)
                    if pin.allows(candidate):
                        yield candidate


def _row(device: Device, network: Network, pin: Pin) -> Tier | None:
    """The table's row that lets the network be tried on the device, None when there is none."""
    if device.id == pin.device and device.kind == "auto":
        return Tier("auto", network.tier, (network.precision,))
    for row in TIERS:
        if (row.kind, row.tier) == (device.kind, network.tier):
            usual = network.precision in row.precisions and network.precision in ("fp32", *device.precisions)
            return row if usual or pin.precision == network.precision else None
    return None
