"""A frame's whole way on a GPU: one upload, one graph, one download of the finished picture.

The graph (`app.compose.graph`) is built for the settings of now, compared with what the CPU makes of the same frame and
mask, and used only if it makes the same picture and takes no longer. While there is none, the network alone runs on the
GPU and the rest on the CPU. What covers a frame is always made by the CPU.
"""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.compose.blur import Blur, cells_of
from app.compose.compositor import Compositor
from app.compose.effects import Effect, Still, Video
from app.compose.plan import CARRIED, Plan, blurring
from app.compose.planes import from_bgr, new_i420
from app.compose.view import View
from app.frame import Image
from app.matte.refine import Refiner
from app.settings import Settings
from backends import BackendError, Graph, GraphBackend, get_backend
from backends.request import Limited
from backends.selector import AGREE, iou
from backends.tiers import Candidate
from models.region import Look, Region, around, people
from models.segmenter import MAX_STRETCH, Segmenter, judge

MASKS = 0.01
"""How far the masks may be apart in the mean. On the clips 16 bits move them by 0.00003, 8 bits by 0.002 at most, and
`lite` is 0.014 from `hd`."""
MEAN, WORST = 0.7, 12
"""How far the two pictures may be apart, in the mean and in all but a thousandth of the samples, in steps of 255: as
golden frames may (tests/test_golden.py), to which tests/test_whole.py holds the graph too."""

HANG_SECONDS, HANG_RUNS = 0.3, 10.0
"""A run that takes longer, and ten times as long as usual, has hung, as with a network alone (`app.loaded`)."""

FIRST_SECONDS = 30.0
"""What the first runs may take, in which a driver compiles."""

ASPECT = 16 / 9
"""All our networks' pictures."""

TURNS = 5
"""Runs that are timed."""

FAR, NEAR = 0.5, 0.6
"""A graph looks at whole frames. Once the region of people and the space around them is less than the first share of
one, the network alone looks at that (`models.region`) and the CPU does the rest, until it is more than the second: of
people twice as far away, in a quarter of the frame, J and F of `hd` are 3 to 5 higher so (models/cards/hd.md, "Where it
looks"); people as high as the frame gain 0.8 and 2.0, not worth a GPU's whole way."""


@dataclass(frozen=True, slots=True)
class Rival:
    """The other way, the network alone: its mask of `frame`, float32 (h, w), and how long it takes."""

    frame: Image
    mask: NDArray[np.float32]
    seconds: float


class _Run:
    """A graph's runs; within the time limit of a watched one its mask is downloaded."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.watched = False
        self.mask: NDArray[np.float32] | None = None

    def run(self) -> None:
        self.mask = None
        self._graph.run()
        if self.watched:
            self.mask = self._graph.carried("mask_after")[0, 0]

    def close(self) -> None:
        self._graph.close()


class WholeFrame:
    """Makes finished pictures of frames; one thread uses it, and closes or forgets it.

    Args:
        graph: loaded; it belongs to this object from now on.
        plan: what it was built for.
    """

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.plan = plan
        self._graph, self._run = graph, _Run(graph)
        self._request = Limited(self._run, FIRST_SECONDS)
        # Who forgets it last makes the pictures, and a driver that is lost may take its time to let go.
        self._forgotten = weakref.finalize(self, self._request.forget)
        self._forgotten.atexit = False
        # One is read while the next frame's is written.
        self._pictures = [new_i420(plan.width, plan.height) for _ in range(2)]
        self._fresh, self._trust = np.ones(1, np.float32), np.empty(3, np.float32)
        self._held: object = None

    def __call__(self, frame: Image, effect: Effect, *, fresh: bool, watched: bool = False) -> Image:
        """Make a frame's picture.

        Args:
            frame: uint8 BGR (H, W, 3) of the plan's size.
            effect: of the plan's kind.
            fresh: do not use the last mask.
            watched: see whether `people_are_far`, which downloads the mask.

        Returns:
            uint8 I420 (H * 3 // 2, W); overwritten by the next call but one.

        Raises:
            UntrustedMask: the network gave something that is no mask.
            BackendError: the device failed, or did not answer in time.
        """
        self._hold(effect)
        self._pictures.reverse()
        self._trust.fill(np.nan)  # a run that writes nothing must not leave the last picture to be trusted
        self._fresh[0] = fresh
        self._run.watched = watched
        self._graph.bind({"frame": frame, "fresh": self._fresh}, {"picture": self._pictures[0], "trust": self._trust})
        self._request.run()
        judge("the graph", *map(float, self._trust))
        return self._pictures[0]

    @property
    def recent_ms(self) -> float | None:
        """The median of the last runs; None while there were few."""
        return self._request.recent_ms

    def mask(self) -> NDArray[np.float32]:
        """The last mask, float32 (h, w)."""
        mask: NDArray[np.float32] = self._graph.carried("mask_after")[0, 0]
        return mask

    @property
    def people_are_far(self) -> bool | None:
        """Whether, in the last frame, the network alone would see so much more of them; None if it was not watched."""
        if self._run.mask is None:
            return None
        frame, cells = Region(0, 0, self.plan.width, self.plan.height), self._run.mask.shape[::-1]
        seen = people(Look(self._run.mask, frame))
        return seen is not None and around(seen, frame, (cells[0], cells[1])).area < FAR * frame.area

    def limit(self, seconds: float) -> None:
        """Give runs up that take longer than this."""
        self._request.limit(seconds)

    def close(self) -> None:
        """Let the device go; it may take its time."""
        if self._forgotten.detach():
            self._request.close()

    def _hold(self, effect: Effect) -> None:
        """Hand the backdrop over where it is another than in the last run."""
        if isinstance(effect, Blur):
            _, sigma = cells_of(effect.strength, self.plan.width, self.plan.height)
            if self._held != sigma:
                self._held, lengths = sigma, self.plan.blurred
                for name, length in zip(("rows", "columns"), lengths, strict=True):
                    self._graph.hold(name, blurring(length, sigma))
            return
        picture = cast(Still | Video, effect).current()
        if self._held is not picture:
            self._held = picture
            self._graph.hold("backdrop", picture)


def plan_for(settings: Settings, *, blurred: bool) -> Plan | None:
    """What a graph must be built for.

    Args:
        settings: what the user wants.
        blurred: whether the backdrop is the blurred room, else a picture.

    Returns:
        None where the CPU does it: the cut-out of `alpha`, and pictures too narrow for the network, which are padded.
    """
    width, height = settings.dimensions
    if settings.effect == "alpha" or not 1 / MAX_STRETCH <= width / height / ASPECT <= MAX_STRETCH:
        return None
    return Plan(width, height, settings.refine, cells_of(settings.blur, width, height)[0] if blurred else 0)


def rival(segmenter: Segmenter, frame: Image) -> Rival:
    """What the network alone does with a frame."""
    mask = segmenter(frame).copy()
    return Rival(frame, mask, _usual(lambda: segmenter(frame)))


def fit(candidate: Candidate, network: Path, plan: Plan, settings: Settings, other: Rival) -> WholeFrame:
    """Build, load and try a graph.

    Args:
        candidate: where, and which network; its device takes graphs.
        network: the network's verified file.
        plan: for what.
        settings: what to try it with.
        other: what it must agree with, and not be slower than.

    Raises:
        BackendError: it does not run there, makes another picture, or is slower.
    """
    from app.compose.graph import build  # its library takes 0.2 s to import, and few machines need it

    backend = cast(GraphBackend, get_backend(candidate.backend))
    graph = backend.load_graph(build(plan, network), candidate.device, candidate.threads, CARRIED)
    whole = WholeFrame(graph, plan)
    # Stretched, not cropped: only so the network, which stretches it too, sees the same and makes the same mask.
    frame = cv2.resize(other.frame, (plan.width, plan.height), interpolation=cv2.INTER_AREA)
    effect: Effect = Blur(settings.blur) if plan.scale else Still(from_bgr(np.ascontiguousarray(frame[::-1])))
    picture = whole(frame, effect, fresh=True).copy()
    mask = whole.mask()
    # Also in numbers, and not a number is none: what settles doubt may be wrong and leave the mask's half where it is.
    if 100 * iou(mask > 0.5, other.mask > 0.5) < AGREE or not np.abs(mask - other.mask).mean() < MASKS:
        raise BackendError("its mask is another than the network's alone")
    composite = _on_the_cpu(plan, frame, mask, effect)
    difference = np.abs(picture.astype(np.int16) - composite())
    if difference.mean() > MEAN or np.percentile(difference, 99.9) > WORST:
        raise BackendError(f"its picture is another than the CPU's (by {difference.mean():.1f} of 255)")
    seconds = _usual(lambda: whole(frame, effect, fresh=False))
    apart = other.seconds + _usual(composite)
    if seconds > apart:
        raise BackendError(f"it takes {1e3 * seconds:.1f} ms, network and CPU apart {1e3 * apart:.1f}")
    whole.limit(max(HANG_SECONDS, HANG_RUNS * seconds))
    return whole


def _usual(run: Callable[[], object]) -> float:
    """Seconds that a run takes once it has run."""
    times = []
    run()
    for _ in range(TURNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _on_the_cpu(plan: Plan, frame: Image, mask: NDArray[np.float32], effect: Effect) -> Callable[[], Image]:
    """What makes the CPU's picture of a frame and its mask, in buffers that are there, as the product's are."""
    view, camera, out = View(plan.width, plan.height), *(new_i420(plan.width, plan.height) for _ in range(2))
    refiner = Refiner(plan.width, plan.height, mask.shape[1], mask.shape[0], plan.refine)
    compositor = Compositor(plan.width, plan.height)

    def composite() -> Image:
        view.turn_to(from_bgr(frame, camera))
        view.lay(refiner(mask, refiner.luminance(view.half)))
        effect.fill(view, out)
        compositor.compose(view, out)
        return out

    return composite
