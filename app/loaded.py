"""A segmenter that is ready to run, and how it gets so."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app import selection
from app.compose.plan import Plan
from app.settings import Settings
from app.whole import Rival, WholeFrame
from backends import BackendError, Session, get_backend
from backends.request import Request
from backends.tiers import Candidate
from models.region import Looking, Tracker
from models.segmenter import Segmenter

HANG_SECONDS, HANG_SECONDS_CPU, HANG_RUNS = 0.3, 3.0, 10.0
"""A run that takes longer, and ten times as long as usual, has hung. 0.3 s leaves 0.2 for the next frame on another
device; the CPU has no driver that can be lost, only other programs in its way, and gets more patience."""


@dataclass(eq=False, slots=True)
class Loaded:
    """A segmenter ready to run, with the session it runs on.

    Attributes:
        look: makes the masks with the segmenter.
        whole: makes finished pictures on the same device; None while there is nothing that does. The loader replaces
            it while others run it: who does holds it meanwhile.
        rival: what `whole` is compared with; None where there will be none.
        tried: what `whole` was built for last, be it that it was refused.
    """

    segmenter: Segmenter
    session: Session
    candidate: Candidate
    look: Looking
    whole: WholeFrame | None = None
    rival: Rival | None = None
    tried: Plan | None = None

    @property
    def name(self) -> str:
        """For the user: which network on what."""
        return self.candidate.title

    def close(self) -> None:
        """Close what nobody runs any more; a driver that is lost may take its time, or for ever."""
        self.session.close()
        if self.whole is not None:
            self.whole.close()


def load(candidate: Candidate) -> Loaded:
    """Load a network and run it twice, so that the first frame is not the slow one and its usual time is known.

    Raises:
        BackendError: the runtime cannot.
        ModelError: a file is missing or refused.
    """
    model, file = selection.file_of(candidate)
    session = get_backend(candidate.backend).load(file.path, candidate.device, candidate.threads)
    session.run()
    start = time.perf_counter()
    session.run()
    usual = time.perf_counter() - start
    patience = HANG_SECONDS_CPU if candidate.device == "CPU" else HANG_SECONDS
    request = Request(session, max(patience, HANG_RUNS * usual))
    segmenter = Segmenter(model, request.input, request.output, request.run)
    return Loaded(segmenter, request, candidate, Tracker(segmenter))


def unhurried(loaded: Loaded) -> Loaded:
    """For files: every frame has all the looks that it needs."""
    loaded.look = Tracker(loaded.segmenter, patient=True)
    return loaded


def load_known(settings: Settings, *, realtime: bool = True) -> Loaded:
    """Load the best way known, without measuring; the next when one does not work.

    Raises:
        BackendError: none works.
        ModelError: there is no such network, or its files are refused.
    """
    troubles: dict[tuple[str, str], str] = {}
    for candidate in selection.ways(settings, realtime=realtime):
        try:
            return load(candidate)
        except BackendError as error:
            troubles.setdefault((candidate.backend, candidate.device), f"{candidate}: {error}")
    raise BackendError("; ".join(troubles.values()) or "Nothing here runs the network as it was asked for")
