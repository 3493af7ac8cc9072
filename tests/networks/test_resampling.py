"""Resampling that is folded into a convolution: the function that it stands for, its derivatives, and what it saves."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ganzoo.networks.layers.equalized import EqualizedDoublingConv2d
from ganzoo.networks.layers.normalisation import spectrally_normalised
from ganzoo.networks.layers.resampling import DoublingConv2d, HalvingConv2d, conv_doubled, conv_halved

LAYERS = [HalvingConv2d, DoublingConv2d, EqualizedDoublingConv2d]

every_layer = pytest.mark.parametrize("layer", LAYERS)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def doubles(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def test_by_hand():
    """An image of one pixel, or of four, and a kernel whose entries tell where they have been."""
    kernel = torch.tensor([[1.0, 2, 3], [10, 20, 30], [100, 200, 300]]).view(1, 1, 3, 3)
    made = conv_doubled(torch.ones(1, 1, 1, 1), kernel)
    assert made.flatten().tolist() == [550.0, 330, 55, 33]  # corners: the kernel's own lower right, lower left, ...
    assert conv_halved(torch.ones(1, 1, 2, 2), kernel).item() == (550 + 330 + 55 + 33) / 4


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (6, 4), (5, 7)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_same_as_one_after_the_other(size, bias):
    x, weight, shift = doubles(2, 3, *size), doubles(4, 3, 3, 3), doubles(4) if bias else None
    repeated = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(conv_doubled(x, weight, shift), F.conv2d(repeated, weight, shift, padding=1))
    if min(size) > 1:
        torch.testing.assert_close(
            conv_halved(x, weight, shift), F.avg_pool2d(F.conv2d(x, weight, shift, padding=1), 2)
        )


@every_layer
@pytest.mark.parametrize("laid", [torch.contiguous_format, torch.channels_last])
def test_layers_and_their_gradients(layer, laid):
    made = layer(3, 5).double().to(memory_format=laid)
    x = doubles(2, 3, 4, 4)
    torch.testing.assert_close(made(x), made.unfolded(x))
    towards = torch.randn_like(made(x))
    sought = (x, *made.parameters())
    for one, other in zip(
        *(torch.autograd.grad(way(x), sought, towards) for way in (made, made.unfolded)), strict=True
    ):
        torch.testing.assert_close(one, other)


@every_layer
def test_they_can_be_differentiated_twice(layer):
    made = layer(2, 2).double()
    assert torch.autograd.gradgradcheck(made, (doubles(1, 2, 4, 4),))


@every_layer
def test_for_four_ninths_of_the_products(layer):
    made, x = layer(3, 5), torch.randn(2, 3, 8, 8)
    counts = []
    for way in (made, made.unfolded):
        with FlopCounterMode(display=False) as counter:
            way(x)
        counts.append(counter.get_total_flops())
    assert counts[0] / counts[1] == pytest.approx(4 / 9)


@pytest.mark.parametrize("layer", LAYERS[:2])
def test_spectral_norm_divides_the_kernel_of_3x3(layer):
    made = spectrally_normalised(nn.Sequential(layer(3, 5)))[0]
    made(torch.randn(1, 3, 4, 4))
    made.eval()
    assert made.weight.shape == (5, 3, 3, 3)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(made(x), made.unfolded(x), rtol=1e-4, atol=1e-5)
