"""`greenroom bench memory`: flat, or it leaks."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil
from tqdm import tqdm

from app.bench.common import Results, settle, until
from app.pipeline import Pipeline
from app.settings import Settings


def measure(minutes: float) -> Results:
    """Resident memory of the whole program over time, in MiB: flat, or it leaks."""
    with tempfile.TemporaryDirectory() as folder:
        sinks = ("null", str(Path(folder) / "out.mp4"))
        running = Pipeline(Settings().replace(source="clip", sinks=sinks))
        running.start()
        until(lambda: not running.status().protected)
        settle(running)
        samples = []
        for _ in tqdm(range(max(2, round(minutes * 6))), desc="memory", disable=not sys.stderr.isatty(), leave=False):
            time.sleep(10)
            samples.append(psutil.Process().memory_info().rss / 2**20)
        status = running.status()
        running.stop()
    return {
        "minutes": minutes,
        "published": status.published,
        "dropped": status.dropped,
        "mib": {"first": samples[0], "last": samples[-1], "most": max(samples), "samples": samples},
    }


def text(row: Results) -> list[str]:
    """The results as lines of Markdown."""
    mib = row["mib"]
    line = f"Memory over {row['minutes']:g} minutes ({row['published']} pictures, {row['dropped']} dropped): "
    return [line + f"{mib['first']:.0f} MiB at first, {mib['last']:.0f} at last, {mib['most']:.0f} at most"]
