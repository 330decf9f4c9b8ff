"""The segmenter's life: chosen, loaded beside the running pipeline, swapped in, replaced when its device fails."""

from __future__ import annotations

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

RETRY_SECONDS = 30.0
"""A device that failed is tried again after this long: a driver reset takes a few seconds, a replug a little more."""


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


def _allowed(settings: Settings, known: list[Candidate]) -> list[Candidate]:
    return [c for c in known if settings.backend in ("auto", c.backend) and not c.problem]


class Loader:
    """Loads segmenters in a thread of its own and hands each over once it is ready.

    `wanted` and `failed` may be called from any thread and return at once. The newest loaded segmenter is fetched with
    `take` by the thread that runs it; who takes one owns it and closes its session.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready: Loaded | None = None
        self._lock = threading.Lock()
        self._failed: set[tuple[str, str]] = set()
        self._settings = Settings()
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self.problem: Problem | None = None
        """Why there is no segmenter or not the one asked for; None when all is well."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; a load or measurement that is under way ends by itself and is thrown away."""
        self._orders.put(None)

    def wanted(self, settings: Settings) -> None:
        """Load what these settings ask for."""
        self._orders.put(lambda: self._order(settings))

    def failed(self, candidate: Candidate, why: str) -> None:
        """A segmenter failed while running: load the next best, and try this one again later."""
        self._orders.put(lambda: self._replace(candidate, why))

    def take(self) -> Loaded | None:
        """The segmenter loaded since the last call, None when there is none."""
        with self._lock:
            ready, self._ready = self._ready, None
        return ready

    def _run(self) -> None:
        while (order := self._next()) is not None:
            order()
        if unclaimed := self.take():
            unclaimed.session.close()

    def _next(self) -> Callable[[], None] | None:
        """The next order; while a device is out of favour its second chance is an order too."""
        try:
            return self._orders.get(timeout=RETRY_SECONDS if self._failed or self.problem else None)
        except queue.Empty:
            self._failed.clear()
            return lambda: self._order(self._settings)

    def _order(self, settings: Settings) -> None:
        if settings.backend != self._settings.backend or settings.model != self._settings.model:
            self._failed.clear()
        self._settings = settings
        try:
            model = get_model(settings.model)
            first = self._load_first(model, candidates(settings, model))
            if settings.backend != "auto":
                return
            best = _allowed(settings, selector.measured(network_files(model), settings.threads))
            if best and (first is None or (best[0].backend, best[0].device) != (first.backend, first.device)):
                self._load_first(model, best)
        except (ModelError, BackendError) as error:
            self.problem = Problem("segmenter", f"The network cannot be used: {error}", "")

    def _replace(self, candidate: Candidate, why: str) -> None:
        self._failed.add((candidate.backend, candidate.device))
        model = get_model(self._settings.model)
        self._load_first(model, candidates(self._settings.replace(backend="auto"), model))
        if self.problem is None:
            self.problem = Problem("segmenter", f"{candidate} failed: {why}", "Another is used meanwhile.")

    def _load_first(self, model: Model, ranked: list[Candidate]) -> Candidate | None:
        """Load the first candidate that works and offer it; say what was wrong with those before it."""
        troubles = []
        for candidate in ranked:
            if (candidate.backend, candidate.device) in self._failed:
                continue
            try:
                loaded = load(model, candidate)
            except (BackendError, ModelError, ValueError) as error:
                troubles.append(f"{candidate}: {error}")
                continue
            self._offer(loaded)
            self.problem = Problem("segmenter", "; ".join(troubles), "Another is used.") if troubles else None
            return candidate
        names = ", ".join(BACKENDS)
        reasons = "; ".join(troubles) or "every candidate failed"
        self.problem = Problem("segmenter", f"No network runs here: {reasons}.", f"Try another backend ({names}).")
        return None

    def _offer(self, loaded: Loaded) -> None:
        with self._lock:
            self._ready, unclaimed = loaded, self._ready
        if unclaimed:
            unclaimed.session.close()
