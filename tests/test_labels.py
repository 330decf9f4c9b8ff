"""The training pictures' labels: what teachers have to agree on, and pools made of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from models.training import prepare
from models.training.pool import Sample, read_pool, write_shard
from models.training.prepare import label


def test_a_label_needs_a_second_opinion() -> None:
    here, there, nobody = (np.zeros((10, 10), np.uint8) for _ in range(3))
    here[:5], there[5:] = 255, 255
    assert label(here, here, None)[0] is here
    assert label(here, there, None)[0] is None
    assert label(nobody, here, None)[0] is None
    assert label(here, there, None, lambda: here) == (here, "rvm = multiclass")
    assert label(here, there, None, lambda: there)[0] is None
    hand = here.copy()
    assert label(there, here, hand)[0] is hand
    assert label(there, there, hand)[0] is None


def test_a_second_teacher_is_heard_along_the_edge_alone() -> None:
    from models.training.teachers import EDGE, joined

    first, second = np.zeros((60, 120), np.float32), np.zeros((60, 120), np.float32)
    first[:, :40] = 1
    second[:, :44] = 1
    second[:, 100:] = 1
    ways = joined(first, second)
    along = ways["rvm, their mean along its edge"]
    np.testing.assert_array_equal(ways["their mean"], (first + second) / 2)
    np.testing.assert_array_equal(along[:, 40:44], 0.5)
    np.testing.assert_array_equal(along[:, 40 + EDGE + 1 :], 0)
    np.testing.assert_array_equal(along[:, : 40 - EDGE - 1], 1)


def test_a_pool_gets_both_teachers_edge_and_keeps_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.training import joint
    from models.training.teachers import EDGE

    picture, alpha = np.full((60, 120, 3), 90, np.uint8), np.zeros((60, 120), np.uint8)
    alpha[:, :40] = 255
    write_shard(tmp_path / "people_000.npz", [Sample("vid_1", "vid", picture, alpha)])
    wider = np.zeros((30, 60), np.float32)
    wider[:, :22] = 1
    monkeypatch.setattr(joint, "open_isnet", lambda path, threads: lambda picture: wider)
    words = ["joint", "--isnet", "x", "--pool", str(tmp_path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", words)
    joint.main()
    [sample] = read_pool(tmp_path / "out")[0]
    assert (sample.name, sample.kind) == ("vid_1", "vid")
    assert np.abs(sample.picture.astype(int) - 90).max() <= 2
    assert 100 < sample.alpha[:, 41].mean() < 155
    np.testing.assert_array_equal(sample.alpha[:, : 40 - EDGE - 1], 255)
    np.testing.assert_array_equal(sample.alpha[:, 40 + EDGE + 1 :], 0)
    (tmp_path / "out" / "people_000.npz").write_bytes(b"made before")
    joint.main()
    assert (tmp_path / "out" / "people_000.npz").read_bytes() == b"made before"
    monkeypatch.setattr("sys.argv", [*words[:4], str(tmp_path / "nowhere"), *words[5:]])
    with pytest.raises(SystemExit):
        joint.main()


def test_a_list_of_rooms_alone_becomes_a_pool_and_an_empty_folder_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "streets" / "rooms").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "streets/rooms/facade_0001.png"), np.full((48, 64, 3), 90, np.uint8))
    monkeypatch.setattr(prepare, "Labeller", lambda *_: SimpleNamespace(counts={}))  # cannot label, and need not
    words = ["prepare", "--pool", str(tmp_path / "pool"), "--data", str(tmp_path / "streets")]
    monkeypatch.setattr("sys.argv", words)
    prepare.main()
    people, rooms = read_pool(tmp_path / "pool")
    assert (people, [room.name for room in rooms]) == ([], ["facade_0001"])
    monkeypatch.setattr("sys.argv", [*words[:-1], str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit):
        prepare.main()
    assert "gather a list" in capsys.readouterr().err
