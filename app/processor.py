"""One frame's way from the camera's picture to the finished one: segment → refine → compose.

Fail closed: whatever fails, the picture that comes out shows the effect over the whole frame or the card, never the
room. The only way to the raw frame is the effect `none`, which the settings refuse without the user's consent.
"""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from app.compose.blur import Blur
from app.compose.card import card
from app.compose.compositor import Compositor
from app.compose.effects import Effect, build_effect
from app.compose.planes import from_bgr
from app.compose.view import View
from app.frame import Frame, Image, Picture
from app.matte.refine import Refiner
from app.matte.temporal import Memory, steady
from app.problems import GreenroomError, Problem
from app.segmentation import Loaded
from app.settings import Settings
from app.status import Stopwatch

EFFECT_SETTINGS = ("effect", "blur", "image", "fit", "video", "colour", "show_room", "size")
"""The settings an effect is built from; a change of one builds it anew."""

EFFECT_RETRY_SECONDS = 5.0
"""Pause between two tries to build an effect: a broken picture takes some 50 ms, which one frame in 150 can bear."""

CUTOUTS = 4
"""Buffers with alpha in turns: one being made, one waiting, one being published, and one to spare."""

FORGET_SECONDS = 0.5
"""After a gap this long the last mask says nothing about the new one: a person turns their head in half a second."""


class Processor:
    """Turns frames into pictures. One thread uses it.

    Args:
        settings: the settings to start with; `configure` changes them.
        stopwatch: where the stages' durations are noted.
        forget_seconds: after a gap this long the last mask is not used for the next.
    """

    def __init__(self, settings: Settings, stopwatch: Stopwatch, *, forget_seconds: float = FORGET_SECONDS) -> None:
        self._settings = settings
        self._stopwatch = stopwatch
        self._forget_seconds = forget_seconds
        self._memory: Memory | None = None
        self._remembered: tuple[int, Loaded | None, float] = (-1, None, 0.0)
        self._effect_built_at = 0.0
        self._refiner: Refiner | None = None
        self.problems: dict[str, Problem] = {}
        """What is wrong now, by part: "effect", "segmenter"."""
        self._allocate()
        self._build_effect()

    def configure(self, settings: Settings) -> None:
        """Use these settings from the next frame on."""
        old, self._settings = self._settings, settings
        if settings.size != old.size:
            self._allocate()
        if settings.size != old.size or settings.refine != old.refine:
            self._refiner = None
        if not settings.temporal:
            self._memory = None
        changed = any(getattr(settings, name) != getattr(old, name) for name in EFFECT_SETTINGS)
        if changed or "effect" in self.problems:
            self._build_effect()

    def process(self, frame: Frame, loaded: Loaded | None, out: Image) -> tuple[Picture, Exception | None]:
        """Make a picture of a frame.

        Args:
            frame: the camera's frame, of the settings' size.
            loaded: the segmenter, None while there is none: the whole frame is then covered.
            out: uint8 I420 of the same size; becomes the picture's.

        Returns:
            The picture, and why the frame was covered although there was a segmenter (None when it was not).
        """
        picture = Picture(frame.seq, frame.captured_at, out)
        failure = None
        try:
            start = time.perf_counter()
            from_bgr(frame.image, self._i420)
            self._stopwatch.add("convert", time.perf_counter() - start)
            if self._settings.effect == "none" and self._settings.show_room:
                picture.raw = True
                np.copyto(out, self._i420)
                return picture, None
            self._view.look(self._i420)
            self._try_effect_again()
            if loaded is not None:
                try:
                    self._view.lay(self._matte(frame, loaded))
                    self._compose(picture)
                    return picture, None
                except Exception as error:
                    failure = error
                    self._memory = None
            self._cover(picture)
        except Exception as error:
            failure = failure or error
            np.copyto(out, card(*picture.size))
            picture.bgra = None
        return picture, failure

    def _matte(self, frame: Frame, loaded: Loaded) -> Image:
        """The frame's alpha, uint8 (H / 2, W / 2)."""
        start = time.perf_counter()
        mask = loaded.segmenter(frame.image)
        segmented = time.perf_counter()
        self._stopwatch.add("segment", segmented - start)
        refiner = self._refiner_for(mask.shape[1], mask.shape[0])
        luminance = refiner.luminance(self._view.half)
        if self._settings.temporal:
            scene, network, captured_at = self._remembered
            if (scene, network) != (frame.scene, loaded) or frame.captured_at - captured_at > self._forget_seconds:
                self._memory = None
            mask, self._memory = steady(mask, luminance, self._memory)
            self._remembered = (frame.scene, loaded, frame.captured_at)
        alpha = refiner(mask, luminance)
        self._stopwatch.add("refine", time.perf_counter() - segmented)
        return alpha

    def _compose(self, picture: Picture) -> None:
        start = time.perf_counter()
        self._fill(picture.i420)
        self._compositor.compose(self._view, picture.i420)
        if self._settings.effect == "alpha":
            picture.bgra = self._next_cutout()
            self._compositor.cut_out(self._view, picture.bgra)
        self._stopwatch.add("compose", time.perf_counter() - start)

    def _cover(self, picture: Picture) -> None:
        """Publish the effect over the whole frame."""
        self._view.lay(None)
        self._fill(picture.i420)
        if self._settings.effect == "alpha":
            picture.bgra = self._next_cutout()
            picture.bgra.fill(0)

    def _fill(self, out: Image) -> None:
        try:
            self._effect.fill(self._view, out)
        except Exception as error:
            self._replace_effect(error)
            self._effect.fill(self._view, out)

    def _allocate(self) -> None:
        width, height = self._i420_size = self._settings.dimensions
        self._i420 = np.empty((height * 3 // 2, width), np.uint8)
        self._view = View(width, height)
        self._compositor = Compositor(width, height)
        self._cutouts: deque[Image] = deque()
        self._memory = None

    def _next_cutout(self) -> Image:
        """A BGRA buffer that nobody uses any more."""
        if not self._cutouts:
            self._cutouts.extend(np.empty((*self._i420_size[::-1], 4), np.uint8) for _ in range(CUTOUTS))
        self._cutouts.rotate()
        return self._cutouts[0]

    def _refiner_for(self, mask_width: int, mask_height: int) -> Refiner:
        if self._refiner is None or self._refiner.mask_size != (mask_width, mask_height):
            self._refiner = Refiner(*self._i420_size, mask_width, mask_height, self._settings.refine)
        return self._refiner

    def _build_effect(self) -> None:
        """Build the effect of the settings; while it cannot be built the room is blurred."""
        self.problems.pop("effect", None)
        self._effect_built_at = time.monotonic()
        try:
            self._effect: Effect = build_effect(self._settings)
        except Exception as error:
            self._replace_effect(error)

    def _try_effect_again(self) -> None:
        """A background that was away (a disk not mounted yet) comes back by itself."""
        if "effect" in self.problems and time.monotonic() - self._effect_built_at > EFFECT_RETRY_SECONDS:
            self._build_effect()

    def _replace_effect(self, error: Exception) -> None:
        """Blur from now on, and say why."""
        self._effect = Blur(self._settings.blur)
        if isinstance(error, GreenroomError):
            message, cure = error.problem.message, error.problem.cure
        else:
            message, cure = f"The effect failed ({error!r}).", "Choose it again or another."
        self.problems["effect"] = Problem("effect", message, f"{cure} The room is blurred meanwhile.")
