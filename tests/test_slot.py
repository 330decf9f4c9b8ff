"""The hand-over between threads."""

from __future__ import annotations

import threading
import time

from app.slot import Slot


def test_the_newest_wins_and_the_pushed_out_comes_back() -> None:
    slot: Slot[int] = Slot()
    assert slot.put(1) is None
    assert slot.put(2) == 1
    assert slot.dropped == 1
    assert slot.take(0) == 2
    assert slot.take(0) is None


def test_a_patient_slot_waits_and_drops_nothing() -> None:
    slot: Slot[int] = Slot(patient=True)
    taken: list[int | None] = []

    def consume() -> None:
        taken.extend(slot.take(5) for _ in range(50))

    thread = threading.Thread(target=consume)
    thread.start()
    for number in range(50):
        slot.put(number)
    thread.join()
    assert taken == list(range(50))
    assert slot.dropped == 0


def test_close_wakes_everyone_and_keeps_the_last_item() -> None:
    slot: Slot[int] = Slot(patient=True)
    slot.put(1)
    blocked = threading.Thread(target=slot.put, args=(2,))
    blocked.start()
    time.sleep(0.02)
    slot.close()
    blocked.join(1)
    assert not blocked.is_alive()
    assert slot.take(0) == 1
    assert slot.take(10) is None
    assert slot.put(3) == 3


def test_a_wake_is_not_missed_and_counts_once() -> None:
    slot: Slot[int] = Slot()
    slot.wake()  # before anybody waits
    assert slot.take(60) is None
    waiter = threading.Thread(target=slot.take, args=(60,))
    waiter.start()
    slot.wake()
    waiter.join(10)
    assert not waiter.is_alive()
    slot.put(1)
    assert slot.take(0) == 1
