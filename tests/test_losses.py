"""What a training minimises, of masks as they are and as colour settles them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest


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


@pytest.mark.parametrize("size", [(384, 216), (252, 448)])
def test_training_settles_as_the_product_does(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from models.settle import Settler
    from models.training.settling import settled, settled_logits

    rng = np.random.default_rng(4)
    picture = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), size)
    mask = np.clip(2 * cv2.resize(rng.random((5, 8), np.float32), size) - 0.5, 1e-3, 1 - 1e-3)
    expected = mask.copy()
    Settler(*size)(picture, expected)
    seen, given = torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)[None], torch.from_numpy(mask)[None, None]
    found = settled(seen, given)[0, 0].numpy()
    assert np.abs(expected - mask).max() > 0.1
    assert np.abs(found - expected).mean() < 0.01 * np.abs(expected - mask).mean() + 2e-3  # 8 bits of colour there
    logits = torch.logit(given).requires_grad_()
    settled_logits(seen, logits).square().mean().backward()
    assert logits.grad.isfinite().all() and logits.grad.abs().max() > 0


def test_half_of_the_loss_may_ask_of_the_settled_mask() -> None:
    """A cushion of the room's colour that the network is unsure of costs less where colour settles it."""
    torch = pytest.importorskip("torch")
    from models.training.config import Loss
    from models.training.losses import total

    picture, truth = torch.full((1, 3, 72, 128), 0.3), torch.zeros(1, 1, 72, 128)
    truth[..., 20:, 40:80] = 1
    picture[:, 0] += 0.5 * truth[:, 0]
    logits = 8 * (2 * truth - 1)
    coarse = torch.nn.functional.adaptive_avg_pool2d(logits, (3, 4))
    logits[..., 40:, 80:100] = 0.3
    none, half, all_ = (float(total(logits, coarse, truth, Loss(settled=x), picture)) for x in (0, 0.5, 1))
    assert all_ < 0.85 * none
    assert half == pytest.approx((none + all_) / 2, rel=1e-5)
    with pytest.raises(ValueError, match="give the picture"):
        total(logits, coarse, truth, Loss(settled=0.5))


def test_no_settled_pixel_is_the_whole_step() -> None:
    """Where colour is sure and wrong, the settled mask's cross-entropy has a slope that the mask's own has not."""
    torch = pytest.importorskip("torch")
    from models.training.config import Loss
    from models.training.losses import total

    rng = np.random.default_rng(8)
    person, doubt = np.zeros((2, 72, 128), bool)
    person[20:, 40:80], doubt[40:60, 84:104] = True, True
    picture = np.where(person | doubt, 0.8, 0.2) + rng.uniform(-0.05, 0.05, (3, 72, 128))
    picture = torch.from_numpy(picture.astype(np.float32))[None]
    truth = torch.from_numpy(person.astype(np.float32))[None, None]
    mask = np.where(doubt, rng.uniform(0.3, 0.5, doubt.shape), np.where(person, 0.999, 0.001)).astype(np.float32)
    steepest = []
    for share in (0, 1):
        logits = torch.logit(torch.from_numpy(mask))[None, None].requires_grad_()
        total(logits, torch.zeros(1, 1, 3, 4), truth, Loss(settled=share), picture).backward()
        steepest.append(float(logits.grad.abs().max()))
    assert steepest[1] < 20 * steepest[0]


def test_the_rim_s_maximum_is_pooling_s() -> None:
    torch = pytest.importorskip("torch")
    from models.training.losses import RIM, highest

    truth = torch.rand(2, 1, 18, 32, generator=torch.Generator().manual_seed(3))
    assert torch.equal(highest(truth), torch.nn.functional.max_pool2d(truth, RIM, 1, RIM // 2))


def test_the_hardest_pixels_weigh_most_where_an_area_is_wrong() -> None:
    torch = pytest.importorskip("torch")
    from models.training.losses import hardest

    truth, unsure, wrong = (torch.zeros(1, 1, 36, 64) for _ in range(3))
    unsure -= 3  # a little wrong everywhere
    wrong -= 8
    wrong[..., 10:15, 10:18] = 5  # right everywhere but in a gap
    assert hardest(wrong, truth) > 5 * hardest(unsure, truth)


def test_a_gap_between_parts_of_somebody_weighs_more() -> None:
    torch = pytest.importorskip("torch")
    from models.training.losses import cross_entropy, gaps

    truth = torch.zeros(1, 1, 216, 384)
    truth[..., 60:160, 100:140] = truth[..., 60:160, 164:260] = truth[..., 60:80, 140:164] = (
        1  # an arm, a body, a shoulder
    )
    between = gaps(truth)
    assert between[..., 90:150, 144:160].min() == 1
    assert between[..., 10:40, :].max() == between[..., :, 290:].max() == 0
    assert (between * truth).max() == 0
    high = torch.zeros(1, 1, 216, 384)
    high[..., 16:, 100:368] = 1  # the room above a head, and beside a shoulder
    assert gaps(high).max() == 0
    high[..., 116:, 190:206] = 0  # an arm and the body, down to the frame's edge
    assert gaps(high)[..., 124:200, 192:204].min() == 1
    taken, beside = (torch.where(truth > 0, 6.0, -6.0) for _ in range(2))
    taken[..., 100:140, 144:160] = beside[..., 100:140, 320:336] = 6.0
    plainly = [float(cross_entropy(logits, truth, 4.0)) for logits in (taken, beside)]
    assert plainly[0] == pytest.approx(plainly[1], rel=1e-3)
    assert float(cross_entropy(taken, truth, 4.0, 2.0)) > 2 * float(cross_entropy(beside, truth, 4.0, 2.0))
