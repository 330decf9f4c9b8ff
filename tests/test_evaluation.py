"""Fairness, contact sheet and failure hunt, on synthetic pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from test_golden import clip_frames

from models import settle
from models.evaluation import empty, flat, groups, photographs, rooms, settling, skin
from models.evaluation.__main__ import open_network
from models.evaluation.failures import distance, fails, worst
from models.evaluation.groups import Scored
from models.evaluation.ours import open_own
from models.evaluation.peers import FACE_SKIN
from models.evaluation.sheet import GAP, GREEN, HEAD, Row, on_green, outlined, write_sheet
from models.evaluation.stills import read_sources, shape_for_rvm
from models.training.pool import Sample, write_shard


def scored(who: str, group: str, j: float) -> Scored:
    return Scored("unseen", who, {"skin": group}, {"lite": j}, {"lite": j / 2})


def test_typology_angle_of_known_colours() -> None:
    assert skin.typology_angle(70, 20) == pytest.approx(45)
    assert skin.typology_angle(50, 15) == 0
    assert skin.typology_angle(30, 20) == pytest.approx(-45)


@pytest.mark.parametrize(
    ("angle", "name"),
    [(56, "very light"), (55, "light"), (41, "intermediate"), (28, "tan"), (10, "brown"), (-30, "dark"), (-80, "dark")],
)
def test_tone_begins_above_its_limit(angle: float, name: str) -> None:
    assert skin.tone(angle) == name


def parts_with_a_face(rows: slice) -> NDArray[np.float32]:
    shares = np.zeros((256, 256, 6), np.float32)
    shares[..., 0] = 1
    shares[rows, 100:150] = 0
    shares[rows, 100:150, FACE_SKIN] = 1
    return shares


def test_skin_is_measured_on_the_face_inside_the_mask_only() -> None:
    colour = np.array([[[110, 150, 200]]], np.uint8)  # BGR
    picture = np.full((128, 256, 3), 255, np.uint8)
    picture[:, 100:150] = colour
    picture[:32] = 0  # black where the mask is not, though the segmenter says face
    alpha = np.zeros((128, 256), np.uint8)
    alpha[36:] = 255
    lightness, _, yellowness = cv2.cvtColor(colour.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)[0, 0]
    angle = skin.measure(picture, alpha, lambda _: parts_with_a_face(slice(0, 200)))
    assert angle == pytest.approx(skin.typology_angle(float(lightness), float(yellowness)), abs=0.1)
    assert skin.measure(picture, alpha, lambda _: parts_with_a_face(slice(0, 0))) is None


def test_light_and_contrast_of_a_dark_person_before_a_bright_wall() -> None:
    frame, truth = np.full((90, 160, 3), 200, np.uint8), np.zeros((90, 160), np.bool_)
    truth[30:, 60:100] = True
    frame[truth] = 50
    assert groups.light_of(frame, truth) == {"light": groups.LIGHTS[0][0], "contrast": groups.CONTRASTS[-1][0]}
    assert groups.light_of(frame, np.zeros_like(truth)) == {}


def test_each_person_counts_once() -> None:
    pictures = [scored("a", "tan", 100), scored("a", "tan", 100), scored("a", "tan", 100), scored("b", "tan", 0)]
    assert groups.per_person(pictures, lambda p: p.j["lite"]).tolist() == [100, 0]


def test_interval_holds_the_mean_and_shrinks_with_people() -> None:
    rng = np.random.default_rng(1)
    few, many = (groups.figure(rng.normal(90, 5, n)) for n in (10, 1000))
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 3


def test_gap_leaves_small_groups_out() -> None:
    values = {"tan": np.full(20, 95.0), "brown": np.full(20, 90.0), "dark": np.full(groups.FEWEST - 1, 10.0)}
    found = groups.gap(values)
    assert found and found[:2] == ("tan", "brown") and found[2].mean == pytest.approx(5)
    assert groups.gap({"tan": values["tan"], "dark": values["dark"]}) is None


def test_table_marks_small_groups_and_keeps_the_order() -> None:
    pictures = [scored(f"a{i}", "tan", 90) for i in range(groups.FEWEST)] + [scored("b", "dark", 50)]
    lines = groups.table(pictures, "skin", ("dark", "tan"), ["lite"]).splitlines()
    assert lines[2] == "| dark * | 1 | 1 | 50.0 (50.0…50.0) | 25.0 |"
    assert lines[3].startswith("| tan | 10 | 10 | 90.0")


def test_distance_is_in_parts_of_the_person_but_specks_do_not_lead() -> None:
    truth, found = np.zeros((100, 100), np.bool_), np.zeros((100, 100), np.bool_)
    truth[:50], found[:40] = True, True
    assert distance(found, truth) == pytest.approx(0.2)
    nobody = np.zeros_like(truth)
    speck = nobody.copy()
    speck[0, :50] = True
    assert distance(speck, nobody) == pytest.approx(0.1)


def test_worst_first_and_few_of_one_source() -> None:
    found = {"a_1": 0.9, "a_2": 0.8, "a_3": 0.7, "b_1": 0.5, "c_1": 0.1}
    assert worst(found, 3, limit=2) == ["a_1", "a_2", "b_1"]


def test_failures_are_counted_by_cause() -> None:
    lines = fails(
        "cause", {"a_1": "hand", "a_2": "hand", "b_1": "chair"}, {"lite": {"a_1": 0.5, "a_2": 0.05, "b_1": 0.2}}
    )
    assert lines.splitlines()[2:] == ["| hand | 2 | 1 | 28 |", "| chair | 1 | 1 | 20 |", "| all | 3 | 2 | 20 |"]


def test_what_is_left_out_is_green_and_outlined() -> None:
    picture, matte = np.full((40, 60, 3), 150, np.uint8), np.zeros((20, 30), np.float32)
    matte[:, 15:] = 1
    green = on_green(picture, matte)
    assert green[20, 5].tolist() == list(GREEN) and green[20, 55].tolist() == [150, 150, 150]
    drawn = outlined(picture, matte)
    assert drawn[20, 5].tolist() == [50, 50, 50] and drawn[20, 55].tolist() == [150, 150, 150]


def test_sheet_shows_pictures_unscaled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (30, 40, 3), np.uint8)
    write_sheet(tmp_path / "sheet.png", ["picture", "lite"], [Row("", [picture, picture])], (40, 30))
    whole = cv2.imread(str(tmp_path / "sheet.png"))
    assert whole.shape == (HEAD + 30 + GAP, 2 * 40 + GAP, 3)
    assert (whole[HEAD : HEAD + 30, 40 + GAP :] == picture).all()


def test_sheet_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="name a folder"):
        write_sheet(tmp_path / "missing" / "sheet.png", ["a"], [])


def test_rvm_gets_multiples_of_sixteen_in_the_pictures_shape() -> None:
    assert shape_for_rvm(720, 1280) == (512, 288)
    assert shape_for_rvm(640, 480) == (384, 512)
    assert shape_for_rvm(10, 10) == (16, 16)


def test_sources_by_name(tmp_path: Path) -> None:
    (tmp_path / "sources.csv").write_text("file,source,licence\na_1.jpg,x/y b.jpg,MIT\n")
    assert read_sources(tmp_path)["a_1"]["licence"] == "MIT"


def test_failures_are_among_the_unseen_and_none_of_those_was_trained_on() -> None:
    cards = Path(__file__).parent.parent / "models" / "cards"

    def column(name: str, key: str) -> list[str]:
        with (cards / name).open(newline="", encoding="utf-8") as file:
            return [row[key] for row in csv.DictReader(file)]

    def repositories(name: str) -> set[str]:
        return {source.split("@")[0].split(" ")[0] for source in column(name, "source")}

    assert len(column("failures.csv", "file")) == 50
    assert set(column("failures.csv", "file")) <= set(column("unseen.csv", "file"))
    for trained in cards.glob("data-*.csv"):
        for measured in ("unseen.csv", "wild.csv"):
            assert not repositories(measured) & repositories(trained.name), (measured, trained.name)


def somebody(name: str) -> Sample:
    """Green, before a grey ground."""
    picture, alpha = np.full((96, 128, 3), 120, np.uint8), np.zeros((96, 128), np.uint8)
    alpha[20:, 40:90] = 255
    picture[alpha > 0] = (20, 190, 20)
    return Sample(name, name.split("_")[0], picture, alpha)


def test_every_room_is_tried_with_people_and_the_same_each_time(tmp_path: Path) -> None:
    for name, colour in (("r_1", (200, 60, 60)), ("r_2", (60, 60, 200))):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), np.full((90, 120, 3), colour, np.uint8))
    empty = rooms.read_rooms(tmp_path)
    first, second = (list(rooms.composites([somebody("vid_1")], empty)) for _ in range(2))
    assert [name for name, *_ in first] == ["r_1"] * rooms.PEOPLE + ["r_2"] * rooms.PEOPLE
    assert all(
        np.array_equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )
    for name, frame, alpha in first:
        assert 0.05 < (alpha > 127).mean() < 0.95
        blue, _, red = frame[alpha == 0].mean(0)
        assert (blue > red) == (name == "r_1")
    with pytest.raises(FileNotFoundError, match=r"unseen-rooms\.csv"):
        rooms.read_rooms(tmp_path / "nowhere")


def test_the_rooms_table_names_each_network_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    cv2.imwrite(str(tmp_path / "r_1.jpg"), np.full((90, 120, 3), (200, 60, 60), np.uint8))
    write_shard(tmp_path / "people_000.npz", [somebody(f"ccp_{n}") for n in range(26)])
    words = ["rooms", "lite", "--rooms", tmp_path, "--pools", tmp_path, "--peers", tmp_path]
    monkeypatch.setattr("sys.argv", [*map(str, words)])
    assert rooms.main() == 0
    assert "2 people, 1 rooms" in (printed := capsys.readouterr().out)
    assert "| lite |" in printed
    words[3] = tmp_path / "nowhere"
    monkeypatch.setattr("sys.argv", [*map(str, words)])
    assert rooms.main() == 1
    assert "gather models/cards/unseen-rooms.csv" in capsys.readouterr().err


def test_photographs_are_scored_by_their_hand_made_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((90, 120), np.uint8)
    mask[:, 60:] = 1
    for name in ("vik_1", "vik_2"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.jpg"), np.full((90, 120, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), mask)
    monkeypatch.setattr(photographs, "open_network", lambda name, peers: lambda picture: NETWORKS[name](picture))
    words = ["photographs", *NETWORKS, "--pictures", str(tmp_path), "--peers", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    assert photographs.main() == 0
    printed = capsys.readouterr().out
    assert "2 photographs" in printed
    assert "| right | 100.0 (100.0…100.0) | 100.0 | 0.0 | 0 |" in printed
    assert "| nobody | 0.0 (0.0…0.0) | 0.0 | " in printed
    assert "| 2 |\n\n| people cover | photographs | right | nobody |" in printed, "both are lost"
    assert printed.rstrip().endswith("| 50% to 100% | 2 | 100.0 | 0.0 |")
    (tmp_path / "masks" / "vik_2.png").unlink()
    assert photographs.main() == 1
    assert "lacks vik_2.jpg; gather models/cards/wild.csv" in capsys.readouterr().err


def test_the_rooms_are_counted_in_which_something_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"r_{number}.jpg"), np.full((90, 120, 3), 90, np.uint8))
    monkeypatch.setattr(empty, "open_network", lambda name, peers: lambda picture: NETWORKS[name](picture))
    monkeypatch.setattr("sys.argv", ["empty", *NETWORKS, "--rooms", str(tmp_path)])
    assert empty.main() == 0
    printed = capsys.readouterr().out
    assert "| right | 3 | 3 | 50.0 % |" in printed
    assert "| nobody | 3 | 0 |  |" in printed
    monkeypatch.setattr("sys.argv", ["empty", *NETWORKS, "--rooms", str(tmp_path / "nowhere")])
    assert empty.main() == 1
    assert "gather unseen-rooms.csv" in capsys.readouterr().err


def test_people_are_made_flat_in_every_way_of_the_table() -> None:
    frame, matte = clip_frames()[0]
    alpha = np.asarray(cv2.resize(matte.astype(np.float32), frame.shape[1::-1]) > 0.5, np.float32)
    ways = flat.flattened(3, frame, alpha)
    assert len(ways) == len(flat.HOW) and ways[0] is frame
    texture = [np.median(np.abs(cv2.Laplacian(way, cv2.CV_32F)[alpha > 0])) for way in ways]
    assert texture[1] < texture[0]
    assert len(np.unique(ways[2][..., 1])) < 0.2 * len(np.unique(frame[..., 1]))
    assert np.array_equal(ways[3][alpha == 0], frame[alpha == 0])
    assert np.array_equal(ways[3][alpha > 0], ways[2][alpha > 0])
    assert all(np.array_equal(way, again) for way, again in zip(ways, flat.flattened(3, frame, alpha), strict=True))


def test_raw_leaves_settling_out_and_can_be_followed() -> None:
    frame = clip_frames()[0][0]
    settled, raw = (open_network(name, None)(frame).copy() for name in ("lite", "lite:raw"))
    own = open_own("lite", settled=False)(frame)
    assert np.array_equal(raw, own)
    assert np.abs(settled - raw).max() > 0.01
    assert open_network("lite:raw:followed", None)(frame).shape == frame.shape[:2]


def test_each_way_of_settling_is_tried_and_the_constants_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clips" / "one"
    for folder in (clip / "rgb", clip / "alpha", tmp_path / "images", tmp_path / "masks"):
        folder.mkdir(parents=True)
    picture, truth = np.full((90, 160, 3), 90, np.uint8), np.zeros((90, 160), np.uint8)
    cv2.circle(truth, (80, 50), 30, 255, -1, cv2.LINE_AA)
    picture[truth > 127] = (40, 60, 200)
    for place, content in (("clips/one/rgb/0.jpg", picture), ("images/a_1.jpg", picture)):
        cv2.imwrite(str(tmp_path / place), content)
    for place, content in (("clips/one/alpha/0.png", truth), ("masks/a_1.png", (truth > 127).astype(np.uint8))):
        cv2.imwrite(str(tmp_path / place), content)
    before = {name: getattr(settle, name) for way in settling.WAYS.values() for name in way}
    words = ["settling", "lite", "--data", str(tmp_path / "clips"), "--pictures", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    assert settling.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["not at all", *settling.WAYS]
    assert {name: getattr(settle, name) for name in before} == before
    exact = [float(line.split(" | ")[7].split(",")[0]) for line in lines[2:]]
    assert min(exact) > 98, "a mask that needs no settling keeps its shape"
    monkeypatch.setattr("sys.argv", [*words[:3], str(tmp_path / "nowhere"), *words[4:]])
    assert settling.main() == 1


def right(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The right half."""
    matte = np.zeros(picture.shape[:2], np.float32)
    matte[:, picture.shape[1] // 2 :] = 1
    return matte


NETWORKS = {"right": right, "nobody": lambda picture: 0 * right(picture)}
