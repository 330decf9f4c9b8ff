"""What the pipeline says about itself: a snapshot that the window, the command line and tests read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from app.problems import Problem

WINDOW = 300
"""Timings are kept for the last 300 frames: ten seconds at 30 fps, long enough for a steady p95."""

COUNTED_SECONDS = 2.0
"""A rate is of so long."""

MOST = 256
"""Pictures that count: at the 120 a second that the settings allow at most, 240 come in that time."""

STAGES = ("fit", "convert", "segment", "refine", "compose", "publish", "total")
"""What is timed, in the order of a frame's way: scaled to the published size; BGR → I420; the network with its
pre-processing; mask → alpha; effect and blend; written to the sinks; and all, from capture to published."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one stage over the last `WINDOW` frames."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of a running pipeline.

    Attributes:
        source: "opening", "live", "lost" or "ended".
        source_name: what the source calls itself.
        segmenter: "loading", "ready" or "failed".
        segmenter_name: model and backend, e.g. "lite on openvino (CPU)".
        protected: True while the whole frame is covered because no trusted mask exists.
        card: True while the "camera paused" card is published instead of frames.
        sinks: each sink's name, or its specification while it is not open, and "open" or "lost".
        fps: pictures published a second, over the last two seconds.
        captured: frames since the start.
        published: pictures since the start that at least one sink took.
        covered: frames whose whole picture was covered, for want of a mask that could be trusted.
        dropped: frames and pictures that were too late.
        timings: each of `STAGES` that ran → its milliseconds.
        problems: what is wrong now, most important first; empty when all is well.
    """

    source: str = "opening"
    source_name: str = ""
    segmenter: str = "loading"
    segmenter_name: str = ""
    protected: bool = True
    card: bool = True
    sinks: dict[str, str] = field(default_factory=dict)
    fps: float = 0.0
    captured: int = 0
    published: int = 0
    covered: int = 0
    dropped: int = 0
    timings: dict[str, Timing] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class Rate:
    """How often something comes; one writer, any reader."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST)

    def add(self, now: float) -> None:
        """Note that it came, in seconds of a steady clock."""
        self._times.append(now)

    def at(self, now: float) -> float:
        """Times a second, of the last `COUNTED_SECONDS`."""
        return sum(now - time < COUNTED_SECONDS for time in list(self._times)) / COUNTED_SECONDS


class Stopwatch:
    """Keeps the last `WINDOW` durations of each stage in a ring; one writer a stage, any reader."""

    def __init__(self) -> None:
        self._rings = {stage: np.zeros(WINDOW, np.float32) for stage in STAGES}
        self._counts = dict.fromkeys(STAGES, 0)

    def add(self, stage: str, seconds: float) -> None:
        """Note one duration of a stage."""
        count = self._counts[stage]
        self._rings[stage][count % WINDOW] = seconds * 1e3
        self._counts[stage] = count + 1

    def timings(self) -> dict[str, Timing]:
        """p50 and p95 of each stage so far."""
        result = {}
        for stage, ring in self._rings.items():
            values = ring[: min(self._counts[stage], WINDOW)]
            if len(values):
                p50, p95 = np.percentile(values, (50, 95))
                result[stage] = Timing(float(p50), float(p95))
        return result
