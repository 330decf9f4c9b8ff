"""The files that Greenroom ships: they are whole, of the right size, and what their scripts make."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest

from app.compose.backgrounds import bundled
from assets import asset
from assets.backgrounds import garden, lights, studio
from assets.backgrounds.make_backgrounds import MAKERS, SIZE
from assets.clips.person import FPS, FRAMES, HEIGHT, WIDTH, Person
from assets.icons import make_icons
from assets.painting import Floats, Picture, defocus, encoded, fractal, linear, rgb
from assets.render import Camera, Light, Scene, render, shape

ASSETS = asset("__init__.py").parent


def frames(name: str, pixels: str) -> Iterator[np.ndarray]:
    with av.open(str(asset(f"clips/{name}"))) as film:
        for frame in film.decode(video=0):
            yield frame.to_ndarray(format=pixels)


@pytest.fixture(scope="module")
def alphas() -> list[Picture]:
    """Every fifth alpha of the clip, uint8 (HEIGHT, WIDTH)."""
    return [alpha for n, alpha in enumerate(frames("sample-alpha.mp4", "gray")) if n % 5 == 0]


class TestBackgrounds:
    def test_the_index_names_what_the_scripts_make_and_begins_with_the_default(self) -> None:
        assert set(bundled()) == set(MAKERS)
        assert len(bundled()) >= 6
        assert all(entry.title and entry.path.stem == name for name, entry in bundled().items())
        assert next(iter(bundled())) == "bookshelf"

    @pytest.mark.parametrize("name", sorted(MAKERS))
    def test_each_picture_is_whole_and_small(self, name: str) -> None:
        path = bundled()[name].path
        picture = cv2.imread(str(path))
        assert picture.shape == (SIZE[1], SIZE[0], 3)
        assert picture.std() > 8, "an empty picture is none"
        assert path.stat().st_size <= 250_000

    @pytest.mark.parametrize(
        "maker", [studio.canvas, studio.plaster, studio.paper, garden.leaves, lights.city, lights.evening]
    )
    def test_painting_twice_gives_the_same_picture(self, maker) -> None:
        first = maker(96, 54)
        assert first.shape == (54, 96, 3) and first.dtype == np.uint8
        assert np.array_equal(first, maker(96, 54))

    @pytest.mark.parametrize("name", ["bookshelf", "living"])
    def test_a_room_traced_small_is_the_one_that_is_shipped(self, name: str) -> None:
        pictures = MAKERS[name](160, 90, samples=2), cv2.imread(str(bundled()[name].path))
        traced, shipped = (cv2.resize(p, (40, 22), interpolation=cv2.INTER_AREA).ravel() for p in pictures)
        assert np.corrcoef(traced, shipped)[0, 1] > 0.92


class TestClip:
    def test_size_rate_and_length(self) -> None:
        with av.open(str(asset("clips/sample.mp4"))) as film:
            stream = film.streams.video[0]
            assert (stream.codec.canonical_name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height, stream.average_rate) == (1280, 720, 30)
            assert stream.frames == FRAMES and 6 <= FRAMES / FPS <= 8
        assert asset("clips/sample.mp4").stat().st_size <= 2_500_000
        assert asset("clips/sample-alpha.mp4").stat().st_size <= 300_000

    def test_the_last_frame_leads_to_the_first(self) -> None:
        small = [cv2.resize(f, (320, 180), interpolation=cv2.INTER_AREA) for f in frames("sample.mp4", "gray")]
        steps = [float(cv2.absdiff(a, b).mean()) for a, b in pairwise(small)]
        assert float(cv2.absdiff(small[-1], small[0]).mean()) <= max(steps)
        assert np.median(steps) > 0.1, "somebody moves"

    def test_every_frame_has_its_alpha(self) -> None:
        with av.open(str(asset("clips/sample-alpha.mp4"))) as film:
            stream = film.streams.video[0]
            assert (stream.width, stream.height, stream.frames) == (WIDTH, HEIGHT, FRAMES)

    def test_the_alpha_is_a_person_who_reaches_the_lower_edge(self, alphas: list[Picture]) -> None:
        assert len(alphas) == FRAMES // 5
        for alpha in alphas:
            assert alpha.min() == 0 and alpha.max() >= 254
            assert 0.2 < (alpha > 127).mean() < 0.6
            # A body that ended above the frame's edge would float.
            assert (alpha[-1] > 127).mean() > 0.35
            parts, _, stats, _ = cv2.connectedComponentsWithStats((alpha > 127).astype(np.uint8))
            assert parts == 2 and stats[1, cv2.CC_STAT_TOP] > 20, "one person, whose hair is not cut off"

    def test_the_alpha_lies_where_the_clip_moves(self, alphas: list[Picture]) -> None:
        pictures = [f.astype(np.float32) for n, f in enumerate(frames("sample.mp4", "gray")) if n % 5 == 0]
        spread = np.std(pictures, axis=0)
        always = np.min(alphas, axis=0) > 250
        never = cv2.dilate(np.max(alphas, axis=0), np.ones((9, 9), np.uint8)) == 0
        assert spread[never].mean() < 4, "the room stands still"
        assert spread[always].mean() > 2 * spread[never].mean()

    def test_the_movement_repeats_and_the_pose_is_exact(self) -> None:
        y, x = np.mgrid[:512, :512].astype(np.float32)
        body = np.hypot((x - 195) / 190, (y - 512) / 320) < 1
        alpha = (body | (np.hypot((x - 228) / 70, (y - 100) / 88) < 1)).astype(np.float32)
        person = Person(np.dstack([alpha * 0.3, alpha * 0.5, alpha * 0.7]).astype(np.float32), alpha)
        for frame in (0, 54):
            colour, mask = person.pose(frame)
            again, mask_again = person.pose(frame + FRAMES if frame == 0 else frame)
            assert np.abs(colour - again).max() < 2e-3 and np.abs(mask - mask_again).max() < 2e-2
            assert (colour <= mask[..., None] + 1e-6).all(), "no colour where nobody is"


class TestIcons:
    @pytest.mark.parametrize("size", make_icons.SIZES)
    def test_pngs_are_what_the_script_draws(self, size: int) -> None:
        shipped = cv2.imread(str(asset(f"icons/greenroom-{size}.png")), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(shipped, make_icons.draw(size))
        assert shipped[0, 0, 3] < 128 and shipped[size // 2, size // 2, 3] == 255

    def test_svg_is_what_the_script_writes(self) -> None:
        text = asset("icons/greenroom.svg").read_text(encoding="utf-8")
        assert text == make_icons.svg()
        assert ElementTree.fromstring(text).get("viewBox") == "0 0 16 16"

    def test_ico_holds_every_size(self) -> None:
        data = asset("icons/greenroom.ico").read_bytes()
        kind, count = struct.unpack_from("<2H", data, 2)
        assert (kind, count) == (1, len(make_icons.SIZES))
        for i, size in enumerate(make_icons.SIZES):
            length, offset = struct.unpack_from("<2I", data, 6 + 16 * i + 8)
            picture = cv2.imdecode(np.frombuffer(data[offset : offset + length], np.uint8), cv2.IMREAD_UNCHANGED)
            assert picture.shape == (size, size, 4)


class TestTools:
    def test_light_and_colours_convert_back(self) -> None:
        values = np.linspace(0, 1, 256, dtype=np.float32)
        assert np.abs(encoded(linear(values)) - values).max() < 1e-3

    def test_a_lens_keeps_the_light(self) -> None:
        lamp = np.zeros((41, 41, 3), np.float32)
        lamp[20, 20] = rgb("#ffc080") * 100
        assert defocus(lamp, 9).sum(axis=(0, 1)) == pytest.approx(lamp.sum(axis=(0, 1)), rel=1e-3)

    def test_noise_is_as_described(self) -> None:
        noise = fractal(np.random.default_rng(1), 200, 100, 40, 3)
        assert noise.shape == (100, 200)
        assert noise.mean() == pytest.approx(0, abs=1e-4) and noise.std() == pytest.approx(1, abs=1e-3)

    def test_a_lit_floor_is_as_bright_as_physics_says(self) -> None:
        """A small lamp straight above a floor: light × area × albedo / (π × distance²)."""
        scene = Scene()
        scene.add(shape("box", (0, -0.5, 0), (50, 1, 50), np.float32([0.5, 0.25, 0.1])))
        scene.lights.append(
            Light(*(np.float32(v) for v in ([0, 2, 0], [0.05, 0, 0], [0, 0, 0.05], [1000, 1000, 1000])))
        )
        picture = self._seen(scene, samples=16)
        expected = 1000 * 0.01 / (np.pi * 4) * np.float32([0.5, 0.25, 0.1])
        assert picture[8, 8] == pytest.approx(expected, rel=0.05)

    @pytest.mark.parametrize(("kind", "shadow"), [("box", True), ("ball", True), ("tube", True), (None, False)])
    def test_what_stands_between_throws_a_shadow(self, kind, shadow: bool) -> None:
        scene = Scene()
        scene.add(shape("box", (0, -0.5, 0), (50, 1, 50), np.float32([0.5, 0.5, 0.5])))
        if kind:
            scene.add(shape(kind, (0, 1.0, 0), (0.5, 0.2, 0.5), np.float32([0.5, 0.5, 0.5]), yaw=0.3))
        scene.lights.append(
            Light(*(np.float32(v) for v in ([0, 2, 0], [0.05, 0, 0], [0, 0, 0.05], [1000, 1000, 1000])))
        )
        seen = self._seen(scene, samples=4)[8, 8].mean()
        assert (seen < 0.02) == shadow

    def test_tracing_twice_gives_the_same_picture(self) -> None:
        scene = Scene()
        scene.add(shape("ball", (0, 0, 0), (1, 1, 1), np.float32([0.8, 0.2, 0.2])))
        scene.lights.append(Light(*(np.float32(v) for v in ([0, 3, 2], [1, 0, 0], [0, 0, 1], [5, 5, 5]))))
        camera = Camera((0, 0, 3), (0, 0, 0), 40)
        pictures = [render(scene, camera, 24, 16, 2, seed) for seed in (1, 1, 2)]
        assert np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[0], pictures[2])

    @staticmethod
    def _seen(scene: Scene, samples: int) -> Floats:
        """The floor below the lamp, seen from the side, 17 × 17 pixels."""
        return render(scene, Camera((0, 0.4, 0.9), (0, 0, 0), 4), 17, 17, samples, 1)


def test_no_file_is_shipped_that_nobody_asked_for() -> None:
    known = {".jpg", ".mp4", ".png", ".ico", ".svg", ".toml", ".py", ".md"}
    shipped = [path for path in ASSETS.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in shipped} <= known
    assert sum(path.stat().st_size for path in shipped) < 5_000_000


def test_a_missing_asset_tells_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets._FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="Install Greenroom again"):
        asset("clips/sample.mp4")
