"""`greenroom bench peer`: the whole program beside a loop as popular Python programs write it, in turns, on one clip.

The loop, after what peers of the field do: shrink to 256×256, MediaPipe's selfie segmenter, dilate the mask and blur
it, blur the frame with a Gaussian of 61×61, blend in floats, convert to I420. Its network is not ours to ship, so
whoever has the file names it. Both decode the bundled clip, 1280×720 at 30 frames a second; its true alpha judges both.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray
from tqdm import tqdm

from app import selection
from app.bench.clip import FPS, NotingSink, camera
from app.bench.common import Results, percentiles, settle, until
from app.capture.factory import open_source
from app.capture.file import VideoFileSource
from app.frame import Image
from app.loaded import load_known
from app.matting import Matter
from app.pipeline import Pipeline
from app.problems import GreenroomError
from app.settings import Settings
from assets import asset
from backends import BackendError, Session, get_backend
from models.evaluation.metrics import contour, region

SETTINGS = Settings().replace(source="clip", size="1280x720", fps=FPS, effect="blur", sinks=("noting",))
TURNS = 3
"""Each has so many turns, so that all meet the same machine."""

JUDGED, JUDGED_SIZE = 120, (640, 360)
"""Frames whose masks are judged, and at what size: that of BENCHMARKS.md's quality table."""

LOOP = "the plain loop"
LEFT_OUT = (
    f"{LOOP} was left out: its network, MediaPipe's selfie segmenter, cannot ship with Greenroom. "
    "Name the file with --peer-model selfie_segmenter_256x256.onnx."
)


def measure(count: int, peer_model: Path | None) -> Results:
    """Missed frames, latency, CPU time and quality.

    Args:
        count: frames of each, in all its turns.
        peer_model: the loop's network, ONNX or TFLite; None leaves the loop out.

    Raises:
        GreenroomError: the file cannot be used.
    """
    runs = {m.name: SETTINGS.replace(model=m.name) for m in selection.models(SETTINGS)}
    rows: dict[str, list[Results]] = {name: [] for name in [*runs, *([LOOP] if peer_model else [])]}
    loop = PlainLoop(peer_model) if peer_model else None
    for _ in tqdm(range(TURNS), desc="peer", disable=not sys.stderr.isatty(), leave=False):
        for name, settings in runs.items():
            rows[name].append(_program(settings, max(1, count // TURNS)))
        if loop:
            rows[LOOP].append(_loop(loop, max(1, count // TURNS)))
    quality = {name: _quality(settings) for name, settings in runs.items()}
    if loop:
        quality[LOOP] = _judged(loop.mask)
        loop.close()
    return {
        "rows": [{"name": name} | _merged(turns) | quality[name] for name, turns in rows.items()],
        "left_out": "" if loop else LEFT_OUT,
    }


def _merged(turns: list[Results]) -> Results:
    middle = {n: float(np.median([t[n] for t in turns])) for n in ("cpu_ms_per_frame", "share_of_a_core")}
    ages = list(itertools.chain.from_iterable(turn["ages"] for turn in turns))
    missed = sum(turn["missed"] for turn in turns)
    return {"on": turns[-1]["on"], "ms": percentiles(ages), "frames": len(ages), "missed": missed} | middle


def _program(settings: Settings, count: int) -> Results:
    """The product, from the clip's decoding to a sink that only counts."""
    sink = NotingSink()
    running = Pipeline(settings, open_sink=lambda *_: sink)
    running.start()
    try:
        until(lambda: not running.status().protected)
        settle(running)
        process, before = psutil.Process(), running.status()
        cpu, begin, first = sum(process.cpu_times()[:2]), time.monotonic(), len(sink.ages)
        time.sleep(count / FPS)
        until(lambda: len(sink.ages) > first)
        seconds, cpu, status = time.monotonic() - begin, sum(process.cpu_times()[:2]) - cpu, running.status()
        ages = sink.ages[first:]
    finally:
        running.stop()
    facts = {"on": status.segmenter_name, "ages": ages, "missed": status.dropped - before.dropped}
    return facts | {"cpu_ms_per_frame": cpu / len(ages) * 1e3, "share_of_a_core": cpu / seconds}


class PlainLoop:
    """What popular Python programs do with a frame, with numpy's and OpenCV's defaults.

    Args:
        path: the selfie segmenter: float32 RGB (1, h, w, 3) in [0, 1] → float32 (1, h, w, 1).

    Raises:
        GreenroomError: it cannot be loaded, or is another network.
    """

    def __init__(self, path: Path) -> None:
        backend = "litert" if path.suffix == ".tflite" else "onnxruntime"
        cure = "Name MediaPipe's selfie_segmenter_256x256.onnx or .tflite with --peer-model."
        try:
            self._session: Session = get_backend(backend).load(path, "CPU", 0)
        except BackendError as error:
            raise GreenroomError(f"{path.name} cannot be loaded ({error}).", cure) from error
        if self._session.input.dtype != np.float32 or self._session.input.shape[3:] != (3,):
            raise GreenroomError(f"{path.name} takes no float RGB picture.", cure)

    def mask(self, frame: Image) -> NDArray[np.float32]:
        """The mask that it blends with, float32 (H, W) in [0, 1]."""
        height, width = frame.shape[:2]
        small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), self._session.input.shape[2:0:-1])
        self._session.input[0] = small.astype(np.float32) / 255
        self._session.run()
        mask = cv2.resize(self._session.output[0, ..., 0], (width, height))
        mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
        blurred: NDArray[np.float32] = cv2.blur(mask, (10, 10))
        return blurred

    def __call__(self, frame: Image) -> Image:
        """The finished picture, I420."""
        mask = self.mask(frame)[..., None]
        blurred = cv2.GaussianBlur(frame, (61, 61), 0)
        blended = (frame * mask + blurred * (1 - mask)).astype(np.uint8)
        i420: Image = cv2.cvtColor(blended, cv2.COLOR_BGR2YUV_I420)
        return i420

    def close(self) -> None:
        self._session.close()


def _loop(loop: PlainLoop, count: int) -> Results:
    """The loop at a camera's pace, of whose frames it takes the newest."""
    source = open_source("clip", width=1280, height=720, fps=FPS, loop=True)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(-1)  # OpenCV's default, which such programs leave as it is
    loop(source.read())
    process, ages = psutil.Process(), []
    cpu, begin = sum(process.cpu_times()[:2]), time.monotonic()
    for due, _ in camera(count):
        loop(source.read())
        ages.append(time.monotonic() - due)
    seconds, cpu = time.monotonic() - begin, sum(process.cpu_times()[:2]) - cpu
    cv2.setNumThreads(threads)
    source.close()
    facts = {"on": "selfie segmenter, numpy and OpenCV", "ages": ages, "missed": count - len(ages)}
    return facts | {"cpu_ms_per_frame": cpu / len(ages) * 1e3, "share_of_a_core": cpu / seconds}


def _quality(settings: Settings) -> Results:
    """How good the product's matte of these settings is."""
    loaded = load_known(settings)
    matter = Matter(loaded.look, temporal=settings.temporal, refine=settings.refine)
    try:
        return _judged(lambda frame: np.divide(matter(frame), 255, dtype=np.float32))
    finally:
        loaded.session.close()


def _judged(matte: Callable[[Image], NDArray[np.float32]]) -> Results:
    """J and F in per cent, the mean over the clip's first frames against its exact alpha."""
    clip, truth = (VideoFileSource(asset(f"clips/{name}.mp4")) for name in ("sample", "sample-alpha"))
    scores = []
    for _ in range(JUDGED):
        mattes = (matte(clip.read()), np.divide(truth.read()[..., 0], 255, dtype=np.float32))
        found, exact = (cv2.resize(m, JUDGED_SIZE, interpolation=cv2.INTER_AREA) >= 0.5 for m in mattes)
        scores.append((region(found, exact), contour(found, exact)))
    clip.close()
    truth.close()
    j, f = np.mean(scores, axis=0) * 100
    return {"j": float(j), "f": float(f)}


def text(results: Results) -> list[str]:
    """The results as lines of Markdown."""
    lines = [
        "| 1280×720, 30 frames a second | missed | latency ms p50 / p95 | CPU ms a frame | of one core | J | F |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} ({row['on']}) | {row['missed']} of {row['missed'] + row['frames']} "
        f"| {row['ms']['p50']:.1f} / {row['ms']['p95']:.1f} | {row['cpu_ms_per_frame']:.1f} "
        f"| {row['share_of_a_core']:.0%} | {row['j']:.1f} | {row['f']:.1f} |"
        for row in results["rows"]
    ]
    *ours, last = results["rows"]
    if last["name"] == LOOP:
        ratios = (f"{row['name']} {last['cpu_ms_per_frame'] / row['cpu_ms_per_frame']:.1f}" for row in ours)
        lines += ["", f"CPU time of {LOOP} a frame, as a multiple of ours: {', '.join(ratios)}."]
    return lines + ([results["left_out"]] if results["left_out"] else [])
