"""A machine whose networks measure, load and fail as told, for the tests of the loader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import FakeSession, fake_loaded, until

import app.segmentation as module
from app import selection
from app.loaded import Loaded
from app.segmentation import Loader
from backends import BackendError, selector
from backends.child import Cancelled
from backends.choice import Outcome
from backends.request import Request
from backends.tiers import Candidate, Network, Pin
from models.manifest import get_model

CPU, LITERT, GPU = (
    Candidate("onnxruntime", "CPU", 1),
    Candidate("litert", "CPU", 1),
    Candidate("onnxruntime", "CUDA", 1),
)


class Machine:
    """A machine whose ways measure, load or fail as told: the first of `known` and `best` is the fastest."""

    def __init__(self) -> None:
        self.known: list[Candidate] = [CPU, LITERT]
        self.best: list[Candidate] = [CPU, LITERT]
        self.broken: dict[str, str] = {}
        self.slow: dict[str, threading.Event] = {}
        self.loaded: list[Loaded] = []
        self.measurements = self.looks = 0
        self.endless = False
        self.tiers: list[set[str]] = []

    def load(self, candidate: Candidate) -> Loaded:
        if str(candidate) in self.slow:
            self.slow[str(candidate)].wait()
        if str(candidate) in self.broken:
            raise BackendError(self.broken[str(candidate)])
        made = fake_loaded()
        self.loaded.append(Loaded(made.segmenter, made.session, candidate, made.look))
        return self.loaded[-1]

    def names(self) -> list[str]:
        return [str(one.candidate) for one in self.loaded]

    def remembered(self, _: object, pin: Pin) -> list[Outcome]:
        self.looks += 1
        return outcomes(self.known, pin)

    def measured(
        self, networks: list[Network], pin: Pin, picture: object, *, cancelled: Callable[[], bool], **_: object
    ) -> list[Outcome]:
        self.measurements += 1
        self.tiers.append({network.tier for network in networks})
        while self.endless:
            if cancelled():
                raise Cancelled
            time.sleep(0.01)
        return outcomes(self.best, pin)


def outcomes(ways: list[Candidate], pin: Pin) -> list[Outcome]:
    """The ways that the pin allows, each a little slower than the one before."""
    return [Outcome(way, ms=1.0 + n, cpu_ms=1.0 + n) for n, way in enumerate(ways) if pin.allows(way)]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(module, "load", made.load)
    monkeypatch.setattr(selector, "remembered", made.remembered)
    monkeypatch.setattr(selector, "preliminary", lambda _, pin, quickest: [c for c in (CPU, LITERT) if pin.allows(c)])
    monkeypatch.setattr(selector, "probe_all", lambda _: {})
    monkeypatch.setattr(selector, "measured", made.measured)
    monkeypatch.setattr(selection, "manifest", lambda: {"lite": get_model("lite")})
    return made


@pytest.fixture
def loader() -> Iterator[Loader]:
    made = Loader()
    made.start()
    yield made
    made.stop()
    made._thread.join(10)
    assert not made._thread.is_alive()


def take(loader: Loader) -> Loaded:
    taken: list[Loaded] = []
    until(lambda: (one := loader.take()) is not None and taken.append(one) is None)  # type: ignore[func-returns-value]
    return taken[0]


def closed(loaded: Loaded) -> bool:
    assert isinstance(loaded.session, FakeSession)
    return loaded.session.closed


class Timed(Request):
    """A request that says how long it takes."""

    def __init__(self, request: Request, milliseconds: Callable[[], float | None]) -> None:
        super().__init__(request, 1.0)
        self._milliseconds = milliseconds

    @property
    def recent_ms(self) -> float | None:
        return self._milliseconds()
