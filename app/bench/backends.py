"""`greenroom bench backends`: the runtimes side by side."""

from __future__ import annotations

import sys
import time

import numpy as np
from tqdm import tqdm

from app.bench.common import Results, clip_frame, percentiles
from app.compose.planes import fit_frame
from app.segmentation import Loaded, load, network_files
from app.settings import Settings
from backends import BackendError, selector
from models.manifest import get_model


def measure(rounds: int) -> list[Results]:
    """Each backend's CPU with one thread, interleaved, and how far its masks are from the first's."""
    model = get_model(Settings.model)
    frame = np.ascontiguousarray(fit_frame(clip_frame(), 1280, 720))
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
        row |= {"ms": percentiles(values), "worst_difference": float(np.abs(mask - masks[0]).max())}
        one.session.close()
    return rows


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown."""
    lines = ["| backend, one thread | ms p50 / p95 | load ms | worst difference |", "|---|---|---|---|"]
    for row in rows:
        if "problem" in row:
            lines.append(f"| {row['backend']} | {row['problem']} | | |")
            continue
        ms = f"{row['ms']['p50']:.2f} / {row['ms']['p95']:.2f}"
        lines.append(f"| {row['backend']} | {ms} | {row['load_ms']:.0f} | {row['worst_difference']:.1e} |")
    return lines
