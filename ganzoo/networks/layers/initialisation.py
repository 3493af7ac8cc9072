"""How the published networks begin; for networks whose spectral norm is not yet on."""

from math import prod, sqrt

from torch import Tensor, nn

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def initialise(network: nn.Module, how: str) -> None:
    """Draws the weights of every dense and convolutional layer inside; biases 0. Norms and embeddings stay.

    Args:
        how: glorot: uniform, of deviation gain * sqrt(2 / (fan_in + fan_out)). The gain is sqrt(2) in the branch of a
            residual block (any module named `residual`), and 1 in shortcuts, first and last layers. SNGAN's and
            WGAN-GP's codes both do this, as GlorotUniform(sqrt(2)) and as "he_init" (pfnet-research/sngan_projection:
            gen_models/resblocks.py; igul222/improved_wgan_training:tflib/ops/conv2d.py).
            normal: N(0, 0.02), as in DCGAN and its descendants.
            orthogonal: as in BigGAN (Brock et al. 2018, arXiv:1809.11096; Saxe et al. 2014, arXiv:1312.6120).
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, WEIGHTED):
            continue
        if how == "glorot":
            _glorot(layer, gain=sqrt(2) if "residual" in name.split(".") else 1.0)
        elif how == "normal":
            nn.init.normal_(layer.weight, 0.0, 0.02)
        else:
            nn.init.orthogonal_(layer.weight)
        if isinstance(layer.bias, Tensor):
            nn.init.zeros_(layer.bias)


def _glorot(layer: nn.Module, gain: float) -> None:
    bound = gain * sqrt(6 / sum(fans(layer)))
    nn.init.uniform_(layer.weight, -bound, bound)  # type: ignore[arg-type]  # one of WEIGHTED


def fans(layer: nn.Module) -> tuple[float, float]:
    """(fan_in, fan_out): of how many inputs one output is a sum, and how many outputs one input has a part in.

    A stride divides the number of outputs of a convolution, and the number of inputs of a transposed one, by its
    square: as in WGAN-GP's code (tflib/ops/conv2d.py and deconv2d.py), and other than in torch.nn.init.

    >>> fans(nn.Linear(3, 5)), fans(nn.Conv2d(2, 4, 3)), fans(nn.Conv2d(2, 4, 3, stride=2))
    ((3, 5), (18.0, 36.0), (18.0, 9.0))
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        raise TypeError(f"{type(layer).__name__} has no fans")
    area, strided = prod(layer.kernel_size), prod(layer.kernel_size) / prod(layer.stride)
    if isinstance(layer, nn.Conv2d):
        return float(layer.in_channels * area), layer.out_channels * strided
    return layer.in_channels * strided, float(layer.out_channels * area)
