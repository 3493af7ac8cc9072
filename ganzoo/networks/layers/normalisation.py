"""Normalisation of activations, by name, and of weights. Activations are (n, c, h, w) or (n, c) everywhere here."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.networks.layers.batch_norm import BatchNorm
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm

NORMALISABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Embedding)


def norm_layer(name: str, channels: int, *, num_classes: int = 0) -> nn.Module:
    """The norm of that name, which begins as the identity after the normalisation: gains 1, shifts 0.

    Args:
        name: batch: over the batch and the pixels, for each channel; layer: over each sample's channels and pixels,
            with a gain and a shift for each channel, as WGAN-GP's critics have it (Ba et al. 2016, arXiv:1607.06450;
            Gulrajani et al. 2017, arXiv:1704.00028; tflib/ops/layernorm.py); none: the identity.
        num_classes: gains and shifts for each of so many classes, with "batch" only; 0: the same for all.
    """
    if num_classes and name != "batch":
        raise ValueError(f"norm: {name} cannot be conditional; batch can")
    if name == "batch":
        return ConditionalBatchNorm(channels, num_classes) if num_classes else BatchNorm(channels)
    return nn.GroupNorm(1, channels) if name == "layer" else nn.Identity()


def spectrally_normalised(module: nn.Module) -> nn.Module:
    """The module itself, with every weight matrix inside divided by its largest singular value, estimated.

    W / sigma(W), sigma by one power iteration in each forward in training (Miyato et al. 2018, arXiv:1802.05957,
    algorithm 1); a convolution's weight is taken as the matrix (out, in * h * w). Norms and biases stay as they are.
    To be called last: initialisers would write to the quotient and change nothing.
    """
    for part in [part for part in module.modules() if isinstance(part, NORMALISABLE)]:
        spectral_norm(part)
    return module
