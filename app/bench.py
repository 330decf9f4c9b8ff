"""`greenroom bench`: what this machine can do, measured; never asserted in a test.

Every figure of BENCHMARKS.md comes from here. Milliseconds hold for one machine at one time, so what is compared is
measured side by side in one run, its rounds interleaved.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from tqdm import tqdm

from app.capture.factory import open_source
from app.compose.blur import Blur
from app.compose.compositor import Compositor
from app.compose.planes import fit_frame, from_bgr, new_i420, planes
from app.frame import Image
from app.matte.refine import Refiner
from app.pipeline import Pipeline
from app.segmentation import Loaded, load, network_files
from app.settings import Settings
from backends import BackendError, cpu_name, selector
from models.manifest import get_model

Results = dict[str, Any]


def measure(what: str, *, frames: int, minutes: float) -> Results:
    """Measure `what`: "compose", "backends", "pipeline", "start", "memory", or "all" of them but the long last.

    Args:
        frames: frames a measurement.
        minutes: length of the memory test.
    """
    parts: dict[str, Callable[[], Any]] = {
        "compose": lambda: [compose(size, frames) for size in ("640x480", "1280x720", "1920x1080")],
        "backends": lambda: backends(frames),
        "pipeline": lambda: [pipeline(size, frames) for size in ("640x480", "1280x720")],
        "start": start,
        "memory": lambda: memory(minutes),
    }
    chosen = [name for name in parts if what == name or (what == "all" and name != "memory")]
    return {"machine": machine()} | {name: parts[name]() for name in chosen}


def machine() -> Results:
    """What this is measured on."""
    return {
        "cpu": cpu_name(),
        "cores": psutil.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "load": psutil.getloadavg()[0],
    }


def compose(size: str, rounds: int) -> Results:
    """The compositor's stages on one core, on the bundled clip's own frame and the network's own mask."""
    settings = Settings().replace(size=size)
    width, height = settings.dimensions
    cv2.setNumThreads(1)
    model = get_model(settings.model)
    loaded = load(model, selector.preliminary(network_files(model), 1)[0])
    source = open_source("clip", width=width, height=height, fps=30, loop=True)
    frame = fit_frame(source.read(), width, height)
    source.close()
    mask = loaded.segmenter(frame).copy()
    i420, out = from_bgr(frame), new_i420(width, height)
    refiner, blur, compositor = Refiner(width, height, *mask.shape[::-1]), Blur(60), Compositor(width, height)
    state: dict[str, Image] = {}

    def refine() -> None:
        state["alpha"] = refiner(mask, refiner.luminance(planes(i420)[0]))

    stages: dict[str, Callable[[], object]] = {
        "to I420": lambda: from_bgr(frame, i420),
        "mask → alpha": refine,
        "blur": lambda: blur.fill(i420, state["alpha"], out),
        "blend": lambda: compositor.compose(i420, state["alpha"], out),
    }
    times: dict[str, list[float]] = {name: [] for name in [*stages, "all"]}
    for _ in range(rounds):
        begin = time.perf_counter()
        for name, stage in stages.items():
            start = time.perf_counter()
            stage()
            times[name].append(time.perf_counter() - start)
        times["all"].append(time.perf_counter() - begin)
    loaded.session.close()
    return {"size": size, "ms": {name: _percentiles(values[rounds // 10 :]) for name, values in times.items()}}


def backends(rounds: int) -> list[Results]:
    """Each backend's CPU with one thread, interleaved, and how far its masks are from the first's."""
    model = get_model(Settings.model)
    frame = np.ascontiguousarray(fit_frame(_clip_frame(), 1280, 720))
    loaded: list[Loaded] = []
    rows: list[Results] = []
    for candidate in selector.preliminary(network_files(model), 1):
        start = time.perf_counter()
        try:
            loaded.append(load(model, candidate))
        except BackendError as error:
            rows.append({"backend": candidate.backend, "problem": str(error)})
            continue
        rows.append({"backend": candidate.backend, "load_ms": (time.perf_counter() - start) * 1e3})
    times: list[list[float]] = [[] for _ in loaded]
    for _ in tqdm(range(rounds), desc="backends", disable=not sys.stderr.isatty(), leave=False):
        for one, values in zip(loaded, times, strict=True):
            start = time.perf_counter()
            one.segmenter(frame)
            values.append(time.perf_counter() - start)
    masks = [one.segmenter(frame).copy() for one in loaded]
    working = [row for row in rows if "problem" not in row]
    for row, values, mask, one in zip(working, times, masks, loaded, strict=True):
        row |= {"ms": _percentiles(values), "worst_difference": float(np.abs(mask - masks[0]).max())}
        one.session.close()
    return rows


def pipeline(size: str, frames: int) -> Results:
    """The whole program in real time: the bundled clip, the effect `blur`, a sink that only counts."""
    settings = Settings().replace(source="clip", sinks=("null",), size=size)
    process = psutil.Process()
    started = time.monotonic()
    running = Pipeline(settings)
    running.start()
    first = _until(lambda: running.status().published > 0)
    mask = _until(lambda: not running.status().protected)
    _settle(running)
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


_START = """
import json, time, psutil
from app.pipeline import Pipeline
from app.settings import Settings
born, seen = psutil.Process().create_time(), {}
running = Pipeline(Settings().replace(source="clip", sinks=("null",)))
running.start()
while len(seen) < 2:
    status = running.status()
    if status.published:
        seen.setdefault("first_picture_s", time.time() - born)
        if not status.protected:
            seen.setdefault("first_mask_s", time.time() - born)
    time.sleep(0.002)
running.stop()
print(json.dumps(seen))
"""


def start(repeats: int = 5) -> Results:
    """Seconds from the start of a process of its own to the first picture, with a mask, and in the window."""
    return _medians(["-c", _START], repeats) | _medians(["-m", "app.gui.startup"], repeats)


def _medians(arguments: list[str], repeats: int) -> Results:
    """The median of each figure that a Python process prints as JSON, without a display or files of the user."""
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        own = {f"XDG_{kind}_HOME": folder for kind in ("CONFIG", "DATA")}
        environment = os.environ | own | {"QT_QPA_PLATFORM": "offscreen"}
        for _ in range(repeats):
            command = [sys.executable, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def memory(minutes: float) -> Results:
    """Resident memory of the whole program over time, in MiB: flat, or it leaks."""
    with tempfile.TemporaryDirectory() as folder:
        sinks = ("null", str(Path(folder) / "out.mp4"))
        running = Pipeline(Settings().replace(source="clip", sinks=sinks))
        running.start()
        _until(lambda: not running.status().protected)
        _settle(running)
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


def _clip_frame() -> Image:
    source = open_source("clip", width=1280, height=720, fps=30, loop=True)
    frame = source.read().copy()
    source.close()
    return frame


def _until(true: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait for something; returns the time when it came."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("The pipeline did not start within a minute: run `greenroom doctor`.")
        time.sleep(0.005)
    return time.monotonic()


def _settle(running: Pipeline) -> None:
    """Let the choice of the backend come to its end, which costs CPU of its own."""
    name, since = running.status().segmenter_name, time.monotonic()
    while time.monotonic() - since < 5.0:
        if running.status().segmenter_name != name:
            name, since = running.status().segmenter_name, time.monotonic()
        time.sleep(0.1)


def _percentiles(seconds: list[float]) -> Results:
    p50, p95 = np.percentile(np.array(seconds) * 1e3, (50, 95))
    return {"p50": float(p50), "p95": float(p95)}


def text(results: Results) -> str:
    """The results as Markdown tables."""
    m = results["machine"]
    lines = [f"{m['cpu']}, {m['cores']} cores, {m['system']}, Python {m['python']}, OpenCV {m['opencv']}"]
    if "compose" in results:
        names = list(results["compose"][0]["ms"])
        lines += ["", f"| compose, ms p50 / p95, one core | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for row in results["compose"]:
            cells = [f"{row['ms'][n]['p50']:.2f} / {row['ms'][n]['p95']:.2f}" for n in names]
            lines.append(f"| {row['size']} | {' | '.join(cells)} |")
    if "backends" in results:
        lines += ["", "| backend, one thread | ms p50 / p95 | load ms | worst difference |", "|---|---|---|---|"]
        for row in results["backends"]:
            if "problem" in row:
                lines.append(f"| {row['backend']} | {row['problem']} | | |")
                continue
            ms = f"{row['ms']['p50']:.2f} / {row['ms']['p95']:.2f}"
            lines.append(f"| {row['backend']} | {ms} | {row['load_ms']:.0f} | {row['worst_difference']:.1e} |")
    for row in results.get("pipeline", []):
        lines += [
            "",
            f"Pipeline {row['size']} with {row['segmenter']}: {row['frames']} frames at {row['fps']:.1f} fps, ",
        ]
        lines[-1] += f"{row['dropped']} dropped, {row['cpu_ms_per_frame']:.1f} CPU ms a frame, first picture after "
        lines[-1] += f"{row['first_picture_s']:.2f} s, first mask after {row['first_mask_s']:.2f} s"
        lines += ["", "| stage | p50 ms | p95 ms |", "|---|---|---|"]
        lines += [f"| {name} | {t['p50']:.2f} | {t['p95']:.2f} |" for name, t in row["ms"].items()]
    if "start" in results:
        row = results["start"]
        lines += ["", f"Start of a process to the first picture {row['first_picture_s']:.2f} s, "]
        lines[-1] += f"to the first with a mask {row['first_mask_s']:.2f} s, to the first in the window "
        lines[-1] += f"{row['window_s']:.2f} s, which closes in {row['window_close_s']:.2f} s (medians of 5)"
    if "memory" in results:
        mib, row = results["memory"]["mib"], results["memory"]
        lines += [
            "",
            f"Memory over {row['minutes']:g} minutes ({row['published']} pictures, {row['dropped']} dropped): ",
        ]
        lines[-1] += f"{mib['first']:.0f} MiB at first, {mib['last']:.0f} at last, {mib['most']:.0f} at most"
    return "\n".join(lines)
