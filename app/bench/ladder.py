"""`greenroom bench ladder`: what shared buffers and stages at the same time gain, on every runtime that is here.

The rungs are those of table 2 in the edge paper (its M2 is another device, which is a row here):

    M1  fresh arrays for every frame and every stage, one stage after the other
    M3  the same stages with buffers that are allocated once and bound to the runtime
    M4  the product: shared buffers, and the stages at the same time
    G   one graph: frame in, finished picture out, all of it on the network's device

The bundled clip from memory at 1280×720, effect `blur`, with the pace of a camera for latency, CPU time and power, and
without for throughput; the rungs take turns.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray
from tqdm import tqdm

from app import selection
from app.bench.clip import FPS, NotingSink, camera, frames, supervised
from app.bench.common import Results, percentiles, until
from app.bench.energy import NOT_HERE, Meter
from app.compose.blur import Blur
from app.compose.compositor import Compositor
from app.compose.plan import CARRIED
from app.compose.planes import fit_frame, from_bgr, new_i420
from app.compose.view import View
from app.frame import Image
from app.loaded import Loaded, load
from app.matte.refine import Refiner
from app.matte.temporal import Memory, steady
from app.pipeline import Pipeline
from app.settings import Settings
from app.whole import WholeFrame, plan_for
from backends import BackendError, GraphBackend, get_backend, selector
from backends.tiers import Candidate, candidates
from models.segmenter import shrink
from models.settle import Settler

SETTINGS = Settings().replace(size="1280x720", fps=FPS, effect="blur", sinks=("noting",), model="lite")
TURNS = 4
"""Each rung has so many turns, so that all meet the same machine."""


def measure(count: int) -> list[Results]:
    """Every rung, for each runtime and device: one thread on the CPU, elsewhere the device's own precision.

    Args:
        count: frames a rung, in all its turns.
    """
    cv2.setNumThreads(1)
    networks = selection.networks(SETTINGS, verify=True)
    ways: dict[tuple[str, str], Candidate] = {}
    for way in candidates(selector.probe_all(), networks, selection.pin(SETTINGS), 1):
        known = ways.setdefault((way.backend, way.device), way)
        if way.device == "CPU" and known.precision != "fp32":
            ways[way.backend, way.device] = way
    return list(itertools.chain.from_iterable(_climb(way, max(TURNS, count)) for way in ways.values()))


def _climb(way: Candidate, count: int) -> list[Results]:
    rungs: dict[str, Callable[[Candidate, int, bool], Results]] = {
        "M1 copies and waits": lambda *args: _alone(CopyingStages, *args),
        "M3 shared buffers": lambda *args: _alone(Stages, *args),
        "M4 shared, at the same time": _product,
    }
    if hasattr(get_backend(way.backend), "load_graph"):
        rungs["G all of it as one graph"] = lambda *args: _alone(OneGraph, *args)
    rows: list[Results] = [{"way": way.title, "rung": name} for name in rungs]
    turns: list[list[Results]] = [[] for _ in rungs]
    try:
        for _ in tqdm(range(TURNS), desc=way.title, disable=not sys.stderr.isatty(), leave=False):
            for run, results in zip(rungs.values(), turns, strict=True):
                results.append(run(way, count // TURNS, True) | run(way, count // TURNS, False))
    except BackendError as error:
        return [{"way": way.title, "problem": str(error)}]
    return [row | _merged(results) for row, results in zip(rows, turns, strict=True)]


def _merged(turns: list[Results]) -> Results:
    ages = list(itertools.chain.from_iterable(turn["ages"] for turn in turns))
    middle = {name: float(np.median([turn[name] for turn in turns])) for name in ("fps", "cpu_ms_per_frame")}
    watts = [turn["watts"] for turn in turns if turn["watts"] is not None]
    return (
        {"ms": percentiles(ages), "missed": sum(t["missed"] for t in turns), "frames": len(ages)}
        | middle
        | {"watts": float(np.median(watts)) if watts else None}
    )


class Stages:
    """All stages of a frame one after the other, in buffers of its own."""

    def __init__(self, loaded: Loaded) -> None:
        width, height = SETTINGS.dimensions
        self._loaded = loaded
        self._memory: Memory | None = None
        self._image = np.empty((height, width, 3), np.uint8)
        self._i420, self._out = new_i420(width, height), new_i420(width, height)
        self._view, self._compositor = View(width, height), Compositor(width, height)
        mask = loaded.session.output.shape
        self._refiner = Refiner(width, height, mask[2], mask[1])
        self._effect = Blur(SETTINGS.blur)

    def __call__(self, frame: Image) -> Image:
        """A frame's finished picture."""
        fit_frame(frame, *SETTINGS.dimensions, out=self._image)
        mask = self._loaded.segmenter(self._image)
        from_bgr(self._image, self._i420)
        self._view.turn_to(self._i420)
        luminance = self._refiner.luminance(self._view.half)
        mask, self._memory = steady(mask, luminance, self._memory)
        self._view.lay(self._refiner(mask, luminance))
        self._effect.fill(self._view, self._out)
        self._compositor.compose(self._view, self._out)
        return self._out


class CopyingStages:
    """The same with every array made anew: what stages hand to each other and to the runtime are copies."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._memory: Memory | None = None

    def __call__(self, frame: Image) -> Image:
        """A frame's finished picture."""
        width, height = SETTINGS.dimensions
        image = fit_frame(frame, width, height).copy()
        mask = self._unbound(image)
        i420 = from_bgr(image).copy()
        view = View(width, height)
        view.turn_to(i420)
        refiner = Refiner(width, height, *mask.shape[::-1])
        luminance = refiner.luminance(view.half).copy()
        mask, self._memory = steady(mask, luminance, self._memory)
        view.lay(refiner(mask.copy(), luminance).copy())
        out = new_i420(width, height)
        Blur(SETTINGS.blur).fill(view, out)
        Compositor(width, height).compose(view, out)
        return out.copy()

    def _unbound(self, image: Image) -> NDArray[np.float32]:
        """The mask as from a runtime that is handed an array and hands one back."""
        session = self._loaded.session
        small = np.empty(session.input.shape, np.uint8)
        shrink(image, small[0])
        np.copyto(session.input, small)
        session.run()
        mask = session.output[0, ..., 0].copy()
        Settler(*mask.shape[::-1])(small[0], mask)
        return mask


class OneGraph:
    """The whole frame on the network's device, whether or not the product would do so there."""

    def __init__(self, loaded: Loaded) -> None:
        from app.compose.graph import build  # as in `app.whole`

        backend = cast(GraphBackend, get_backend(loaded.candidate.backend))
        _, network = selection.file_of(loaded.candidate)
        plan = plan_for(SETTINGS, blurred=True)
        assert plan is not None, "blurred, in 16:9"
        way = loaded.candidate
        self._whole = WholeFrame(backend.load_graph(build(plan, network.path), way.device, way.threads, CARRIED), plan)
        self._image = np.empty((plan.height, plan.width, 3), np.uint8)
        self._effect, self._fresh = Blur(SETTINGS.blur), True

    def __call__(self, frame: Image) -> Image:
        """A frame's finished picture."""
        fit_frame(frame, *SETTINGS.dimensions, out=self._image)
        picture = self._whole(self._image, self._effect, fresh=self._fresh)
        self._fresh = False
        return picture


def _alone(kind: Callable[[Loaded], Callable[[Image], Image]], way: Candidate, count: int, paced: bool) -> Results:
    """A rung in this thread; of frames that came meanwhile the newest is taken, as from a camera."""
    loaded = load(way)
    stages = kind(loaded)
    for frame in frames()[:5]:
        stages(frame)
    taken = camera(count) if paced else zip(itertools.repeat(0.0), range(count))
    process, ages, meter = psutil.Process(), [], Meter()
    cpu, begin = sum(process.cpu_times()[:2]), time.monotonic()
    for due, number in taken:
        stages(frames()[number % len(frames())])
        ages.append(time.monotonic() - due)
    seconds, cpu = time.monotonic() - begin, sum(process.cpu_times()[:2]) - cpu
    loaded.session.close()
    if not paced:
        return {"fps": count / seconds}
    return {
        "ages": ages,
        "missed": count - len(ages),
        "cpu_ms_per_frame": cpu / len(ages) * 1e3,
        "watts": meter.watts(),
    }


def _product(way: Candidate, count: int, paced: bool) -> Results:
    settings = SETTINGS.replace(
        backend=way.backend, device=way.device, model=way.model, precision=way.precision, threads=way.threads
    )
    sink, warm = NotingSink(), 30
    running = Pipeline(
        settings,
        realtime=paced,
        loop=False,
        supervise=lambda s: supervised(10**9 if paced else count + warm, realtime=paced),
        open_sink=lambda *_: sink,
    )
    running.start()
    try:
        if paced:
            until(lambda: not running.status().protected)
        until(lambda: running.status().published > (0 if paced else warm))
        process, before, meter = psutil.Process(), running.status(), Meter()
        cpu, begin, first = sum(process.cpu_times()[:2]), time.monotonic(), len(sink.ages)
        if not paced:
            running.wait()
            return {"fps": (len(sink.ages) - first) / (time.monotonic() - begin)}
        time.sleep(count / FPS)
        until(lambda: len(sink.ages) > first)
        watts, cpu, status = meter.watts(), sum(process.cpu_times()[:2]) - cpu, running.status()
    finally:
        running.stop()
    ages = sink.ages[first:]
    missed = status.dropped - before.dropped
    return {"ages": ages, "missed": missed, "cpu_ms_per_frame": cpu / len(ages) * 1e3, "watts": watts}


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown; ratios are to the first rung of the same runtime."""
    lines = [
        "| ladder, 1280×720 | | latency ms p50 / p95 | missed | frames/s at most | CPU ms a frame | watts |",
        "|---|---|---|---|---|---|---|",
    ]
    first: dict[str, Results] = {}
    for row in rows:
        if "problem" in row:
            lines.append(f"| {row['way']} | {row['problem']} | | | | | |")
            continue
        base = first.setdefault(row["way"], row)
        cells = [
            f"{row['ms']['p50']:.1f} / {row['ms']['p95']:.1f} ({row['ms']['p50'] / base['ms']['p50']:.2f})",
            f"{row['missed']} of {row['frames'] + row['missed']}",
            f"{row['fps']:.0f} ({row['fps'] / base['fps']:.2f})",
            f"{row['cpu_ms_per_frame']:.1f} ({row['cpu_ms_per_frame'] / base['cpu_ms_per_frame']:.2f})",
            NOT_HERE if row["watts"] is None else f"{row['watts']:.2f}",
        ]
        lines.append(f"| {row['way']} | {row['rung']} | {' | '.join(cells)} |")
    return lines
