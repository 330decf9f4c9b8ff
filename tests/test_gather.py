"""Lists of pictures: what they name is found in clones, and what is missing is told."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.gather import Source, gather, parse_source, read_picture, view

CARDS = Path(__file__).parent.parent / "models" / "cards"
LISTS = [*CARDS.glob("data-*.csv"), CARDS / "unseen.csv", CARDS / "stated.csv", *CARDS.glob("unseen-*.csv")]


@pytest.mark.parametrize("listed", LISTS, ids=lambda path: path.stem)
def test_every_source_of_every_list_can_be_read(listed: Path) -> None:
    rows = list(csv.DictReader(listed.read_text(encoding="utf-8").splitlines()))
    assert rows
    assert len({row["file"] for row in rows}) == len(rows)
    for row in rows:
        assert parse_source(row["source"]).repository.count("/") == 1
        assert row["licence"] and row.get("part", "images") in ("images", "rooms")


def test_a_source_may_name_a_moment_or_a_direction() -> None:
    assert parse_source("a/b@1f c d.png") == Source("a/b", "1f", "c d.png")
    assert parse_source("a/b@1f x.gif frame 12") == Source("a/b", "1f", "x.gif", frame=12)
    assert parse_source("a/b@1f x.mp4#t=3.40") == Source("a/b", "1f", "x.mp4", second=3.4)
    assert parse_source("a/b@1f x.hdr#yaw=60") == Source("a/b", "1f", "x.hdr", yaw=60)
    halved = Source("a/b", "1f", "x.mp4", second=3.4, left_half=True)
    assert parse_source("a/b@1f x.mp4#t=3.40 left half") == halved
    with pytest.raises(ValueError, match="owner/name@commit path"):
        parse_source("x.png")


def test_a_list_is_gathered_from_clones(tmp_path: Path) -> None:
    clone = tmp_path / "clones" / "some+people"
    clone.mkdir(parents=True)
    picture = np.full((90, 1280, 3), (40, 80, 120), np.uint8)
    cv2.imwrite(str(clone / "one.png"), picture)
    (clone / "bad.png").write_bytes(b"no picture")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", clone, *command], check=True)
    listed = tmp_path / "list.csv"
    rows = ["p_1.jpg,some/people@00000000 one.png,MIT,rooms", "p_2.jpg,some/people@00000000 two.png,MIT,images"]
    rows += ["p_3.jpg,other/people@00000000 one.png,MIT,images", "p_4.jpg,some/people@00000000 bad.png,MIT,images"]
    rows += ["p_5.jpg,some/people@00000000 one.png left half,MIT,images"]
    listed.write_text("\n".join(["file,source,licence,part", *rows]))
    out = tmp_path / "out"
    first = list(gather(listed, tmp_path / "clones", out))
    assert [what for _, what in first] == ["written", "no such file", "not cloned", "unreadable", "written"]
    kept = cv2.imread(str(out / "rooms" / "p_1.jpg"))
    assert kept is not None and kept.shape == (45, 640, 3), "shrunk to what is measured at"
    assert np.abs(kept.astype(int) - (40, 80, 120)).max() <= 3
    halved = cv2.imread(str(out / "images" / "p_5.jpg"))
    assert halved is not None and halved.shape == (90, 640, 3), "and not shrunk where half is small enough"
    assert next(what for _, what in gather(listed, tmp_path / "clones", out)) == "there", "a stopped run goes on"


def test_a_view_into_a_panorama_turns() -> None:
    panorama = np.zeros((180, 360, 3), np.float32)
    panorama[:, 90:180] = 1.0  # from 90 to 180 degrees
    assert view(panorama, 135).mean() > 250
    assert view(panorama, 315).mean() < 5


def test_what_is_no_picture_is_none() -> None:
    assert read_picture(b"text", parse_source("a/b@1f x.png")) is None
    assert read_picture(b"text", parse_source("a/b@1f x.mp4 frame 3")) is None
