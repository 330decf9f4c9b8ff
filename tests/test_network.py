"""The shipped networks on every runtime, and the figures that judge them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from assets import asset
from backends import BACKENDS, get_backend
from models.evaluation import metrics
from models.evaluation.__main__ import open_network, together, twice
from models.evaluation.clips import with_true_edge
from models.evaluation.ours import open_file
from models.manifest import Model, manifest
from models.segmenter import SATURATED
from models.training.figure import paint_person

AGREE = 1e-3
"""How far two runtimes' alphas may be apart."""
MODELS = list(manifest().values())


def alphas(model: Model, pictures: list[NDArray[np.uint8]], backend_name: str) -> NDArray[np.float32]:
    backend = get_backend(backend_name)
    session = backend.load(model.file(backend.FORMAT).verify(), "CPU", 1)
    found = []
    for image in pictures:
        session.input[0] = image
        session.run()
        found.append(session.output.copy())
    session.close()
    return np.concatenate(found)


def clip(name: str, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Every twentieth of the first eighty frames of one of the bundled clips."""
    video, frames = cv2.VideoCapture(str(asset(f"clips/{name}.mp4"))), []
    for number in range(80):
        read, frame = video.read()
        assert read
        if number % 20 == 0:
            frames.append(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8))
    video.release()
    return frames


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_runtime_finds_the_person_of_the_clip_alike(model: Model) -> None:
    size = (model.input.width, model.input.height)
    pictures, truths = clip("sample", size), clip("sample-alpha", size)
    first, *others = (alphas(model, pictures, name) for name in BACKENDS)
    for alpha, truth in zip(first[..., 0], truths, strict=True):
        assert metrics.region(alpha > 0.5, truth[..., 0] > 127) > 0.93
    for name, other in zip(list(BACKENDS)[1:], others, strict=True):
        assert np.abs(first - other).max() <= AGREE, name


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_a_painted_person_is_found(model: Model) -> None:
    painted = [paint_person(model.input.width, model.input.height, seed) for seed in range(4)]
    found = alphas(model, [picture for picture, _ in painted], "onnxruntime")[..., 0]
    for alpha, (_, truth) in zip(found, painted, strict=True):
        assert metrics.region(alpha > 0.5, truth) > 0.85


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_alpha_is_in_range_and_nobody_is_in_an_even_picture(model: Model) -> None:
    even = [np.full(model.input.shape[1:], level, np.uint8) for level in (0, 60, 127, 200, 255)]
    alpha = alphas(model, even, "onnxruntime")
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha.mean() < 0.1


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_no_covered_lens_is_somebody_everywhere(model: Model) -> None:
    """Else `SATURATED` would take a hand before the lens for a broken driver."""
    rng, shape = np.random.default_rng(0), model.input.shape[1:]
    skin = np.array([90, 110, 180])
    pictures = []
    for light in np.linspace(0.1, 1.3, 24):
        folds = cv2.resize(rng.normal(0, 20, (6, 10, 3)), shape[1::-1], interpolation=cv2.INTER_CUBIC)
        noise = rng.normal(0, 4, shape)
        pictures.append(np.clip(light * skin + folds + noise, 0, 255).astype(np.uint8))
    assert alphas(model, pictures, "onnxruntime").min((1, 2, 3)).max() < 0.5 * SATURATED


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_weights_are_stored_in_half_precision(model: Model) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(model.file("onnx").path).graph
    weights = [tensor for tensor in graph.initializer if len(tensor.dims) == 4]
    assert weights and all(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in weights)
    assert model.file("onnx").path.stat().st_size < 10_000_000


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_the_16_bit_file_takes_any_number_of_pictures(model: Model) -> None:
    import onnxruntime

    path = model.file("onnx", "fp16").verify()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pictures = np.stack([paint_person(model.input.width, model.input.height, seed)[0] for seed in range(3)])
    together = session.run(["alpha"], {"image": pictures})[0]
    assert np.abs(together - alphas(model, list(pictures), "onnxruntime")).max() < 0.02


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_8_bit_files_find_the_same_person(model: Model) -> None:
    picture = paint_person(model.input.width, model.input.height, 0)[0]
    whole = alphas(model, [picture], "onnxruntime")[0, ..., 0] > 0.5
    for file in model.files:
        if file.precision == "int8":
            compute, shape = open_file(file.verify())
            assert shape == model.input.shape
            assert metrics.region(compute(picture[None])[0, ..., 0] > 0.5, whole) > 0.95


def square(left: int) -> NDArray[np.bool_]:
    mask = np.zeros((360, 640), bool)
    mask[100:200, left : left + 100] = True
    return mask


def test_region_is_intersection_over_union() -> None:
    assert metrics.region(square(100), square(100)) == 1
    assert metrics.region(square(100), square(150)) == pytest.approx(1 / 3)
    assert metrics.region(square(100), square(300)) == 0
    assert metrics.region(square(700), square(700)) == 1


def test_contour_forgives_six_pixels_of_640_and_no_more() -> None:
    assert metrics.contour(square(100), square(100)) == 1
    assert metrics.contour(square(100), square(105)) == 1
    assert metrics.contour(square(100), square(110)) < 0.8
    assert metrics.contour(square(100), square(300)) == 0
    assert metrics.contour(square(700), square(100)) == 0


def test_errors_in_alpha_and_its_change() -> None:
    truth, found = np.zeros((4, 4), np.float32), np.full((4, 4), 0.25, np.float32)
    assert metrics.mean_difference(found, truth) == pytest.approx(0.25)
    assert metrics.unsteadiness(found, found, truth, truth) == 0
    assert metrics.unsteadiness(found, truth, truth, truth) == pytest.approx(0.25)


def test_flicker_counts_only_where_the_picture_stood_still() -> None:
    still, moved = np.full((40, 40, 3), 100, np.uint8), np.full((40, 40, 3), 100, np.uint8)
    moved[:, 20:] = 200
    before, after = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    after[:, 30:] = 1
    assert metrics.flicker(after, before, still, still) == pytest.approx(0.25)
    assert metrics.flicker(after, before, moved, still) == 0


def test_a_true_edge_mends_what_lies_along_it_and_nothing_else() -> None:
    truth, found = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32)
    truth[10:40, 10:40] = 1
    found[12:40, 12:40] = 1  # an edge two pixels off
    found[50:60, 50:60] = 1  # and a thing that is nobody
    mended = with_true_edge(found, truth, 3)
    np.testing.assert_array_equal(mended[:46, :46], truth[:46, :46])
    assert mended[55:, 55:].all() and not mended[45:49, 45:49].any()


def test_a_second_look_at_the_mirror_image_is_mirrored_back() -> None:
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[:, 0] = 255
    mask = twice(lambda image: image[..., 0].astype(np.float32) / 255)(frame)
    np.testing.assert_array_equal(mask, frame[..., 0] / 255)
    ramp = np.linspace(0, 1, 6, dtype=np.float32)[None].repeat(4, 0)
    np.testing.assert_allclose(twice(lambda image: ramp)(frame), 0.5, atol=1e-6)


def test_together_is_the_mean_at_the_larger_size() -> None:
    small, large = np.full((9, 16), 0.2, np.float32), np.full((18, 32), 0.6, np.float32)
    frame = np.zeros((36, 64, 3), np.uint8)
    mean = together([lambda _: small, lambda _: large])(frame)
    assert mean.shape == (18, 32) and mean.dtype == np.float32
    assert np.allclose(mean, 0.4)
    assert open_network("lite+hd", None)(frame).shape == open_network("hd", None)(frame).shape
