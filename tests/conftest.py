"""What the tests share: Qt without a display, folders of their own, and fakes of what has hardware behind it."""

from __future__ import annotations

import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.frame import Picture
from app.loaded import Loaded
from app.problems import SinkError
from backends.tiers import Candidate
from models.manifest import Model, get_model
from models.region import Look, Looking, Region
from models.segmenter import Segmenter


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's settings or caches."""
    for kind in ("config", "cache", "data"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / kind))


@pytest.fixture(autouse=True)
def patient_with_sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a sink that opens is there for the next picture."""
    monkeypatch.setattr("app.publisher.AT_ONCE", 10.0)


@pytest.fixture
def files() -> dict[str, Path]:
    """The shipped `lite` by its files' formats."""
    return {file.format: file.verify() for file in get_model("lite").files if file.precision == "fp32"}


class FakeSession:
    """A session whose network is a function from the input picture (h, w, 3) to the mask (h, w)."""

    def __init__(self, model: Model, network: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> None:
        self.input = np.zeros(model.input.shape, np.uint8)
        self.output = np.zeros(model.output.shape, np.float32)
        self.network = network
        self.closed = False

    def run(self) -> None:
        self.output[0, ..., 0] = self.network(self.input[0])

    def close(self) -> None:
        self.closed = True


def centre_mask(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A person-like block in the middle, whatever the picture shows."""
    mask = np.zeros(image.shape[:2], np.float32)
    height, width = mask.shape
    mask[height // 3 :, width // 3 : 2 * width // 3] = 1
    return mask


def fake_loaded(network: Callable[[NDArray[np.uint8]], NDArray[np.float32]] = centre_mask) -> Loaded:
    """A segmenter ready to run that needs no weights and no runtime."""
    model = get_model("lite")
    session = FakeSession(model, network)
    segmenter = Segmenter(model, session.input, session.output, session.run)
    return Loaded(segmenter, session, Candidate("onnxruntime", "CPU", 1), looks_at_all(segmenter))


def looks_at_all(segmenter: Segmenter, *, patient: bool = False) -> Looking:
    """Looks at whole frames: the networks of these tests answer for such, as graphs do."""

    def look(frame: NDArray[np.uint8], *, fresh: bool = False) -> Look:
        return Look(segmenter(frame), Region(0, 0, frame.shape[1], frame.shape[0]))

    return look


class RecordingSink:
    """Keeps a copy of every picture; fails when told to."""

    name = "recording"

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.failing = False
        self.closed = False

    def write(self, picture: Picture) -> None:
        if self.failing:
            raise SinkError("The device vanished.", "Plug it in again.")
        bgra = None if picture.bgra is None else picture.bgra.copy()
        self.pictures.append(Picture(picture.seq, picture.captured_at, picture.i420.copy(), bgra))

    def close(self) -> None:
        self.closed = True


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something that other threads bring about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    yield RecordingSink()
