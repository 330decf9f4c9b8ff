"""`greenroom bench pipeline`: the whole program in real time."""

from __future__ import annotations

import sys
import time

import psutil
from tqdm import tqdm

from app.bench.common import Results, settle, until
from app.pipeline import Pipeline
from app.settings import Settings
from models.manifest import manifest

SIZES = ("640x480", "1280x720")


def measure(frames: int) -> list[Results]:
    """Every network at every size, as the program runs it here."""
    return [pipeline(size, model, frames) for model in manifest() for size in SIZES]


def pipeline(size: str, model: str, frames: int) -> Results:
    """The whole program in real time: the bundled clip, the effect `blur`, a sink that only counts."""
    settings = Settings().replace(source="clip", sinks=("null",), size=size, model=model)
    process = psutil.Process()
    started = time.monotonic()
    running = Pipeline(settings)
    running.start()
    first = until(lambda: running.status().published > 0)
    mask = until(lambda: not running.status().protected)
    settle(running)
    before, cpu, begin = running.status(), sum(process.cpu_times()[:2]), time.monotonic()
    with tqdm(total=frames, desc=f"pipeline {size}", disable=not sys.stderr.isatty(), leave=False) as bar:
        while (done := running.status().published - before.published) < frames:
            bar.update(done - bar.n)
            time.sleep(0.1)
    seconds, cpu = time.monotonic() - begin, sum(process.cpu_times()[:2]) - cpu
    status = running.status()
    running.stop()
    count = status.published - before.published
    return {
        "size": size,
        "segmenter": status.segmenter_name,
        "frames": count,
        "dropped": status.dropped - before.dropped,
        "fps": count / seconds,
        "cpu_ms_per_frame": cpu / count * 1e3,
        "ms": {name: {"p50": t.p50, "p95": t.p95} for name, t in status.timings.items()},
        "first_picture_s": first - started,
        "first_mask_s": mask - started,
    }


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown."""
    lines: list[str] = []
    for row in rows:
        lines += [
            "",
            f"Pipeline {row['size']} with {row['segmenter']}: {row['frames']} frames at {row['fps']:.1f} fps, ",
        ]
        lines[-1] += f"{row['dropped']} dropped, {row['cpu_ms_per_frame']:.1f} CPU ms a frame, first picture after "
        lines[-1] += f"{row['first_picture_s']:.2f} s, first mask after {row['first_mask_s']:.2f} s"
        lines += ["", "| stage | p50 ms | p95 ms |", "|---|---|---|"]
        lines += [f"| {name} | {t['p50']:.2f} | {t['p95']:.2f} |" for name, t in row["ms"].items()]
    return lines[1:]
