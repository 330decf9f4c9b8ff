"""Hard pictures: what a run errs on is found, and seen more often by the next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_training import sample

from models.evaluation.ours import Matting
from models.training.pool import Sample

GREEN, RED, GREY = (20, 190, 20), (20, 20, 190), (120, 120, 120)


def painted(name: str, ground: tuple[int, int, int], person: tuple[int, int, int] | None) -> Sample:
    """Somebody of one colour before a plain ground, or the ground alone."""
    made = sample(name, person is not None)
    made.picture[...] = ground
    made.picture[made.alpha > 0] = person or ground
    return made


def sees(*channels: int) -> Matting:
    """A network that takes for a person what has clearly more of one of these channels than of the others."""

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        most = frame.argmax(2)
        clear = np.ptp(frame, 2) > 40
        return (clear & np.isin(most, channels)).astype(np.float32)

    return run


def test_those_whom_the_peer_finds_and_the_run_does_not_are_hard() -> None:
    pytest.importorskip("torch")
    from models.training import mine
    from models.training.config import read_config

    config = dataclasses.replace(read_config("ablation"), width=64, height=36)
    people = [painted("vid_green", GREY, GREEN), painted("vid_red", GREY, RED), painted("vid_grey", GREY, GREY)]
    rooms = [painted("h_grey", GREY, None)]
    # Green is found by both; red by the peer alone; grey by nobody, so that its label may as well be wrong.
    assert mine.hard_people(people, rooms, config, sees(1), sees(1, 2)) == ["vid_red"]


def test_rooms_that_the_run_takes_for_somebody_are_hard() -> None:
    pytest.importorskip("torch")
    from models.training import mine
    from models.training.config import read_config

    config = dataclasses.replace(read_config("ablation"), width=64, height=36)
    people = [painted("vid_green", GREY, GREEN)]
    rooms = [painted("h_grey", GREY, None), painted("h_green", GREEN, None)]
    shares = mine.hard_rooms(people, rooms, config, sees(1))
    assert shares["h_grey"] < 0.02 < 0.1 < shares["h_green"]
    often = mine.copies(["vid_red"], {"a": 0.0, "b": 0.01, "c": 0.02, "d": 0.97})
    assert often == {"d": mine.ROOM_COPIES, "vid_red": mine.PEOPLE_COPIES}
    assert mine.copies([], {"a": 0.0}) == {}


def test_hard_pictures_are_drawn_more_often_and_wrong_rooms_never(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from models.training import data, pool

    with pytest.raises(FileNotFoundError, match=r"models\.training\.mine --config some-run --pool"):
        data.read_mined(tmp_path / "some-run")
    (tmp_path / data.MINED).write_text('{"vid_red": 3}')
    people = [painted("vid_green", GREY, GREEN), painted("vid_red", GREY, RED)]
    seen = data.repeated(people, data.read_mined(tmp_path))
    assert [s.name for s in seen] == ["vid_green", "vid_red", "vid_red", "vid_red"]
    with_somebody = painted(next(name for name in pool.dropped() if name.startswith("r_")), GREEN, None)
    pool.write_shard(tmp_path / "rooms_000.npz", [painted("h_grey", GREY, None), with_somebody])
    assert [room.name for room in pool.read_pool(tmp_path)[1]] == ["h_grey"]


def test_nobody_is_trained_on_whole_whose_upper_body_is_held_out() -> None:
    pytest.importorskip("torch")
    from models.training.data import HELD_OUT, split

    people = [sample(f"ccp_{number:04d}", True) for number in range(HELD_OUT + 1)]
    people += [sample(f"whole_{number:04d}", True) for number in (0, 1, HELD_OUT)]
    ours, others = split(people)
    assert [s.name for s in others] == ["ccp_0000", f"ccp_{HELD_OUT:04d}"]
    assert {s.name for s in ours if s.kind == "whole"} == {"whole_0001"}
