"""The way of a frame: capture → segment → refine → compose → publish.

Three threads hand over through slots of one element, where the newest wins:

    capture ──[inbox]──► work (app.processor) ──[outbox]──► publish
                         └─ segment, a frame ahead

Each thread owns what it opens and notices changed settings by itself, so `configure` never waits. The work is done by
two: one runs the network, the other all else, so that the next frame's mask is made while a frame is composited.
Another (app.segmentation) loads networks beside; a runtime may have threads of its own (backends.request). While
nothing comes, a card is published: consumers never see a dead device, and never the raw room.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2

from app.buffers import Buffers
from app.capture.factory import supervise
from app.capture.supervisor import SupervisedSource
from app.compose.card import card
from app.frame import Frame, Image, Picture
from app.intake import Intake
from app.loaded import Loaded
from app.problems import GreenroomError, Problem
from app.processor import DRESS_SETTINGS, FORGET_SECONDS, Processor, Work
from app.publish import factory
from app.publisher import OpenSink, Publisher
from app.segmentation import Loader
from app.settings import NETWORK_SETTINGS, Settings
from app.shown import CARD_SECONDS, Shown
from app.slot import Slot
from app.status import Rate, Status, Stopwatch
from backends import BackendError

EARLY = 0.25
"""A frame may come this share of a period early and still be taken, when a source faster than wanted is thinned out:
half a period would be the borderline of 60 to 30 a second, where a camera's jitter then decides."""

FASTER = 1.1
"""A source is thinned out from this ratio on; below, every frame is taken, however unevenly they come."""

PATIENCE = 30
"""So many untrusted masks in a row make a device suspect, and another is tried: one second."""

Supervise = Callable[[Settings], SupervisedSource]


class Pipeline:
    """Runs the way of a frame in its own threads. Its methods may be called from any one thread and return at once.

    Args:
        settings: what to run.
        realtime: True keeps the source's pace and drops what is late; False processes every frame as fast as it
            goes, waits for the network first, and stops at the first error of a sink.
        loop: whether files start again at their end.
        supervise, open_sink: how settings become a source and specifications sinks.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        realtime: bool = True,
        loop: bool = True,
        supervise: Supervise | None = None,
        open_sink: OpenSink | None = None,
    ) -> None:
        self._settings = settings
        self._realtime = realtime
        self._supervise = supervise or partial(_supervise, loop=loop, realtime=realtime)
        self._publisher = Publisher(open_sink or partial(factory.open_sink, realtime=realtime), forgiving=realtime)
        self._inbox: Slot[Frame] = Slot(patient=not realtime)
        self._outbox: Slot[Picture] = Slot(patient=not realtime)
        self._frames, self._pictures, self._cutouts = Buffers(), Buffers(), Buffers()
        self._loader = Loader(realtime=realtime)
        self._loaded: Loaded | None = None
        self._source: SupervisedSource | None = None
        self._source_changed = threading.Event()
        self._stopping = threading.Event()
        self._stopwatch = Stopwatch()
        self._intake = Intake(self._frames, self._stopwatch)
        self._processor: Processor | None = None
        self._mask_problem: Problem | None = None
        self._captured = self._published = self._covered = 0
        self._sinks_configured: tuple[Any, ...] = ()
        self._protected = True
        self._shown = Shown()
        self._rate = Rate()
        self._preview: Image | None = None
        self._preview_lock = threading.Lock()
        self._error: Exception | None = None
        self._cut = False
        names = (("capture", self._capture), ("work", self._work), ("publish", self._publish))
        self._threads = [threading.Thread(target=self._guard, args=n, name=n[0], daemon=True) for n in names]

    def start(self) -> None:
        """Start the threads; returns at once."""
        cv2.setNumThreads(1)  # its pool's threads cost more CPU than they save time on pictures this small
        self._loader.start()
        self._loader.wanted(self._settings)
        for thread in self._threads:
            thread.start()

    def stop(self, *, whole: bool = True) -> None:
        """Stop the threads, close source and sinks; returns when all is closed; not `whole` replaces no file."""
        self._cut = not whole
        self._stopping.set()
        self._source_changed.set()
        self._inbox.close()
        self._outbox.close()
        self._loader.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._loader.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the source's end.

        Returns:
            True when every picture has been published and the sinks are closed, False after `timeout` seconds.

        Raises:
            GreenroomError: what ended a run that is not `realtime` early.
        """
        self._threads[-1].join(timeout)
        if self._threads[-1].is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True

    def configure(self, settings: Settings) -> None:
        """Change to these settings while running: only what they touch is opened anew. Returns at once."""
        old, self._settings = self._settings, settings
        if (settings.source, settings.size, settings.fps) != (old.source, old.size, old.fps):
            self._source_changed.set()
        if any(getattr(settings, name) != getattr(old, name) for name in NETWORK_SETTINGS):
            self._loader.wanted(settings)
        elif any(getattr(settings, name) != getattr(old, name) for name in DRESS_SETTINGS):
            self._loader.dressed(settings)
        self._outbox.wake()  # what may not be seen any more must go, also while the source stalls

    def status(self) -> Status:
        """A snapshot of how things are."""
        source, loaded = self._source, self._loaded
        problems = [
            source.problem if source else None,
            self._loader.problem,
            self._mask_problem,
            *(dict(self._processor.problems) if self._processor else {}).values(),
            *self._publisher.problems(),
        ]
        failed = loaded is None and self._loader.problem is not None
        return Status(
            source=source.state if source else "opening",
            source_name=source.name if source else "",
            segmenter="ready" if loaded else "failed" if failed else "loading",
            segmenter_name=loaded.name if loaded else "",
            protected=self._protected,
            card=self._shown.card,
            sinks=self._publisher.states(),
            fps=self._rate.at(time.monotonic()),
            captured=self._captured,
            published=self._published,
            covered=self._covered,
            dropped=self._inbox.dropped + self._outbox.dropped,
            timings=self._stopwatch.timings(),
            problems=tuple(p for p in problems if p),
        )

    def preview(self) -> Image | None:
        """A copy of the last finished picture, uint8 I420 (H * 3 // 2, W), or None before the first.

        It is what others see, or would see while off air.
        """
        with self._preview_lock:
            return None if self._preview is None else self._preview.copy()

    def _guard(self, name: str, body: Callable[[], None]) -> None:
        """Run a thread's body; what it raises ends the run and is raised again by `wait`."""
        try:
            body()
        except Exception as error:
            self._error = self._error or error
        finally:
            if name == "capture":
                self._inbox.close() if not self._realtime else None
            if self._error is not None:
                self._stopping.set()
                self._source_changed.set()
                self._inbox.close()
                self._outbox.close()

    def _capture(self) -> None:
        seq, due, scene, mirror = 0, 0.0, 0, self._settings.mirror
        while True:
            self._source_changed.clear()
            if self._stopping.is_set():  # looked at after the clearing: whoever stops sets both, this one first
                return
            settings = self._settings
            source = self._source = self._supervise(settings)
            scene += 1
            for image, captured_at, spare in source.frames(self._source_changed, self._lend):
                settings = self._settings
                thin = self._realtime and source.fps > FASTER * settings.fps
                if thin and captured_at < due - EARLY / settings.fps:
                    self._intake.give_back(spare)
                    continue
                due = max(due + 1 / settings.fps, captured_at)
                scene, mirror = scene + (settings.mirror != mirror), settings.mirror
                self._captured += 1
                self._hand_over(Frame(seq, captured_at, self._intake.fit(image, spare, settings), scene))
                seq += 1
            if source.state == "ended":
                if not self._realtime:
                    return
                self._source_changed.wait()

    def _lend(self) -> Image | None:
        return self._intake.lend(self._settings)

    def _hand_over(self, frame: Frame) -> None:
        pushed_out = self._inbox.put(frame)
        if pushed_out is not None:
            self._frames.give(pushed_out.image)

    def _work(self) -> None:
        try:
            self._process_frames()
            self._outbox.close()  # after an error `_guard` does, when it is known
        finally:
            if self._loaded is not None:
                self._loader.close(self._loaded)  # `status` goes on telling its name

    def _process_frames(self) -> None:
        # A conversion has no pauses: frames follow each other however long they take.
        forget = FORGET_SECONDS if self._realtime else math.inf
        processor = self._processor = Processor(self._settings, self._stopwatch, self._cutouts, forget_seconds=forget)
        settings, doubts = self._settings, 0
        work: Work | None = None
        late: Exception | None = None
        try:
            while not self._stopping.is_set():
                work = work or self._begin(processor, CARD_SECONDS)
                if work is None:
                    if self._inbox.ended:
                        return
                    continue
                if settings is not self._settings:
                    settings = self._settings
                    processor.configure(settings)
                if work.frame.image.shape[1::-1] != settings.dimensions:
                    work.wait()  # captured before the size was changed
                    work = None
                    continue
                processor.matte(work)
                doubts = self._doubt(work.failure or late, doubts)
                # If the next frame is there already, its mask is made while this one is composited.
                following, judged = self._begin(processor, 0), work.failure
                self._compose(processor, work, settings)
                late = None if judged else work.failure
                work = following
        finally:
            processor.close()

    def _begin(self, processor: Processor, seconds: float) -> Work | None:
        """Begin with the next frame, None when none comes so soon."""
        self._swap_segmenter()
        frame = self._inbox.take(seconds)
        if frame is None:
            return None
        if not self._realtime:
            self._await_segmenter()
        return processor.begin(frame, self._loaded)

    def _compose(self, processor: Processor, work: Work, settings: Settings) -> None:
        width, height = settings.dimensions
        picture = processor.compose(work, self._pictures.take((height * 3 // 2, width)))
        self._frames.give(work.frame.image)
        self._protected = not picture.raw and (work.loaded is None or work.failure is not None)
        self._covered += self._protected
        pushed_out = self._outbox.put(picture)
        if pushed_out is not None:
            self._pictures.give(pushed_out.i420)
            self._give_cutout(pushed_out)

    def _give_cutout(self, picture: Picture) -> None:
        if picture.bgra is not None:
            self._cutouts.give(picture.bgra)

    def _swap_segmenter(self) -> None:
        """Take over a newly loaded segmenter between two frames."""
        if (new := self._loader.take()) is not None:
            old, self._loaded = self._loaded, new
            if old is not None:
                self._rest()
                self._loader.retire(old)

    def _rest(self) -> None:
        if self._processor is not None:
            self._processor.rest()

    def _await_segmenter(self) -> None:
        while self._loaded is None and not self._stopping.wait(0.01):
            self._swap_segmenter()
            if self._loaded is None and (problem := self._loader.problem) is not None:
                self._swap_segmenter()  # it may have come just before the problem with a better one was told
                if self._loaded is None:
                    raise GreenroomError(problem.message, problem.cure)

    def _doubt(self, failure: Exception | None, doubts: int) -> int:
        """Judge a covered frame; returns how many in a row there were."""
        if failure is None or self._loaded is None:
            self._mask_problem = None
            return 0
        self._mask_problem = Problem("segmenter", f"A frame was covered: {failure}", "It goes on by itself.")
        if isinstance(failure, BackendError) or doubts + 1 >= PATIENCE:
            self._rest()
            self._loaded = self._loader.failed(self._loaded, str(failure))
            return 0
        return doubts + 1

    def _publish(self) -> None:
        try:
            while not self._stopping.is_set():
                self._tend_sinks()
                # A conversion, which has no cards, looks as often whether it is to stop.
                wait = self._shown.patience(self._settings.fps) if self._realtime else CARD_SECONDS
                picture = self._outbox.take(wait)
                # The settings may have changed during the wait; what the user has just hidden is hidden from now on.
                settings = self._tend_sinks()
                if picture is not None:
                    self._write(picture, settings)
                elif self._outbox.ended:
                    break
                elif self._realtime and (self._shown.is_hidden(settings) or not self._shown.patience(settings.fps)):
                    self._write_card(settings)
        except Exception as error:
            self._error = self._error or error  # known before the sinks are closed: what they got is not the whole
            raise
        finally:
            source = self._source
            whole = self._error is None and not self._cut and (source is None or source.problem is None)
            self._publisher.close(whole=whole)

    def _write_card(self, settings: Settings) -> None:
        self._publisher.write(Picture(-1, time.monotonic(), card(*settings.dimensions)))
        self._shown.published(card=True)
        self._show(card(*settings.dimensions))

    def _tend_sinks(self) -> Settings:
        """Give the sinks the settings of now and open what is due; returns the settings that hold once that is done."""
        while True:
            settings = self._settings
            wanted = (settings.sinks, settings.size, settings.fps)
            if wanted != self._sinks_configured:
                self._sinks_configured = wanted
                self._publisher.configure(settings.sinks, *settings.dimensions, settings.fps)
            else:
                self._publisher.tend()
            if settings is self._settings:  # to open takes a while, in which the user may hide what has been shown
                return settings

    def _write(self, picture: Picture, settings: Settings) -> None:
        """Publish a finished picture; the card in its place while off air, or when it shows what is hidden by now."""
        if picture.size != settings.dimensions:
            return
        hidden = picture.raw and settings.effect != "none"
        instead = Picture(-1, picture.captured_at, card(*picture.size))
        start = time.monotonic()
        taken = self._publisher.write(picture if settings.on_air and not hidden else instead)
        self._give_cutout(picture)
        self._shown.published(card=not settings.on_air, raw=picture.raw and not hidden)
        now = time.monotonic()
        self._stopwatch.add("publish", now - start)
        self._stopwatch.add("total", now - picture.captured_at)
        self._rate.add(now)
        self._published += taken
        self._show(instead.i420 if hidden else picture.i420)
        if hidden:
            self._pictures.give(picture.i420)

    def _show(self, i420: Image) -> None:
        """Keep a picture for the preview; the one it replaces may be used again. Cards, shared by all, are not."""
        with self._preview_lock:
            old, self._preview = self._preview, i420
        if old is not None and old.flags.writeable:
            self._pictures.give(old)


def _supervise(settings: Settings, *, loop: bool, realtime: bool) -> SupervisedSource:
    width, height = settings.dimensions
    return supervise(settings.source, width=width, height=height, fps=settings.fps, loop=loop, realtime=realtime)
