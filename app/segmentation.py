"""The segmenter's life: chosen, loaded beside the running pipeline, swapped in, replaced when its device fails."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.problems import Problem
from app.settings import Settings
from backends import BACKENDS, BackendError, Session, get_backend, selector
from backends.selector import Candidate
from models.manifest import Model, ModelError, get_model
from models.segmenter import Segmenter

FIRST_RETRY, LAST_RETRY = 15.0, 600.0
"""Seconds until a device that failed is tried again, doubled each time: a driver's reset takes a few seconds and a
replugged dock a little more, but loading what will never work must not cost CPU for the rest of the day."""

log = logging.getLogger(__name__)

LAST_SECONDS = 3.0
"""A runtime that is still loading when the process ends takes it down ("terminate called…"), so its end is waited for:
loading takes less than a second. A measurement takes longer, but runs in a child, which harms nobody."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A segmenter ready to run, with the session it runs on."""

    segmenter: Segmenter
    session: Session
    candidate: Candidate

    @property
    def name(self) -> str:
        """For the user: which network on what."""
        return f"{self.segmenter.model.name} on {self.candidate}"


def network_files(model: Model) -> dict[str, Path]:
    """The model's fp32 file for each format, their hashes verified.

    Raises:
        ModelError: one is missing or is not the manifest's.
    """
    return {file.format: file.verify() for file in model.files if file.precision == "fp32"}


def load(model: Model, candidate: Candidate) -> Loaded:
    """Load a model as the candidate says and run it once, so that the first frame is not the slow one.

    Raises:
        BackendError: the runtime cannot.
        ModelError: a file is missing or refused.
    """
    backend = get_backend(candidate.backend)
    session = backend.load(network_files(model)[backend.FORMAT], candidate.device, candidate.threads)
    session.run()
    segmenter = Segmenter(model, session.input, session.output, session.run)
    return Loaded(segmenter, session, candidate)


def candidates(settings: Settings, model: Model) -> list[Candidate]:
    """The ways to run the model that the settings allow, the best known first, without measuring anything."""
    files = network_files(model)
    known = selector.remembered(files, settings.threads) or selector.preliminary(files, settings.threads)
    return _allowed(settings, known)


def _same(one: Candidate, other: Candidate | None) -> bool:
    """Whether two candidates are the same way of running, however they measured."""
    return other is not None and (one.backend, one.device, one.threads) == (other.backend, other.device, other.threads)


def _allowed(settings: Settings, known: list[Candidate]) -> list[Candidate]:
    return [c for c in known if settings.backend in ("auto", c.backend) and not c.problem]


class Loader:
    """Loads segmenters in a thread of its own and hands each over once it is ready.

    `wanted` and `failed` may be called from any thread and return at once. The newest loaded segmenter is fetched with
    `take` by the thread that runs it; who takes one owns it and closes its session.

    Beside a segmenter on a device that can be lost (a GPU, an NPU) one on the CPU is kept ready, so that a lost device
    costs a frame, not the second that a runtime needs to start.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready: Loaded | None = None
        self._standby: Loaded | None = None
        self._lock = threading.Lock()
        self._failed: dict[tuple[str, str], str] = {}
        self._running: Candidate | None = None
        self._retry = FIRST_RETRY
        self._settings = Settings()
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self.problem: Problem | None = None
        """Why there is no segmenter or not the one asked for; None when all is well."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a load or measurement that is under way ends by itself and is thrown away."""
        self._orders.put(None)

    def join(self) -> None:
        """Wait for the thread's end, at most `LAST_SECONDS`."""
        if self._thread.is_alive():
            self._thread.join(LAST_SECONDS)

    def wanted(self, settings: Settings) -> None:
        """Load what these settings ask for."""
        self._orders.put(lambda: self._order(settings))

    def failed(self, candidate: Candidate, why: str) -> Loaded | None:
        """A segmenter failed while running: load the next best, and try this one again later.

        Returns:
            The one that was kept ready, to go on with; it is then the caller's.
        """
        with self._lock:
            standby, self._standby = self._standby, None
        self._orders.put(lambda: self._replace(candidate, why))
        return standby

    def take(self) -> Loaded | None:
        """The segmenter loaded since the last call, None when there is none."""
        with self._lock:
            ready, self._ready = self._ready, None
        return ready

    def _run(self) -> None:
        while (order := self._next()) is not None:
            try:
                order()
            except (ModelError, BackendError) as error:
                self.problem = Problem("segmenter", f"The network cannot be used: {error}", "Run `greenroom doctor`.")
            except Exception as error:  # a fault of ours must not leave the picture covered for ever without a word
                log.exception("The loader failed")
                self.problem = Problem("segmenter", f"The loader failed: {error!r}.", "Start Greenroom again.")
        with self._lock:
            left = [loaded for loaded in (self._ready, self._standby) if loaded]
            self._ready = self._standby = None
        for loaded in left:
            loaded.session.close()

    def _next(self) -> Callable[[], None] | None:
        """The next order; while something is wrong, trying again is an order too."""
        try:
            return self._orders.get(timeout=self._retry if self._failed or self.problem else None)
        except queue.Empty:
            self._failed.clear()
            self._retry = min(2 * self._retry, LAST_RETRY)
            return self._load_best

    def _order(self, settings: Settings) -> None:
        self._settings = settings
        self._failed.clear()
        self._running, self._retry = None, FIRST_RETRY
        self._load_best()

    def _load_best(self) -> None:
        """Load what is known to be best, at once; then measure, once a machine, and load what really is."""
        settings, model = self._settings, get_model(self._settings.model)
        # Should the pinned backend not work, any other is better than a picture that stays covered.
        self._load_first(model, candidates(settings, model) + candidates(settings.replace(backend="auto"), model))
        if settings.backend == "auto":
            best = _allowed(settings, selector.measured(network_files(model), settings.threads))
            self._load_first(model, best)
        self._prepare_standby(model)

    def _replace(self, candidate: Candidate, why: str) -> None:
        self._failed[candidate.backend, candidate.device] = f"{candidate} failed: {why}"
        self._running = None
        model = get_model(self._settings.model)
        ranked = candidates(self._settings.replace(backend="auto"), model)
        self._load_first(model, [candidate, *ranked])

    def _load_first(self, model: Model, ranked: list[Candidate]) -> None:
        """Load the first candidate that works, unless it runs already, and offer it; say what is wrong with others."""
        troubles: dict[str, None] = {}
        for candidate in ranked:
            if why := self._failed.get((candidate.backend, candidate.device)):
                troubles[why] = None
                continue
            if not _same(candidate, self._running):
                try:
                    loaded = load(model, candidate)
                except Exception as error:
                    why = f"{candidate}: {error}"
                    troubles[why] = None
                    self._failed[candidate.backend, candidate.device] = why
                    continue
                self._running = candidate
                self._offer(loaded)
            self.problem = Problem("segmenter", "; ".join(troubles), "Another is used.") if troubles else None
            return
        reasons = "; ".join(troubles) or "there is no candidate"
        names = ", ".join(BACKENDS)
        self.problem = Problem("segmenter", f"No network runs here: {reasons}.", f"Try another backend ({names}).")

    def _prepare_standby(self, model: Model) -> None:
        if self._running is None or self._running.device == "CPU":
            return
        anywhere = candidates(self._settings.replace(backend="auto"), model)
        for candidate in [c for c in anywhere if c.device == "CPU"]:
            try:
                standby = load(model, candidate)
            except Exception:
                continue  # the next; what is wrong with it is said when it is wanted
            with self._lock:
                self._standby, old = standby, self._standby
            if old:
                old.session.close()
            return

    def _offer(self, loaded: Loaded) -> None:
        with self._lock:
            self._ready, unclaimed = loaded, self._ready
        if unclaimed:
            unclaimed.session.close()
