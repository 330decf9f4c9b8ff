"""A frame's whole way as one ONNX graph, for GPUs: a frame goes in, a finished picture comes out.

    frame ─► shrink ─► network ─► settle ─► steady ─► refine ─► backdrop ─► blend ─► picture

It is the counterpart, step by step, of what `models.segmenter`, `app.matte` and `app.compose` do with OpenCV, built
from the same constants and the same effects, out of the operations of `app.compose.tape`. Where the other way rounds to
8 bits, this one does. tests/test_whole.py holds them equal on the golden frames' cases.

Inputs:
    frame: uint8 BGR (H, W, 3).
    fresh: float32 (1,), 1 where the last mask is not to be used, else 0.
    mask_before, luminance_before: float32 (1, 1, h, w), what the last run gave as `mask_after`, `luminance_after`.
    rows, columns: float32, the blur along each axis (`blurring`), when the backdrop is the blurred room.
    backdrop: uint8 I420 (H * 3 // 2, W), when it is a picture.
Outputs:
    picture: uint8 I420 (H * 3 // 2, W), to be published only when `trust` says so.
    trust: float32 (3,), the network's least and greatest alpha, and a sum that is finite only if all of it and of what
        settles it is; the least alpha once settled where that is somebody everywhere.
    mask_after, luminance_after: for the next run; they can stay on the device.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx

from app.compose import compositor, surroundings
from app.compose.plan import Plan, blurring, cells
from app.compose.tape import Floats, Tape
from app.matte import refine, temporal
from models import settle
from models.segmenter import SATURATED

YUV = np.array(
    [[102760, 528482, 269484], [460324, -305135, -155188], [-74448, -385875, 460324]], np.float32
) / np.float32(1 << 20)
"""BGR to Y, U and V as OpenCV's integers have it (BT.601, limited range); rows Y, U, V."""


def build(plan: Plan, network: Path) -> bytes:
    """The graph for a network file of the usual contract (uint8 BGR in, float32 alpha out), as an ONNX file's bytes.

    Args:
        plan: for what.
        network: ONNX, its hash verified by the caller.
    """
    net = onnx.compose.add_prefix(onnx.load(network), "net/")
    _, *net_size, _ = (d.dim_value for d in net.graph.input[0].type.tensor_type.shape.dim)
    _, *mask_size, _ = (d.dim_value for d in net.graph.output[0].type.tensor_type.shape.dim)
    size, small = (plan.height, plan.width), (mask_size[0], mask_size[1])
    tape = Tape()
    bgr = tape.do("Cast", tape.do("Transpose", "frame", perm=[2, 0, 1]), to=onnx.TensorProto.FLOAT)
    bgr = tape.shaped(bgr, 1, 3, *size)
    looked = net_size[0], net_size[1]
    picture = _shrink(tape, bgr, size, looked, net.graph.input[0].name)
    tape.nodes += net.graph.node
    mask = tape.shaped(net.graph.output[0].name, 1, 1, *small)
    answer, settled = _settle(tape, picture, looked, mask, small)
    _judge(tape, mask, answer, settled)
    mask = settled
    camera = _convert(tape, bgr, size)
    luminance = _luminance(tape, camera[2], plan, small)
    mask = _steady(tape, mask, luminance)
    tape.do("Identity", mask, name="mask_after")
    tape.do("Identity", luminance, name="luminance_after")
    alpha = _refine(tape, mask, luminance, camera[2], plan, small)
    _blend(tape, camera, alpha, plan)
    return bytes(_model(tape, net, plan, small).SerializeToString())


def _shrink(tape: Tape, bgr: str, size: tuple[int, int], target: tuple[int, int], name: str) -> str:
    """As `models.segmenter.shrink`."""
    x, size = tape.halved_while(bgr, size, lambda s: s[0] < 2 * target[0] or s[1] < 2 * target[1])
    x = tape.whole(tape.resized(x, size, target, cv2.INTER_LINEAR))
    tape.do("Cast", tape.do("Transpose", x, perm=[0, 2, 3, 1]), to=onnx.TensorProto.UINT8, name=name)
    return x


def _judge(tape: Tape, mask: str, answer: str, settled: str) -> None:
    least_settled = tape.shaped(tape.do("ReduceMin", settled, keepdims=0), 1)
    parts = [tape.shaped(tape.do(f"Reduce{what}", mask, keepdims=0), 1) for what in ("Min", "Max", "Sum")]
    # Unclipped: some runtimes' Clip makes a number of what is none.
    total = tape.do("Add", parts[2], tape.shaped(tape.do("ReduceSum", answer, keepdims=0), 1))
    least = tape.do("Where", tape.do("Greater", least_settled, SATURATED), least_settled, parts[0])
    tape.do("Concat", least, parts[1], total, axis=0, name="trust")


def _settle(tape: Tape, picture: str, size: tuple[int, int], mask: str, small: tuple[int, int]) -> tuple[str, str]:
    """As `models.settle.Settler`: what colour says, of any range, and the settled mask."""
    width, height = settle.shrunk(*small[::-1])
    colours = tape.whole(tape.resized(picture, size, (height, width), cv2.INTER_AREA))
    guide = tape.do("Sub", tape.do("Mul", colours, 1 / 255), 0.5)
    low = tape.resized(mask, small, (height, width), cv2.INTER_AREA)
    weight = tape.do("Sub", tape.do("Mul", low, 2.0), 1.0)
    for _ in range(settle.SQUARINGS):
        weight = tape.do("Mul", weight, weight)
    weight = tape.do("Add", weight, settle.LEAST)
    weighted = tape.do("Mul", guide, weight)
    ones, others = zip(*settle.PAIRS, strict=True)

    def products(x: str, y: str) -> str:
        return tape.do("Mul", tape.channels(x, *ones), tape.channels(y, *others))

    terms = [weighted, products(weighted, guide), tape.do("Mul", weighted, low), tape.do("Mul", weight, low), weight]
    means = tape.mean_around(tape.do("Concat", *terms, axis=1), settle.radius(width))
    means, total = tape.split(means, 13, 1)
    mean, squares, toward, level = tape.split(tape.do("Div", means, total), 3, 6, 3, 1)
    noise = np.array([settle.EPSILON * (one == other) for one, other in settle.PAIRS], np.float32)
    matrix = tape.do("Add", tape.do("Sub", squares, products(mean, mean)), noise.reshape(1, 6, 1, 1))
    slopes = _solve(tape, matrix, tape.do("Sub", toward, tape.do("Mul", mean, level)))
    answer = tape.do("Mul", tape.do("Sub", guide, mean), slopes)
    answer = tape.do("Add", tape.do("ReduceSum", answer, tape.ints(1), keepdims=1), level)
    answer = tape.do("Add", tape.do("Mul", tape.do("Sub", answer, 0.5), settle.CONTRAST), 0.5)
    change = tape.do("Sub", tape.clip(answer, 0, 1), low)
    doubt = tape.do("Mul", tape.do("Mul", tape.do("Sub", 1.0, low), low), 4.0)
    doubt = tape.greatest_around(tape.least_around(doubt))
    change = tape.resized(tape.do("Mul", change, doubt), (height, width), small, cv2.INTER_LINEAR)
    return answer, tape.clip(tape.do("Add", mask, change), 0, 1)


def _solve(tape: Tape, matrix: str, vector: str) -> str:
    """As `Settler`'s: each pixel's three equations, (1, 6, h, w) and (1, 3, h, w), to (1, 3, h, w)."""
    a00, a01, a02, a11, a12, a22 = tape.split(matrix, *[1] * 6)
    b0, b1, b2 = tape.split(vector, *[1] * 3)

    def less(target: str, factor: str, times: str) -> str:
        return tape.do("Sub", target, tape.do("Mul", factor, times))

    ratio = tape.do("Div", a01, a00)
    a11, a12, b1 = less(a11, ratio, a01), less(a12, ratio, a02), less(b1, ratio, b0)
    ratio = tape.do("Div", a02, a00)
    a22, b2 = less(a22, ratio, a02), less(b2, ratio, b0)
    ratio = tape.do("Div", a12, a11)
    a22, b2 = less(a22, ratio, a12), less(b2, ratio, b1)
    b2 = tape.do("Div", b2, a22)
    b1 = tape.do("Div", less(b1, a12, b2), a11)
    b0 = tape.do("Div", less(less(b0, a01, b1), a02, b2), a00)
    return tape.do("Concat", b0, b1, b2, axis=1)


def _convert(tape: Tape, bgr: str, size: tuple[int, int]) -> tuple[str, str, str]:
    """As OpenCV's BGR to I420: Y, then U and V together, then Y at half size."""
    luma = tape.do("Conv", bgr, YUV[:1, :, None, None], np.array([16], np.float32))
    # A chroma sample is taken from the upper left pixel of its four.
    chroma = tape.do("Conv", bgr, YUV[1:, :, None, None], np.array([128, 128], np.float32), strides=[2, 2])
    luma, chroma = tape.whole(luma), tape.whole(chroma)
    half = tape.whole(tape.resized(luma, size, (size[0] // 2, size[1] // 2), cv2.INTER_AREA))
    return luma, chroma, half


def _luminance(tape: Tape, half: str, plan: Plan, small: tuple[int, int]) -> str:
    """As `app.matte.refine.Refiner.luminance`."""
    size = plan.height // 2, plan.width // 2
    x, size = tape.halved_while(half, size, lambda s: s[0] < 2 * small[0] or s[1] < 2 * small[1])
    return tape.whole(tape.resized(x, size, small, cv2.INTER_LINEAR))


def _steady(tape: Tape, mask: str, luminance: str) -> str:
    """As `app.matte.temporal.steady`."""
    change = tape.do("Abs", tape.do("Sub", luminance, "luminance_before"))
    change = tape.whole(tape.mean_around(change, temporal.NEAR // 2))
    slope = 1 / (temporal.MOVING - temporal.STILL)
    motion = tape.clip(tape.do("Mul", tape.do("Sub", change, temporal.STILL), slope), 0, 1)
    difference = tape.do("Sub", mask, "mask_before")
    event = tape.do("Sub", tape.do("Mul", tape.do("Abs", difference), 1 / temporal.CERTAIN), 1.0)
    take = tape.do("Max", motion, tape.clip(event, 0, 1))
    take = tape.do("Add", tape.do("Mul", take, temporal.KEEP), 1 - temporal.KEEP)
    steadied = tape.do("Add", tape.do("Mul", take, difference), "mask_before")
    # Chosen, not mixed: a last mask that was no mask (not finite) must leave no trace.
    return tape.do("Where", tape.do("Greater", "fresh", 0.5), mask, steadied)


def _refine(tape: Tape, mask: str, luminance: str, half: str, plan: Plan, small: tuple[int, int]) -> str:
    """As `app.matte.refine.Refiner`: alpha at half the frame's size, whole numbers up to 255."""
    target = plan.height // 2, plan.width // 2

    def enlarged(x: str) -> str:
        return tape.resized(x, small, target, cv2.INTER_LINEAR)

    span = refine.SOFT_HIGH - refine.SOFT_LOW
    mask = tape.do("Mul", tape.do("Sub", mask, refine.SOFT_LOW), 255 / span)
    if not plan.refine:
        return tape.whole(enlarged(mask))
    guide = tape.do("Mul", luminance, 1 / 255)
    mean_guide, mean_mask = tape.mean_around(guide, refine.RADIUS), tape.mean_around(mask, refine.RADIUS)
    squares = tape.mean_around(tape.do("Mul", guide, guide), refine.RADIUS)
    products = tape.mean_around(tape.do("Mul", guide, mask), refine.RADIUS)
    variance = tape.do("Sub", squares, tape.do("Mul", mean_guide, mean_guide))
    covariance = tape.do("Sub", products, tape.do("Mul", mean_guide, mean_mask))
    slope = tape.do("Div", covariance, tape.do("Add", variance, refine.EPSILON))
    offset = tape.mean_around(tape.do("Sub", mean_mask, tape.do("Mul", slope, mean_guide)), refine.RADIUS)
    slope = tape.do("Mul", tape.mean_around(slope, refine.RADIUS), 1 / 255)
    alpha = tape.do("Add", tape.do("Mul", enlarged(slope), half), enlarged(offset))
    alpha = tape.do("Max", alpha, enlarged(tape.least_around(mask)))
    return tape.whole(tape.do("Min", alpha, enlarged(tape.greatest_around(mask))))


def _shrunk(tape: Tape, camera: tuple[str, str, str], alpha: str, plan: Plan, scale: int) -> str:
    """As `app.compose.view.View`: Y, U, V and alpha at 1/4 or 1/8."""
    size, target = (plan.height // 2, plan.width // 2), cells(plan.height, plan.width, scale)
    planes = tape.do("Concat", camera[2], camera[1], alpha, axis=1)
    planes, size = tape.halved_while(planes, size, lambda s: s[0] < 4 * target[0] or s[1] < 4 * target[1])
    return tape.whole(tape.resized(planes, size, target, cv2.INTER_AREA))


def _weighted(tape: Tape, small: str, *, person: bool) -> str:
    """As `View.person` and `View.room`: the colours times a weight, and the weight."""
    alpha = tape.do("Mul", tape.part(small, 1, 3, 4), 1 / (255 * surroundings.FEATHER))
    if person:
        alpha = tape.do("Sub", alpha, (1 - surroundings.FEATHER) / surroundings.FEATHER)
    else:
        alpha = tape.do("Sub", 1.0, alpha)
    weight = tape.do("Relu", alpha)
    return tape.do("Concat", tape.do("Mul", tape.part(small, 1, 0, 3), weight), weight, axis=1)


def _average(tape: Tape, weighted: str, rows: Floats | str, columns: Floats | str) -> str:
    """As `app.compose.surroundings.average`: Y, U and V."""
    overall = tape.do("ReduceMean", weighted, axes=[2, 3])
    overall = tape.do("Add", overall, surroundings.GRAY.reshape(1, 4, 1, 1))
    total = tape.do("Mul", overall, surroundings.EVERYWHERE)
    total = tape.do("Add", tape.times(rows, weighted, columns), total)
    return tape.do("Div", tape.part(total, 1, 0, 3), tape.part(total, 1, 3, 4))


def _backdrop(tape: Tape, camera: tuple[str, str, str], alpha: str, plan: Plan) -> tuple[str, str]:
    """What stands behind the person: Y, and U and V together."""
    height, width = plan.height, plan.width
    if not plan.scale:
        picture = tape.shaped(tape.do("Cast", "backdrop", to=onnx.TensorProto.FLOAT), -1)
        luma = tape.shaped(tape.part(picture, 0, 0, height * width), 1, 1, height, width)
        chroma = tape.part(picture, 0, height * width, height * width * 3 // 2)
        return luma, tape.shaped(chroma, 1, 2, height // 2, width // 2)
    room = _weighted(tape, _shrunk(tape, camera, alpha, plan, min(plan.scale, 8)), person=False)
    if plan.scale == 16:
        room = tape.resized(room, cells(height, width, 8), plan.blurred, cv2.INTER_AREA)
    blurred, size = tape.whole(_average(tape, room, "rows", "columns")), plan.blurred
    if plan.scale == 16:
        larger = 2 * size[0], 2 * size[1]
        blurred, size = tape.whole(tape.resized(blurred, size, larger, cv2.INTER_CUBIC)), larger
    luma = tape.resized(tape.part(blurred, 1, 0, 1), size, (height, width), cv2.INTER_LINEAR)
    chroma = tape.resized(tape.part(blurred, 1, 1, 3), size, (height // 2, width // 2), cv2.INTER_LINEAR)
    return tape.whole(luma), tape.whole(chroma)


def _blend(tape: Tape, camera: tuple[str, str, str], alpha: str, plan: Plan) -> None:
    """As `app.compose.compositor.Compositor`; a quad's four pixels are two axes of their own, (…, h, 2, w, 2)."""
    half = height, width = plan.height // 2, plan.width // 2
    quads = 1, 1, height, 2, width, 2
    grid = cells(plan.height, plan.width, compositor.SCALE)
    small = _shrunk(tape, camera, alpha, plan, compositor.SCALE)
    blurs = [blurring(length, compositor.SIGMA) for length in grid]
    person, room = (
        tape.resized(_average(tape, _weighted(tape, small, person=who), *blurs), grid, half, cv2.INTER_LINEAR)
        for who in (True, False)
    )
    luma, chroma = _backdrop(tape, camera, alpha, plan)
    enlarged = tape.whole(tape.resized(alpha, half, (plan.height, plan.width), cv2.INTER_LINEAR))
    share = tape.do("Mul", tape.shaped(enlarged, *quads), 1 / 255)
    first = tape.shaped(tape.part(tape.part(share, 3, 0, 1), 5, 0, 1), 1, 1, height, width)
    unsure = _unsure(tape, alpha)
    smooth = [tape.shaped(tape.part(x, 1, 0, 1), 1, 1, height, 1, width, 1) for x in (person, room)]
    luma = _mix(
        tape, tape.shaped(camera[0], *quads), share, smooth[0], smooth[1], tape.shaped(luma, *quads), unsure=unsure
    )
    smooth = [tape.part(x, 1, 1, 3) for x in (person, room)]
    first = tape.do("Where", unsure, tape.do("Mul", alpha, 1 / 255), first)
    chroma = _mix(tape, camera[1], first, smooth[0], smooth[1], chroma, unsure=unsure)
    finished = [tape.shaped(luma, -1), tape.shaped(chroma, -1)]
    picture = tape.shaped(tape.whole(tape.do("Concat", *finished, axis=0)), plan.height * 3 // 2, plan.width)
    tape.do("Cast", picture, to=onnx.TensorProto.UINT8, name="picture")


def _unsure(tape: Tape, alpha: str) -> str:
    """Whether the band between person and room is too wide for its colours to be told apart."""
    band = tape.do(
        "And",
        tape.do("Greater", tape.greatest_around(alpha), 0.5),
        tape.do("Less", tape.least_around(alpha), 254.5),
    )
    share = tape.do("ReduceMean", tape.do("Cast", band, to=onnx.TensorProto.FLOAT), keepdims=0)
    return tape.do("Greater", share, compositor.MAX_BAND)


def _mix(tape: Tape, camera: str, share: str, person: str, room: str, backdrop: str, *, unsure: str) -> str:
    """The compositor's formula; the camera's own colour where its parts cannot be told apart."""
    rest = tape.do("Sub", 1.0, share)
    pure = tape.do("Sub", camera, tape.do("Mul", share, person))
    pure = tape.do("Sub", pure, tape.do("Mul", rest, room))
    pure = tape.do("Add", tape.do("Mul", share, pure), person)
    pure = tape.do("Where", unsure, camera, pure)
    return tape.do("Add", tape.do("Mul", share, pure), tape.do("Mul", rest, backdrop))


def _model(tape: Tape, net: onnx.ModelProto, plan: Plan, small: tuple[int, int]) -> onnx.ModelProto:
    floats, bytes_ = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
    picture, mask = [plan.height * 3 // 2, plan.width], [1, 1, *small]
    inputs = {"frame": (bytes_, [plan.height, plan.width, 3]), "fresh": (floats, [1])}
    inputs |= {"mask_before": (floats, mask), "luminance_before": (floats, mask)}
    if plan.scale:
        rows, columns = plan.blurred
        inputs |= {"rows": (floats, [rows, rows]), "columns": (floats, [columns, columns])}
    else:
        inputs["backdrop"] = (bytes_, picture)
    outputs = {"picture": (bytes_, picture), "trust": (floats, [3])}
    outputs |= {"mask_after": (floats, mask), "luminance_after": (floats, mask)}
    graph = onnx.helper.make_graph(
        tape.nodes,
        "frame",
        [onnx.helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [onnx.helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [*tape.constants, *net.graph.initializer],
    )
    return onnx.helper.make_model(graph, opset_imports=net.opset_import, ir_version=net.ir_version)
