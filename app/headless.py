"""The commands without a window: publishing, and mattes of files."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from tqdm import tqdm

from app import selection
from app.capture import EndOfSource, Source
from app.capture.factory import open_source, parse, settle
from app.capture.file import FolderSource
from app.compose.effects import build_effect
from app.files import exists, named
from app.loaded import load_known, unhurried
from app.matting import Matter, write_mattes
from app.pipeline import Pipeline
from app.problems import GreenroomError, Problem
from app.publish import Sink
from app.publish.factory import check_file, is_file, open_sink
from app.settings import Settings
from app.status import Status
from backends import BackendError
from models.manifest import ModelError
from models.segmenter import UntrustedMask

OWN_OUTPUT = "greenroom-out.mp4"
"""What is written where there is no display; no user named it, so it is written anew each time."""

POLL_SECONDS = 0.25
"""Pause between two looks at the pipeline's status."""


def run_headless(settings: Settings, *, seconds: float, as_json: bool) -> int:
    """Publish until the source ends, the time is over, or Ctrl+C, SIGTERM or SIGHUP comes; all end it properly.

    A conversion that is stopped replaces no older file: what there is takes a name that is free.

    A file that only goes to files is converted: every frame, as fast as it goes. Everything else runs in real time.

    Raises:
        GreenroomError: the source cannot be opened, the effect cannot be built, or a conversion failed.
    """
    width, height = settings.dimensions
    _check(settings)
    rate = _file_rate(settings)
    convert = rate > 0 and all(is_file(spec) for spec in settings.sinks)
    if convert and parse(settings.source)[0] != "file":
        settings = settings.replace(sinks=tuple(_beside_older(spec) for spec in settings.sinks))
    pipeline = _converter(settings, rate) if convert else Pipeline(settings)
    if not as_json:
        print(
            f"{settle(settings.source)} → {settings.effect} → {', '.join(settings.sinks)}, {width}×{height}",
            file=sys.stderr,
        )
    started = time.monotonic()
    shown: tuple[Problem, ...] = ()
    told: set[Problem] = set()
    with _interrupts(_finishing(settings) if convert else "") as interrupted:
        pipeline.start()
        with tqdm(unit=" frames", disable=as_json or not sys.stderr.isatty(), leave=False) as bar:
            try:
                while not interrupted and not pipeline.wait(POLL_SECONDS):
                    status = pipeline.status()
                    bar.update(status.published - bar.n)
                    if status.problems != shown:
                        shown = status.problems
                        for problem in shown:
                            _tell(f"greenroom: {problem}", bar)
                        told |= set() if as_json else set(shown)
                    elapsed = status.published / rate if convert else time.monotonic() - started
                    if seconds and elapsed >= seconds:
                        break
            finally:
                status = pipeline.status()
                pipeline.stop(whole=not (convert and interrupted))
    pipeline.wait(0)  # raises what went wrong at the very end, such as a disk that the last pictures filled
    status = _final(pipeline, status)
    if not status.published and not status.problems and not interrupted:
        nothing = Problem("greenroom", "Nothing was published in this time.", "Give more time or a smaller --size.")
        status = dataclasses.replace(status, problems=(nothing,))
    # Whoever closed the terminal reads nothing more; that it was closed is what ended this.
    with suppress(OSError) if interrupted else nullcontext():
        print(json.dumps(dataclasses.asdict(status)) if as_json else summary(status, told), flush=bool(interrupted))
    if interrupted[:1] == [signal.SIGINT]:
        return 130
    if interrupted and convert:
        return 128 + interrupted[0]
    # A camera that never came, say, or a damaged file: the cure stands above.
    return 1 if not status.published or (convert and status.problems) else 0


def _beside_older(spec: str) -> str:
    """A file to write the bundled clip to: with a camera it would be a recording, which replaces nothing."""
    from app.publish.file import free

    return spec if spec == OWN_OUTPUT else f"file:{free(named(spec.removeprefix('file:')))}"


def _check(settings: Settings) -> None:
    """Raise `GreenroomError` for what is known to fail: a window goes on and says so; here nobody may be looking."""
    build_effect(settings)
    try:
        selection.models(settings)
    except ModelError as error:
        raise GreenroomError(str(error)) from error
    kind, path = parse(settings.source)
    shown = {"image": settings.image, "video": settings.video}.get(settings.effect, "")
    read = {"source": path if kind == "file" else "", "background": shown}
    files: set[str] = set()
    for spec in filter(is_file, settings.sinks):
        check_file(spec)
        sink = named(spec.removeprefix("file:"))
        if (place := os.path.realpath(sink)) in files:
            raise GreenroomError(f"{spec} is named twice as a sink.", "Give each sink its own file.")
        files.add(place)
        for what, name in read.items():
            if name and exists(sink) and exists(named(name)) and sink.samefile(named(name)):
                raise GreenroomError(f"{spec} is the {what} itself.", "Give the sink another name.")


def _file_rate(settings: Settings) -> float:
    """A file's pictures a second, 0 when the source is live.

    Opened once to fail early and clearly: a missing camera is waited for, a missing file is an error.
    """
    width, height = settings.dimensions
    spec = settle(settings.source)
    kind, _ = parse(spec)
    if kind in ("camera", "pattern"):
        return 0.0
    source = open_source(spec, width=width, height=height, fps=settings.fps, loop=False)
    rate = 0.0 if source.live else source.fps or settings.fps
    source.close()
    return rate


def _converter(settings: Settings, rate: float) -> Pipeline:
    """A pipeline that keeps every frame of a file and the file's own rate; the settings' only bounds live sources."""

    def open_at_rate(spec: str, width: int, height: int, _: float) -> Sink:
        return open_sink(spec, width, height, rate, realtime=False)

    return Pipeline(settings, realtime=False, loop=False, open_sink=open_at_rate)


def _final(pipeline: Pipeline, last: Status) -> Status:
    """The outcome: counts, timings and what did not close well to the very end, the rest as it was while all ran."""
    end = pipeline.status()
    counts = {name: getattr(end, name) for name in ("captured", "published", "covered", "dropped", "timings")}
    unclosed = [p for p in end.problems if p.part == "sink" and p not in last.problems]
    return dataclasses.replace(last, **counts, problems=(*last.problems, *unclosed))


def _tell(text: str, bar: tqdm) -> None:
    """Print above the bar; a log that takes nothing more ends no call."""
    with suppress(OSError):
        bar.write(text, file=sys.stderr)


def _finishing(settings: Settings) -> str:
    """What to tell who stops a conversion, whose file takes a moment to finish."""
    return f"Finishing {', '.join(settings.sinks)}; Ctrl+C again loses it."


STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that end a run properly; Windows has not all."""


@contextmanager
def _interrupts(text: str) -> Iterator[list[int]]:
    """Collects `STOPPING` instead of dying of them, says `text` at the first; a second SIGINT interrupts as usual."""
    received: list[int] = []

    def note(number: int, _: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if text and len(received) == 1:
            with suppress(OSError):
                print(text, file=sys.stderr)

    # What nohup ignores stays so; a shell's job in the background has Ctrl+C ignored, and is still to be stopped by it.
    heard = [n for n in STOPPING if n == signal.SIGINT or signal.getsignal(n) is not signal.SIG_IGN]
    old = {number: signal.signal(number, note) for number in heard}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def summary(status: Status, told: Collection[Problem] = ()) -> str:
    """A run's outcome in a few lines, without the problems that were told before."""
    stages = "  ".join(f"{name} {t.p50:.1f}/{t.p95:.1f}" for name, t in status.timings.items())
    lines = [
        f"{status.published} pictures published, {status.dropped} dropped; {status.segmenter_name or 'no network'}",
        f"ms p50/p95: {stages}" if stages else "",
        *(str(problem) for problem in status.problems if problem not in told),
    ]
    return "\n".join(line for line in lines if line)


def run_matte(source: str, folder: Path, settings: Settings, *, temporal: bool, refine: bool, as_json: bool) -> int:
    """Write each frame's alpha as PNG; the exit status is 1 when the input is damaged.

    Raises:
        GreenroomError: the input cannot be read, the model cannot run, or the folder cannot be written.
    """
    if parse(settle(source))[0] in ("camera", "pattern"):
        raise GreenroomError(f"{source} has no end.", "Give a video, a picture or a folder of pictures.")
    if exists(Path(source)) and Path(source).is_dir() and exists(folder) and folder.samefile(source):
        raise GreenroomError(f"{folder} holds the pictures themselves.", "Write the alphas to another folder.")
    frames = open_source(source, width=1280, height=720, fps=30, loop=False)
    try:
        loaded = load_known(settings, realtime=False)
    except ModelError as error:
        raise GreenroomError(str(error)) from error
    except BackendError as error:
        raise GreenroomError(
            f"{error}.", "Name another --device or --backend, or auto; see `greenroom devices`."
        ) from error
    alone = isinstance(frames, FolderSource) and not temporal
    matter = Matter(unhurried(loaded).look, temporal=temporal, refine=refine, alone=alone)
    total = getattr(frames, "length", None) or len(getattr(frames, "paths", [])) or None
    started = time.monotonic()
    with tqdm(total=total, unit=" frames", disable=as_json or not sys.stderr.isatty()) as bar:
        written: list[str] = []
        left_out: list[str] = []
        try:
            problem = _write_mattes(frames, matter, folder, bar, written, left_out)
        except KeyboardInterrupt:
            print(f"Stopped: {len(written)} alphas in {folder}.", file=sys.stderr)
            raise
    count = len(written)
    frames.close()
    loaded.session.close()
    seconds = time.monotonic() - started
    facts = {"frames": count, "seconds": round(seconds, 3), "segmenter": loaded.name, "folder": str(folder)}
    facts |= {"left_out": left_out}
    print(json.dumps(facts) if as_json else f"{count} alphas in {folder} by {loaded.name}, {seconds:.1f} s")
    if problem is not None:
        print(f"greenroom: {problem}", file=sys.stderr)
    elif left_out:
        print(f"greenroom: {len(left_out)} damaged pictures of {source} were left out.", file=sys.stderr)
    return 1 if problem is not None or left_out else 0


def _write_mattes(
    source: Source, matter: Matter, folder: Path, bar: tqdm, written: list[str], left_out: list[str]
) -> Problem | None:
    """Write the alphas, and note their names and what is damaged; what is wrong with a source that ended too soon."""
    try:
        for name in write_mattes(source, matter, folder, left_out):
            written.append(name)
            bar.update()
    except EndOfSource as end:
        return end.problem
    except (BackendError, UntrustedMask) as error:
        message = f"The network failed at frame {len(written)}: {error}"
        raise GreenroomError(message, "Try another --backend.") from error
    return None
