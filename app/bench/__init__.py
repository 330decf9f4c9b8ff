"""`greenroom bench`: what this machine can do, measured; never asserted in a test. One module a bench.

What BENCHMARKS.md says of speed, memory and energy comes from here. Milliseconds hold for one machine at one time, so
what is compared is measured side by side in one run, its rounds interleaved.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.bench import backends, compose, ladder, memory, peer, pipeline, start
from app.bench.common import Results, machine

TEXTS: dict[str, Callable[[Any], list[str]]] = {
    "compose": compose.text,
    "backends": backends.text,
    "pipeline": pipeline.text,
    "ladder": ladder.text,
    "peer": peer.text,
    "start": start.text,
    "memory": memory.text,
}
"""Each bench, and how its results become lines of Markdown."""


def measure(what: str, *, frames: int, minutes: float, peer_model: Path | None = None) -> Results:
    """Measure `what`: one of `TEXTS`, or "all" of them but the long last.

    Args:
        frames: frames a measurement.
        minutes: length of the memory test.
        peer_model: the network of the loop that "peer" compares with, None without it.

    Raises:
        GreenroomError: `peer_model` cannot be used.
    """
    parts: dict[str, Callable[[], Any]] = {
        "compose": lambda: compose.measure(frames),
        "backends": lambda: backends.measure(frames),
        "pipeline": lambda: pipeline.measure(frames),
        "ladder": lambda: ladder.measure(frames),
        "peer": lambda: peer.measure(frames, peer_model),
        "start": start.measure,
        "memory": lambda: memory.measure(minutes),
    }
    chosen = [name for name in parts if what == name or (what == "all" and name != "memory")]
    if peer_model and "peer" in chosen:
        peer.PlainLoop(peer_model).close()  # a wrong file must not cost the minutes that the other parts take
    return {"machine": machine()} | {name: parts[name]() for name in chosen}


def text(results: Results) -> str:
    """The results as Markdown tables."""
    m = results["machine"]
    lines = [f"{m['cpu']}, {m['cores']} cores, {m['system']}, Python {m['python']}, OpenCV {m['opencv']}"]
    for name, part in TEXTS.items():
        if name in results:
            lines += ["", *part(results[name])]
    return "\n".join(lines)
