"""Residual blocks, global pooling and initial weights, against plain formulas."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.networks.layers.activations import ACTIVATIONS
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm
from ganzoo.networks.layers.initialisation import fans, initialise
from ganzoo.networks.layers.normalisation import norm_layer
from ganzoo.networks.layers.residual import BottleneckBlock, GlobalPool, ResidualBlock

BLOCKS = [ResidualBlock, BottleneckBlock]
RESAMPLE = {"none": 1.0, "up": 2.0, "down": 0.5}

every_block = pytest.mark.parametrize("block", BLOCKS)
every_resample = pytest.mark.parametrize("resample", RESAMPLE)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def images(channels: int, size: int = 6) -> Tensor:
    return torch.randn(2, channels, size, size, dtype=torch.float64)


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def batch(channels: int) -> nn.Module:
    return norm_layer("batch", channels)


def normalised(x: Tensor) -> Tensor:
    """BatchNorm in training, gains 1 and shifts 0."""
    return (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def halved(x: Tensor) -> Tensor:
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


# The blocks as the papers' codes have them


def test_a_block_that_doubles_is_sngans():
    """pfnet-research/sngan_projection:gen_models/resblocks.py: both paths double before they convolve."""
    block, x = ResidualBlock(3, 5, resample="up", norm=batch).double(), images(3)
    first, second, shortcut = convolutions(block)
    branch = F.conv2d(doubled(normalised(x).relu()), first.weight, first.bias, padding=1)
    branch = F.conv2d(normalised(branch).relu(), second.weight, second.bias, padding=1)
    assert close(block(x), branch + F.conv2d(doubled(x), shortcut.weight, shortcut.bias))
    assert (first.in_channels, first.out_channels, second.out_channels) == (3, 5, 5)


def test_a_block_that_halves_is_sngans():
    """dis_models/resblocks.py, Block: both paths convolve before they average; hidden channels are those that come."""
    block, x = ResidualBlock(3, 5, hidden=3, resample="down").double(), images(3)
    first, second, shortcut = convolutions(block)
    branch = F.conv2d(
        F.conv2d(x.relu(), first.weight, first.bias, padding=1).relu(), second.weight, second.bias, padding=1
    )
    assert close(block(x), halved(branch) + halved(F.conv2d(x, shortcut.weight, shortcut.bias)))
    assert (first.in_channels, first.out_channels, second.out_channels) == (3, 3, 5)


def test_the_first_block_of_a_discriminator_is_sngans():
    """dis_models/resblocks.py, OptimizedBlock: nothing before the first convolution, the shortcut averages first."""
    block, x = ResidualBlock(3, 5, resample="down", entry=True).double(), images(3)
    first, second, shortcut = convolutions(block)
    branch = F.conv2d(F.conv2d(x, first.weight, first.bias, padding=1).relu(), second.weight, second.bias, padding=1)
    assert close(block(x), halved(branch) + F.conv2d(halved(x), shortcut.weight, shortcut.bias))


def test_a_block_that_changes_nothing_has_no_convolution_in_its_shortcut():
    assert len(convolutions(ResidualBlock(4, 4))) == 2 and len(convolutions(ResidualBlock(4, 5))) == 3
    assert len(convolutions(BottleneckBlock(4, 4))) == 3 and len(convolutions(BottleneckBlock(4, 8))) == 4


def test_a_flat_bottleneck_is_wgan_gps():
    """igul222/improved_wgan_training:gan_64x64.py, 1x1, 3x3, 1x1 without bias, norm, times 0.3."""
    block, x = BottleneckBlock(4, 4, norm=batch).double(), images(4)
    one, two, three = convolutions(block)
    branch = F.conv2d(F.conv2d(x.relu(), one.weight, one.bias).relu(), two.weight, two.bias, padding=1)
    assert three.bias is None and one.out_channels == two.out_channels == 2
    assert close(block(x), x + 0.3 * normalised(F.conv2d(branch.relu(), three.weight)))


def test_a_bottleneck_halves_and_doubles_with_strides():
    down, up = BottleneckBlock(4, 8, resample="down").double(), BottleneckBlock(8, 4, resample="up").double()
    assert [tuple(conv.stride) for conv in convolutions(down)] == [(1, 1), (2, 2), (1, 1), (2, 2)]
    x, (_, *_, shortcut) = images(4), convolutions(down)
    assert close(down.shortcut(x), F.conv2d(x, shortcut.weight, shortcut.bias)[:, :, ::2, ::2])
    (deconv,) = [layer for layer in up.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert (deconv.in_channels, deconv.out_channels, deconv.stride, deconv.kernel_size) == (4, 2, (2, 2), (3, 3))
    y = images(8)
    assert close(F.pixel_unshuffle(up.shortcut(y), 2), convolutions(up.shortcut)[0](y))


# What holds for every block


@given(
    before=st.integers(1, 6),
    after=st.integers(1, 6),
    size=st.sampled_from([2, 4, 6]),
    resample=st.sampled_from([*RESAMPLE]),
)
def test_blocks_have_the_shape_that_they_are_told(before, after, size, resample):
    for block in BLOCKS:
        made = block(before, after, resample=resample).double()(images(before, size))
        side = int(size * RESAMPLE[resample])
        assert made.shape == (2, after, side, side) and made.isfinite().all()


@every_block
@every_resample
@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {"gated"}))
def test_no_activation_reaches_the_shortcut(block, resample, activation):
    """In torch_mimicry the ReLU works in place, and the shortcut sees relu(x)."""
    made, x = block(4, 4, resample=resample, activation=activation, norm=batch).double(), images(4)
    given = x.clone()
    for conv in convolutions(made.residual)[-1:]:
        nn.init.zeros_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    assert close(made(x), made.shortcut(given)) and torch.equal(x, given)
    if resample == "none":
        assert torch.equal(made(x), given)  # negative values, too


@every_block
@every_resample
def test_a_branch_is_scaled(block, resample):
    one, x = block(4, 6, resample=resample, scale=1.0).double(), images(4)
    other = block(4, 6, resample=resample, scale=0.1).double()
    other.load_state_dict(one.state_dict())
    assert close(other(x) - other.shortcut(x), 0.1 * (one(x) - one.shortcut(x)))
    assert not close(one(x), one.shortcut(x))


@every_block
@every_resample
def test_conditional_norms_in_a_block_are_given_the_labels(block, resample):
    made = block(4, 4, resample=resample, norm=lambda channels: norm_layer("batch", channels, num_classes=3)).double()
    norms, x = [part for part in made.modules() if isinstance(part, ConditionalBatchNorm)], images(4)
    assert len(norms) == (2 if block is ResidualBlock else 1)
    zeros, ones = torch.tensor([0, 0]), torch.tensor([1, 1])
    assert torch.equal(made(x, zeros), made(x, ones))
    with torch.no_grad():
        norms[-1].shifts[1] += 1.0
    assert not torch.equal(made(x, zeros), made(x, ones))
    with pytest.raises(ValueError, match="labels"):
        made(x)


@every_resample
def test_a_block_of_one_pixel_patches_doubles_by_repeating_and_halves_by_averaging(resample):
    """With 1 in the shortcut and nothing in the branch, only the resampling is left."""
    block, x = ResidualBlock(1, 1, resample=resample).double(), torch.arange(16.0).double().view(1, 1, 4, 4)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    for conv in convolutions(block.shortcut):
        nn.init.ones_(conv.weight)
    assert torch.equal(block(x), {"none": x, "up": doubled(x), "down": halved(x)}[resample])


def test_global_pools():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, -2.0]]]])
    assert GlobalPool("sum")(x).tolist() == [[10.0, -2.0]]
    assert GlobalPool("mean")(x).tolist() == [[2.5, -0.5]]


# Initial weights


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Linear(7, 5), (7, 5)),
        (nn.Conv2d(4, 6, 3, padding=1), (4 * 9, 6 * 9)),
        (nn.Conv2d(4, 6, 3, stride=2), (4 * 9, 6 * 9 / 4)),  # tflib/ops/conv2d.py
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (4 * 9 / 4, 6 * 9)),  # tflib/ops/deconv2d.py
        (nn.Conv2d(4, 24, 1), (4, 24)),
    ],
)
def test_fans_count_what_a_value_is_summed_from_and_goes_to(layer, expected):
    assert fans(layer) == pytest.approx(expected)


@every_block
@every_resample
def test_glorot_has_hes_gain_in_branches_only(block, resample):
    """sqrt(4 / (fan_in + fan_out)) in the branch, sqrt(2 / ...) elsewhere; uniform; biases 0 (`initialise`)."""
    network = nn.Sequential(nn.Conv2d(3, 48, 3), block(48, 96, resample=resample), nn.Conv2d(96, 64, 1))
    initialise(network, "glorot")
    inside = [layer for layer in network[1].residual if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    outside = [layer for layer in convolutions(network) if not any(layer is conv for conv in inside)]
    assert len(inside) == (2 if block is ResidualBlock else 3) and len(outside) == 3
    for layer, over in [*((layer, 4) for layer in inside), *((layer, 2) for layer in outside)]:
        deviation = math.sqrt(over / sum(fans(layer)))
        assert layer.weight.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(layer.weight.numel()))
        assert 0.98 * math.sqrt(3) * deviation < layer.weight.abs().max() <= math.sqrt(3) * deviation
        assert layer.bias is None or not layer.bias.any()


def test_other_initial_weights():
    normal, orthogonal = ResidualBlock(32, 32, resample="up"), ResidualBlock(8, 8, resample="up")
    initialise(normal, "normal")
    initialise(orthogonal, "orthogonal")
    for conv in convolutions(normal):
        assert conv.weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * conv.weight.numel()))
        assert not conv.bias.any()
    for conv in convolutions(orthogonal):
        assert torch.allclose(conv.weight.flatten(1) @ conv.weight.flatten(1).T, torch.eye(8), atol=1e-5)


def test_initial_weights_leave_norms_alone():
    block = ResidualBlock(4, 4, norm=batch)
    initialise(block, "glorot")
    for norm in (block.residual[0], block.residual[3]):
        assert torch.equal(norm.weight, torch.ones(4)) and not norm.bias.any()


def test_the_weights_of_earlier_runs_have_their_names():
    """Doubling was a layer of the branch before it was part of the convolution."""
    block = ResidualBlock(2, 2, resample="up", norm=batch)
    assert {name.rpartition(".")[0] for name, _ in block.named_parameters()} == {
        "residual.0", "residual.3", "residual.4", "residual.6", "shortcut.0",
    }  # fmt: skip
