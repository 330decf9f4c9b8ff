"""How sharp pictures are: the measure that says why `hd` softens what it sees."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_training import sample

from models.training.pool import write_shard

pytest.importorskip("torch")

from models.evaluation.sharpness import at_size, main, sharpness  # it reads training's pictures


def scene(seed: int, size: tuple[int, int] = (384, 216)) -> np.ndarray:
    """Blobs of all sizes, as uint8 BGR."""
    rng, (width, height) = np.random.default_rng(seed), size
    layers = [cv2.resize(rng.normal(0, 40, (height // n, width // n, 3)), size) for n in (1, 2, 4, 8, 16)]
    return np.clip(120 + sum(layers), 0, 255).astype(np.uint8)


def test_blur_lowers_it_and_noise_and_sharpening_raise_it() -> None:
    picture = cv2.GaussianBlur(scene(1), (0, 0), 0.7)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
    sharp = cv2.addWeighted(picture, 1.7, soft, -0.7, 0)
    noisy = np.clip(picture + np.random.default_rng(2).normal(0, 10, picture.shape), 0, 255).astype(np.uint8)
    pale = (picture // 2 + 60).astype(np.uint8)
    assert sharpness(soft) < 0.9 * sharpness(picture)
    assert min(sharpness(sharp), sharpness(noisy)) > 1.02 * sharpness(picture)
    assert sharpness(pale) == pytest.approx(sharpness(picture), rel=0.05)
    assert sharpness(np.full((9, 9, 3), 80, np.uint8)) == 0


def test_pictures_come_at_the_networks_size_and_upright_ones_are_left_out() -> None:
    found = list(at_size(iter([scene(1, (640, 480)), scene(2, (360, 640)), scene(3, (1280, 720))]), (384, 216)))
    assert [picture.shape for picture in found] == [(216, 384, 3)] * 2


def test_the_table_has_clips_pictures_and_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("clips/one/rgb", "clips/one/alpha", "hunt/images", "pool"):
        (tmp_path / folder).mkdir(parents=True)
    for place in ("clips/one/rgb/0.png", "clips/one/alpha/0.png", "hunt/images/a.png"):
        cv2.imwrite(str(tmp_path / place), scene(4))
    write_shard(tmp_path / "pool/people_000.npz", [sample(f"ccp_{n}", True) for n in range(3)])
    write_shard(tmp_path / "pool/rooms_000.npz", [sample("h_1", False)])
    monkeypatch.setattr("models.evaluation.sharpness.COMPOSITES", 4)
    words = ["sharpness", "--clips", "clips", "--pictures", "hunt", "--config", "hd-sharp", "--pools", "pool"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1:3] for line in table[2:]] == [
        [" clips ", " 1 "],
        [" pictures ", " 1 "],
        [" training, hd-sharp ", " 4 "],
    ]
    monkeypatch.setattr(sys, "argv", [*words[:-1], "nowhere"])
    assert main() == 1
    assert "prepare" in capsys.readouterr().err
