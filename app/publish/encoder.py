"""Encodes pictures into a video container: which codec is in which, and how they are tagged."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from app.compose.planes import to_bgr
from app.frame import Picture


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder, the pixel format it gets, and its options."""

    name: str
    pixels: str
    options: dict[str, str]

    @property
    def yuv(self) -> bool:
        """Whether it gets Y, U and V, which need their matrix and range told."""
        return self.pixels.startswith("yuv")


@dataclass(frozen=True, slots=True)
class Format:
    """A container: ffmpeg's name and options, the codec of opaque pictures, and that of pictures with alpha."""

    name: str
    options: dict[str, str]
    opaque: Codec
    alpha: Codec | None = None


_KEY_SECONDS = 2
"""Pause between key frames. What is written up to the last one survives a kill; shorter makes files larger."""

_TICKS = 90_000
"""Ticks a second of a recording's timestamps, as in television: finer than any camera's jitter, and any rate fits."""

_STEP = _TICKS // 500
"""The least ticks between two pictures: Matroska counts milliseconds, and no two pictures may share one."""

# Measured on two busy cores at 1280 × 720 with noise in the picture, pictures a second: H.264 60, VP9 38, qtrle 66,
# ffv1 21, ProRes 4444 4.6, which is why .mov holds qtrle, though ProRes is smaller.
# Without B-frames a recording starts at 0: fragments have nothing that takes their delay (65 ms) back.
_H264 = Codec("libx264", "yuv420p", {"preset": "veryfast", "crf": "20", "bf": "0"})
_VP9 = {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "24", "b": "0"}
# Fragments make a file that ends anywhere playable; at a proper end they are joined to an ordinary file.
_FRAGMENTS = {"movflags": "+hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
_CLUSTERS = {"cluster_time_limit": str(1000 * _KEY_SECONDS), "flush_packets": "1"}

FORMATS = {
    ".mp4": Format("mp4", _FRAGMENTS, _H264),
    ".mov": Format("mov", _FRAGMENTS, _H264, Codec("qtrle", "argb", {})),
    ".mkv": Format("matroska", _CLUSTERS, _H264, Codec("ffv1", "bgra", {"slices": "4"})),
    ".webm": Format("webm", _CLUSTERS, Codec("libvpx-vp9", "yuv420p", _VP9), Codec("libvpx-vp9", "yuva420p", _VP9)),
}
"""What is written under each extension."""

_BT709_PRIMARIES = _BT709_CURVE = 1
"""Numbers of ITU-T H.273: a webcam's colours are sRGB, whose primaries are BT.709's; only our matrix is BT.601's."""


class Encoder:
    """Writes one video stream into a container.

    `frame` may be called from another thread than `encode` and `finish`.

    Args:
        file: where the container goes: seekable, and not closed here.
        alpha: whether to keep alpha, if the container can.
        realtime: take each picture's time from its capture, instead of a constant rate.

    Raises:
        av.FFmpegError: the container or codec refuses, e.g. the size.
    """

    def __init__(
        self, file: RawIOBase, kind: Format, size: tuple[int, int], fps: float, *, alpha: bool, realtime: bool
    ) -> None:
        self._codec = (alpha and kind.alpha) or kind.opaque
        self._alpha = self._codec is kind.alpha
        self._realtime = realtime
        self._first_at = 0.0
        self._last: int | None = None
        rate = Fraction(fps).limit_denominator(1001)
        self._container: Any = av.open(file, "w", format=kind.name, options=kind.options)
        self._stream: Any = self._container.add_stream(self._codec.name, rate=rate, options=self._codec.options)
        context = self._stream.codec_context
        context.width, context.height = size
        context.pix_fmt = self._codec.pixels
        context.time_base = Fraction(1, _TICKS) if realtime else 1 / rate
        context.gop_size = round(fps * _KEY_SECONDS)
        context.color_primaries, context.color_trc = _BT709_PRIMARIES, _BT709_CURVE
        if self._codec.yuv:
            context.colorspace, context.color_range = Colorspace.ITU601, ColorRange.MPEG
        if self._alpha and kind.name == "webm":
            self._stream.metadata["alpha_mode"] = "1"  # browsers look for it before they look at the alpha

    def frame(self, picture: Picture) -> Any:
        """A copy of a picture, with its time."""
        if not self._alpha:
            frame = av.VideoFrame.from_ndarray(picture.i420, format="yuv420p")
        elif picture.bgra is not None:
            frame = av.VideoFrame.from_ndarray(picture.bgra, format="bgra")
        else:  # the effect was changed while recording: this picture is opaque
            bgr = to_bgr(picture.i420)
            frame = av.VideoFrame.from_ndarray(np.dstack((bgr, np.full_like(bgr[..., 0], 255))), format="bgra")
        frame.pts = self._last = self._time(picture.captured_at)
        return frame

    def _time(self, captured_at: float) -> int:
        """The next picture's time, in the codec's time base."""
        if self._last is None:
            self._first_at = captured_at
            return 0
        if not self._realtime:
            return self._last + 1
        return max(self._last + _STEP, round((captured_at - self._first_at) * _TICKS))

    def encode(self, frame: Any) -> None:
        """Encode what `frame` made.

        Raises:
            OSError: the file cannot be written.
        """
        if frame.format.name != self._codec.pixels:
            time = frame.pts
            matrix = {"dst_colorspace": Colorspace.ITU601, "dst_color_range": ColorRange.MPEG}
            frame = frame.reformat(format=self._codec.pixels, **(matrix if self._codec.yuv else {}))
            frame.pts = time
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        """Write what the encoder still holds, and the container's end.

        Raises:
            OSError: the file cannot be written.
        """
        try:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        finally:
            self._container.close()
