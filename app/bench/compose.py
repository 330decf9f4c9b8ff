"""`greenroom bench compose`: the compositor's stages on one core, for each kind of effect."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2

from app.bench.common import Results, percentiles
from app.capture.factory import open_source
from app.compose.compositor import Compositor
from app.compose.effects import build_effect
from app.compose.planes import fit_frame, from_bgr, new_i420
from app.compose.view import View
from app.loaded import load_known
from app.matte.refine import Refiner
from app.settings import Settings
from assets import asset

SIZES = ("640x480", "1280x720", "1920x1080")
EFFECTS: tuple[dict[str, str], ...] = (
    {"effect": "blur"},
    {"effect": "image", "image": "bookshelf"},
    {"effect": "video", "video": "clips/sample.mp4"},
    {"effect": "colour"},
)


def measure(frames: int) -> list[Results]:
    """Every size and effect in turn."""
    return [compose(size, effect, frames) for size in SIZES for effect in EFFECTS]


def compose(size: str, effect: dict[str, str], rounds: int) -> Results:
    """The stages on one core, on the bundled clip's own frame and the network's own mask."""
    chosen = effect | ({"video": str(asset(effect["video"]))} if "video" in effect else {})
    settings = Settings().replace(size=size, **chosen)
    width, height = settings.dimensions
    cv2.setNumThreads(1)
    loaded = load_known(settings.replace(model="lite", backend="onnxruntime", threads=1))
    source = open_source("clip", width=width, height=height, fps=30, loop=True)
    frame = fit_frame(source.read(), width, height)
    source.close()
    mask = loaded.segmenter(frame).copy()
    loaded.session.close()
    i420, out = from_bgr(frame), new_i420(width, height)
    refiner, view, compositor = (
        Refiner(width, height, *mask.shape[::-1]),
        View(width, height),
        Compositor(width, height),
    )
    background = build_effect(settings)

    def refine() -> None:
        view.turn_to(i420)
        view.lay(refiner(mask, refiner.luminance(view.half)))

    stages: dict[str, Callable[[], object]] = {
        "to I420": lambda: from_bgr(frame, i420),
        "mask → alpha": refine,
        "background": lambda: background.fill(view, out),
        "blend": lambda: compositor.compose(view, out),
    }
    times: dict[str, list[float]] = {name: [] for name in [*stages, "all"]}
    for _ in range(rounds):
        begin = time.perf_counter()
        for name, stage in stages.items():
            start = time.perf_counter()
            stage()
            times[name].append(time.perf_counter() - start)
        times["all"].append(time.perf_counter() - begin)
    ms = {name: percentiles(values[rounds // 10 :]) for name, values in times.items()}
    return {"size": size, "effect": effect["effect"], "ms": ms}


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown."""
    names = list(rows[0]["ms"])
    lines = [f"| compose, ms p50 / p95, one core | | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        cells = [f"{row['ms'][n]['p50']:.2f} / {row['ms'][n]['p95']:.2f}" for n in names]
        lines.append(f"| {row['size']} | {row['effect']} | {' | '.join(cells)} |")
    return lines
