"""Networks that grow: their layers in closed form, what a stage and a fade mean, and the paper's structure."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu, linear

from ganzoo.components import DISCRIMINATORS, GENERATORS
from ganzoo.networks.layers.equalized import EqualizedConv2d, EqualizedDoublingConv2d, EqualizedLinear
from ganzoo.networks.layers.minibatch import MinibatchStddev
from ganzoo.networks.layers.pixel_norm import PixelNorm
from ganzoo.networks.progressive import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig

SHAPE = (3, 32, 32)
STAGES = range(4)
LATENT_DIM = 5


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def generator(shape: tuple[int, ...] = SHAPE, num_classes: int = 0, **values) -> Generator:
    config = GeneratorConfig(**{"width": 2, "max_width": 8, **values})
    return Generator(config, shape=shape, latent_dim=LATENT_DIM, num_classes=num_classes)


def discriminator(shape: tuple[int, ...] = SHAPE, num_classes: int = 0, **values) -> Discriminator:
    return Discriminator(
        DiscriminatorConfig(**{"width": 2, "max_width": 8, **values}), shape=shape, num_classes=num_classes
    )


# The layers


@pytest.mark.parametrize("gain", [math.sqrt(2), 1.0])
def test_equalised_layers_scale_their_weights_by_hes_constant(gain):
    """y = (gain / sqrt(fan_in)) W x + b: arXiv:1710.10196, section 4.1."""
    dense, conv = EqualizedLinear(12, 7, gain=gain), EqualizedConv2d(4, 6, 3, gain=gain)
    nn.init.normal_(dense.bias)
    nn.init.normal_(conv.bias)
    vectors, images = torch.randn(5, 12), torch.randn(5, 4, 8, 8)
    torch.testing.assert_close(dense(vectors), linear(vectors, gain / 12**0.5 * dense.weight, dense.bias))
    torch.testing.assert_close(conv(images), conv2d(images, gain / 36**0.5 * conv.weight, conv.bias, padding=1))


def test_equalised_layers_begin_normal_without_bias_and_keep_the_scale_of_their_input():
    dense, conv = EqualizedLinear(400, 300), EqualizedConv2d(50, 60, 3, gain=1.0)
    for layer in (dense, conv):
        assert not layer.bias.any()
        assert layer.weight.mean().item() == pytest.approx(0, abs=5 / layer.weight.numel() ** 0.5)
        assert layer.weight.std().item() == pytest.approx(1, rel=5 / (2 * layer.weight.numel()) ** 0.5)
    assert EqualizedLinear(2, 3, bias=False).bias is EqualizedConv2d(2, 3, 1, bias=False).bias is None
    assert leaky_relu(dense(torch.randn(500, 400)), 0.2).square().mean().item() == pytest.approx(1.04, rel=0.05)
    assert conv(torch.randn(20, 50, 9, 9))[..., 1:-1, 1:-1].square().mean().item() == pytest.approx(1, rel=0.1)


@given(n=st.integers(1, 4), channels=st.integers(1, 9), size=st.integers(0, 3), scale=st.sampled_from([1e-2, 1.0, 1e3]))
def test_pixel_norm_makes_the_mean_square_over_the_channels_1(n, channels, size, scale):
    x = scale * (torch.rand(n, channels, *([size] * 2 if size else [])) + 0.5)
    y = PixelNorm()(x)
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones(n, *x.shape[2:]), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(y / y[:, :1], x / x[:, :1])  # the direction stays


def test_pixel_norm_is_its_equation_also_at_zero_and_in_half_precision():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(PixelNorm()(x), torch.tensor([[3 / 12.5**0.5, 4 / 12.5**0.5], [0.0, 0.0]]))
    half = PixelNorm()(torch.tensor([[1e-3, 1e-3], [300.0, 300.0], [0.0, 0.0]], dtype=torch.float16))
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), torch.tensor([[0.995, 0.995], [1, 1], [0, 0]]), atol=2e-3, rtol=0)


# What a stage and a fade mean


def test_as_they_are_built_they_are_fully_grown():
    make, judge = generator(), discriminator()
    assert make.stages == judge.stages == 4
    images = make(torch.randn(6, LATENT_DIM))
    assert images.shape == (6, *SHAPE) and judge(images).shape == (6,)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fade", [0.25, 1.0])
def test_a_stage_makes_and_judges_images_of_its_resolution(stage, fade):
    make, judge = generator(), discriminator()
    make.grow(stage, fade)
    judge.grow(stage, fade)
    images = make(torch.randn(6, LATENT_DIM))
    assert images.shape == (6, 3, 4 << stage, 4 << stage)
    assert judge(images).shape == (6,) and judge.features(images).shape == (6, 8)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_fade_leads_from_the_stage_before_to_the_new_one(stage):
    make, judge, latents = generator(), discriminator(), torch.randn(8, LATENT_DIM)
    images = torch.rand(8, 3, 4 << stage, 4 << stage) * 2 - 1

    def at(stage: int, fade: float, images: Tensor) -> tuple[Tensor, Tensor]:
        make.grow(stage, fade)
        judge.grow(stage, fade)
        with torch.no_grad():
            return make(latents), judge(images)

    before, judged_before = at(stage - 1, 1.0, avg_pool2d(images, 2))
    begins, judged_first = at(stage, 0.0, images)
    assert torch.equal(begins, interpolate(before, scale_factor=2)) and torch.equal(judged_first, judged_before)
    ends, judged_last = at(stage, 1.0, images)
    for fade in (0.25, 0.7):
        torch.testing.assert_close(at(stage, fade, images)[0], (1 - fade) * begins + fade * ends)
    nearly, judged_nearly = at(stage, 1 - 1e-6, images)
    torch.testing.assert_close(nearly, ends, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(judged_nearly, judged_last, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(begins, ends, atol=1e-2) and not torch.allclose(judged_first, judged_last, atol=1e-2)


def test_the_discriminators_fade_is_of_features():
    """lerp(fromRGB(down(x)), block(fromRGB(x)), fade): arXiv:1710.10196, figure 2."""
    judge, images = discriminator(), torch.randn(4, 3, 8, 8)
    judge.grow(1, 0.3)
    old = judge.from_images[0](avg_pool2d(images, 2))
    new = judge.blocks[1](judge.from_images[1](images))
    expected = judge.head(judge.blocks[0](0.7 * old + 0.3 * new)).flatten()
    torch.testing.assert_close(judge(images), expected)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fade", [0.5, 1.0])
def test_only_what_is_in_use_gets_a_gradient(stage, fade):
    """So a stage's weights and moments stay as they are until it begins, and an old output layer once it has gone."""
    make, judge = generator(), discriminator()
    make.grow(stage, fade)
    judge.grow(stage, fade)
    judge(make(torch.randn(8, LATENT_DIM))).square().sum().backward()
    old = {stage - 1} if fade < 1 and stage else set()
    for blocks, ends in ((make.blocks, make.to_images), (judge.blocks, judge.from_images)):
        assert {s for s in STAGES if has_gradients(blocks[s])} == set(range(stage + 1))
        assert {s for s in STAGES if has_gradients(ends[s])} == {stage} | old


def has_gradients(module: nn.Module) -> bool:
    given = {parameter.grad is not None and bool(parameter.grad.any()) for parameter in module.parameters()}
    assert len(given) == 1
    return given.pop()


@pytest.mark.parametrize(("stage", "fade"), [(-1, 1.0), (4, 1.0), (0, -0.1), (2, 1.1)])
def test_a_stage_that_is_none_is_refused(stage, fade):
    with pytest.raises(ValueError, match="stage"):
        generator().grow(stage, fade)


# The paper's structure: arXiv:1710.10196, table 2; tkarras/progressive_growing_of_gans:networks.py (G_paper, D_paper)


def test_at_1024_pixels_they_have_the_papers_sizes():
    """Table 2: 23.1 million weights each; 512 channels up to 32 pixels, then halving to 16."""
    with torch.device("meta"):
        make = Generator(GeneratorConfig(), shape=(3, 1024, 1024), latent_dim=512)
        judge = Discriminator(DiscriminatorConfig(), shape=(3, 1024, 1024))
    assert [layer.weight.shape[1] for layer in make.to_images] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert [layer[0].weight.shape[0] for layer in judge.from_images] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert sum(weights.numel() for weights in make.parameters()) == 23_079_115
    assert sum(weights.numel() for weights in judge.parameters()) == 23_087_249


def test_their_layers_are_the_papers():
    make, judge = generator((1, 8, 8), width=4, max_width=16), discriminator((1, 8, 8), width=4, max_width=16)
    assert [type(layer) for layer in make.blocks[1]] == [
        nn.Identity, EqualizedDoublingConv2d, nn.LeakyReLU, PixelNorm, EqualizedConv2d, nn.LeakyReLU, PixelNorm,
    ]  # fmt: skip
    assert [type(layer) for layer in judge.blocks[1]] == [
        EqualizedConv2d, nn.LeakyReLU, EqualizedConv2d, nn.LeakyReLU, nn.AvgPool2d,
    ]  # fmt: skip
    assert [type(layer) for layer in judge.blocks[0]] == [
        MinibatchStddev, EqualizedConv2d, nn.LeakyReLU, nn.Flatten, EqualizedLinear, nn.LeakyReLU,
    ]  # fmt: skip
    slopes = [m.negative_slope for net in (make, judge) for m in net.modules() if isinstance(m, nn.LeakyReLU)]
    assert set(slopes) == {0.2} and judge.blocks[0][0].group_size == 4
    shapes = {name: tuple(weights.shape) for name, weights in judge.named_parameters() if name.endswith("weight")}
    assert shapes == {
        "from_images.0.0.weight": (8, 1, 1, 1),
        "from_images.1.0.weight": (4, 1, 1, 1),
        "blocks.1.0.weight": (4, 4, 3, 3),
        "blocks.1.2.weight": (8, 4, 3, 3),
        "blocks.0.1.weight": (8, 9, 3, 3),
        "blocks.0.4.weight": (16, 8 * 16),
        "head.weight": (1, 16),
    }
    assert {layer.scale for layer in make.to_images} == {1 / 8**0.5, 1 / 4**0.5} and judge.head.scale == 1 / 16**0.5


def test_the_generator_starts_from_the_sphere():
    """Its first layer is a 4x4 convolution: sqrt(2) / sqrt(16 * fan_in), one bias a channel; lengths do not matter."""
    make, latents = generator(width=8), torch.randn(6, LATENT_DIM)
    first = make.blocks[0][1]
    assert first.dense.scale == pytest.approx(math.sqrt(2 / (16 * LATENT_DIM)))
    assert first.dense.bias is None and first.bias.shape == (8, 1, 1)
    torch.testing.assert_close(make(latents), make(7 * latents), atol=1e-3, rtol=0)


def test_the_generators_output_is_not_bounded():
    assert generator(width=8, max_width=64)(torch.randn(64, LATENT_DIM)).abs().max() > 1


# Labels and the rest of the contract


def test_labels_go_in_beside_the_input():
    make, judge = generator(num_classes=3, conditioning="concat"), discriminator(num_classes=3, conditioning="concat")
    latents, labels = torch.randn(4, LATENT_DIM), torch.tensor([0, 1, 2, 0])
    assert make.num_classes == judge.num_classes == 3
    assert (
        make.blocks[0][1].dense.weight.shape[1] == LATENT_DIM + 3 and judge.from_images[0][0].weight.shape[1] == 3 + 3
    )
    for stage, fade in ((0, 1.0), (2, 0.5), (3, 1.0)):
        make.grow(stage, fade)
        judge.grow(stage, fade)
        images = make(latents, labels)
        assert not torch.allclose(images[:3], make(latents, (labels + 1) % 3)[:3], atol=1e-3)
        assert not torch.allclose(judge(images, labels), judge(images, (labels + 1) % 3), atol=1e-4)
    plain = generator(num_classes=3)
    assert plain.num_classes == 0 and plain(latents).shape == (4, *SHAPE)
    with pytest.raises(ValueError, match="labels"):
        generator(num_classes=0, conditioning="concat")


def test_without_the_statistic_each_image_is_judged_alone():
    images = torch.randn(8, *SHAPE, dtype=torch.float64)
    for minibatch, alone in (("none", True), ("stddev", False)):
        judge = discriminator(minibatch=minibatch).double()
        others = torch.cat([images[:1], 3 * images[1:]])
        assert torch.allclose(judge(images)[0], judge(others)[0], rtol=1e-9, atol=0) == alone


@pytest.mark.parametrize("choice", [GENERATORS, DISCRIMINATORS], ids=["generator", "discriminator"])
def test_the_config_says_what_fits(choice):
    config = choice.find("progressive")()
    sizes = [size for size in range(1, 2049) if config.refuses((3, size, size)) is None]
    assert sizes == [8, 16, 32, 64, 128, 256, 512, 1024]
    assert config.refuses((2,)) and config.grows and not config.batch_normalised and not config.conditional
    assert config.replace(conditioning="concat").conditional
    with pytest.raises(ValueError, match="8, 16, 32"):
        generator((3, 24, 24))


def test_mixed_precision_computes_nearly_the_same():
    wide = {"width": 16, "max_width": 64}  # pixel norm of two channels turns a rounding near (0, 0) into another sign
    make, judge, latents = generator(**wide), discriminator(**wide), torch.randn(8, LATENT_DIM)
    with torch.no_grad():
        for stage, fade in ((1, 0.5), (3, 1.0)):
            make.grow(stage, fade)
            judge.grow(stage, fade)
            exact = make(latents), judge(make(latents))
            with torch.autocast("cpu", torch.bfloat16):
                mixed = make(latents), judge(make(latents))
            for one, other in zip(exact, mixed, strict=True):
                torch.testing.assert_close(one, other.float(), atol=0.15, rtol=0.1)
