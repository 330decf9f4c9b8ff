"""Video files: what is read back is what was published, and every way a disk can fail leaves a file that plays."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.compose.planes import from_bgr, new_i420
from app.frame import Picture
from app.problems import SinkError
from app.publish import file as file_module
from app.publish.encoder import FORMATS, Encoder
from app.publish.file import LEAST_FREE, FileSink
from app.publisher import Publisher

WIDTH, HEIGHT, FPS = 128, 96, 30
ALPHA_READERS = {".mov": "qtrle", ".mkv": "ffv1", ".webm": "libvpx-vp9"}


def scene(n: int) -> NDArray[np.uint8]:
    """Frame n, BGR: a light block that moves 2 pixels a frame over quarters of clear colours."""
    bgr = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    bgr[:48, :64], bgr[:48, 64:], bgr[48:, :64], bgr[48:, 64:] = (200, 40, 40), (40, 200, 40), (40, 40, 200), 60
    bgr[32:64, 2 * n : 2 * n + 16] = 230
    return bgr


def picture(n: int, at: float | None = None, alpha: bool = False) -> Picture:
    bgra = None
    if alpha:
        bgra = np.dstack((scene(n), np.zeros((HEIGHT, WIDTH), np.uint8)))
        bgra[16:80, 32:96, 3] = 255
        bgra[bgra[..., 3] == 0] = 0
    return Picture(n, n / FPS if at is None else at, from_bgr(scene(n)), bgra)


def record(path: Path, count: int = 30, *, realtime: bool = False, alpha: bool = False) -> None:
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=realtime)
    for n in range(count):
        if realtime:
            drain(sink)
        sink.write(picture(n, alpha=alpha))
    sink.close()


def drain(sink: FileSink) -> None:
    """Wait until the encoder has room, so that a busy machine drops nothing."""
    while sink._queue.full():
        threading.Event().wait(0.001)


def frames(path: Path, codec: str = "") -> list[Any]:
    """All frames of a file; with a codec, decoded by that one instead of the usual."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if codec in ("", stream.codec_context.codec.name):
            return list(container.decode(stream))
        decoder = av.CodecContext.create(codec, "r")
        return [
            frame for packet in container.demux(stream) if packet.dts is not None for frame in decoder.decode(packet)
        ]


def times(path: Path) -> list[float]:
    return [float(frame.pts * frame.time_base) for frame in frames(path)]


@pytest.mark.parametrize("extension", sorted(FORMATS))
@pytest.mark.parametrize("realtime", [False, True])
def test_a_file_shows_what_was_published(tmp_path: Path, extension: str, realtime: bool) -> None:
    path = tmp_path / f"out{extension}"
    record(path, realtime=realtime)
    read = frames(path)
    assert len(read) == 30
    assert times(path) == pytest.approx([n / FPS for n in range(30)], abs=0.0011)
    for n in (0, 13, 29):
        shown = cv2.cvtColor(read[n].to_ndarray(format="yuv420p"), cv2.COLOR_YUV2BGR_I420)
        difference = cv2.absdiff(shown, scene(n)).astype(int)
        # Chroma at half size blurs edges, and encoders lose a little; another frame of the scene differs by 30 or more.
        assert difference.mean() < 6, f"frame {n}"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "nothing is left beside"


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_colours_are_tagged(tmp_path: Path, extension: str) -> None:
    record(tmp_path / f"out{extension}", 5)
    with av.open(str(tmp_path / f"out{extension}")) as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        assert context.color_range == 1, "limited"
        assert context.colorspace in (5, 6), "the matrix of BT.601, which H.273 lists twice"
        assert context.name == ("vp9" if extension == ".webm" else "h264")


@pytest.mark.parametrize("extension", sorted(ALPHA_READERS))
@pytest.mark.parametrize("realtime", [False, True])
def test_alpha_survives(tmp_path: Path, extension: str, realtime: bool) -> None:
    path = tmp_path / f"out{extension}"
    record(path, 8, realtime=realtime, alpha=True)
    read = frames(path, ALPHA_READERS[extension])
    assert len(read) == 8
    for n in (0, 7):
        shown = read[n].to_ndarray(format="bgra")
        assert (shown[20:76, 36:92, 3] > 250).all()
        assert (shown[:12, :, 3] < 5).all() and (shown[:, :28, 3] < 5).all()
        inside = cv2.absdiff(shown[20:76, 36:92, :3], scene(n)[20:76, 36:92])
        assert inside.astype(int).mean() < 8


def test_a_container_without_alpha_gets_the_green_picture(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=False)
    green = new_i420(WIDTH, HEIGHT, (128, 90, 60))
    sink.write(Picture(0, 0.0, green, np.zeros((HEIGHT, WIDTH, 4), np.uint8)))
    sink.close()
    assert frames(path)[0].to_ndarray()[10, 10] == pytest.approx(128, abs=2)


def test_an_effect_without_alpha_in_a_file_with_alpha_is_opaque(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=False)
    sink.write(picture(0, alpha=True))
    sink.write(picture(1))
    sink.close()
    second = frames(path)[1].to_ndarray(format="bgra")
    assert (second[..., 3] == 255).all()
    assert cv2.absdiff(second[..., :3], scene(1)).astype(int).mean() < 6


def test_a_recording_keeps_the_time_of_capture(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=True)
    captured = [1000.0, 1000.04, 1000.05, 1000.05, 1000.049, 1003.0]
    for n, at in enumerate(captured):
        sink.write(picture(n, at))
    sink.close()
    # Times that stand still or go back are moved on by 2 ms, because no two pictures may share one.
    assert times(path) == pytest.approx([0.0, 0.04, 0.05, 0.052, 0.054, 3.0], abs=0.001)


def test_a_recording_begins_with_the_first_picture_not_with_the_card(tmp_path: Path) -> None:
    path = tmp_path / "out.mov"
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=True)
    card = Picture(-1, 0.0, new_i420(WIDTH, HEIGHT))
    sink.write(card)
    sink.write(picture(0, 5.0, alpha=True))
    sink.write(Picture(-1, 5.1, card.i420))
    sink.close()
    assert len(frames(path)) == 2
    assert (frames(path)[0].to_ndarray(format="bgra")[..., 3] == 0).any(), "the card did not settle it as opaque"


def test_a_recording_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", WIDTH, HEIGHT, FPS, realtime=True)
    sink.write(Picture(-1, 0.0, new_i420(WIDTH, HEIGHT)))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_never_replaces_a_file(tmp_path: Path) -> None:
    for _ in range(3):
        record(tmp_path / "out.mkv", 3, realtime=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out-2.mkv", "out-3.mkv", "out.mkv"]


def test_a_conversion_replaces_the_older_file_only_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the older one")
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=False)
    sink.write(picture(0))
    assert path.read_bytes() == b"the older one"
    sink.close()
    assert len(frames(path)) == 1


def test_a_conversion_whose_pictures_end_early_replaces_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the good one")
    publisher = Publisher(lambda *_: FileSink(path, WIDTH, HEIGHT, FPS, realtime=False), forgiving=False)
    publisher.configure((str(path),), WIDTH, HEIGHT, FPS)
    publisher.write(picture(0))
    publisher.close(whole=False)
    assert path.read_bytes() == b"the good one"
    assert len(frames(tmp_path / "out-2.mp4")) == 1
    assert "out-2.mp4 holds what was converted until it ended early" in caplog.text


def test_a_conversion_that_cannot_take_its_name_says_so(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    sink = FileSink(path, WIDTH, HEIGHT, FPS, realtime=False)
    sink.write(picture(0))
    path.mkdir()
    with pytest.raises(SinkError, match="cannot be written") as told:
        sink.close()
    assert told.value.problem.cure


def test_a_recording_drops_and_counts_what_the_encoder_cannot_keep_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    encode = Encoder.encode

    def slowly(self: Encoder, frame: Any) -> None:
        go_on.wait(20)
        encode(self, frame)

    monkeypatch.setattr(Encoder, "encode", slowly)
    sink = FileSink(tmp_path / "out.mp4", WIDTH, HEIGHT, FPS, realtime=True)
    for n in range(60):
        sink.write(picture(n))  # returns though the encoder stands still
    assert 60 - file_module.QUEUE - 1 <= sink.dropped <= 60 - file_module.QUEUE
    go_on.set()
    sink.close()
    assert len(frames(tmp_path / "out.mp4")) == 60 - sink.dropped
    assert f"lacks {sink.dropped} pictures" in caplog.text


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_a_killed_recording_plays(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out{extension}"
    program = """
        import os, sys, time
        from pathlib import Path
        from app.compose.planes import new_i420
        from app.frame import Picture
        from app.publish.file import FileSink
        sink = FileSink(Path(sys.argv[1]), 128, 96, 30, realtime=True)
        for n in range(300):
            while sink._queue.full():
                time.sleep(0.001)
            sink.write(Picture(n, n / 30, new_i420(128, 96, (n % 200 + 20, 128, 128))))
        while not sink._queue.empty():
            time.sleep(0.001)
        os.kill(os.getpid(), 9)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    # 10 seconds went in, and at most two groups of 2 seconds and the encoder's own delay are lost.
    assert len(frames(path)) >= 120


class FullDisk:
    """Lets so many bytes through to files, then fails as a full disk does: after a part of what is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, number: int = errno.ENOSPC) -> None:
        self.room, self.number = room, number
        disk = self

        class Handle:
            def __init__(self, path: Path, mode: str) -> None:
                self._file = io.FileIO(path, mode)
                self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

            def write(self, data: memoryview) -> int:
                if disk.room <= 0:
                    raise OSError(disk.number, os.strerror(disk.number))
                written = self._file.write(data[: disk.room])
                disk.room -= written
                return int(written)

        monkeypatch.setattr(file_module, "_open_raw", Handle)


@pytest.mark.parametrize("extension", sorted(FORMATS))
@pytest.mark.parametrize("realtime", [False, True])
def test_a_full_disk_is_said_and_leaves_a_file_that_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, realtime: bool
) -> None:
    FullDisk(monkeypatch, 700_000)
    sink = FileSink(tmp_path / f"out{extension}", WIDTH, HEIGHT, 10, realtime=realtime)
    random = np.random.default_rng(1)
    with pytest.raises(SinkError, match=r"The disk is full.*Make room") as caught:
        for n in range(3000):
            if realtime:
                drain(sink)
            sink.write(Picture(n, n / 10, random.integers(16, 235, (HEIGHT * 3 // 2, WIDTH), np.uint8)))
    assert caught.value.problem.part == "sink"
    sink.close()
    read: list[Any] = []
    with contextlib.suppress(av.FFmpegError), av.open(str(tmp_path / f"out{extension}")) as container:
        read.extend(container.decode(video=0))  # may end with an error in the last, half picture
    assert len(read) >= 20, "at least the first group of pictures, which fits into 700 kB"


def test_a_disk_that_fills_in_the_last_moment_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(monkeypatch, 1 << 30)
    older = tmp_path / "out.mp4"
    older.write_bytes(b"the older one")
    sink = FileSink(older, WIDTH, HEIGHT, FPS, realtime=False)
    for n in range(5):
        sink.write(picture(n))
    disk.room = 100
    with pytest.raises(SinkError, match="The disk is full"):
        sink.close()
    assert older.read_bytes() == b"the older one", "an incomplete conversion replaces nothing"


def test_a_disk_that_is_nearly_full_is_not_begun_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": LEAST_FREE - 1})
    monkeypatch.setattr(file_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SinkError, match="The disk is full"):
        FileSink(tmp_path / "out.mp4", WIDTH, HEIGHT, FPS, realtime=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount; the same is tested above with a fake")
def test_a_really_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(folder)], check=False).returncode:
        pytest.skip("this container may not mount; the same is tested above with a fake")
    try:
        monkeypatch.setattr(file_module, "LEAST_FREE", 0)
        sink = FileSink(folder / "out.mp4", 640, 480, FPS, realtime=False)
        random = np.random.default_rng(1)
        written = 0
        with pytest.raises(SinkError, match="The disk is full"):
            for n in range(300):
                sink.write(Picture(n, 0.0, random.integers(16, 235, (720, 640), np.uint8)))
                written = n
        sink.close()
        assert written > 2
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_another_error_of_the_disk_keeps_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FullDisk(monkeypatch, 0, errno.EIO)
    sink = FileSink(tmp_path / "out.mkv", WIDTH, HEIGHT, FPS, realtime=False)
    with pytest.raises(SinkError, match="Input/output error"):
        for n in range(500):
            sink.write(picture(n % 30))
    sink.close()
    assert list(tmp_path.iterdir()) == [], "a file into which nothing went is removed"


def test_places_that_cannot_be_written_have_their_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SinkError, match=r"There is no folder .*missing.*Create it"):
        FileSink(tmp_path / "missing" / "out.mp4", WIDTH, HEIGHT, FPS, realtime=True)
    with pytest.raises(SinkError, match=r"\.mp4, \.mov, \.mkv, \.webm"):
        FileSink(tmp_path / "out.avi", WIDTH, HEIGHT, FPS, realtime=True)

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(file_module, "_open_raw", forbidden)
    with pytest.raises(SinkError, match=r"You may not write .*another folder"):
        FileSink(tmp_path / "out.mp4", WIDTH, HEIGHT, FPS, realtime=True)


def test_a_size_the_codec_refuses_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", 30000, 2, FPS, realtime=False)
    with pytest.raises(SinkError, match="cannot be written"):
        for n in range(200):
            sink.write(Picture(n, 0.0, np.zeros((3, 30000), np.uint8)))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_odd_little_sizes(tmp_path: Path) -> None:
    for extension in FORMATS:
        path = tmp_path / f"tiny{extension}"
        sink = FileSink(path, 2, 2, FPS, realtime=False)
        sink.write(Picture(0, 0.0, new_i420(2, 2)))
        sink.close()
        assert len(frames(path)) == 1
