"""`greenroom bench backends`: every network in every way that this machine can run it, side by side.

Each way runs in a child process of its own, and they take turns, ten runs each, so that all meet the same machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app import selection
from app.bench.common import Results, percentiles
from app.capture.factory import open_source
from app.settings import Settings
from backends import BACKENDS, Availability, get_backend, selector
from backends.tiers import Candidate, candidates, cores
from models.manifest import Model, get_model
from models.segmenter import shrink

PICTURES, EVERY = 24, 20
"""Pictures of the bundled clip on which masks are compared, and how many frames lie between: 16 s of it."""

TURN, SECONDS = 10, 4.0
"""Runs of one way before the next has its turn; a way that has run for so long has run enough: slow networks need fewer
runs for the same median."""

REFERENCE = Candidate("onnxruntime", "CPU", 1)
"""Whose masks the others' are compared with, with each network's own fp32 file."""


class Child:
    """A network in a process of its own (`backends.serve`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str = "") -> Results:
        """Send a line, if any, and read the answer; a crash is an answer with an "error"."""
        assert self._process.stdin and self._process.stdout
        if line:
            try:
                print(line, file=self._process.stdin, flush=True)
            except BrokenPipeError:
                return {"error": "it crashed"}
        answer = self._process.stdout.readline()
        return json.loads(answer) if answer else {"error": f"it crashed (exit status {self._process.wait()})"}


def measure(rounds: int) -> list[Results]:
    """Milliseconds, agreement, load time and memory of every way, at most `rounds` runs each."""
    found, settings, rows = selector.probe_all(), Settings(), []
    for model in selection.models(settings):
        networks = selection.networks(settings.replace(model=model.name), verify=True)
        ways = list(candidates(found, networks, selection.pin(settings), cores()))
        with tempfile.TemporaryDirectory() as folder:
            rows += _side_by_side(model, ways, rounds, Path(folder))
    return rows + [_absent(name, availability) for name, availability in found.items() if availability.problem]


def _absent(name: str, availability: Availability) -> Results:
    return {"model": "", "backend": name, "problem": availability.problem}


def _side_by_side(model: Model, ways: list[Candidate], rounds: int, folder: Path) -> list[Results]:
    pictures = folder / "pictures.npy"
    np.save(pictures, _pictures(model))
    rows = [_facts(model, way) for way in ways]
    with ExitStack() as stack:
        children = []
        for row, way in zip(rows, ways, strict=True):  # each loads alone
            children.append(stack.enter_context(_child(way, pictures)))
            loaded = children[-1].ask()
            row |= {"problem": loaded["error"]} if "error" in loaded else loaded
        good = [(row, child) for row, child in zip(rows, children, strict=True) if "problem" not in row]
        _take_turns(good, rounds, model.name)
        _compare(good, folder)
    return rows


def _facts(model: Model, way: Candidate) -> Results:
    path = _path(way)
    return {
        "model": model.name,
        "resolution": f"{model.input.width}×{model.input.height}",
        "backend": way.backend,
        "device": way.device,
        "precision": way.precision,
        "threads": way.threads,
        "mb": path.stat().st_size / 1e6,
    }


def _path(way: Candidate) -> Path:
    return get_model(way.model).file(get_backend(way.backend).FORMAT, way.precision).path


@contextmanager
def _child(way: Candidate, pictures: Path) -> Iterator[Child]:
    arguments = [way.backend, str(_path(way)), way.device, str(way.threads), str(pictures)]
    command = [sys.executable, "-m", "backends.serve", *arguments]
    pipe = subprocess.PIPE
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=root) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


def _take_turns(good: list[tuple[Results, Child]], rounds: int, name: str) -> None:
    times: dict[int, list[float]] = {n: [] for n in range(len(good))}
    cpu: dict[int, list[float]] = {n: [] for n in range(len(good))}
    for turn in tqdm(range(-1, rounds // TURN + 1), desc=name, disable=not sys.stderr.isatty(), leave=False):
        for n, (row, child) in enumerate(good):
            if "problem" in row or sum(times[n]) > SECONDS * 1e3:
                continue
            answer = child.ask(f"run {TURN}")
            if "error" in answer:
                row["problem"] = answer["error"]
            elif turn >= 0:  # the first turn is the warm-up
                times[n] += answer["ms"]
                cpu[n].append(answer["cpu_ms"])
    for n, (row, _) in enumerate(good):
        if "problem" not in row:
            row |= {"ms": percentiles([ms / 1e3 for ms in times[n]]), "cpu_ms": float(np.median(cpu[n]))}


def _compare(good: list[tuple[Results, Child]], folder: Path) -> None:
    """Add each way's agreement with the reference: J of their masks at 0.5, in per cent."""
    masks: list[NDArray[np.bool_] | None] = []
    for n, (row, child) in enumerate(good):
        path = folder / f"{n}.npy"
        if "problem" not in row and "error" not in child.ask(f"masks {path}"):
            masks.append(np.load(path))
        else:
            masks.append(None)
    reference = next((m for (row, _), m in zip(good, masks, strict=True) if _is_reference(row)), None)
    for (row, _), mask in zip(good, masks, strict=True):
        if mask is not None and reference is not None:
            row["agreement"] = agreement(mask, reference)


def _is_reference(row: Results) -> bool:
    return (row["backend"], row["device"], row["precision"], row["threads"]) == (
        REFERENCE.backend,
        REFERENCE.device,
        REFERENCE.precision,
        REFERENCE.threads,
    )


def agreement(masks: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """J, the intersection over the union, of two rows of masks (n, h, w), the mean over them, in per cent."""
    both = (masks & reference).sum((1, 2))
    either = (masks | reference).sum((1, 2))
    return float(np.mean(np.where(either == 0, 1.0, both / np.maximum(either, 1)))) * 100


def _pictures(model: Model) -> NDArray[np.uint8]:
    """Frames of the bundled clip at the network's size, uint8 BGR (n, h, w, 3)."""
    source = open_source("clip", width=1280, height=720, fps=30, loop=True)
    made = np.empty((PICTURES, model.input.height, model.input.width, 3), np.uint8)
    for picture in made:
        for _ in range(EVERY):
            frame = source.read()
        shrink(frame, picture)
    source.close()
    return made


def text(rows: list[Results]) -> list[str]:
    """The results as lines of Markdown: all ways, and the edge paper's Table 3."""
    lines = [
        "| model | backend, device | precision | threads | ms p50 / p95 | CPU ms | J with fp32 | load ms | RSS, MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{BACKENDS[row['backend']]}, {row['device']}" if "device" in row else BACKENDS[row["backend"]]
        if "problem" in row:
            lines.append(f"| {row['model']} | {name} | {row.get('precision', '')} | | {row['problem']} | | | | |")
            continue
        lines.append(
            f"| {row['model']} | {name} | {row['precision']} | {row['threads']} "
            f"| {row['ms']['p50']:.2f} / {row['ms']['p95']:.2f} | {row['cpu_ms']:.2f} "
            f"| {row.get('agreement', float('nan')):.2f} | {row['load_ms']:.0f} | {row['memory']:.0f} |"
        )
    return [*lines, "", *_table_3(rows)]


def _table_3(rows: list[Results]) -> list[str]:
    """Size, resolution and milliseconds on the CPU and on what is faster, as in the paper: fp32, one thread."""
    lines = [
        "| model | MB | resolution | CPU, XNNPACK, ms | CPU, OpenVINO, ms | GPU or NPU, ms |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["model"] for row in rows if row["model"]):
        mine = [row for row in rows if row["model"] == name and "ms" in row]
        single = [row for row in mine if row["precision"] == "fp32" and row["threads"] == 1]
        cpu = {row["backend"]: row for row in single if row["device"] == "CPU"}
        others = [row for row in mine if row["device"] != "CPU"]
        best: Any = min(others, key=lambda row: row["ms"]["p50"], default=None)
        cells = [f"{cpu[b]['ms']['p50']:.2f}" if b in cpu else "–" for b in ("litert", "openvino")]
        cells.append(f"{best['ms']['p50']:.2f} ({best['device']}, {best['precision']})" if best else "none here")
        facts = next(row for row in rows if row["model"] == name)
        size = cpu["litert"]["mb"] if "litert" in cpu else facts["mb"]
        lines.append(f"| {name} | {size:.2f} | {facts['resolution']} | {' | '.join(cells)} |")
    return lines
