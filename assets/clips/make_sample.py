"""Makes the bundled clip anew: python -m assets.clips.make_sample (some minutes; needs scikit-image).

NASA's portrait of an astronaut (public domain, as scikit-image ships it) is cut out, brought to life by a smooth warp,
and put in front of a traced room. Two files come of it: sample.mp4 and, frame by frame, its exact alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from assets.clips.matting import cut_out
from assets.clips.person import FPS, FRAMES, HEIGHT, WIDTH, Person, wave
from assets.clips.room import study
from assets.painting import Floats, Picture, encoded, floats, to_bytes

_SMPTE_170M, _LIMITED = 6, 1
"""Numbers of ITU-T H.273 and of FFmpeg's `AVColorRange`."""

_SAMPLES = 6
"""Paths of light a pixel of the room: with its noise removed, more change nothing that can be seen."""


def frames(person: Person, room: Floats, seed: int = 1) -> Iterator[tuple[Picture, Picture]]:
    """Each frame, uint8 BGR (HEIGHT, WIDTH, 3), and its exact alpha, uint8 (HEIGHT, WIDTH)."""
    rng = np.random.default_rng(seed)
    # What stands before a bright room is rimmed by its light.
    around = cv2.GaussianBlur(room, (0, 0), 24)
    shade = _side_light()
    for frame in range(FRAMES):
        colour, alpha = person.pose(frame)
        inner = cv2.GaussianBlur(alpha, (0, 0), 9)
        wrap = np.clip(alpha - inner, 0, 1)[..., None] * 0.25
        lit = colour * shade * (1 - wrap) + around * wrap * alpha[..., None]
        picture = lit + room * (1 - alpha[..., None])
        # A cloud passes; the camera's white balance follows a little.
        picture *= 1 + wave(frame, (1, 0.022, 0.6), (3, 0.008, 0.1))
        picture *= 1 + wave(frame, (1, 0.012, 0.35)) * floats([1, 0, -1])
        yield _expose(picture, rng), to_bytes(alpha * 255)


def _side_light() -> Floats:
    """The room's daylight comes from the left, so the person's right is a little darker; float32 (1, WIDTH, 1)."""
    across = np.linspace(1, -1, WIDTH, dtype=np.float32)
    return floats(floats([0.86, 0.88, 0.92])[None, None] * (1 + 0.12 * across)[None, :, None])


def _expose(picture: Floats, rng: np.random.Generator) -> Picture:
    """What a webcam makes of the light: the shoulder of its curve, and its sensor's noise, stronger in the dark."""
    light = np.where(picture < 0.7, picture, 0.7 + 0.3 * np.tanh((picture - 0.7) / 0.3))
    values = encoded(light.astype(np.float32)) * 255
    noise = rng.standard_normal((HEIGHT, WIDTH, 4), dtype=np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 0.7)
    strength = 2.6 - 1.2 * values.mean(axis=2, keepdims=True) / 255
    values = values + (grain[..., 3:] + 0.6 * grain[..., :3]) * strength
    return to_bytes(values[..., ::-1])


class Film:
    """An H.264 file, BT.601 in limited range as cameras give it."""

    def __init__(self, path: Path, crf: int, **options: str) -> None:
        self._file = av.open(str(path), "w")
        self._stream = self._file.add_stream("libx264", rate=Fraction(FPS))
        self._stream.width, self._stream.height, self._stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        coder = self._stream.codec_context
        coder.colorspace = coder.color_primaries = coder.color_trc = _SMPTE_170M
        coder.color_range = _LIMITED
        # One thread, so that the same frames always make the same file.
        self._stream.options = {"crf": str(crf), "preset": "slow", "threads": "1", **options}

    def add(self, image: Picture) -> None:
        """Add a picture, BGR (HEIGHT, WIDTH, 3) or gray (HEIGHT, WIDTH)."""
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        # OpenCV's conversion rounds; FFmpeg's, which PyAV would use, makes everything two levels darker.
        i420 = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        self._file.mux(self._stream.encode(av.VideoFrame.from_ndarray(i420, format="yuv420p")))

    def close(self) -> None:
        self._file.mux(self._stream.encode())
        self._file.close()


def main() -> None:
    here = Path(__file__).parent
    room = study(WIDTH, HEIGHT, _SAMPLES)
    clip = Film(here / "sample.mp4", 18, movflags="faststart")
    matte = Film(here / "sample-alpha.mp4", 13)
    for image, alpha in frames(Person(*cut_out()), room):
        clip.add(image)
        matte.add(alpha)
    for film, name in ((clip, "sample.mp4"), (matte, "sample-alpha.mp4")):
        film.close()
        print(f"{name}: {(here / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
