"""The training recipe's parts: pool, labels, composites, network, loss, and a run that is stopped and goes on."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from backends import get_backend
from models.manifest import manifest
from models.training.figure import paint_person
from models.training.pool import Sample, read_pool, write_shard


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


def test_the_next_frame_moves_with_its_mask() -> None:
    torch = pytest.importorskip("torch")
    from models.training import motion

    torch.manual_seed(0)
    mask = (torch.rand(2, 1, 40, 60) > 0.5).float()
    moved = motion.shifted(mask, 3, -2)
    assert torch.equal(moved[..., :-2, 3:], mask[..., 2:, :-3])
    assert motion.unsteadiness(mask, moved, 3, -2) == 0
    assert motion.unsteadiness(mask, mask, 3, -2) > 0.3
    picture = torch.full((2, 3, 40, 60), 100.0)
    later = motion.next_frame(picture, 3, -2)
    assert later.shape == picture.shape
    assert 0 < float((later - picture).abs().mean()) < 20


def test_the_last_mask_is_often_missing_and_never_out_of_range() -> None:
    torch = pytest.importorskip("torch")
    from models.training import motion

    torch.manual_seed(0)
    masks = motion.last_mask(torch.ones(200, 1, 36, 64))
    empty = float((masks.amax((1, 2, 3)) == 0).float().mean())
    assert 0.3 < empty < 0.5
    assert masks.min() >= 0 and masks.max() <= 1


@pytest.mark.parametrize(("name", "config"), [("lite", "lite"), ("hd", "hd-things")])
def test_the_kept_network_is_the_shipped_one(name: str, config: str) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Deployed, Segmenter
    from models.training.config import read_config
    from models.training.train import load_start

    model, settings = manifest()[name], read_config(config)
    network = Segmenter(settings.shape).eval()
    load_start(network, name, Path("no runs"))
    image = paint_person(model.input.width, model.input.height, 0)[0]
    with torch.no_grad():
        network.head.bias += settings.offset
        kept = Deployed(network)(torch.from_numpy(image)[None]).numpy()
    # One is rounded before folding, the other after: 0.0001 apart in the mean, where two networks are 0.01.
    session = get_backend("onnxruntime").load(model.file("onnx").verify(), "CPU", 1)
    session.input[0] = image
    session.run()
    assert np.abs(kept - session.output).mean() < 1e-3
    session.close()


def test_a_training_can_start_from_the_kept_network_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from models.training.config import read_config
    from models.training.train import Trainer

    config = replace(read_config("lite"), start="lite")
    trainer = Trainer(config, tmp_path, torch.device("cpu"))
    image = paint_person(256, 144, 0)[0]
    trainer.learn(trainer.network.train(), torch.from_numpy(image)[None].repeat(2, 1, 1, 1), torch.zeros(2, 144, 256))
    trainer.save()
    resumed = Trainer(config, tmp_path, torch.device("cpu"))
    resumed.resume()
    assert (resumed.step, resumed.pictures) == (1, 2)
    ours, theirs = trainer.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_is_frozen_stays_and_the_rest_learns(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.train import Trainer

    frozen = ("encoder.stem", "encoder.stages.0", "decoder")
    config = dataclasses.replace(read_config("lite"), start="lite", frozen=frozen, rate=0.1)
    trainer = Trainer(config, tmp_path, torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    image = torch.from_numpy(paint_person(256, 144, 0)[0])[None].repeat(4, 1, 1, 1)
    trainer.learn(trainer.network, image, torch.zeros(4, 144, 256))
    for after in (trainer.network.state_dict(), trainer.average.state_dict()):
        same = {name for name in before if torch.equal(before[name], after[name])}
        assert {name for name in before if name.startswith(frozen)} <= same
        learnt = {"head.weight", "encoder.stages.1.0.depthwise.1.running_mean", "bottleneck.coarse.bias"}
        assert not learnt & same
    with pytest.raises(ValueError, match=r"encoder\.stage\.1, which lite does not hand over"):
        Trainer(dataclasses.replace(config, frozen=("encoder.stage.1",)), tmp_path, torch.device("cpu"))


def test_statistics_that_do_not_count_stay_while_scale_and_filters_learn(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.train import Trainer

    config = dataclasses.replace(read_config("lite"), start="lite", statistics=False, rate=0.1)
    trainer = Trainer(config, tmp_path, torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    image = torch.from_numpy(paint_person(256, 144, 0)[0])[None].repeat(4, 1, 1, 1)
    trainer.learn(trainer.network, image, torch.zeros(4, 144, 256))
    after = trainer.network.state_dict()
    counted = {name for name in before if "running_" in name or name.endswith("num_batches_tracked")}
    assert all(torch.equal(before[name], after[name]) for name in counted)
    for learnt in ("encoder.stages.1.0.depthwise.0.weight", "encoder.stages.1.0.depthwise.1.bias"):
        assert not torch.equal(before[learnt], after[learnt])


def test_a_wider_network_teaches_a_thin_one(tmp_path: Path) -> None:
    """The loss grows by the cross-entropy with the teacher's own masks, and the teacher stays as it is."""
    torch = pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.data import to_network
    from models.training.train import Trainer

    config, core = dataclasses.replace(read_config("lite"), start="lite", pictures=8), read_config("hd-core")
    taught = dataclasses.replace(config, teacher="hd-core", loss=dataclasses.replace(config.loss, teacher=2.0))
    with pytest.raises(ValueError, match="both or neither"):
        Trainer(dataclasses.replace(config, teacher="hd-core"), tmp_path / "taught", torch.device("cpu"))
    with pytest.raises(FileNotFoundError, match="train hd-core first"):
        Trainer(taught, tmp_path / "taught", torch.device("cpu"))
    teacher = Trainer(dataclasses.replace(core, start=""), tmp_path / "hd-core", torch.device("cpu"))
    teacher.folder.mkdir()
    teacher.save()
    image = torch.from_numpy(paint_person(256, 144, 0)[0])[None].repeat(4, 1, 1, 1)
    trainers = [Trainer(each, tmp_path / "taught", torch.device("cpu")) for each in (config, taught)]
    with torch.no_grad():
        picture = to_network(image, torch.device("cpu"))
        masks = torch.sigmoid(teacher.average(picture)[0])
        logits = copy.deepcopy(trainers[1].network)(picture)[0]
        more = 2 * float(torch.nn.functional.binary_cross_entropy_with_logits(logits, masks))
    alone, both = (float(t.learn(t.network, image, torch.zeros(4, 144, 256))) for t in trainers)
    assert both - alone == pytest.approx(more, rel=1e-3)
    theirs, ours = teacher.average.state_dict(), trainers[1].teacher.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_a_short_training_s_batch_norms_are_settled(tmp_path: Path) -> None:
    """Their statistics become those of pictures, the weights stay, and the network is left ready for use."""
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import MEAN, SCALE, Segmenter, multiplied
    from models.training.ablation import SETTLING, settle
    from models.training.config import read_config
    from models.training.data import Composites, to_network

    torch.manual_seed(0)
    config = dataclasses.replace(read_config("ablation"), width=64, height=36, batch=8)
    data = Composites([sample("vt_1", True)], [sample("h_2", False)], config)
    network = Segmenter(multiplied(0.5, 0.5))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    settle(network, data, 100, config.batch)
    assert not network.training
    assert all(torch.equal(before[name], parameter) for name, parameter in network.named_parameters())
    pictures = torch.stack([data[100 + i][0] for i in range(SETTLING)])
    with torch.no_grad():
        stem = network.encoder.stem[0]((to_network(pictures, torch.device("cpu")) - MEAN) / SCALE)
    torch.testing.assert_close(network.encoder.stem[1].running_mean, stem.mean((0, 2, 3)), atol=1e-3, rtol=1e-3)


def test_steadiness_is_a_term_of_the_loss(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.train import Trainer

    config = dataclasses.replace(read_config("lite"), start="lite", pictures=8)
    losses = []
    for steady in (0.0, 50.0):
        weights = dataclasses.replace(config.loss, steady=steady)
        trainer = Trainer(dataclasses.replace(config, loss=weights), tmp_path, torch.device("cpu"))
        image = torch.from_numpy(paint_person(256, 144, 0)[0])[None].repeat(4, 1, 1, 1)
        losses.append(float(trainer.learn(trainer.network.train(), image, torch.zeros(4, 144, 256))))
        assert trainer.progress == 0.5
    assert losses[1] > losses[0]


def test_a_training_settles_by_its_own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from models.training import losses
    from models.training.config import read_config
    from models.training.settling import settled_logits
    from models.training.train import Trainer

    seen = []
    monkeypatch.setattr(
        losses, "settled_logits", lambda picture, x: (seen.append(picture), settled_logits(picture, x))[1]
    )
    config = dataclasses.replace(read_config("lite"), start="lite", pictures=8)
    weights = dataclasses.replace(config.loss, settled=1.0)
    trainer = Trainer(dataclasses.replace(config, loss=weights), tmp_path, torch.device("cpu"))
    image = torch.from_numpy(paint_person(256, 144, 0)[0])[None].repeat(4, 1, 1, 1)
    trainer.learn(trainer.network.train(), image, torch.zeros(4, 144, 256))
    assert torch.allclose(seen[0], image.permute(0, 3, 1, 2) / 255)


def test_a_training_s_end_may_be_drawn_back_to_its_start(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.train import Trainer

    config = dataclasses.replace(read_config("lite"), start="lite", start_share=0.25)
    trainer = Trainer(config, tmp_path, torch.device("cpu"))
    start = {name: tensor.clone() for name, tensor in trainer.average.state_dict().items()}
    with torch.no_grad():
        for parameter in trainer.average.parameters():
            parameter += 4.0
    trainer.finish()
    for name, parameter in trainer.average.named_parameters():
        torch.testing.assert_close(parameter, start[name] + 3.0)
    with pytest.raises(ValueError, match="drawn back to its start, and names none"):
        Trainer(dataclasses.replace(config, start=""), tmp_path, torch.device("cpu"))


def test_a_soup_is_the_mean_of_networks_and_can_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from models.architectures.segmenter import Segmenter
    from models.training import soup
    from models.training.config import read_config
    from models.training.train import CHECKPOINT

    networks = [Segmenter(read_config("lite").shape) for _ in range(2)]
    for number, network in enumerate(networks):
        network.encoder.stem[1].running_mean.fill_(number)
        (tmp_path / f"part-{number}").mkdir()
        torch.save({"average": network.state_dict()}, tmp_path / f"part-{number}" / CHECKPOINT)
    monkeypatch.setattr("sys.argv", ["soup", "part-0", "part-1", "--config", "lite", "--runs", str(tmp_path)])
    soup.main()
    mean = torch.load(tmp_path / "lite" / CHECKPOINT, weights_only=True)["average"]
    one, other = (network.state_dict() for network in networks)
    torch.testing.assert_close(mean["head.weight"], (one["head.weight"] + other["head.weight"]) / 2)
    assert float(mean["encoder.stem.1.running_mean"].mean()) == 0.5
    monkeypatch.setattr("sys.argv", ["soup", "part-0", "hd", "--config", "lite", "--runs", str(tmp_path)])
    with pytest.raises(RuntimeError, match="size mismatch"):
        soup.main()


def test_batches_come_in_the_sizes_asked_for_and_none_is_mixed() -> None:
    pytest.importorskip("torch")
    from models.training.config import read_config
    from models.training.data import Composites

    config = dataclasses.replace(read_config("hd"), batch=4, other_sizes=((128, 72, 0.5), (64, 36, 0.25)))
    people, rooms = [sample("vt_1", True)], [sample("h_2", False)]
    drawn = Composites(people, rooms, config, other_sizes=True)
    sizes = [tuple(drawn[number][0].shape[:2]) for number in range(160)]
    batches = [set(sizes[first : first + 4]) for first in range(0, 160, 4)]
    assert all(len(batch) == 1 for batch in batches)
    counts = [sum({size} == batch for batch in batches) for size in ((72, 128), (36, 64), (216, 384))]
    assert sum(counts) == 40 and 12 <= counts[0] <= 28 and 3 <= counts[1] <= 17 and 3 <= counts[2] <= 17
    assert {tuple(Composites(people, rooms, config)[number][0].shape[:2]) for number in range(40)} == {(216, 384)}


def test_a_whole_run_sees_hard_pictures_oftener_and_ends_drawn_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the pool's files to the checkpoint, which holds the average that was drawn back once."""
    torch = pytest.importorskip("torch")
    from models.training import train
    from models.training.config import read_config

    monkeypatch.setattr(train, "HELD_OUT_PICTURES", 32)
    write_shard(tmp_path / "people_000.npz", [sample(f"vid_{n}", True) for n in range(3)])
    write_shard(tmp_path / "rooms_000.npz", [sample("h_hard", False), sample("door_sharp", False)])
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "mined.json").write_text('{"vid_1": 3, "h_hard": 2}')
    seen: list[list[str]] = []
    composites = train.Composites

    def noted(people: list[Sample], rooms: list[Sample], *rest: object, **named: object) -> object:
        seen.append([s.name for s in (*people, *rooms)])
        return composites(people, rooms, *rest, **named)

    monkeypatch.setattr(train, "Composites", noted)
    config = dataclasses.replace(
        read_config("lite"), start="lite", start_share=1.0, mined="before", pictures=8, batch=4, width=64, height=64
    )
    config = dataclasses.replace(config, rooms={"door": 3})
    trainer = train.Trainer(config, tmp_path / "run", torch.device("cpu"))
    trainer.folder.mkdir()
    start = {name: tensor.clone() for name, tensor in trainer.average.state_dict().items()}
    train.train(trainer, [tmp_path], workers=0)
    oftener = ["vid_1", "vid_1", "vid_1", "vid_2", "h_hard", "h_hard", "door_sharp", "door_sharp", "door_sharp"]
    assert seen == [["vid_0", "h_hard", "door_sharp"], oftener]
    saved = torch.load(tmp_path / "run" / train.CHECKPOINT, weights_only=True)
    assert saved["pictures"] == 8
    for name in ("head.weight", "encoder.stem.1.running_mean"):
        torch.testing.assert_close(saved["average"][name], start[name])
        assert not torch.equal(saved["network"][name], start[name])


def test_the_offset_is_added_to_the_logits_of_what_ships() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("litert_torch")
    pytest.importorskip("ai_edge_quantizer")
    from models.architectures.segmenter import Segmenter
    from models.training.config import read_config
    from models.training.export import deployed

    network, image = Segmenter(read_config("lite").shape).eval(), torch.full((1, 64, 96, 3), 90, dtype=torch.uint8)
    before = network.head.bias.clone()
    with torch.no_grad():
        plain, less = (torch.logit(deployed(network, offset)(image)) for offset in (0.0, -0.5))
    torch.testing.assert_close(less, plain - 0.5, atol=2e-3, rtol=0)
    torch.testing.assert_close(network.head.bias, before)
    assert read_config("hd-things").offset == -0.25


@pytest.mark.parametrize("factor", [2, 4])
def test_a_mask_read_off_a_lower_block_is_so_many_times_smaller(factor: int) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("litert_torch")
    pytest.importorskip("ai_edge_quantizer")
    from models.architectures.segmenter import Segmenter
    from models.training.config import read_config
    from models.training.output import BLOCKS, Cut

    config = read_config("lite")
    cut = Cut(Segmenter(config.shape).eval(), config, BLOCKS[factor]).eval()
    with torch.no_grad():
        alpha = cut(torch.zeros(1, 96, 128, 3, dtype=torch.uint8))
    assert tuple(alpha.shape) == (1, 96 // factor, 128 // factor, 1)
    assert float(alpha.min()) >= 0 and float(alpha.max()) <= 1
