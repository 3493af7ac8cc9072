"""MLP: Gulrajani et al. 2017, arXiv:1704.00028: igul222/improved_wgan_training:gan_toy.py and tflib/ops/linear.py."""

import math

import pytest
import torch
from families import POINTS, discriminator, generator, layers, settings_of
from torch import Tensor, nn

from ganzoo.components import GENERATORS
from ganzoo.networks.layers.activations import Maxout

both_networks = pytest.mark.parametrize("build", [generator, discriminator])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def sizes(network: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in layers(network, nn.Linear)]


@both_networks
def test_it_has_three_hidden_layers_of_512_relu_units(build):
    network = build("mlp", POINTS, **({"latent_dim": 2} if build is generator else {}), width=512)
    assert sizes(network) == [(2, 512), (512, 512), (512, 512), (512, 2 if build is generator else 1)]
    assert len(layers(network, nn.ReLU)) == 3 and not layers(network, nn.BatchNorm2d, nn.Tanh)
    assert settings_of(GENERATORS, "mlp", width=512) == GENERATORS.find("mlp")()


def test_it_begins_he_uniform_and_glorot_uniform():
    """He: U(-b, b) with b = sqrt(6 / fan_in); Glorot: b = sqrt(6 / (fan_in + fan_out)); biases zero."""
    for network in (generator("mlp", (1, 8, 8), width=256), discriminator("mlp", (1, 8, 8), width=256)):
        *hidden, last = layers(network, nn.Linear)
        for layer in hidden:
            assert_uniform(layer.weight, math.sqrt(6 / layer.in_features))
        assert_uniform(last.weight, math.sqrt(6 / (last.in_features + last.out_features)))
        assert not any(layer.bias.any() for layer in (*hidden, last))


def assert_uniform(weights: Tensor, bound: float) -> None:
    """Within the bound, nearly up to it on both sides, with a uniform's mean and deviation to five standard errors."""
    n = weights.numel()
    assert -bound <= weights.min() <= -bound * (1 - 20 / n) and bound * (1 - 20 / n) <= weights.max() <= bound
    assert weights.mean().item() == pytest.approx(0.0, abs=5 * bound / math.sqrt(3 * n))
    assert weights.std().item() == pytest.approx(bound / math.sqrt(3), rel=5 / math.sqrt(n))


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("leaky_relu", nn.LeakyReLU), ("tanh", nn.Tanh)])
@pytest.mark.parametrize("depth", [1, 4])
def test_it_has_the_depth_and_activation_that_it_is_told(activation, kind, depth):
    network = discriminator("mlp", POINTS, width=5, depth=depth, activation=activation, norm="batch")
    assert len(layers(network, kind)) == len(layers(network, nn.BatchNorm2d)) == depth
    assert len(layers(network, nn.Linear)) == depth + 1


def test_pacgans_generator():
    """Four layers of 400 without bias, BatchNorm, ReLU; N(0, 0.02): fjxmlzn/PacGAN:synthetic_data_experiments."""
    make = generator("mlp", POINTS, latent_dim=2, width=400, depth=4, norm="batch", init="normal")
    *hidden, last = layers(make, nn.Linear)
    assert sizes(make) == [(2, 400), (400, 400), (400, 400), (400, 400), (400, 2)]
    assert all(layer.bias is None for layer in hidden) and not last.bias.any()
    for layer in (*hidden, last):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * layer.weight.numel()))


def test_pacgans_discriminator():
    """Two packed points, three maxout layers of 200 units with 5 pieces: 1000 outputs each, the largest of five."""
    judge = discriminator("mlp", (4,), width=200, depth=3, activation="maxout", init="normal")
    assert sizes(judge) == [(4, 1000), (200, 1000), (200, 1000), (200, 1)]
    assert [maxout.pieces for maxout in layers(judge, Maxout)] == [5, 5, 5]
    first, points = layers(judge, nn.Linear)[0], torch.randn(7, 4)
    assert torch.equal(judge.body[:3](points), first(points).view(7, 200, 5).amax(2))


@both_networks
def test_the_unrolled_demos_networks_are_orthogonal_with_gain_1_4(build):
    """poolio/unrolled_gan: W W^T or W^T W is 1.96 I in every layer, the last included."""
    network = build("mlp", POINTS, width=128, depth=2, activation="tanh", init="orthogonal")
    for layer in layers(network, nn.Linear):
        short = layer.weight if len(layer.weight) <= layer.in_features else layer.weight.T
        assert torch.allclose(short @ short.T, 1.96 * torch.eye(len(short)), atol=1e-4)
        assert not layer.bias.any()


def test_one_hot_labels_come_behind_latents_and_flattened_pixels():
    make = generator("mlp", (1, 8, 8), conditioning="concat", width=5)
    judge = discriminator("mlp", (1, 8, 8), conditioning="concat", width=5)
    assert sizes(make)[0] == (6 + 3, 5) and sizes(judge)[0] == (64 + 3, 5)
    image, zero, two = torch.randn(1, 1, 8, 8), torch.tensor([0]), torch.tensor([2])
    first = layers(judge, nn.Linear)[0]
    with torch.no_grad():
        first.weight[:, 66] = first.weight[:, 64]  # class 2 as class 0
    assert torch.allclose(judge(image, zero), judge(image, two))
    assert not torch.allclose(judge(image, zero), judge(image, torch.tensor([1])))
