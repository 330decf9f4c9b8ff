"""`greenroom bench compose`: the compositor's stages on one core."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2

from app.bench.common import Results, percentiles
from app.capture.factory import open_source
from app.compose.blur import Blur
from app.compose.compositor import Compositor
from app.compose.planes import fit_frame, from_bgr, new_i420, planes
from app.frame import Image
from app.matte.refine import Refiner
from app.segmentation import load, network_files
from app.settings import Settings
from backends import selector
from models.manifest import get_model

SIZES = ("640x480", "1280x720", "1920x1080")


def measure(frames: int) -> list[Results]:
    """Every size in turn."""
    return [compose(size, frames) for size in SIZES]


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
    return {"size": size, "ms": {name: percentiles(values[rounds // 10 :]) for name, values in times.items()}}


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown."""
    names = list(rows[0]["ms"])
    lines = [f"| compose, ms p50 / p95, one core | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        cells = [f"{row['ms'][n]['p50']:.2f} / {row['ms'][n]['p95']:.2f}" for n in names]
        lines.append(f"| {row['size']} | {' | '.join(cells)} |")
    return lines
