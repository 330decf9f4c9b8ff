"""Video files, pictures and folders, whole and broken."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.capture import BrokenFrame, EndOfSource
from app.capture.file import FolderSource, ImageSource, VideoFileSource, natural
from app.capture.image import read_image
from app.frame import Image
from app.problems import SourceError


def picture(width: int, height: int, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def save(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "grey.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for level in range(0, 250, 50):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


def huge_png(path: Path, width: int, height: int) -> Path:
    """A valid black PNG of one bit a pixel, built without having the picture in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


class TestVideo:
    def test_frames_come_in_order_and_end(self, video: Path) -> None:
        source = VideoFileSource(video)
        levels = [round(float(source.read().mean())) for _ in range(5)]
        assert levels == pytest.approx([0, 50, 100, 150, 200], abs=3)
        assert (source.fps, source.live, source.length) == (25, False, 5)
        with pytest.raises(EndOfSource):
            source.read()
        source.close()

    def test_loop_begins_again(self, video: Path) -> None:
        source = VideoFileSource(video, loop=True)
        levels = [round(float(source.read().mean())) for _ in range(12)]
        assert levels[5:10] == levels[:5]
        source.close()

    def test_loop_over_a_file_that_vanished_says_so(self, video: Path) -> None:
        source = VideoFileSource(video, loop=True)
        video.write_bytes(b"")
        with pytest.raises(SourceError, match="no longer be read"):
            for _ in range(6):
                source.read()

    @pytest.mark.parametrize(
        ("data", "text"), [(b"", "is empty"), (b"no video at all" * 100, "no video that can be decoded")]
    )
    def test_broken_file_has_a_cure(self, tmp_path: Path, data: bytes, text: str) -> None:
        path = tmp_path / "broken.mp4"
        path.write_bytes(data)
        with pytest.raises(SourceError, match=text) as error:
            VideoFileSource(path)
        assert error.value.problem.cure

    def test_cut_file_gives_what_it_has(self, video: Path) -> None:
        video.write_bytes(video.read_bytes()[: round(video.stat().st_size * 0.85)])
        source = VideoFileSource(video)
        count = 0
        with pytest.raises(EndOfSource):
            while True:
                source.read()
                count += 1
        assert 1 <= count < 5

    @pytest.mark.parametrize(("turn", "clockwise"), [(90, cv2.ROTATE_90_CLOCKWISE), (180, cv2.ROTATE_180)])
    def test_rotation_metadata_is_respected(self, tmp_path: Path, turn: int, clockwise: int) -> None:
        """A telephone held upright stores its pictures lying, and how to turn them."""
        path = tmp_path / "phone.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:24, :32] = 220
        for _ in range(3):
            writer.write(frame)
        writer.release()
        data = bytearray(path.read_bytes())
        # The matrix of the track header: 16.16 fixed point, after 40 bytes (version 0); then width and height.
        matrix = data.index(b"tkhd") + 4 + 40
        cos, sin = {90: (0, 1), 180: (-1, 0)}[turn]
        one = 1 << 16
        struct.pack_into(">9i", data, matrix, cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
        source = VideoFileSource(path)
        seen = source.read()
        source.close()
        expected = cv2.rotate(frame, clockwise)
        assert seen.shape == expected.shape
        assert np.abs(seen.astype(int) - expected).mean() < 8

    def test_tiny_and_odd_videos(self, tmp_path: Path) -> None:
        for width, height in ((1, 1), (2, 2), (321, 181)):
            path = tmp_path / f"{width}.mkv"
            with av.open(str(path), "w") as film:
                stream = film.add_stream("ffv1", rate=25)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture(width, height), format="bgr24")))
                film.mux(stream.encode())
            source = VideoFileSource(path)
            assert source.read().shape == (height, width, 3)
            source.close()

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="There is no video"):
            VideoFileSource(tmp_path / "none.mp4")


class TestImage:
    @pytest.mark.parametrize("size", [(1, 1), (1, 7), (641, 3), (64, 48)])
    def test_odd_sizes_pass_unharmed(self, tmp_path: Path, size: tuple[int, int]) -> None:
        image = picture(*size)
        assert np.array_equal(read_image(save(tmp_path / "a.png", image)), image)

    def test_gray_and_16_bit_become_bgr(self, tmp_path: Path) -> None:
        gray = np.uint8([[0, 100], [200, 255]])
        assert np.array_equal(read_image(save(tmp_path / "g.png", gray)), np.repeat(gray[..., None], 3, 2))
        deep = np.full((4, 4, 3), 0x80FF, np.uint16)
        result = read_image(save(tmp_path / "d.png", deep))
        assert result.dtype == np.uint8 and abs(int(result[0, 0, 0]) - 0x80) <= 1

    @pytest.mark.parametrize("deep", [False, True])
    def test_transparent_parts_become_white(self, tmp_path: Path, deep: bool) -> None:
        image = np.zeros((2, 2, 4), np.uint16 if deep else np.uint8)
        image[0, :, 3] = 0xFFFF if deep else 0xFF
        result = read_image(save(tmp_path / "a.png", image))
        assert result[0].max() == 0 and result[1].min() == 255

    def test_exif_orientation_is_respected(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jpg", picture(64, 32))
        # Orientation 6: turn clockwise by 90 degrees.
        exif = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        data = path.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
        turned = read_image(path)
        assert turned.shape == (64, 32, 3)
        straight = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(turned, cv2.rotate(straight, cv2.ROTATE_90_CLOCKWISE))

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
    def test_every_format_is_read(self, tmp_path: Path, suffix: str) -> None:
        image = picture(70, 50)
        result = read_image(save(tmp_path / f"a{suffix}", image))
        assert result.shape == image.shape and np.abs(result.astype(int) - image).mean() < 6

    def test_max_side_limits_what_is_returned(self, tmp_path: Path) -> None:
        assert read_image(save(tmp_path / "a.jpg", picture(1000, 300)), max_side=200).shape == (60, 200, 3)
        assert read_image(save(tmp_path / "a.png", picture(1000, 2)), max_side=200).shape == (1, 200, 3)

    def test_20000_pixel_png_is_refused_unread(self, tmp_path: Path) -> None:
        path = huge_png(tmp_path / "huge.png", 20000, 20000)
        tracemalloc.start()
        with pytest.raises(SourceError, match="20000 × 20000") as error:
            read_image(path, max_side=1920)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20
        assert "smaller" in error.value.problem.cure

    @pytest.mark.parametrize(("max_side", "longest"), [(1920, 1920), (8192, 5000)])
    def test_20000_pixel_jpeg_is_decoded_reduced(self, tmp_path: Path, max_side: int, longest: int) -> None:
        # The header says 20000 × 20000 over a small picture's data: what is missing stays grey.
        data = bytearray(save(tmp_path / "a.jpg", picture(64, 64)).read_bytes())
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", 20000, 20000)
        path = tmp_path / "huge.jpg"
        path.write_bytes(data)
        assert max(read_image(path, max_side).shape) == longest

    @pytest.mark.parametrize(
        ("name", "data", "text"),
        [
            ("a.png", b"", "is empty"),
            ("a.jpg", b"hello, I am a text", "no picture of a known kind"),
            ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "broken"),
            ("a.jpg", b"\xff\xd8\xff\xe0\0\x04ab", "broken"),
            ("a.jpg", b"\xff\xd8\xff\xda\0\x04ab", "broken"),
            ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "broken"),
        ],
    )
    def test_broken_pictures_have_a_cure(self, tmp_path: Path, name: str, data: bytes, text: str) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(SourceError, match=text) as error:
            read_image(path)
        assert error.value.problem.cure

    def test_cut_png_is_refused_or_read_but_never_crashes(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", picture(200, 100))
        data = path.read_bytes()
        for cut in range(8, len(data), max(1, len(data) // 40)):
            path.write_bytes(data[:cut])
            try:
                assert read_image(path).shape == (100, 200, 3)
            except SourceError as error:
                assert error.problem.cure

    def test_missing_picture_and_unreadable_folder(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="There is no picture"):
            read_image(tmp_path / "none.png")
        with pytest.raises(SourceError, match="cannot be read"):
            read_image(tmp_path)

    def test_image_source_repeats_or_ends(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", picture(8, 6))
        source = ImageSource(path, fps=30, loop=True)
        frames = [source.read() for _ in range(3)]
        assert not source.live and source.fps == 30
        frames[0][:] = 0  # the caller's own copy
        assert frames[1].any() and source.read().any()
        once = ImageSource(path, fps=30, loop=False)
        once.read()
        with pytest.raises(EndOfSource):
            once.read()


class TestFolder:
    def test_natural_order_and_end(self, tmp_path: Path) -> None:
        for n in (1, 2, 10):
            save(tmp_path / f"frame{n}.png", np.full((4, 6, 3), n, np.uint8))
        (tmp_path / "notes.txt").write_text("no picture")
        source = FolderSource(tmp_path, fps=30)
        assert [int(source.read()[0, 0, 0]) for _ in range(3)] == [1, 2, 10]
        assert [path.name for path in source.paths] == ["frame1.png", "frame2.png", "frame10.png"]
        with pytest.raises(EndOfSource):
            source.read()

    def test_a_broken_picture_is_named_and_the_next_read_goes_on(self, tmp_path: Path) -> None:
        save(tmp_path / "1.png", np.full((4, 6, 3), 1, np.uint8))
        (tmp_path / "2.png").write_bytes(b"broken")
        save(tmp_path / "3.png", np.full((4, 6, 3), 3, np.uint8))
        source = FolderSource(tmp_path, fps=30, loop=True)
        source.read()
        with pytest.raises(BrokenFrame, match=r"2\.png"):
            source.read()
        assert source.read()[0, 0, 0] == 3
        assert source.read()[0, 0, 0] == 1

    def test_a_folder_of_broken_pictures_fails(self, tmp_path: Path) -> None:
        for name in ("1.png", "2.png"):
            (tmp_path / name).write_bytes(b"broken")
        source = FolderSource(tmp_path, fps=30, loop=True)
        with pytest.raises(BrokenFrame, match=r"1\.png"):
            source.read()
        with pytest.raises(SourceError, match="None of the pictures") as error:
            source.read()
        assert not isinstance(error.value, BrokenFrame)

    def test_sizes_may_differ(self, tmp_path: Path) -> None:
        sizes = [(64, 48), (101, 77), (1, 1), (7, 400)]
        for n, size in enumerate(sizes):
            save(tmp_path / f"{n}.png", picture(*size))
        source = FolderSource(tmp_path, fps=30)
        assert [source.read().shape[1::-1] for _ in sizes] == sizes

    def test_empty_and_missing_folders(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="no picture in"):
            FolderSource(tmp_path, fps=30)
        with pytest.raises(SourceError, match="cannot be read"):
            FolderSource(tmp_path / "none", fps=30)

    def test_natural_sorts_any_name(self) -> None:
        names = ["b2", "b10", "a", "B3", "²", "10", "9"]
        assert [p.name for p in sorted(map(Path, names), key=natural)] == ["9", "10", "a", "b2", "B3", "b10", "²"]
