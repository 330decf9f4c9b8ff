"""The segmenter's life: chosen, loaded beside the running pipeline, swapped in, replaced when its device fails."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from app import selection
from app.compose.plan import Plan
from app.loaded import Loaded, load, unhurried
from app.power import on_battery
from app.problems import Problem
from app.settings import Settings
from app.whole import WholeFrame, fit, plan_for, rival
from backends import BACKENDS, BackendError, get_backend, selector
from backends.child import Cancelled
from backends.choice import Outcome
from backends.request import Request, within
from backends.tiers import Candidate, place
from models.manifest import ModelError

FIRST_RETRY, LAST_RETRY = 15.0, 600.0
"""Seconds until a device that failed is tried again, doubled each time: a driver's reset takes a few seconds and a
replugged dock a little more, but loading what will never work must not cost CPU for the rest of the day."""

POWER_SECONDS = 5.0
"""Pause between two looks at the battery: a file or a system call, and fans take longer to start."""

LAST_SECONDS = 3.0
"""A runtime that is still loading when the process ends takes it down ("terminate called…"), so its end is waited for:
loading takes less than a second. A measurement takes longer, but runs in a child, which is ended."""

LOAD_SECONDS = 60.0
"""A load that takes longer has hung: the slowest known is a GPU's driver compiling for the first time, 20 s, and that
happened in the child that measured."""

LAG, CHEAPER = 0.9, 0.7
"""A network that takes more than this share of the time between two frames cannot keep up with the call as it is now,
and one that measured at most this share of its CPU time is tried instead; where it is a GPU's or an NPU's time that
another program takes, one that measured at most this share of that time, or one elsewhere."""

SAMPLE = 1280, 720
"""Size of the frame that a GPU's network is compared on."""

log = logging.getLogger(__name__)


class Loader:
    """Loads segmenters in a thread of its own and hands each over once it is ready.

    `wanted`, `failed`, `retire` and `close` may be called from any thread and return at once. The newest loaded
    segmenter is fetched with `take` by the thread that runs it; who takes one owns it, and gives it back with `retire`.

    Beside a segmenter on a device that can be lost (a GPU, an NPU) one on the CPU is kept ready, so that a lost device
    costs a frame, not the second that a runtime needs to start.

    Args:
        realtime: False for files: the best masks however long they take, and nothing is measured.
    """

    def __init__(self, *, realtime: bool = True) -> None:
        self._realtime = realtime
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ready: Loaded | None = None
        self._standby: Loaded | None = None
        self._lock = threading.Lock()
        self._failed: dict[Candidate | tuple[str, str], str] = {}
        self._running: Candidate | None = None
        self._offered: Loaded | None = None
        self._retry, self._retry_at = FIRST_RETRY, 0.0
        self._settings = self._worn = Settings()
        self._lacking = ""
        self._outcomes: list[Outcome] | None = None
        self._unmeasured = False
        self._on_battery = False
        self._closing: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self.problem: Problem | None = None
        """Why there is no segmenter or not the one asked for; None when all is well."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a load that is under way ends by itself and is thrown away, a measurement is ended."""
        self._orders.put(None)

    def join(self) -> None:
        """Wait for the thread's end and for sessions that are being closed, at most `LAST_SECONDS`."""
        end = time.monotonic() + LAST_SECONDS
        for thread in (self._thread, *self._closing):
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))

    def wanted(self, settings: Settings) -> None:
        """Load what these settings ask for."""
        self._worn = settings
        self._orders.put(lambda: self._order(settings))

    def dressed(self, settings: Settings) -> None:
        """Fit the running segmenter's whole way, where it has one, to another effect or size."""
        self._worn = settings  # at once: what waits in the queue is for the dress of then
        offered = self._offered
        # An order ends a measurement, which is begun again after it.
        if offered is not None and offered.rival is not None and offered.tried != _plan(settings):
            self._orders.put(self._dress)

    def failed(self, lost: Loaded, why: str) -> Loaded | None:
        """A segmenter failed while running: load the next best, and try this one again later.

        Args:
            lost: it is closed here.
            why: for the user.

        Returns:
            The one that was kept ready, to go on with; it is then the caller's.
        """
        with self._lock:
            standby, self._standby = self._standby, None
        self.close(lost)
        # A file's run ends with a problem, and whether there is another network only the loader's thread can tell.
        problem = Problem("segmenter", f"{lost.candidate} failed: {why}", "Another is used.")
        self.problem = problem if self._realtime else None
        self._orders.put(lambda: self._replace(lost.candidate, why, standby))
        return standby

    def take(self) -> Loaded | None:
        """The segmenter loaded since the last call, None when there is none."""
        with self._lock:
            ready, self._ready = self._ready, None
        return ready

    def retire(self, old: Loaded) -> None:
        """Take back a segmenter that another has replaced: it is kept ready if one is needed, else closed."""
        with self._lock:
            running = self._running
            useful = running is not None and running.device != "CPU" and old.candidate.device == "CPU"
            if useful and self._standby is None and self._thread.is_alive():
                self._standby = old
                return
        self.close(old)

    def close(self, loaded: Loaded) -> None:
        """Close a segmenter beside. `join` waits for a while."""
        thread = threading.Thread(target=loaded.close, name="close", daemon=True)
        thread.start()
        self._closing = [t for t in self._closing if t.is_alive()] + [thread]

    def _run(self) -> None:
        while (order := self._next()) is not None:
            try:
                order()
            except (ModelError, BackendError) as error:
                self._trouble(f"The network cannot be used: {error}", "Run `greenroom doctor`.")
            except Exception as error:  # a fault of ours must not leave the picture covered for ever without a word
                log.exception("The loader failed")
                self._trouble(f"The loader failed: {error!r}.", "Start Greenroom again.")
        with self._lock:
            left = [loaded for loaded in (self._ready, self._standby) if loaded]
            self._ready = self._standby = None
        for loaded in left:
            loaded.close()

    def _next(self) -> Callable[[], None] | None:
        """The next order; when there is none, what remains: to measure, to try again, to look at the battery."""
        while True:
            failing = bool(self._failed or self.problem)
            pause = self._retry_at - time.monotonic() if failing else POWER_SECONDS
            try:
                return self._orders.get(timeout=0 if self._unmeasured else max(0.0, min(pause, POWER_SECONDS)))
            except queue.Empty:
                pass
            if self._unmeasured:
                return self._measure
            if failing and time.monotonic() >= self._retry_at:
                return self._try_again
            if self._settings.quiet_on_battery and on_battery() != self._on_battery:
                return self._load_best
            if self._realtime and (ms := self._lag()):
                return lambda: self._ease(ms)

    def _order(self, settings: Settings) -> None:
        self._lacking = ""
        try:
            selection.models(settings)
        except ModelError as error:  # of a file of settings from another version, say
            self._lacking, settings = str(error), settings.replace(model="auto")
        self._settings = settings
        self._failed.clear()
        self._outcomes = None
        self._retry, self._unmeasured = FIRST_RETRY, False
        self._retry_at = time.monotonic() + self._retry
        self._load_best()
        self._dress()
        self._unmeasured = self._realtime and not selection.pin(settings).exact

    def _measure(self) -> None:
        """Measure, once a machine, and load what really is the best; an order that comes meanwhile goes first.

        The best tier comes first, and runs as soon as it is known to be affordable.
        """
        self._unmeasured = False
        try:
            self._measure_tiers(self._settings, lambda: not self._orders.empty())
        except Cancelled:
            self._unmeasured = True

    def _measure_tiers(self, settings: Settings, cancelled: Callable[[], bool]) -> None:
        found, outcomes = selector.probe_all(cancelled), list[Outcome]()
        tiers = sorted({model.tier for model in selection.models(settings)}, key=place)
        for tier in tiers:
            outcomes += selection.measure(settings, found, tier=tier, cancelled=cancelled)
            if tier == tiers[-1] or any(v.affordable for v in selection.verdicts(settings, outcomes)):
                self._outcomes = outcomes
                self._load_best()

    def _try_again(self) -> None:
        self._failed.clear()
        self._retry = min(2 * self._retry, LAST_RETRY)
        self._retry_at = time.monotonic() + self._retry
        self._load_best()

    def _lag(self) -> float:
        """Milliseconds that the running network takes when that is too long for the frames' rate, else 0."""
        offered = self._offered
        running = offered and (offered.whole or offered.session)
        recent = running.recent_ms if isinstance(running, Request | WholeFrame) else None
        return recent if recent and recent > LAG * 1000 / self._settings.fps else 0.0

    def _ease(self, ms: float) -> None:
        """Load a cheaper way, where there is one: what was affordable when it was measured is not now."""
        if self._offered is None:
            return
        slow, files = self._offered.candidate, selection.networks(self._settings)
        known = self._outcomes or selector.remembered(files, selection.pin(self._settings))
        measured = {outcome.candidate: outcome for outcome in known if not outcome.problem}
        if slow not in measured:
            return
        as_dear = [way for way, outcome in measured.items() if not _relieves(outcome, measured[slow], ms)]
        if len(as_dear) < len(measured):
            why = f"{slow.title} takes {ms:.0f} ms now, too long for {self._settings.fps} frames a second"
            for way in as_dear:
                self._note(way, why)
            self._load_best()

    def _load_best(self) -> None:
        """Load what is known to be best. Where that is no CPU, which may take its time, a CPU comes first.

        A file waits for the best, also for the next when that is lost: nobody watches.
        """
        self._on_battery = on_battery()
        wanted = self._ways(self._settings, self._outcomes)
        anything = self._ways(selection.unpinned(self._settings), None)
        ways, on_cpu = wanted + anything, [way for way in anything if way.device == "CPU"]
        lacking = self._lacking or (
            "" if wanted else f"what the settings hold fast ({selection.pin(self._settings)}) is not here"
        )
        if self._realtime and self._running is None and ways and ways[0].device != "CPU":
            self._load_first(on_cpu)
        returns = self._running is not None and self._running.device == "CPU"  # `retire` will bring it back
        self._load_first(ways, lacking)
        if self._realtime and not returns:
            self._prepare_standby(on_cpu)

    def _ways(self, settings: Settings, outcomes: list[Outcome] | None) -> list[Candidate]:
        return selection.ways(settings, outcomes, realtime=self._realtime)

    def _replace(self, candidate: Candidate, why: str, standby: Loaded | None) -> None:
        # All networks on a lost device are lost; on the CPU it is this network in this runtime that does not work.
        key = candidate if candidate.device == "CPU" else (candidate.backend, candidate.device)
        self._note(key, f"{candidate} failed: {why}")
        if self._running == candidate:  # else another one is ready and about to be taken
            self._running, self._offered = (standby.candidate, standby) if standby else (None, None)
        self._load_best()

    def _note(self, key: Candidate | tuple[str, str], why: str) -> None:
        self._failed[key] = why
        self._retry_at = time.monotonic() + self._retry

    def _trouble(self, message: str, cure: str) -> None:
        self.problem = Problem("segmenter", message, cure)
        self._retry_at = time.monotonic() + self._retry

    def _load_first(self, ranked: list[Candidate], lacking: str = "") -> None:
        """Load the first candidate that works, unless it runs already, and offer it; say what is wrong with others."""
        troubles = {("", ""): lacking} if lacking else {}  # one for each device is enough
        for candidate in ranked:
            why = self._failed.get(candidate) or self._failed.get((candidate.backend, candidate.device))
            if why is None and candidate != self._running:
                why = self._try(candidate)
            if why is not None:
                troubles.setdefault((candidate.backend, candidate.device), why)
                continue
            said = "; ".join(dict.fromkeys(troubles.values())).rstrip(".")
            self.problem = Problem("segmenter", f"{said[0].upper()}{said[1:]}.", "Another is used.") if said else None
            return
        reasons = "; ".join(troubles.values()).rstrip(".") or "there is no candidate"
        self._trouble(f"No network runs here: {reasons}.", f"Try another backend ({', '.join(BACKENDS)}).")

    def _try(self, candidate: Candidate) -> str | None:
        """Load a candidate and offer it; returns why it could not be loaded, None when it was."""
        try:
            loaded = within(LOAD_SECONDS, lambda: self._loaded(candidate), f"Loading {candidate.title}")
        except Exception as error:
            self._note(candidate, f"{candidate}: {error}")
            return self._failed[candidate]
        self._prepare_fitting(loaded)
        self._fit_out(loaded)
        with self._lock:
            self._running, self._offered = candidate, loaded
            self._ready, unclaimed = loaded, self._ready
        if unclaimed:
            self.retire(unclaimed)
        self._dress()  # the look may have changed meanwhile
        return None

    def _dress(self) -> None:
        if self._offered is not None:
            self._fit_out(self._offered)

    def _prepare_fitting(self, loaded: Loaded) -> None:
        """Note what a GPU's network alone does, whatever the effect of now: once it is offered, another thread runs it.

        Were it run here then, the sample's mask could become that of the camera's frame.
        """
        candidate = loaded.candidate
        try:
            if get_backend(candidate.backend).takes_graphs(candidate.device):
                loaded.rival = rival(loaded.segmenter, selection.sample(*SAMPLE))
        except Exception as error:
            log.info("%s: frames are composited on the CPU: %s", candidate.title, error)

    def _fit_out(self, loaded: Loaded) -> None:
        """Give a segmenter on a GPU a way to do all else there too, if there is one and it is good."""
        candidate, settings, other = loaded.candidate, self._worn, loaded.rival
        plan = _plan(settings)
        if other is None or plan == loaded.tried:
            return
        loaded.whole, loaded.tried = None, plan
        if plan is None:
            return
        try:
            _, network = selection.file_of(candidate)
            loaded.whole = within(
                LOAD_SECONDS, lambda: fit(candidate, network.path, plan, settings, other), "Fitting the frame's graph"
            )
        except Exception as error:
            log.info("%s: frames are composited on the CPU: %s", candidate.title, error)

    def _loaded(self, candidate: Candidate) -> Loaded:
        return load(candidate) if self._realtime else unhurried(load(candidate))

    def _prepare_standby(self, on_cpu: list[Candidate]) -> None:
        if self._running is None:
            return
        if self._running.device == "CPU":
            self._stand_by(None)
            return
        if self._standby is not None:
            return
        for candidate in on_cpu:
            try:
                standby = self._loaded(candidate)
            except Exception as error:
                log.warning("%s cannot stand by: %s", candidate.title, error)
                continue
            self._stand_by(standby)
            return

    def _stand_by(self, new: Loaded | None) -> None:
        with self._lock:
            self._standby, old = new, self._standby
        if old:
            self.close(old)


def _plan(settings: Settings) -> Plan | None:
    return plan_for(settings, blurred=settings.effect in ("blur", "none"))


def _relieves(way: Outcome, slow: Outcome, ms: float) -> bool:
    """Whether a way is worth trying while `slow` takes `ms` milliseconds."""
    device = slow.candidate.device
    if device == "CPU":
        return way.cpu_ms <= CHEAPER * slow.cpu_ms
    return way.ms <= CHEAPER * slow.ms if way.candidate.device == device else way.ms < ms
