"""A small path tracer: soft daylight in rooms, in numpy alone. Lengths are metres, y points up, light is linear RGB.

Points and directions are float32 (3, N), one column a ray: numpy is quickest that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from assets.painting import Floats, floats

Paint = Callable[[Floats, Floats], Floats]
"""From points on a shape, in metres from its centre along its own axes, and its half sizes (3,), to its albedo."""

_NEAR = 1e-3
"""Metres a ray starts off the surface, so that it does not hit where it comes from."""

_CHUNK = 1 << 15
"""Rays at once: their arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Shape:
    """A box, ball or upright tube, stretched to its half sizes, turned, and moved to its centre.

    Attributes:
        turn: its own axes as columns, float32 (3, 3).
        glow: light it gives off itself; only the camera sees it, so add a `Light` where it should light others.
    """

    kind: Literal["box", "ball", "tube"]
    centre: Floats
    half: Floats
    turn: Floats
    paint: Paint
    glow: Floats

    @property
    def to_local(self) -> Floats:
        return np.asarray(self.turn.T / self.half[:, None], np.float32)


@dataclass(frozen=True)
class Light:
    """A bright rectangle: its centre, its two half edges, and its light. It cannot be seen itself."""

    centre: Floats
    u: Floats
    v: Floats
    light: Floats


@dataclass(frozen=True)
class Sun:
    """Light from one direction (towards the sun), with the sharpness of its shadows as an angle in radians."""

    towards: Floats
    light: Floats
    spread: float = 0.02


@dataclass
class Scene:
    """Groups of shapes, each tested only by rays that cross the group's bounds; lights; what is seen beyond."""

    groups: list[list[Shape]] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    sun: Sun | None = None
    sky: Callable[[Floats], Floats] = lambda d: np.zeros_like(d)

    def add(self, *shapes: Shape) -> None:
        """Add shapes that stand together."""
        self.groups.append(list(shapes))


@dataclass(frozen=True)
class Camera:
    """Where it stands, what it looks at, and the height of its picture as an angle in degrees."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    angle: float


def shape(
    kind: Literal["box", "ball", "tube"],
    centre: Sequence[float],
    size: Sequence[float],
    paint: Paint | Floats,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    glow: Floats | None = None,
) -> Shape:
    """A shape of this size (whole, not half), turned by roll about z, then pitch about x, then yaw about y, radians."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return Shape(
        kind,
        np.asarray(centre, np.float32),
        np.asarray(size, np.float32) / 2,
        np.asarray(about_y @ about_x @ about_z, np.float32),
        paint if callable(paint) else plain(paint),
        np.zeros(3, np.float32) if glow is None else glow,
    )


def plain(colour: Floats) -> Paint:
    """The same colour everywhere."""
    return lambda points, half: np.broadcast_to(colour[:, None], points.shape)


def render(scene: Scene, camera: Camera, width: int, height: int, samples: int, seed: int) -> Floats:
    """The picture in linear RGB, float32 (height, width, 3).

    Light is averaged over `samples` paths a pixel, freed of its noise, and only then coloured, so that textures stay
    sharp.
    """
    rng = np.random.default_rng(seed)
    tracer = _Tracer(scene)
    planes = np.zeros((4, 3, height * width), np.float32)  # glow, albedo, light, normal
    depth = np.zeros(height * width, np.float32)
    for _ in range(samples):
        directions = _rays(camera, width, height, rng)
        for start in range(0, height * width, _CHUNK):
            part = slice(start, min(start + _CHUNK, height * width))
            depth[part] += tracer.path(floats(camera.eye), directions[:, part], planes[..., part], rng)
    glow, albedo, light, normal = (plane.T.reshape(height, width, 3) / samples for plane in planes)
    return glow + albedo * _denoise(light, normal, depth.reshape(height, width) / samples)


def _rays(camera: Camera, width: int, height: int, rng: np.random.Generator) -> Floats:
    """One direction a pixel, through a random point of it, float32 (3, height * width)."""
    forward = floats(camera.target) - floats(camera.eye)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, floats([0, 1, 0]))
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    scale = np.tan(np.radians(camera.angle) / 2)
    jitter = rng.random((2, height, width), dtype=np.float32)
    x = (2 * (np.arange(width)[None, :] + jitter[0]) - width) / height * scale
    y = (height - 2 * (np.arange(height)[:, None] + jitter[1])) / height * scale
    rays = forward[:, None] + right[:, None] * x.reshape(1, -1) + up[:, None] * y.reshape(1, -1)
    return np.asarray(rays / np.linalg.norm(rays, axis=0), np.float32)


class _Tracer:
    """A scene made ready: each shape's way to its own axes, each group's bounds."""

    BOUNCES = 4

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._shapes = [s for group in scene.groups for s in group]
        self._groups: list[tuple[Floats, Floats, range]] = []
        first = 0
        for group in scene.groups:
            reach = [np.abs(s.turn) @ s.half for s in group]
            low = np.min([s.centre - r for s, r in zip(group, reach, strict=True)], axis=0) - _NEAR
            high = np.max([s.centre + r for s, r in zip(group, reach, strict=True)], axis=0) + _NEAR
            self._groups.append((low[:, None], high[:, None], range(first, first + len(group))))
            first += len(group)

    def path(self, eye: Floats, directions: Floats, planes: Floats, rng: np.random.Generator) -> Floats:
        """Follow one path a ray and add what it finds to the planes (4, 3, N); the depth of the first hit, (N,)."""
        count = directions.shape[1]
        origins = np.broadcast_to(eye[:, None], directions.shape).astype(np.float32)
        reach, which = self._trace(origins, directions)
        missed = which < 0
        planes[0][:, missed] += self._scene.sky(directions[:, missed])
        index = np.flatnonzero(~missed)
        through = np.ones((3, index.size), np.float32)
        origins, directions, hit, distance = origins[:, index], directions[:, index], which[index], reach[index]
        for bounce in range(self.BOUNCES):
            points = origins + directions * distance
            normals, albedo, glow = self._surface(points, hit)
            normals *= np.where((normals * directions).sum(axis=0) > 0, -1, 1)
            if bounce == 0:
                planes[0][:, index] += glow
                planes[1][:, index] += albedo
                planes[3][:, index] += normals
            else:
                through = through * albedo
            points += normals * _NEAR
            planes[2][:, index] += through * self._direct(points, normals, rng)
            if bounce + 1 == self.BOUNCES:
                break
            origins, directions = points, _scatter(normals, rng)
            distance, hit = self._trace(origins, directions)
            on = np.flatnonzero(hit >= 0)
            index, through, origins, directions = index[on], through[:, on], origins[:, on], directions[:, on]
            hit, distance = hit[on], distance[on]
        return np.where(missed, 50, reach[:count]).astype(np.float32)

    def _direct(self, points: Floats, normals: Floats, rng: np.random.Generator) -> Floats:
        """Light that comes to points straight from the lights and the sun."""
        total = np.zeros_like(points)
        for source in self._scene.lights:
            u, v = rng.uniform(-1, 1, (2, 1, points.shape[1])).astype(np.float32)
            towards = source.centre[:, None] + source.u[:, None] * u + source.v[:, None] * v - points
            distance = np.linalg.norm(towards, axis=0)
            towards /= distance
            facing = np.cross(source.u, source.v)
            cosines = (normals * towards).sum(axis=0) * np.abs(facing @ towards)
            # 4 × the length of `facing` is the rectangle's area; its length in the cosine cancels.
            strength = np.maximum(cosines, 0) * 4 / (np.pi * np.maximum(distance, 0.05) ** 2)
            self._add(total, points, towards, distance - 2 * _NEAR, strength, source.light)
        if (sun := self._scene.sun) is not None:
            towards = sun.towards[:, None] + sun.spread * rng.standard_normal(points.shape).astype(np.float32)
            towards /= np.linalg.norm(towards, axis=0)
            strength = np.maximum((normals * towards).sum(axis=0), 0)
            self._add(total, points, towards, np.full(points.shape[1], 50, np.float32), strength, sun.light)
        return total

    def _add(
        self, total: Floats, points: Floats, towards: Floats, distance: Floats, strength: Floats, light: Floats
    ) -> None:
        facing = np.flatnonzero(strength > 0)
        reach, _ = self._trace(points[:, facing], towards[:, facing], distance[facing])
        seen = facing[reach >= distance[facing]]
        total[:, seen] += light[:, None] * strength[seen]

    def _trace(
        self, origins: Floats, directions: Floats, limit: Floats | None = None
    ) -> tuple[Floats, NDArray[np.int32]]:
        """The distance to what each ray hits first and its number, -1 for none; with a limit, anything nearer."""
        count = origins.shape[1]
        best = np.full(count, 50, np.float32) if limit is None else limit.copy()
        which = np.full(count, -1, np.int32)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1 / directions
            for low, high, members in self._groups:
                first, second = (low - origins) * inverse, (high - origins) * inverse
                enter = np.minimum(first, second).max(axis=0)
                leave = np.maximum(first, second).min(axis=0)
                near = np.flatnonzero((enter <= leave) & (leave > 0) & (enter < best))
                if not near.size:
                    continue
                o, d, b, w = origins[:, near], directions[:, near], best[near], which[near]
                for number in members:
                    item = self._shapes[number]
                    t = _HITS[item.kind](item.to_local @ (o - item.centre[:, None]), item.to_local @ d)
                    closer = (t > 0) & (t < b)
                    b[closer], w[closer] = t[closer], number
                best[near], which[near] = b, w
        return best, which

    def _surface(self, points: Floats, hit: NDArray[np.int32]) -> tuple[Floats, Floats, Floats]:
        """Normals, albedo and glow where rays hit, each (3, N)."""
        normals, albedo, glow = np.zeros_like(points), np.zeros_like(points), np.zeros_like(points)
        for number in np.unique(hit):
            item, here = self._shapes[number], np.flatnonzero(hit == number)
            own = item.turn.T @ (points[:, here] - item.centre[:, None])
            normal = item.to_local.T @ _NORMALS[item.kind](own / item.half[:, None])
            normals[:, here] = normal / np.linalg.norm(normal, axis=0)
            albedo[:, here] = item.paint(own, item.half)
            glow[:, here] = item.glow[:, None]
        return normals, albedo, glow


def _hit_box(o: Floats, d: Floats) -> Floats:
    inverse = 1 / d
    first, second = (-1 - o) * inverse, (1 - o) * inverse
    enter = np.minimum(first, second).max(axis=0)
    return np.where(enter <= np.maximum(first, second).min(axis=0), enter, -1)


def _hit_ball(o: Floats, d: Floats) -> Floats:
    a, b, c = (d * d).sum(axis=0), (o * d).sum(axis=0), (o * o).sum(axis=0) - 1
    root = b * b - a * c
    return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, -1)


def _hit_tube(o: Floats, d: Floats) -> Floats:
    a = d[0] ** 2 + d[2] ** 2
    b, c = o[0] * d[0] + o[2] * d[2], o[0] ** 2 + o[2] ** 2 - 1
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    ends = np.stack([(-1 - o[1]) / d[1], (1 - o[1]) / d[1]])
    enter = np.maximum((-b - root) / a, ends.min(axis=0))
    leave = np.minimum((-b + root) / a, ends.max(axis=0))
    return np.where((b * b > a * c) & (enter <= leave), enter, -1)


def _normal_box(p: Floats) -> Floats:
    side = np.abs(p)
    return np.asarray(np.where(side >= side.max(axis=0), np.sign(p), 0), np.float32)


def _normal_tube(p: Floats) -> Floats:
    cap = np.abs(p[1]) > 0.999
    return np.asarray(np.stack([np.where(cap, 0, p[0]), np.where(cap, np.sign(p[1]), 0), np.where(cap, 0, p[2])]))


_HITS = {"box": _hit_box, "ball": _hit_ball, "tube": _hit_tube}
_NORMALS: dict[str, Callable[[Floats], Floats]] = {"box": _normal_box, "ball": lambda p: p, "tube": _normal_tube}


def _scatter(normals: Floats, rng: np.random.Generator) -> Floats:
    """Directions as a matt surface scatters them: a point on the unit ball that touches the surface (cosine law)."""
    ball = rng.standard_normal(normals.shape).astype(np.float32)
    ball /= np.linalg.norm(ball, axis=0)
    directions = normals * 1.0005 + ball
    return np.asarray(directions / np.linalg.norm(directions, axis=0), np.float32)


def _denoise(light: Floats, normal: Floats, depth: Floats) -> Floats:
    """Edge-avoiding à-trous wavelets (Dammertz and others, 2010): smooth along surfaces, not across their edges."""
    taps = ((-2, 1), (-1, 4), (0, 6), (1, 4), (2, 1))
    # A single bright path is a firefly: no lit surface is so much brighter than what is around it.
    around = cv2.medianBlur(light, 5)
    light = np.minimum(light, around * 2 + 0.02)
    slope = np.abs(cv2.Laplacian(depth, cv2.CV_32F)) + 0.01 * depth
    for level in range(4):
        step, total = 1 << level, np.zeros_like(light)
        weights = np.zeros(depth.shape, np.float32)
        # Compared is what is a little smoothed, since single pixels differ by their noise alone.
        guide = cv2.blur(light, (3, 3))
        tolerance = 0.8 * 0.65**level * (cv2.blur(light, (9, 9)).mean(axis=2) + 0.02)
        for dy, wy in taps:
            for dx, wx in taps:
                move = floats([[1, 0, dx * step], [0, 1, dy * step]])
                there = [_moved(plane, move) for plane in (light, normal, depth, guide)]
                weight = wx * wy * np.clip((normal * there[1]).sum(axis=2), 0, 1) ** 24
                weight *= np.exp(-np.abs(depth - there[2]) / (slope * (abs(dx) + abs(dy) + 1) * step))
                weight *= np.exp(-((np.abs(guide - there[3]).mean(axis=2) / tolerance) ** 2))
                total += there[0] * weight[..., None]
                weights += weight
        light = total / np.maximum(weights, 1e-6)[..., None]
    return light


def _moved(plane: Floats, move: Floats) -> Floats:
    height, width = plane.shape[:2]
    return np.asarray(cv2.warpAffine(plane, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32)
