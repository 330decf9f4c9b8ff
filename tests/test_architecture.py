"""The network's shapes: what each computes, how it exports, and how one begins with another's weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.figure import paint_person


def test_a_network_may_look_at_its_last_mask() -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.imagenet import load_imagenet
    from models.architectures.segmenter import Deployed, Segmenter, multiplied

    torch.manual_seed(0)
    network = Segmenter(dataclasses.replace(multiplied(0.5, 0.5), previous=True)).train()
    load_imagenet(network.encoder)
    image, last = torch.randint(0, 256, (2, 3, 64, 96)).float(), torch.rand(2, 1, 64, 96)
    network(image, last)
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(image)[0], network(image, last)[0])  # its filters begin at zero
        network.encoder.stem[0].weight[:, 3] = 0.1
        expected = torch.sigmoid(network(image, last)[0])
        found = Deployed(network)(image.permute(0, 2, 3, 1).to(torch.uint8), last.permute(0, 2, 3, 1))
    torch.testing.assert_close(found[..., 0], expected[:, 0], atol=1e-4, rtol=0)


def test_a_softened_picture_has_less_noise_and_no_border() -> None:
    """As OpenCV softens it; at the border, where there is less around a pixel, an even picture stays even."""
    torch = pytest.importorskip("torch")
    from models.architectures.layers import SOFTNESS, Softener

    soften, row = Softener(3), np.array([SOFTNESS, 1 - 2 * SOFTNESS, SOFTNESS], np.float32)
    noise = np.random.default_rng(3).normal(0, 10, (24, 32, 3)).astype(np.float32)
    soft = soften(torch.from_numpy(noise).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(soft[1:-1, 1:-1], cv2.sepFilter2D(noise, -1, row, row)[1:-1, 1:-1], atol=1e-4)
    kernel, above = np.outer(row, row), noise[:2, 9:12, 1]  # the border's: what is inside, weighed to a whole
    assert soft[0, 10, 1] == pytest.approx((kernel[1:] * above).sum() / kernel[1:].sum(), abs=1e-4)
    np.testing.assert_allclose(soften(torch.full((1, 3, 24, 32), 73.0)).numpy(), 73.0, rtol=1e-5)
    assert not list(soften.parameters())


def test_weights_tell_whether_they_were_trained_on_softened_pictures(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Segmenter, multiplied
    from models.training.train import CHECKPOINT, load_start

    plain = multiplied(0.5, 0.5)
    soft = dataclasses.replace(plain, soft=True)
    for name, shape in (("plain", plain), ("soft", soft)):
        (tmp_path / name).mkdir()
        torch.save({"average": Segmenter(shape).state_dict()}, tmp_path / name / CHECKPOINT)
    network = Segmenter(soft)
    assert "soften.filters" not in load_start(network, "plain", tmp_path)  # which may begin to soften
    assert network.soften.filters.sum().item() == pytest.approx(3)
    assert "soften.filters" in load_start(network, "soft", tmp_path)
    with pytest.raises(ValueError, match="soft = true"):
        load_start(Segmenter(plain), "soft", tmp_path)


@pytest.mark.parametrize("config", ["lite", "hd-things"])
def test_the_exported_form_is_the_trained_network(config: str) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Deployed, Segmenter
    from models.training.config import read_config

    torch.manual_seed(0)
    network = Segmenter(read_config(config).shape)
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


def test_a_run_hands_on_the_weights_that_fit(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Segmenter
    from models.training.config import read_config
    from models.training.train import Trainer, load_start

    config = read_config("lite")
    core = Trainer(dataclasses.replace(config, name="core"), tmp_path / "core", torch.device("cpu"))
    core.folder.mkdir()
    core.save()
    other = Segmenter(dataclasses.replace(config.shape, variant="bilinear"))
    taken = load_start(other, "core", tmp_path)
    assert torch.equal(other.encoder.stem[0].weight, core.average.encoder.stem[0].weight)
    assert "head.weight" in taken and "decoder.0.mix.0.weight" not in taken
    with pytest.raises(FileNotFoundError, match="train other first"):
        load_start(other, "other", tmp_path)


def test_a_thin_network_grows_and_does_the_same_at_first(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Segmenter, multiplied
    from models.training.config import read_config
    from models.training.train import KEPT, load_start

    thin = Segmenter(read_config("lite").shape).eval()
    thin.load_state_dict(torch.load(KEPT / "lite.pt", weights_only=True))
    hidden = ((16,), *multiplied(0.75, 1.0).hidden[1:])
    grown = Segmenter(dataclasses.replace(read_config("lite").shape, hidden=hidden)).eval()
    load_start(grown, "lite", tmp_path)
    picture = torch.from_numpy(paint_person(256, 144, 0)[0])[None].permute(0, 3, 1, 2).float()
    with torch.no_grad():
        torch.testing.assert_close(grown(picture)[0], thin(picture)[0], atol=1e-3, rtol=1e-3)
    looking = Segmenter(dataclasses.replace(read_config("lite").shape, previous=True)).eval()
    load_start(looking, "lite", tmp_path)
    with torch.no_grad():
        found = looking(picture, torch.ones_like(picture[:, :1]))[0]
        torch.testing.assert_close(found, thin(picture)[0], atol=1e-3, rtol=1e-3)
    beside = Segmenter(dataclasses.replace(read_config("lite").shape, variant="wide")).eval()
    assert load_start(beside, "lite", tmp_path) == set(beside.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(beside(picture)[0], thin(picture)[0], atol=1e-3, rtol=1e-3)
    loss = grown.train()(picture)[0].sum()
    loss.backward()
    assert grown.encoder.stages[5][3].project[1].weight.grad.abs().max() > 0  # the new block can learn
