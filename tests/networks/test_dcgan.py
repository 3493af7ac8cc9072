"""DCGAN: Radford, Metz & Chintala 2015, arXiv:1511.06434, "Architecture guidelines for stable" ones."""

import math
from itertools import pairwise

import pytest
import torch
from families import discriminator, generator, layers
from torch import Tensor, nn

from ganzoo.networks.images import ladder
from ganzoo.networks.layers.activations import Gated
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm

SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 128, 160, 192, 224, 256)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_at_64_pixels_it_has_the_layers_of_the_authors_code():
    """Newmu/dcgan_code:faces/train_uncond_dcgan.py: 1024-512-256-128 channels, 5x5 kernels, stride 2."""
    shape = (3, 64, 64)
    make = generator("dcgan", shape, latent_dim=100, width=128)
    (project,) = layers(make, nn.Linear)
    assert project.weight.shape == (1024 * 4 * 4, 100)
    ups = layers(make, nn.ConvTranspose2d)
    assert [(up.in_channels, up.out_channels) for up in ups] == [(1024, 512), (512, 256), (256, 128), (128, 3)]
    judge = discriminator("dcgan", shape, width=128)
    downs = layers(judge, nn.Conv2d)
    assert [(down.in_channels, down.out_channels) for down in downs] == [(3, 128), (128, 256), (256, 512), (512, 1024)]
    assert judge.head.linear.weight.shape == (1, 1024 * 4 * 4)
    assert all(conv.kernel_size == (5, 5) and conv.stride == (2, 2) and conv.weight.ndim == 4 for conv in ups + downs)


def test_it_has_no_pooling_and_no_hidden_dense_layer():
    for network in (generator("dcgan", (3, 32, 32)), discriminator("dcgan", (3, 32, 32))):
        assert len(layers(network, nn.Linear)) == 1
        assert not any(
            "Pool" in type(module).__name__ or "Upsample" in type(module).__name__ for module in network.modules()
        )


def kinds_in_order(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules() if not [*module.children()]]


def test_it_normalises_everywhere_but_at_the_images():
    make, judge = generator("dcgan", (3, 64, 64)), discriminator("dcgan", (3, 64, 64))
    assert [norm.num_features for norm in layers(make, nn.BatchNorm2d)] == [32, 16, 8, 4]
    assert [norm.num_features for norm in layers(judge, nn.BatchNorm2d)] == [8, 16, 32]
    assert kinds_in_order(make)[-2:] == [nn.ConvTranspose2d, nn.Tanh]
    assert kinds_in_order(judge)[:3] == [nn.Conv2d, nn.Identity, nn.LeakyReLU]


def test_its_norms_are_those_of_the_setting():
    for build, hidden in ((generator, 4), (discriminator, 3)):
        bare, layered = (build("dcgan", (3, 64, 64), norm=norm) for norm in ("none", "layer"))
        assert layers(bare, nn.BatchNorm2d, nn.GroupNorm) == [] == layers(layered, nn.BatchNorm2d)
        assert [norm.num_groups for norm in layers(layered, nn.GroupNorm)] == [1] * hidden


def test_its_activations_are_relu_up_and_leaky_relu_down():
    make, judge = generator("dcgan", (3, 32, 32)), discriminator("dcgan", (3, 32, 32))
    assert len(layers(make, nn.ReLU)) == 3 and not layers(make, nn.LeakyReLU)
    assert [leaky.negative_slope for leaky in layers(judge, nn.LeakyReLU)] == [0.2] * 3 and not layers(judge, nn.ReLU)


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_it_has_a_bias_just_where_no_batch_norm_follows(norm):
    make, judge = generator("dcgan", (1, 32, 32), norm=norm), discriminator("dcgan", (1, 32, 32), norm=norm)
    bare = norm != "batch"
    convs = (nn.Linear, nn.ConvTranspose2d, nn.Conv2d)
    assert [layer.bias is not None for layer in layers(make, *convs)] == [bare, bare, bare, True]
    assert [layer.bias is not None for layer in layers(judge, *convs)] == [True, bare, bare, True]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel_size", [4, 5])
def test_its_channels_double_at_every_halving_down_to_4_to_7_pixels(size, kernel_size):
    settings = {"width": 2, "max_width": 16, "kernel_size": kernel_size}
    base, stages = ladder(size) or (0, 0)
    assert 4 <= base <= 7 and base * 2**stages == size
    judge, make = discriminator("dcgan", (3, size, size), **settings), generator("dcgan", (3, size, size), **settings)
    downs, ups = layers(judge, nn.Conv2d), layers(make, nn.ConvTranspose2d)
    assert [down.out_channels for down in downs] == [min(2 * 2**stage, 16) for stage in range(stages)]
    assert judge.head.linear.in_features == downs[-1].out_channels * base * base
    assert [up.in_channels for up in ups] == [down.out_channels for down in reversed(downs)]
    assert all(before.out_channels == after.in_channels for before, after in pairwise(ups))
    assert ups[-1].out_channels == 3
    assert {conv.kernel_size for conv in ups + downs} == {(kernel_size, kernel_size)}


def test_a_constant_number_of_filters_is_max_width_equal_to_width():
    """WGAN-GP's "constant filter count": Gulrajani et al. 2017, arXiv:1704.00028, figure 2."""
    make = generator("dcgan", (3, 64, 64), width=6, max_width=6)
    assert [up.in_channels for up in layers(make, nn.ConvTranspose2d)] == [6] * 4


def test_gated_layers_have_twice_the_channels_before_the_gate():
    """igul222/improved_wgan_training:gan_64x64.py, MultiplicativeDCGAN: the norm is on the doubled channels too."""
    make = generator("dcgan", (3, 32, 32), activation="gated")
    assert [(up.in_channels, up.out_channels) for up in layers(make, nn.ConvTranspose2d)] == [(16, 16), (8, 8), (4, 3)]
    assert [norm.num_features for norm in layers(make, nn.BatchNorm2d)] == [32, 16, 8] and len(layers(make, Gated)) == 3
    judge = discriminator("dcgan", (3, 32, 32), activation="gated")
    assert [(down.in_channels, down.out_channels) for down in layers(judge, nn.Conv2d)] == [(3, 8), (4, 16), (8, 32)]


def test_it_begins_as_in_the_paper():
    """Weights from N(0, 0.02) (section 4), BatchNorm gains from N(1, 0.02) and biases zero (the authors' code)."""
    make = generator("dcgan", (3, 32, 32), width=64)
    judge = discriminator("dcgan", (3, 32, 32), width=64, conditioning="projection")
    for network in (make, judge):
        for layer in layers(network, nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding):
            assert_normal(layer.weight, 0.0, 0.02)
            assert not any(bias.any() for key, bias in layer.named_parameters() if key == "bias")
        for norm in layers(network, nn.BatchNorm2d):
            assert_normal(norm.weight, 1.0, 0.02)
            assert not norm.bias.any()


def test_class_conditional_norms_begin_as_the_others_do():
    make = generator("dcgan", (3, 32, 32), width=64, conditioning="batch_norm")
    for norm in layers(make, ConditionalBatchNorm):
        assert_normal(norm.gains, 1.0, 0.02)
        assert not norm.shifts.any()


def assert_normal(weights: Tensor, mean: float, deviation: float) -> None:
    """Within five standard errors of both moments, and as heavy in the tails as a normal: not a uniform, not cut."""
    n = weights.numel()
    assert weights.mean().item() == pytest.approx(mean, abs=5 * deviation / math.sqrt(n))
    assert weights.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(2 * n))
    if n > 10_000:
        beyond = ((weights - mean).abs() > 2 * deviation).double().mean().item()
        assert beyond == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))
