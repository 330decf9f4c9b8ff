"""One frame's way from the camera's picture to the finished one: segment → refine → compose.

The network runs in a thread of its own, so that what needs no mask is done meanwhile, and the next frame's mask is made
while this frame is composited:

    begin(n) ─► matte(n) ─► begin(n + 1) ─► compose(n) ─► matte(n + 1) ─► …

Fail closed: whatever fails, the picture that comes out shows the effect over the whole frame or the card, never the
room. The only way to the raw frame is the effect `none`, which the settings refuse without the user's consent.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.buffers import Buffers
from app.compose.blur import Blur
from app.compose.card import card
from app.compose.compositor import Compositor
from app.compose.effects import Effect, build_effect
from app.compose.planes import from_bgr
from app.compose.view import View
from app.frame import Frame, Image, Picture
from app.loaded import Loaded
from app.matte.refine import Refiner
from app.matte.temporal import Memory, steady
from app.problems import GreenroomError, Problem
from app.settings import Settings
from app.status import Stopwatch
from app.whole import NEAR, WholeFrame, plan_for
from models.region import KEY_FRAMES, Look, Region

EFFECT_SETTINGS = ("effect", "blur", "image", "fit", "video", "colour", "show_room", "size")
"""The settings an effect is built from; a change of one builds it anew."""

DRESS_SETTINGS = (*EFFECT_SETTINGS, "refine")
"""The settings that decide what the whole way on a GPU is built for."""

EFFECT_RETRY_SECONDS = 5.0
"""Pause between two tries to build an effect: a broken picture takes some 50 ms, which one frame in 150 can bear."""

FORGET_SECONDS = 0.5
"""After a gap this long the last mask says nothing about the new one: a person turns their head in half a second."""


@dataclass(slots=True)
class Work:
    """A frame on its way through a `Processor`; others read `frame`, `loaded` and `failure`, and may `wait`.

    Attributes:
        frame, loaded: what it was begun with.
        running: what the network sees in it.
        whole: what makes the finished picture instead, on a GPU.
        making: that picture, while it is made.
        finished: uint8 I420, that picture; valid until the next frame but one is begun.
        seen: whether the processor's view is this frame.
        mask: float32 (h, w) in [0, 1], this frame's own; None while there is none that can be trusted.
        region: the part of the frame that the mask is of.
        steadied: seconds spent on it.
        failure: why it is covered although there is a segmenter.
    """

    frame: Frame
    loaded: Loaded | None
    running: Future[Look] | None = None
    whole: WholeFrame | None = None
    making: Future[Image] | None = None
    finished: Image | None = None
    seen: bool = False
    mask: NDArray[np.float32] | None = None
    region: Region | None = None
    steadied: float = 0.0
    failure: Exception | None = None

    def wait(self) -> None:
        """Wait until the network has let go of the frame; of the segmenter it has once the processor is at rest."""
        if self.running is not None:
            wait([self.running])
        if self.making is not None:
            wait([self.making])


class Processor:
    """Turns frames into pictures. One thread uses it, and closes it.

    Args:
        settings: the settings to start with; `configure` changes them.
        stopwatch: where the stages' durations are noted.
        cutouts: where the pictures' `bgra` come from; whoever is done with a picture gives it back there.
        forget_seconds: after a gap this long the last mask is not used for the next.
    """

    def __init__(
        self,
        settings: Settings,
        stopwatch: Stopwatch,
        cutouts: Buffers | None = None,
        *,
        forget_seconds: float = FORGET_SECONDS,
    ) -> None:
        self._settings = settings
        self._stopwatch = stopwatch
        self._cutouts = cutouts or Buffers()
        self._forget_seconds = forget_seconds
        self._far, self._near_looks, self._made_whole = False, 0, 0
        self._memory: Memory | None = None
        self._remembered: tuple[int, Loaded | WholeFrame | None, float] = (-1, None, 0.0)
        self._effect_built_at = 0.0
        self._refiner: Refiner | None = None
        self._luminance = np.empty((0, 0), np.uint8)
        self._segmenting = ThreadPoolExecutor(1, "segment")
        self._later: Future[None] | None = None
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

    def begin(self, frame: Frame, loaded: Loaded | None) -> Work:
        """Start the network on a frame; returns at once. The frame before must have its matte.

        Args:
            frame: the camera's frame, of the settings' size or of one that they are about to have.
            loaded: the segmenter, None while there is none: the whole frame is then covered.
        """
        work = Work(frame, loaded)
        if loaded is not None and not self._bare:
            work.whole = self._whole_way(frame, loaded)
            if work.whole is not None:
                fresh = not self._settings.temporal or self._forgets(frame, work.whole)
                watched = self._made_whole % KEY_FRAMES == 0
                self._made_whole += 1
                work.making = self._segmenting.submit(self._make, frame, work.whole, self._effect, fresh, watched)
            else:
                work.running = self._see(frame, loaded)
        return work

    def matte(self, work: Work) -> None:
        """Wait for the mask of the frame begun last; afterwards the next may begin.

        What goes wrong is noted in `work.failure`, and the frame will be covered.
        """
        try:
            if work.making is not None and work.whole is not None:
                work.finished = work.making.result()
                self._remembered = work.frame.scene, work.whole, work.frame.captured_at
                if (far := work.whole.people_are_far) is not None:
                    self._far, self._near_looks = far, 0
                return
            self._convert(work)
            if work.loaded is not None and not self._bare:
                # The effect `none` may have been left since `begin`, which then started nothing.
                work.running = work.running or self._see(work.frame, work.loaded)
                self._take_mask(work, work.loaded, work.running.result())
        except Exception as error:
            work.failure = error
            self._memory, self._remembered = None, (-1, None, 0.0)
            if not work.seen:
                with contextlib.suppress(Exception):  # then a card covers it
                    self._convert(work)
        finally:
            work.wait()

    def compose(self, work: Work, out: Image) -> Picture:
        """Make the picture of a frame that has its matte.

        Args:
            work: what `matte` had last; its `failure` says afterwards why the frame was covered although there was a
                segmenter.
            out: uint8 I420 of the frame's size; becomes the picture's.
        """
        picture = Picture(work.frame.seq, work.frame.captured_at, out)
        try:
            self._try_effect_again()
            if work.finished is not None:
                np.copyto(out, work.finished)
                return picture
            if not work.seen:
                raise work.failure or RuntimeError("the frame has no matte")
            if self._bare:
                picture.raw = True
                np.copyto(out, self._i420)
                return picture
            if work.mask is not None and work.region is not None and work.failure is None:
                try:
                    self._lay_over(work, work.mask, work.region, picture)
                    return picture
                except Exception as error:
                    work.failure = error
                    self._memory = None
            self._cover(picture)
        except Exception as error:
            work.failure = work.failure or error
            np.copyto(out, card(*picture.size))
            picture.bgra = None
        return picture

    def process(self, frame: Frame, loaded: Loaded | None, out: Image) -> tuple[Picture, Exception | None]:
        """All three at once, for one frame after the other.

        Returns:
            The picture, and why the frame was covered although there was a segmenter (None when it was not).
        """
        work = self.begin(frame, loaded)
        self.matte(work)
        picture = self.compose(work, out)
        return picture, work.failure

    def rest(self) -> None:
        """Wait until no network looks around, for one is about to be given back; all begun frames have their mattes."""
        if self._later is not None:
            wait([self._later])

    def close(self) -> None:
        """End the network's thread, once it has ended what it runs."""
        self._segmenting.shutdown()

    @property
    def _bare(self) -> bool:
        """Whether the user asked for the room as it is, and agreed to it being shown."""
        return self._settings.effect == "none" and self._settings.show_room

    def _whole_way(self, frame: Frame, loaded: Loaded) -> WholeFrame | None:
        """What makes the whole picture on the segmenter's device, None while nothing there fits frame and settings."""
        whole = loaded.whole
        if whole is None or self._far or frame.image.shape[:2] != (whole.plan.height, whole.plan.width):
            return None
        return whole if whole.plan == plan_for(self._settings, blurred=isinstance(self._effect, Blur)) else None

    def _forgets(self, frame: Frame, source: Loaded | WholeFrame) -> bool:
        """Whether the last mask says nothing about this frame."""
        scene, last, captured_at = self._remembered
        return (scene, last) != (frame.scene, source) or frame.captured_at - captured_at > self._forget_seconds

    def _convert(self, work: Work) -> None:
        start = time.perf_counter()
        from_bgr(work.frame.image, self._i420)
        self._stopwatch.add("convert", time.perf_counter() - start)
        self._view.turn_to(self._i420)
        work.seen = True

    def _make(self, frame: Frame, whole: WholeFrame, effect: Effect, fresh: bool, watched: bool) -> Image:
        start = time.perf_counter()
        picture = whole(frame.image, effect, fresh=fresh, watched=watched)
        self._stopwatch.add("segment", time.perf_counter() - start)
        return picture

    def _see(self, frame: Frame, loaded: Loaded) -> Future[Look]:
        return self._segmenting.submit(self._segment, frame, loaded, self._forgets(frame, loaded))

    def _segment(self, frame: Frame, loaded: Loaded, fresh: bool) -> Look:
        start = time.perf_counter()
        look = loaded.look(frame.image, fresh=fresh)
        self._stopwatch.add("segment", time.perf_counter() - start)
        return look

    def _take_mask(self, work: Work, loaded: Loaded, look: Look) -> None:
        """Steady the mask, or copy it: the network's own array is the next frame's."""
        start = time.perf_counter()
        if self._forgets(work.frame, loaded) or self._refiner is None or self._refiner.region != look.region:
            self._memory = None
        self._luminance = self._refiner_for(look.mask, look.region).luminance(self._view.half)
        if self._settings.temporal:
            work.mask, self._memory = steady(look.mask, self._luminance, self._memory)
        else:
            work.mask = look.mask.copy()
        work.region = look.region
        if look.later is not None:  # now that the mask has been used; what goes wrong will with the next frame too
            self._later = self._segmenting.submit(look.later)
        self._near_looks = 0 if look.region.area < NEAR * work.frame.image[..., 0].size else self._near_looks + 1
        # A region that is left for a while is no reason to change the way: each change makes edges shimmer.
        self._far = self._far and self._near_looks <= 2 * KEY_FRAMES
        self._remembered = (work.frame.scene, loaded, work.frame.captured_at)
        work.steadied = time.perf_counter() - start

    def _lay_over(self, work: Work, mask: NDArray[np.float32], region: Region, picture: Picture) -> None:
        start = time.perf_counter()
        self._view.lay(self._refiner_for(mask, region)(mask, self._luminance))
        refined = time.perf_counter()
        self._stopwatch.add("refine", work.steadied + refined - start)
        self._fill(picture.i420)
        self._compositor.compose(self._view, picture.i420)
        if self._settings.effect == "alpha":
            picture.bgra = self._cutouts.take((*self._i420_size[::-1], 4))
            self._compositor.cut_out(self._view, picture.bgra)
        self._stopwatch.add("compose", time.perf_counter() - refined)

    def _cover(self, picture: Picture) -> None:
        """Publish the effect over the whole frame."""
        self._view.lay(None)
        self._fill(picture.i420)
        if self._settings.effect == "alpha":
            picture.bgra = self._cutouts.take((*self._i420_size[::-1], 4))
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
        self._memory = None

    def _refiner_for(self, mask: NDArray[np.float32], region: Region) -> Refiner:
        size = mask.shape[1], mask.shape[0]
        if self._refiner is None or (self._refiner.mask_size, self._refiner.region) != (size, region):
            self._refiner = Refiner(*self._i420_size, *size, self._settings.refine, region)
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
