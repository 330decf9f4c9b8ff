"""The shipped networks on every runtime, the figures that judge them, and the recipe's parts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backends import BACKENDS, get_backend
from models.evaluation import metrics
from models.manifest import Model, manifest
from models.training.augment import Chances, Composer
from models.training.figure import paint_person
from models.training.pool import Sample, read_pool, write_shard
from models.training.prepare import label

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


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_every_runtime_finds_the_painted_person_alike(model: Model) -> None:
    painted = [paint_person(model.input.width, model.input.height, seed) for seed in range(4)]
    pictures = [picture for picture, _ in painted]
    first, *others = (alphas(model, pictures, name) for name in BACKENDS)
    for alpha, (_, truth) in zip(first[..., 0], painted, strict=True):
        assert metrics.region(alpha > 0.5, truth) > 0.85
    for name, other in zip(list(BACKENDS)[1:], others, strict=True):
        assert np.abs(first - other).max() <= AGREE, name


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_alpha_is_in_range_and_nobody_is_in_an_even_picture(model: Model) -> None:
    even = [np.full(model.input.shape[1:], level, np.uint8) for level in (0, 60, 127, 200, 255)]
    alpha = alphas(model, even, "onnxruntime")
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha.mean() < 0.1


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_weights_are_rounded_to_half_precision(model: Model) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(model.file("onnx").path).graph
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if len(tensor.dims) == 4]
    assert sum(w.size for w in weights) > 100_000
    for values in weights:
        assert np.array_equal(values, values.astype(np.float16).astype(np.float32))


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


def sample(name: str, shown: bool) -> Sample:
    rng = np.random.default_rng(len(name))
    alpha = np.zeros((96, 128), np.uint8)
    if shown:
        alpha[20:, 40:90] = 255
    return Sample(name, name.split("_")[0], rng.integers(0, 255, (96, 128, 3)).astype(np.uint8), alpha)


def test_the_pool_keeps_what_is_put_in(tmp_path: Path) -> None:
    people = [sample("ccp_1", True), sample("vid_22", True)]
    write_shard(tmp_path / "people_000.npz", people)
    write_shard(tmp_path / "rooms_000.npz", [sample("h_333", False)])
    read, rooms = read_pool(tmp_path)
    assert [(s.name, s.kind) for s in read] == [("ccp_1", "ccp"), ("vid_22", "vid")]
    assert all(np.array_equal(a.alpha, b.alpha) for a, b in zip(read, people, strict=True))
    assert not rooms[0].alpha.any()


def test_a_missing_pool_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="prepare"):
        read_pool(tmp_path)


def test_a_drawn_frame_follows_from_the_seed() -> None:
    composer = Composer([sample("vt_1", True)], [sample("h_2", False)], (64, 36), Chances(nobody=0))
    draws = [composer.draw(np.random.default_rng(seed), 0) for seed in (5, 5, 6)]
    assert draws[0][0].shape == (36, 64, 3)
    assert draws[0][1].max() == 255
    assert np.array_equal(draws[0][0], draws[1][0])
    assert not np.array_equal(draws[0][0], draws[2][0])


def test_a_label_needs_a_second_opinion() -> None:
    here, there, nobody = (np.zeros((10, 10), np.uint8) for _ in range(3))
    here[:5], there[5:] = 255, 255
    assert label(here, here, None)[0] is here
    assert label(here, there, None)[0] is None
    assert label(nobody, here, None)[0] is None
    hand = here.copy()
    assert label(there, here, hand)[0] is hand
    assert label(there, there, hand)[0] is None


def test_the_exported_form_is_the_trained_network() -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Deployed, Segmenter
    from models.training.config import read_config

    torch.manual_seed(0)
    network = Segmenter(read_config("lite").shape)
    image = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        network.train()(image.permute(0, 3, 1, 2).float())  # moves the batch norms' statistics off their start
        expected = torch.sigmoid(network.eval()(image.permute(0, 3, 1, 2).float())[0])
        found = Deployed(network)(image)
    assert found.shape == (2, 64, 96, 1)
    assert found.std() > 0
    assert torch.allclose(found[..., 0], expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("variant", ["mlp", "attention", "bilinear"])
@pytest.mark.parametrize("group", [1, 8])
def test_every_variant_of_the_network_exports_as_it_was_trained(variant: str, group: int) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Deployed, Segmenter, multiplied

    torch.manual_seed(0)
    shape = dataclasses.replace(multiplied(0.5, 0.5), variant=variant, group=group)
    network = Segmenter(shape).train()
    image = torch.randint(0, 256, (2, 3, 64, 96)).float()
    network(image)  # batch norms that have seen something
    network.eval()
    with torch.no_grad():
        logits, coarse = network(image[:1])
        deployed = Deployed(network)(image[:1].permute(0, 2, 3, 1).to(torch.uint8))
    assert logits.shape == (1, 1, 64, 96) and coarse.shape == (1, 1, 2, 3)
    torch.testing.assert_close(deployed[..., 0], torch.sigmoid(logits)[:, 0], atol=1e-4, rtol=0)


def test_multipliers_thin_the_network_out() -> None:
    pytest.importorskip("torch")
    from models.architectures.segmenter import Shape, multiplied

    assert multiplied(1.0, 1.0) == Shape()
    half = multiplied(0.5, 0.5)
    assert [len(blocks) for blocks in half.hidden] == [1, 1, 1, 2, 2, 2]
    assert half.hidden[3] == (120, 240) and half.stem == 16


def test_a_configuration_gives_multipliers_or_every_channel(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from models.architectures.segmenter import multiplied
    from models.training.config import FOLDER, read_config

    lite = (FOLDER / "lite.toml").read_text()
    start, rest = lite.split("[shape]")
    (tmp_path / "half.toml").write_text(
        start + '[shape]\nwidth = 0.5\ndepth = 0.5\nvariant = "bilinear"\n[loss]' + rest.split("[loss]")[1]
    )
    assert read_config("half", tmp_path).shape == dataclasses.replace(multiplied(0.5, 0.5), variant="bilinear")
    assert read_config("lite").shape.hidden[0] == (16,)
    with pytest.raises(FileNotFoundError, match="half"):
        read_config("whole", tmp_path)


def test_depthwise_filters_do_the_same_in_groups() -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.imagenet import _grouped

    torch.manual_seed(0)
    filters, x = torch.randn(16, 1, 3, 3), torch.randn(1, 16, 9, 9)
    alone = torch.nn.functional.conv2d(x, filters, padding=1, groups=16)
    together = torch.nn.functional.conv2d(x, _grouped(filters, 8), padding=1, groups=2)
    torch.testing.assert_close(together, alone)


def test_the_loss_falls_towards_the_truth() -> None:
    torch = pytest.importorskip("torch")
    from models.training.config import Loss
    from models.training.losses import jaccard, total

    truth = torch.zeros(1, 1, 36, 64)
    truth[..., 10:, 20:40] = 1
    logits = (truth * 2 - 1) * 12
    coarse = torch.nn.functional.adaptive_avg_pool2d(logits, (2, 2))
    assert jaccard(truth, truth) == 0
    assert jaccard(1 - truth, truth) > 0.9
    right, shifted = (float(total(x, coarse, truth, Loss())) for x in (logits, logits.roll(4, 3)))
    assert right < shifted < float(total(-logits, coarse, truth, Loss()))


def test_the_kept_network_is_the_shipped_one_and_a_training_can_start_from_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from models.architectures.segmenter import Deployed
    from models.training.config import read_config
    from models.training.train import Trainer

    model = manifest()["lite"]
    config = replace(read_config("lite"), start="lite")
    trainer = Trainer(config, tmp_path, torch.device("cpu"))
    image = paint_person(model.input.width, model.input.height, 0)[0]
    with torch.no_grad():
        kept = Deployed(trainer.average)(torch.from_numpy(image)[None]).numpy()
    # One is rounded before folding, the other after: 0.0001 apart in the mean, where two networks are 0.01.
    assert np.abs(kept - alphas(model, [image], "onnxruntime")).mean() < 1e-3
    trainer.learn(trainer.network.train(), torch.from_numpy(image)[None].repeat(2, 1, 1, 1), torch.zeros(2, 144, 256))
    trainer.save()
    resumed = Trainer(config, tmp_path, torch.device("cpu"))
    resumed.resume()
    assert (resumed.step, resumed.pictures) == (1, 2)
    ours, theirs = trainer.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
