"""The published convolutional and residual networks: layers, shapes and parameters counted by hand from the papers."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ganzoo.components import DISCRIMINATORS, GENERATORS, implementation
from ganzoo.networks.layers.residual import BottleneckBlock, ResidualBlock

SHAPE = (3, 16, 16)
LATENT_DIM = 6


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def generator(name: str, shape=SHAPE, *, latent_dim: int = LATENT_DIM, num_classes: int = 0, **values) -> nn.Module:
    module, config = implementation(GENERATORS.find(name)(**values))
    return module.Generator(config, shape=shape, latent_dim=latent_dim, num_classes=num_classes)


def discriminator(name: str, shape=SHAPE, *, num_classes: int = 0, **values) -> nn.Module:
    module, config = implementation(DISCRIMINATORS.find(name)(**values))
    return module.Discriminator(config, shape=shape, num_classes=num_classes)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


def stages(network: nn.Module, inputs: Tensor, *kinds: type[nn.Module]) -> list[tuple[int, int]]:
    """(channels, pixels) of what every layer of these kinds gives, in order."""
    seen: list[tuple[int, int]] = []
    for layer in layers(network, *kinds):
        layer.register_forward_hook(lambda _, __, made: seen.append((made.shape[1], made.shape[-1])))
    with torch.no_grad():
        network(inputs)
    return seen


def conv(before: int, after: int, kernel: int) -> int:
    """Parameters of a convolution with bias."""
    return before * after * kernel**2 + after


# SNGAN's CNN: table 3 of arXiv:1802.05957


def test_sngan_cnn_discriminator_has_the_parameters_of_table_3():
    """CIFAR-10, M = 32:

    conv(3, 64, 3)      1,792    conv(64, 64, 4)       65,600
    conv(64, 128, 3)   73,856    conv(128, 128, 4)    262,272
    conv(128, 256, 3) 295,168    conv(256, 256, 4)  1,048,832
    conv(256, 512, 3) 1,180,160  dense 4 * 4 * 512 + 1 = 8,193
    """
    expected = 1_792 + 65_600 + 73_856 + 262_272 + 295_168 + 1_048_832 + 1_180_160 + 8_193
    assert parameters(discriminator("sngan_cnn", (3, 32, 32))) == expected == 2_935_873
    assert parameters(discriminator("sngan_cnn", (3, 48, 48))) == expected + (36 - 16) * 512  # a larger dense layer


def test_sngan_cnn_generator_has_the_parameters_of_table_3():
    """M = 32: dense 128 * 8192, deconvolutions 512-256-128-64 of 16 weights, conv(64, 3, 3); gains and shifts.

    8192 + 256 + 128 + 64 of each: one for each unit of the dense layer. Only the last layer has a bias.
    """
    weights = 128 * 8192 + 16 * (512 * 256 + 256 * 128 + 128 * 64) + conv(64, 3, 3)
    assert parameters(generator("sngan_cnn", (3, 32, 32), latent_dim=128)) == weights + 2 * (8192 + 256 + 128 + 64)


@pytest.mark.parametrize("size", [16, 24, 32, 40, 48, 56, 64])
def test_sngan_cnn_shapes_at_every_stage(size):
    up = stages(
        generator("sngan_cnn", (3, size, size), width=2), torch.randn(2, LATENT_DIM), nn.ConvTranspose2d, nn.Conv2d
    )
    assert up == [(8, size // 4), (4, size // 2), (2, size), (3, size)]
    judge = discriminator("sngan_cnn", (3, size, size), width=2)
    down = stages(judge, torch.randn(2, 3, size, size), nn.Conv2d)
    rungs = ((2, 1), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 8))
    assert down == [(channels, size // halved) for channels, halved in rungs]
    assert judge.head.linear.in_features == 16 * (size // 8) ** 2


def test_sngan_cnn_kernels_and_activations():
    make, judge = generator("sngan_cnn", width=2), discriminator("sngan_cnn", width=2)
    assert [layer.kernel_size[0] for layer in layers(judge, nn.Conv2d)] == [3, 4, 3, 4, 3, 4, 3]
    assert [layer.stride[0] for layer in layers(judge, nn.Conv2d)] == [1, 2, 1, 2, 1, 2, 1]
    assert [layer.negative_slope for layer in layers(judge, nn.LeakyReLU)] == [0.1] * 7
    assert [(up.kernel_size[0], up.stride[0]) for up in layers(make, nn.ConvTranspose2d)] == [(4, 2)] * 3
    assert [layer.kernel_size[0] for layer in layers(make, nn.Conv2d)] == [3]
    assert len(layers(make, nn.ReLU)) == len(layers(make, nn.BatchNorm2d)) == 4 and len(layers(make, nn.Tanh)) == 1


def test_sngan_cnn_normalisations_of_table_2():
    assert layers(discriminator("sngan_cnn", width=2), nn.BatchNorm2d, nn.GroupNorm) == []
    for norm, kind in (("batch", nn.BatchNorm2d), ("layer", nn.GroupNorm)):  # not behind the first convolution
        assert len(layers(discriminator("sngan_cnn", width=2, norm=norm, spectral_norm=False), kind)) == 6


def test_sngan_cnn_begins_normal():
    for network in (generator("sngan_cnn", width=16), discriminator("sngan_cnn", width=16, spectral_norm=False)):
        for layer in layers(network, nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * layer.weight.numel()))
            assert layer.bias is None or not layer.bias.any()


# The residual networks of SNGAN and WGAN-GP


def test_sngan_resnet_has_the_parameters_of_table_4():
    """CIFAR-10. Generator: dense 128 * 4096 + 4096 = 528,384;

    three blocks: norms 4 * 256 = 1,024, conv(256, 256, 3) twice = 1,180,160, shortcut conv(256, 256, 1) = 65,792;
    norm 512, conv(256, 3, 3) = 6,915.

    Discriminator: first block conv(3, 128, 3) = 3,584, conv(128, 128, 3) = 147,584, shortcut conv(3, 128, 1) = 512;
    second block 2 * 147,584, shortcut conv(128, 128, 1) = 16,512; two blocks of 2 * 147,584; dense 129.
    """
    make = 528_384 + 3 * (1_024 + 1_180_160 + 65_792) + 512 + 6_915
    judge = (3_584 + 147_584 + 512) + (295_168 + 16_512) + 2 * 295_168 + 129
    assert parameters(generator("resnet", (3, 32, 32), latent_dim=128)) == make == 4_276_739
    assert parameters(discriminator("resnet", (3, 32, 32))) == judge == 1_053_825


def test_wgan_gp_resnet_has_the_parameters_of_its_code():
    """gan_cifar_resnet.py with 128 channels. Generator: dense 128 * 2048 + 2048 = 264,192;

    three blocks: norms 512, conv(128, 128, 3) twice = 295,168, shortcut 16,512; norm 256, conv(128, 3, 3) = 3,459.
    The critic is SNGAN's; layer norm adds two norms of 256 to each block but the first.
    """
    make = 264_192 + 3 * (512 + 295_168 + 16_512) + 256 + 3_459
    critic = {"pool": "mean", "spectral_norm": False}
    assert parameters(generator("resnet", (3, 32, 32), latent_dim=128, width=128)) == make == 1_204_483
    assert parameters(discriminator("resnet", (3, 32, 32), width=128, **critic)) == 1_053_825
    assert parameters(discriminator("resnet", (3, 32, 32), norm="layer", **critic)) == 1_053_825 + 3 * 2 * 256


UP = {  # (channels in units of width, pixels) of the dense layer and the blocks
    8: [(1, 4), (1, 8)],
    16: [(1, 4), (1, 8), (1, 16)],
    28: [(1, 7), (1, 14), (1, 28)],
    32: [(1, 4), (1, 8), (1, 16), (1, 32)],  # gen_models/resnet_32.py
    40: [(8, 5), (4, 10), (2, 20), (1, 40)],
    48: [(8, 6), (4, 12), (2, 24), (1, 48)],  # the paper's STL-10 network
    64: [(16, 4), (8, 8), (4, 16), (2, 32), (1, 64)],  # gen_models/resnet_64.py
    128: [(16, 4), (16, 8), (8, 16), (4, 32), (2, 64), (1, 128)],  # gen_models/resnet.py
    256: [(16, 4), (16, 8), (8, 16), (8, 32), (4, 64), (2, 128), (1, 256)],  # gen_models/resnet_dog_and_cat_256.py
}
DOWN = {
    8: [(1, 4), (1, 4), (1, 4)],
    16: [(1, 8), (1, 8), (1, 8)],
    28: [(1, 14), (1, 7), (1, 7), (1, 7)],
    32: [(1, 16), (1, 8), (1, 8), (1, 8)],  # dis_models/snresnet_32.py
    40: [(1, 20), (2, 10), (4, 5), (8, 5), (16, 5)],
    48: [(1, 24), (2, 12), (4, 6), (8, 3), (16, 3)],  # the paper's STL-10 network
    64: [(1, 32), (2, 16), (4, 8), (8, 4), (16, 2)],  # dis_models/snresnet_64.py
    128: [(1, 64), (2, 32), (4, 16), (8, 8), (16, 4), (16, 4)],  # dis_models/snresnet.py
    256: [(1, 128), (2, 64), (4, 32), (8, 16), (8, 8), (16, 4), (16, 4)],  # dis_models/snresnet_256.py
}


@pytest.mark.parametrize("size", UP)
def test_resnet_shapes_at_every_stage(size):
    make, judge = (build("resnet", (3, size, size), width=2) for build in (generator, discriminator))
    up = stages(make, torch.randn(2, LATENT_DIM), nn.Unflatten, ResidualBlock)
    down = stages(judge, torch.randn(2, 3, size, size), ResidualBlock)
    assert up == [(2 * width, pixels) for width, pixels in UP[size]]
    assert down == [(2 * width, pixels) for width, pixels in DOWN[size]]
    assert judge.head.linear.in_features == down[-1][0] and make.body[-2].in_channels == up[-1][0]


@pytest.mark.parametrize(("size", "made", "judged"), [(32, 256, 128), (48, 64, 64), (64, 64, 64), (128, 64, 64)])
def test_resnet_widths_are_the_papers_unless_told(size, made, judged):
    assert GENERATORS.find("resnet")().channels(size) == [made * width for width, _ in UP[size]]
    assert [width for width, _ in DISCRIMINATORS.find("resnet")().blocks(size)] == [judged * w for w, _ in DOWN[size]]


def test_resnet_layouts_by_name():
    make, judge = GENERATORS.find("resnet"), DISCRIMINATORS.find("resnet")
    assert make(layout="pyramid").channels(32) == [512, 256, 128, 64]
    assert make(layout="constant", width=8).channels(64) == [8] * 5
    growing = judge(layout="pyramid", width=1).blocks(32)
    assert growing == [(1, True), (2, True), (4, True), (8, True), (16, False)]
    assert judge(layout="constant", width=1).blocks(64) == [(1, True)] * 3 + [(1, False)] * 2


def test_resnet_hidden_channels_are_the_generators_own_and_the_discriminators_incoming():
    """sngan_projection: hidden_channels is out_channels in gen_models, in_channels in dis_models, but for the first."""
    make, judge = (build("resnet", (3, 48, 48), width=2) for build in (generator, discriminator))
    assert [layers(block.residual, nn.Conv2d)[0].out_channels for block in layers(make, ResidualBlock)] == [8, 4, 2]
    hidden = [layers(block.residual, nn.Conv2d)[0].out_channels for block in layers(judge, ResidualBlock)]
    assert hidden == [2, 2, 4, 8, 16]


def test_resnet_discriminator_normalises_neither_images_nor_its_last_features():
    judge = discriminator("resnet", (3, 32, 32), width=2, norm="layer", spectral_norm=False)
    first, *others = layers(judge, ResidualBlock)
    assert layers(first, nn.GroupNorm) == [] and [len(layers(block, nn.GroupNorm)) for block in others] == [2, 2, 2]
    assert len(layers(judge, nn.GroupNorm)) == 6 and isinstance(first.residual[0], nn.Conv2d)


def test_resnet_pools_by_sum_or_by_mean():
    """Over the 8 x 8 pixels of the last block: the logits of the sum, without the bias, are 64 times the mean's."""
    summing = discriminator("resnet", (3, 32, 32), width=4, spectral_norm=False)
    averaging = discriminator("resnet", (3, 32, 32), width=4, spectral_norm=False, pool="mean")
    averaging.load_state_dict(summing.state_dict())
    given, bias = torch.randn(3, 3, 32, 32), summing.head.linear.bias
    assert torch.allclose(summing(given) - bias, 64 * (averaging(given) - bias), rtol=1e-5)


def test_resnets_begin_as_in_both_codes():
    """Uniform of deviation sqrt(4 / (fan_in + fan_out)) in branches, sqrt(2 / ...) in shortcuts, first and last."""
    judge = discriminator("resnet", (3, 32, 32), width=32, spectral_norm=False)
    for network in (generator("resnet", (3, 32, 32), width=32), judge):
        for name, layer in network.named_modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                area = math.prod(layer.weight.shape[2:])
                deviation = math.sqrt((4 if ".residual." in name else 2) / (sum(layer.weight.shape[:2]) * area))
                assert layer.weight.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(layer.weight.numel()))
                assert layer.weight.abs().max() <= math.sqrt(3) * deviation and not layer.bias.any()


def test_resnet_settings_reach_the_blocks():
    for build in (generator, discriminator):
        network = build("resnet", width=2, residual_scale=0.1, activation="leaky_relu", init="orthogonal")
        assert {block.scale for block in layers(network, ResidualBlock)} == {0.1}
        assert layers(network, nn.LeakyReLU) and not layers(network, nn.ReLU)


# The 101 layers of WGAN-GP


def bottleneck(before: int, after: int, shortcut: int) -> int:
    """Parameters: 1x1 to half, 3x3, 1x1 back without bias, norm, and the shortcut's."""
    half = conv(before, before // 2, 1) + conv(before // 2, after // 2, 3)
    return half + (after // 2) * after + 2 * after + shortcut


def test_bottleneck_resnets_have_101_layers_at_64_pixels():
    """gan_64x64.py: 6 + 1 + 6 + 1 + 6 + 1 + 6 + 1 + 5 = 33 blocks of 3, a first and a last layer; no shortcuts."""
    for build in (generator, discriminator):
        named = build("bottleneck_resnet", (3, 64, 64), width=2).named_modules()
        weighted = [name for name, layer in named if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
        shortcuts = [name for name in weighted if ".shortcut" in name]
        assert len(weighted) - len(shortcuts) == 101 and len(shortcuts) == 4


def test_bottleneck_resnets_have_the_parameters_of_their_code():
    """gan_64x64.py with DIM = 64: 512, 256, 128, 64, 32 channels at 4, 8, 16, 32, 64 pixels."""
    widths = [32, 64, 128, 256, 512]
    flat = 5 * bottleneck(32, 32, 0) + sum(6 * bottleneck(width, width, 0) for width in widths[1:])
    downs = sum(bottleneck(before, after, conv(before, after, 1)) for before, after in pairwise(widths))
    ups = sum(bottleneck(before, after, conv(before, 4 * after, 1)) for after, before in pairwise(widths))
    with torch.device("meta"):  # which counts and computes nothing
        make = generator("bottleneck_resnet", (3, 64, 64), latent_dim=128)
        judge = discriminator("bottleneck_resnet", (3, 64, 64))
    assert parameters(make) == 128 * 8192 + 8192 + flat + ups + conv(32, 3, 1)
    assert parameters(judge) == conv(3, 32, 1) + flat + downs + 8192 + 1


@pytest.mark.parametrize("blocks", [1, 2, 6])
def test_bottleneck_resnet_shapes_at_every_stage(blocks):
    make, judge = (
        build("bottleneck_resnet", (3, 64, 64), width=2, blocks=blocks) for build in (generator, discriminator)
    )
    rungs = [(32, 4), (16, 8), (8, 16), (4, 32), (2, 64)]
    up = stages(make, torch.randn(2, LATENT_DIM), BottleneckBlock)
    assert up == [(32, 4)] * blocks + [rung for rung in rungs[1:-1] for _ in range(blocks + 1)] + [(2, 64)] * blocks
    down = stages(judge, torch.randn(2, 3, 64, 64), BottleneckBlock)
    assert down == [(2, 64)] * (blocks - 1) + [rung for rung in rungs[-2::-1] for _ in range(blocks + 1)]


def test_bottleneck_resnet_outputs_are_a_fifth():
    """gan_64x64.py: tanh(x / 5) and D(x) / 5."""
    make = generator("bottleneck_resnet", width=4, blocks=1)
    judge = discriminator("bottleneck_resnet", width=4, blocks=1, num_classes=3, conditioning="auxiliary")
    latents, given = torch.randn(4, LATENT_DIM), torch.randn(4, *SHAPE)
    assert torch.allclose(make(latents), torch.tanh(make.body[:-2](latents) / 5))
    assert torch.allclose(judge(given), judge.head(judge.features(given)) / 5)
    logits, classes = judge.classify(given)
    assert torch.allclose(logits, judge(given)) and torch.allclose(
        classes, judge.head.classifier(judge.features(given))
    )


def test_bottleneck_resnet_scales_and_norms():
    make, judge = (build("bottleneck_resnet", (3, 64, 64), width=2) for build in (generator, discriminator))
    for network, kind in ((make, nn.BatchNorm2d), (judge, nn.GroupNorm)):
        assert {block.scale for block in layers(network, BottleneckBlock)} == {0.3}
        assert len(layers(network, kind)) == 33
        assert all(isinstance(block.residual[-1], kind) for block in layers(network, BottleneckBlock))
