"""Runs in two halves, and runs that never end."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from conftest import until

from backends import BackendError
from backends.request import RECENT, Request, within


class Network:
    """A session that doubles its input, fails, or hangs until it is let go."""

    def __init__(self) -> None:
        self.input, self.output = np.zeros(3, np.float32), np.zeros(3, np.float32)
        self.going = threading.Event()
        self.going.set()
        self.error: Exception | None = None
        self.closed = 0

    def run(self) -> None:
        self.going.wait()
        if self.error:
            raise self.error
        np.multiply(self.input, 2, out=self.output)

    def close(self) -> None:
        self.closed += 1


class Native(Network):
    """The same by a runtime with asynchronous requests of its own."""

    def start(self) -> None:
        if self.error:
            raise self.error
        if self.going.is_set():
            np.multiply(self.input, 2, out=self.output)

    def wait(self, seconds: float) -> bool:
        return self.going.wait(seconds)


def others(before: list[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - set(before)


@pytest.mark.parametrize("kind", [Network, Native])
def test_a_run_in_two_halves_leaves_the_caller_free(kind: type[Network]) -> None:
    session = kind()
    request = Request(session, 5.0)
    for value in (1, 2):
        request.input[...] = value
        request.start()
        request.finish()
        assert request.output.tolist() == [2 * value] * 3
    request.input[...] = 3
    request.run()
    assert request.output.tolist() == [6.0] * 3
    request.close()
    assert session.closed == 1


def test_one_that_is_forgotten_is_closed_in_its_own_thread() -> None:
    """Whoever collects the garbage waits for no driver."""
    session, closed = Network(), list[str]()
    session.close = lambda: closed.append(threading.current_thread().name)  # type: ignore[method-assign]
    request = Request(session, 5.0)
    request.run()
    request.forget()
    until(lambda: closed)
    assert closed == ["network"]


@pytest.mark.parametrize("kind", [Network, Native])
def test_its_recent_runs_are_timed(kind: type[Network]) -> None:
    request = Request(kind(), 5.0)
    for _ in range(RECENT - 1):
        request.run()
    assert request.recent_ms is None, "too few to judge"
    request.start()
    time.sleep(0.01)
    request.finish()
    assert request.recent_ms is not None and 0 < request.recent_ms < 10, "the median"
    request.close()


@pytest.mark.parametrize("kind", [Network, Native])
def test_what_a_run_raises_comes_out_and_the_next_goes_on(kind: type[Network]) -> None:
    session = kind()
    request = Request(session, 5.0)
    session.error = BackendError("device lost")
    with pytest.raises(BackendError, match="device lost"):
        request.run()
    session.error = None
    request.run()
    request.close()


@pytest.mark.parametrize("kind", [Network, Native])
def test_a_run_that_hangs_is_given_up_for_ever(kind: type[Network]) -> None:
    before, session = threading.enumerate(), kind()
    request = Request(session, 0.1)
    session.going.clear()
    start = time.monotonic()
    with pytest.raises(BackendError, match=r"did not answer within 0\.1 s"):
        request.run()
    with pytest.raises(BackendError, match="was given up"):
        request.run()
    request.close()
    assert time.monotonic() - start < 2
    assert session.closed == 0, "freeing what a driver works on is a crash"
    session.going.set()
    until(lambda: not others(before))
    assert session.closed == 1, "it ended after all"


def test_a_request_that_nobody_holds_any_more_ends_its_thread() -> None:
    """A load that ends when nobody waits for it any more, say."""
    before, late, session = threading.enumerate(), threading.Event(), Network()

    def load() -> Request:
        late.wait()
        request = Request(session, 5.0)
        request.run()
        return request

    with pytest.raises(BackendError):
        within(0.1, load, "Loading")
    late.set()
    until(lambda: not others(before))


def test_a_function_that_never_returns_is_left_to_itself() -> None:
    forever = threading.Event()
    with pytest.raises(BackendError, match="Loading hd did not end within 0 s"):
        within(0.1, forever.wait, "Loading hd")
    forever.set()
    assert within(5, lambda: 7, "Counting") == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, "Dividing")
