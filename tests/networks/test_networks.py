"""Every network: shapes, ranges, how it begins, and the papers' structure."""

import io
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ganzoo.components import DISCRIMINATORS, GENERATORS, implementation
from ganzoo.networks import dcgan
from ganzoo.networks.base import NetworkConfig

LATENT_DIM = 6
POINTS = (2,)
SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 128, 160, 192, 224, 256)
SHAPES = [(channels, size, size) for size in SIZES for channels in (1, 3)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def settings_of(choice, name: str, **values) -> NetworkConfig:
    return choice.find(name)(**{"width": 4, **values})


def generator(name: str, shape: tuple[int, ...], latent_dim: int = LATENT_DIM, **values) -> nn.Module:
    module, config = implementation(settings_of(GENERATORS, name, **values))
    return module.Generator(config, shape=shape, latent_dim=latent_dim)


def discriminator(name: str, shape: tuple[int, ...], **values) -> nn.Module:
    module, config = implementation(settings_of(DISCRIMINATORS, name, **values))
    return module.Discriminator(config, shape=shape)


def fitting(choice) -> list[tuple[str, tuple[int, ...]]]:
    return [
        (name, shape)
        for name in choice.names()
        for shape in (*SHAPES, POINTS)
        if settings_of(choice, name).refuses(shape) is None
    ]


def samples(n: int, shape: tuple[int, ...]) -> Tensor:
    return torch.rand(n, *shape) * 2 - 1


def named(rows) -> list[str]:
    return [f"{name}-{'x'.join(map(str, shape))}" for name, shape in rows]


GENERATED, JUDGED = fitting(GENERATORS), fitting(DISCRIMINATORS)
PAIRS = sorted({(name, shape) for name, shape in GENERATED if shape in ((1, 16, 16), (3, 20, 20), (1, 28, 28), POINTS)})


@pytest.mark.parametrize(("name", "shape"), GENERATED, ids=named(GENERATED))
def test_generators_make_samples_of_the_shape_in_range(name, shape):
    with torch.no_grad():
        made = generator(name, shape, width=8)(100 * torch.randn(3, LATENT_DIM))
    assert made.shape == (3, *shape) and made.dtype == torch.float32
    if len(shape) == 3:
        assert -1 <= made.min() < made.max() <= 1
    else:
        assert made.abs().max() > 1  # points are unbounded


@pytest.mark.parametrize(("name", "shape"), JUDGED, ids=named(JUDGED))
def test_discriminators_give_one_unbounded_logit_a_sample(name, shape):
    judge = discriminator(name, shape, width=8)
    with torch.no_grad():
        logits = judge(samples(3, shape))
        for parameter in judge.parameters():
            parameter.mul_(30)  # the logits of a trained network are not small
        large = judge(samples(64, shape))
    assert logits.shape == (3,) and logits.dtype == torch.float32
    assert large.abs().max() > 1


@pytest.mark.parametrize("choice", [GENERATORS, DISCRIMINATORS], ids=["generator", "discriminator"])
@pytest.mark.parametrize("name", sorted({*GENERATORS.names(), *DISCRIMINATORS.names()}))
def test_refuses_says_what_the_constructor_does(choice, name):
    if name not in choice.names():
        pytest.skip(f"{name} has no {choice.kind}")
    build = generator if choice is GENERATORS else discriminator
    config = settings_of(choice, name)
    for shape in [*((1, size, size) for size in range(4, 301)), POINTS]:
        refusal = config.refuses(shape)
        if refusal is not None:
            assert len(refusal) > 20
            with pytest.raises(ValueError) as caught:
                build(name, shape)
            assert str(caught.value) == refusal
        elif shape[-1] % 10 == 0 or shape[-1] < 32:  # the others take long to build
            build(name, shape)


def depends_on_its_batch(network: nn.Module, given: Tensor) -> bool:
    """Whether what the network makes of the first sample changes with the others, in training.

    Not asked below 16 pixels: there dcgan's discriminator has no hidden layer to normalise, and is taken to mix anyway.
    """
    network, given = network.double().train(), given.double()
    others = given.clone()
    others[1:] *= 3
    with torch.no_grad():
        one, other = network(given)[0], network(others)[0]
    return not torch.allclose(one, other, rtol=1e-9, atol=0)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=named(PAIRS))
def test_mixes_samples_tells_whether_an_output_depends_on_its_batch(name, shape, norm):
    make, judge = generator(name, shape, width=16, norm=norm), discriminator(name, shape, width=16, norm=norm)
    latents, given = torch.randn(8, LATENT_DIM), samples(8, shape)
    assert settings_of(GENERATORS, name, norm=norm).mixes_samples == depends_on_its_batch(make, latents)
    assert settings_of(DISCRIMINATORS, name, norm=norm).mixes_samples == depends_on_its_batch(judge, given)


@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=named(PAIRS))
def test_a_saved_network_comes_back(name, shape):
    for build, given in ((generator, torch.randn(4, LATENT_DIM)), (discriminator, samples(4, shape))):
        one, other, file = build(name, shape), build(name, shape), io.BytesIO()
        torch.save(one.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file, weights_only=True))
        with torch.no_grad():
            assert torch.equal(one.eval()(given), other.eval()(given))


@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=named(PAIRS))
@pytest.mark.parametrize("build", [generator, discriminator])
def test_the_seed_decides_the_weights(name, shape, build):
    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(name, shape).parameters())

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=named(PAIRS))
def test_mixed_precision_computes_nearly_the_same(name, shape):
    for build, given in ((generator, torch.randn(4, LATENT_DIM)), (discriminator, samples(4, shape))):
        network = build(name, shape)
        with torch.no_grad():
            exact = network(given)
            with torch.autocast("cpu", torch.bfloat16):
                mixed = network(given)
        assert mixed.shape == exact.shape and torch.isfinite(mixed).all()
        assert torch.allclose(mixed.float(), exact, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(("name", "shape"), PAIRS, ids=named(PAIRS))
def test_every_weight_gets_a_gradient(name, shape):
    make, judge = generator(name, shape, width=8), discriminator(name, shape, width=8)
    judge(make(torch.randn(16, LATENT_DIM))).square().sum().backward()
    parameters = [*make.named_parameters(), *judge.named_parameters()]
    assert [key for key, weight in parameters if weight.grad is None or not torch.isfinite(weight.grad).all()] == []
    assert [key for key, weight in parameters if key.endswith("weight") and not weight.grad.any()] == []


# DCGAN: Radford, Metz & Chintala 2015, arXiv:1511.06434, "Architecture guidelines for stable Deep Convolutional GANs"


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


def test_dcgan_at_64_pixels_has_the_layers_of_the_authors_code():
    """Newmu/dcgan_code:faces/train_uncond_dcgan.py: 1024-512-256-128 channels, 5x5 kernels, stride 2."""
    shape = (3, 64, 64)
    make = generator("dcgan", shape, latent_dim=100, width=128)
    assert isinstance(make.project, nn.Linear) and make.project.weight.shape == (1024 * 4 * 4, 100)
    ups = layers(make, nn.ConvTranspose2d)
    assert [(up.in_channels, up.out_channels) for up in ups] == [(1024, 512), (512, 256), (256, 128), (128, 3)]
    judge = discriminator("dcgan", shape, width=128)
    downs = layers(judge, nn.Conv2d)
    assert [(down.in_channels, down.out_channels) for down in downs] == [(3, 128), (128, 256), (256, 512), (512, 1024)]
    assert judge.judge.weight.shape == (1, 1024 * 4 * 4)
    assert all(conv.kernel_size == (5, 5) and conv.stride == (2, 2) and conv.weight.ndim == 4 for conv in ups + downs)


def test_dcgan_has_no_pooling_and_no_hidden_dense_layer():
    for network in (generator("dcgan", (3, 32, 32)), discriminator("dcgan", (3, 32, 32))):
        assert len(layers(network, nn.Linear)) == 1
        assert not any(
            "Pool" in type(module).__name__ or "Upsample" in type(module).__name__ for module in network.modules()
        )


def test_dcgan_normalises_everywhere_but_at_the_images():
    make, judge = generator("dcgan", (3, 64, 64)), discriminator("dcgan", (3, 64, 64))
    assert [norm.num_features for norm in layers(make, nn.BatchNorm2d)] == [32, 16, 8, 4]
    assert [norm.num_features for norm in layers(judge, nn.BatchNorm2d)] == [8, 16, 32]
    assert [type(module) for module in make.to_images] == [nn.ConvTranspose2d, nn.Tanh]
    assert [type(module) for module in judge.features][:2] == [nn.Conv2d, nn.LeakyReLU]
    for network in (make, judge):
        bare = (
            generator("dcgan", (3, 64, 64), norm="none")
            if network is make
            else discriminator("dcgan", (3, 64, 64), norm="none")
        )
        assert layers(bare, nn.BatchNorm2d) == []


def test_dcgan_activations_are_relu_up_and_leaky_relu_down():
    make, judge = generator("dcgan", (3, 32, 32)), discriminator("dcgan", (3, 32, 32))
    assert len(layers(make, nn.ReLU)) == 3 and not layers(make, nn.LeakyReLU)
    assert [leaky.negative_slope for leaky in layers(judge, nn.LeakyReLU)] == [0.2] * 3 and not layers(judge, nn.ReLU)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_dcgan_has_a_bias_just_where_no_norm_follows(norm):
    make, judge = generator("dcgan", (1, 32, 32), norm=norm), discriminator("dcgan", (1, 32, 32), norm=norm)
    bare = norm == "none"
    convs = (nn.Linear, nn.ConvTranspose2d, nn.Conv2d)
    assert [layer.bias is not None for layer in layers(make, *convs)] == [bare, bare, bare, True]
    assert [layer.bias is not None for layer in layers(judge, *convs)] == [True, bare, bare, True]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel_size", [4, 5])
def test_dcgan_channels_double_at_every_halving_down_to_4_to_7_pixels(size, kernel_size):
    base, stages = dcgan.ladder(size) or (0, 0)
    assert 4 <= base <= 7 and base * 2**stages == size
    judge = discriminator("dcgan", (3, size, size), width=2, max_width=16, kernel_size=kernel_size)
    downs = layers(judge, nn.Conv2d)
    assert [down.out_channels for down in downs] == [min(2 * 2**stage, 16) for stage in range(stages)]
    assert judge.judge.in_features == downs[-1].out_channels * base * base
    ups = layers(
        generator("dcgan", (3, size, size), width=2, max_width=16, kernel_size=kernel_size), nn.ConvTranspose2d
    )
    assert [up.in_channels for up in ups] == [down.out_channels for down in reversed(downs)]
    assert (
        all(before.out_channels == after.in_channels for before, after in pairwise(ups)) and ups[-1].out_channels == 3
    )
    assert {conv.kernel_size for conv in ups + downs} == {(kernel_size, kernel_size)}


def test_dcgan_begins_as_in_the_paper():
    """Weights from N(0, 0.02) (section 4), BatchNorm gains from N(1, 0.02) and biases zero (the authors' code)."""
    for network in (generator("dcgan", (3, 32, 32), width=64), discriminator("dcgan", (3, 32, 32), width=64)):
        for layer in layers(network, nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            assert_normal(layer.weight, 0.0, 0.02)
            assert layer.bias is None or not layer.bias.any()
        for norm in layers(network, nn.BatchNorm2d):
            assert_normal(norm.weight, 1.0, 0.02)
            assert not norm.bias.any()


def assert_normal(weights: Tensor, mean: float, deviation: float) -> None:
    """Within five standard errors of both moments, and as heavy in the tails as a normal: not a uniform, not cut."""
    n = weights.numel()
    assert weights.mean().item() == pytest.approx(mean, abs=5 * deviation / math.sqrt(n))
    assert weights.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(2 * n))
    if n > 10_000:
        beyond = ((weights - mean).abs() > 2 * deviation).double().mean().item()
        assert beyond == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))


# MLP: Gulrajani et al. 2017, arXiv:1704.00028: igul222/improved_wgan_training:gan_toy.py and tflib/ops/linear.py


@pytest.mark.parametrize("build", [generator, discriminator])
def test_mlp_has_three_hidden_layers_of_512_relu_units(build):
    network = build("mlp", POINTS, **({"latent_dim": 2} if build is generator else {}), width=512)
    assert [(layer.in_features, layer.out_features) for layer in layers(network, nn.Linear)] == [
        (2, 512), (512, 512), (512, 512), (512, 2 if build is generator else 1),
    ]  # fmt: skip
    assert len(layers(network, nn.ReLU)) == 3 and not layers(network, nn.BatchNorm1d, nn.Tanh)
    assert settings_of(GENERATORS, "mlp", width=512) == GENERATORS.find("mlp")()


def test_mlp_begins_he_uniform_and_glorot_uniform():
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
def test_mlp_has_the_depth_and_activation_that_it_is_told(activation, kind, depth):
    network = discriminator("mlp", POINTS, width=5, depth=depth, activation=activation, norm="batch")
    assert len(layers(network, kind)) == len(layers(network, nn.BatchNorm1d)) == depth
    assert len(layers(network, nn.Linear)) == depth + 1
