"""Conversions: nothing is lost, the first error ends them, and what is incomplete takes nobody's place."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import RecordingSink, until
from numpy.typing import NDArray
from test_pipeline import BASE, RUNNING, Numbered, luma, make, middle, network  # noqa: F401, the fixture is for all

from app.capture import EndOfSource
from app.capture.supervisor import SupervisedSource
from app.frame import Picture
from app.pipeline import Pipeline
from app.problems import GreenroomError, Problem, SinkError
from app.processor import Processor, Work
from app.segmentation import Loader


def test_a_conversion_keeps_every_frame_in_order(sink: RecordingSink) -> None:
    pipeline = make(sink, Numbered(count=100), realtime=False)
    pipeline.start()
    assert pipeline.wait(20)
    pipeline.stop()
    assert [p.seq for p in sink.pictures] == list(range(100))
    assert [middle(p.i420) for p in sink.pictures] == [luma(n) for n in range(1, 101)]
    assert sink.closed
    status = pipeline.status()
    assert (status.captured, status.published, status.dropped) == (100, 100, 0)


def test_a_conversion_whose_last_pictures_do_not_fit_the_disk_failed(sink: RecordingSink) -> None:
    def full() -> None:
        raise SinkError("The disk is full.", "Make room.")

    sink.close = full  # type: ignore[method-assign]
    pipeline = make(sink, Numbered(count=5), realtime=False)
    pipeline.start()
    with pytest.raises(GreenroomError, match="disk is full"):
        until(lambda: pipeline.wait(0.1))
    pipeline.stop()


def test_a_conversion_ends_at_the_first_error_of_a_sink(sink: RecordingSink) -> None:
    sink.failing = True
    pipeline = make(sink, Numbered(count=50), realtime=False)
    pipeline.start()
    with pytest.raises(GreenroomError, match="vanished"):
        until(lambda: pipeline.wait(0.1))
    pipeline.stop()
    assert sink.closed


def test_a_conversion_ends_when_no_network_runs(sink: RecordingSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loader, "take", lambda self: None)
    pipeline = make(sink, Numbered(count=50), realtime=False)
    pipeline._loader.problem = Problem("segmenter", "No network runs here.", "Reinstall.")
    pipeline.start()
    with pytest.raises(GreenroomError, match="No network runs here"):
        until(lambda: pipeline.wait(0.1))
    pipeline.stop()
    assert sink.pictures == []


class Abandoned(RecordingSink):
    """Notes whether it was told that the pictures ended early."""

    abandoned = False

    def abandon(self) -> None:
        assert not self.closed
        self.abandoned = True


class Damaged(Numbered):
    """Ends before its end."""

    def read(self) -> NDArray[np.uint8]:
        if self._next == 10:
            raise EndOfSource(Problem("source", "It is damaged.", "Copy it again."))
        return super().read()


@pytest.mark.parametrize("source", [Numbered(count=30), Damaged(count=30)])
def test_a_damaged_source_makes_a_conversion_s_file_incomplete(source: Numbered) -> None:
    sink = Abandoned()
    pipeline = make(sink, source, realtime=False)
    pipeline.start()
    assert pipeline.wait(20)
    pipeline.stop()
    assert sink.closed and sink.abandoned == isinstance(source, Damaged)


def test_an_error_in_the_work_is_known_before_the_file_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sink, compose = Abandoned(), Processor.compose

    def breaks(self: Processor, work: Work, out: NDArray[np.uint8]) -> Picture:
        if len(sink.pictures) > 3:
            raise RuntimeError("no memory left")
        return compose(self, work, out)

    pipeline = make(sink, Numbered(count=300), realtime=False)
    monkeypatch.setattr(Processor, "compose", breaks)
    pipeline.start()
    with pytest.raises(RuntimeError, match="no memory left"):
        until(lambda: pipeline.wait(0.1))
    pipeline.stop()
    assert sink.closed and sink.abandoned


def test_a_conversion_that_fails_at_one_sink_leaves_the_other_s_file_incomplete() -> None:
    class Full(RecordingSink):
        def write(self, picture: Picture) -> None:
            if len(self.pictures) > 3:
                raise SinkError("The disk is full.", "Make room.")
            super().write(picture)

    sinks: dict[str, RecordingSink] = {"a": Full(), "b": Abandoned()}
    pipeline = Pipeline(
        BASE.replace(sinks=("b", "a")),
        realtime=False,
        loop=False,
        supervise=lambda s: SupervisedSource(lambda: Numbered(count=300), realtime=False),
        open_sink=lambda spec, *_: sinks[spec],
    )
    RUNNING.append(pipeline)
    pipeline.start()
    with pytest.raises(SinkError, match="disk is full"):
        until(lambda: pipeline.wait(0.1))
    pipeline.stop()
    assert sinks["b"].closed and getattr(sinks["b"], "abandoned", False)
