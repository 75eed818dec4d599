"""Losses see only observed pixels, and say how far apart two images are there."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.nn.losses import feature_maps, masked_l2, masked_l2_paper, observed_cells, perceptual_loss
from seq2seq.nn.vgg import Perceptual, Vgg16Features

RGB_AND_FALSE_COLOUR = ((2, 1, 0), (3, 2, 1))
UNUSED = Perceptual(None, (), "no perceptual loss")


def random_vgg(seed: int = 0) -> Vgg16Features:
    """Small random weights: a property of the loss must hold whatever the features are."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: value.shape for name, value in Vgg16Features().state_dict().items()}
    return Vgg16Features.from_state_dict(
        {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in shapes.items()}
    )


PERCEPTUAL = Perceptual(random_vgg(), RGB_AND_FALSE_COLOUR, "for tests")


def perceptual_term(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    return perceptual_loss(PERCEPTUAL, prediction, target, observed)


def perceptual_term_paper(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    return perceptual_loss(PERCEPTUAL, prediction, target, observed, distance=masked_l2_paper)


LOSSES = [masked_l2, masked_l2_paper, perceptual_term, perceptual_term_paper]


def scene(seed: int, size: int = 13) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, target (2, 4, size, size) and observed, with whole cells of each feature map both seen and hidden."""
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand((2, 2, 4, size, size), generator=generator)
    observed = torch.rand((2, size, size), generator=generator) > 0.1
    observed[0, :4, 4:8] = False
    observed[:, :4, :4] = True
    return prediction, target, observed


@pytest.mark.parametrize("loss", LOSSES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), value=st.sampled_from([0.0, 7.5, -3.0, float("inf"), float("nan")]))
def test_pixels_that_are_not_observed_change_neither_loss_nor_gradient(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor], seed: int, value: float
) -> None:
    prediction, target, observed = scene(seed)
    hidden = ~observed[:, None].expand_as(target)
    outcomes = []
    for p, t in ((prediction, target), (prediction.masked_fill(hidden, value), target.masked_fill(hidden, -value))):
        p = p.clone().requires_grad_()
        scalar = loss(p, t, observed)
        (gradient,) = torch.autograd.grad(scalar, p)
        outcomes.append((scalar.detach(), gradient))
    (plain, plain_gradient), (changed, changed_gradient) = outcomes
    assert plain > 0
    assert torch.equal(plain, changed)
    assert torch.equal(plain_gradient, changed_gradient)
    assert not plain_gradient[hidden].any()
    assert plain_gradient[~hidden].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_is_at_no_distance_from_itself(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    prediction, target, observed = scene(1)
    assert loss(target, target, observed) == 0
    assert loss(prediction, target, observed) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_observed_costs_nothing_and_pulls_nowhere(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    prediction, target, observed = scene(2)
    prediction.requires_grad_()
    scalar = loss(prediction, target, torch.zeros_like(observed))
    (gradient,) = torch.autograd.grad(scalar, prediction)
    assert scalar == 0
    assert not gradient.any()


def test_masked_l2_is_the_mean_over_observed_pixels_and_bands() -> None:
    prediction, target, observed = scene(3)
    expected = (prediction - target).square().permute(0, 2, 3, 1)[observed].mean()
    torch.testing.assert_close(masked_l2(prediction, target, observed), expected)


def test_the_published_l2_shrinks_with_cloud_and_the_default_does_not() -> None:
    prediction, target = torch.full((1, 4, 8, 8), 0.5), torch.full((1, 4, 8, 8), 0.3)
    half = torch.zeros(1, 8, 8, dtype=torch.bool)
    half[:, :4] = True
    whole = torch.ones_like(half)
    torch.testing.assert_close(
        masked_l2_paper(prediction, target, half), masked_l2_paper(prediction, target, whole) / 2
    )
    torch.testing.assert_close(masked_l2(prediction, target, half), masked_l2(prediction, target, whole))


def test_a_cell_counts_if_all_the_pixels_it_was_pooled_from_are_observed() -> None:
    observed = torch.ones(1, 9, 9, dtype=torch.bool)
    observed[0, 5, 2] = False
    fine, middle, coarse = observed_cells(observed, 3)
    assert torch.equal(fine, observed)
    assert (middle.shape, coarse.shape) == ((1, 4, 4), (1, 2, 2))
    assert (~middle).nonzero().tolist() == [[0, 2, 1]]
    assert (~coarse).nonzero().tolist() == [[0, 1, 0]]


def test_the_perceptual_loss_reads_only_the_bands_of_its_triples() -> None:
    prediction, target, observed = scene(4)
    natural = Perceptual(PERCEPTUAL.features, ((2, 1, 0),), "for tests")
    changed = prediction.clone()
    changed[:, 3] += 1
    assert perceptual_loss(natural, prediction, target, observed) == perceptual_loss(natural, changed, target, observed)
    assert perceptual_term(prediction, target, observed) != perceptual_term(changed, target, observed)


def test_maps_of_the_target_may_be_made_once() -> None:
    prediction, target, observed = scene(5)
    maps = feature_maps(PERCEPTUAL, target, observed)
    assert [tuple(each.shape[1:]) for each in maps] == [(64, 13, 13), (128, 6, 6), (256, 3, 3)]
    once = perceptual_loss(PERCEPTUAL, prediction, target, observed, target_maps=maps)
    assert torch.equal(once, perceptual_term(prediction, target, observed))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_images_too_small_for_a_map_do_without_it(size: int) -> None:
    prediction, target, observed = scene(6)
    corner = (slice(None), slice(None), slice(0, size), slice(0, size))
    assert perceptual_term(prediction[corner], target[corner], observed[:, :size, :size]) > 0


def test_an_unused_perceptual_loss_is_zero() -> None:
    prediction, target, observed = scene(7)
    assert perceptual_loss(UNUSED, prediction, target, observed) == 0
