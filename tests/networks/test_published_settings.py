"""The settings of the published networks: labels, norms, spectral norm, packing, and which images they refuse."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ganzoo.components import DISCRIMINATORS, GENERATORS, implementation
from ganzoo.config import InvalidSettings
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm
from ganzoo.networks.layers.normalisation import NORMALISABLE

TINY = {"sngan_cnn": {"width": 4}, "resnet": {"width": 4}, "bottleneck_resnet": {"width": 4, "blocks": 1}}
SHAPE = (3, 16, 16)
LATENT_DIM = 6

every_family = pytest.mark.parametrize("name", TINY)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def generator(name: str, shape=SHAPE, *, num_classes: int = 0, **values) -> nn.Module:
    module, config = implementation(GENERATORS.find(name)(**TINY[name], **values))
    return module.Generator(config, shape=shape, latent_dim=LATENT_DIM, num_classes=num_classes)


def discriminator(name: str, shape=SHAPE, *, num_classes: int = 0, **values) -> nn.Module:
    module, config = implementation(DISCRIMINATORS.find(name)(**TINY[name], **values))
    return module.Discriminator(config, shape=shape, num_classes=num_classes)


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kinds)]


@every_family
def test_generators_take_labels_as_they_are_told(name):
    latents, labels = torch.randn(4, LATENT_DIM), torch.tensor([0, 1, 2, 1])
    plain = generator(name, num_classes=3)
    assert plain.num_classes == 0 and plain(latents).shape == (4, *SHAPE)
    for conditioning in ("concat", "batch_norm"):
        assert GENERATORS.find(name)(conditioning=conditioning).conditional
        make = generator(name, num_classes=3, conditioning=conditioning)
        for norm in layers(make, ConditionalBatchNorm):
            nn.init.normal_(norm.shifts)
        assert make.num_classes == 3 and make(latents, labels).shape == (4, *SHAPE)
        assert not torch.allclose(make(latents, labels), make(latents, labels.flip(0)), rtol=1e-3)
        with pytest.raises(ValueError, match="labels"):
            make(latents)
        with pytest.raises(ValueError, match="class labels"):
            generator(name, conditioning=conditioning)


@pytest.mark.parametrize(
    ("name", "conditional", "plain"), [("sngan_cnn", 4, 0), ("resnet", 4, 1), ("bottleneck_resnet", 4, 0)]
)
def test_conditional_norms_are_everywhere_but_at_the_end_of_a_resnet(name, conditional, plain):
    """In both codes of the residual networks the norm after the last block knows no classes."""
    make = generator(name, num_classes=3, conditioning="batch_norm")
    affine = [norm for norm in layers(make, nn.BatchNorm2d) if norm.affine]
    assert (len(layers(make, ConditionalBatchNorm)), len(affine)) == (conditional, plain)


@every_family
def test_conditional_batch_norm_needs_batch_norm(name):
    with pytest.raises(InvalidSettings, match="conditioning: batch_norm needs norm: batch"):
        GENERATORS.find(name)(conditioning="batch_norm", norm="layer")


@every_family
@pytest.mark.parametrize("minibatch", ["none", "stddev", "discrimination"])
@pytest.mark.parametrize("conditioning", ["none", "concat", "projection", "auxiliary"])
def test_discriminators_judge_and_classify_as_they_are_told(name, conditioning, minibatch):
    config = DISCRIMINATORS.find(name)(conditioning=conditioning)
    judge = discriminator(name, num_classes=3, conditioning=conditioning, minibatch=minibatch)
    given, labels = torch.randn(4, *SHAPE), torch.tensor([0, 1, 2, 1])
    inputs = (given, labels) if config.conditional else (given,)
    assert (
        config.conditional == (conditioning in ("concat", "projection")) and judge.num_classes == 3 * config.conditional
    )
    assert judge(*inputs).shape == (4,) and judge.features(*inputs).shape == (4, judge.head.linear.in_features)
    assert config.classifies == (conditioning == "auxiliary")
    if config.classifies:
        assert judge.classify(given)[1].shape == (4, 3)
    plain = discriminator(name).head.linear.in_features
    assert judge.head.linear.in_features == plain + {"none": 0, "stddev": 1, "discrimination": 100}[minibatch]
    if conditioning != "none":
        with pytest.raises(ValueError, match="class labels"):
            discriminator(name, conditioning=conditioning)


@every_family
def test_spectral_norm_is_on_every_weight_or_on_none(name):
    for spectral_norm in (True, False):
        judge = discriminator(name, num_classes=3, conditioning="projection", spectral_norm=spectral_norm)
        weighted = layers(judge, *NORMALISABLE)
        assert len(weighted) > 5 and all(is_parametrized(layer) == spectral_norm for layer in weighted)
    assert DISCRIMINATORS.find(name)().spectral_norm == (name != "bottleneck_resnet")


@every_family
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_batch_normalised_says_whether_samples_mix(name, norm):
    for choice, build, given in (
        (GENERATORS, generator, torch.randn(4, LATENT_DIM)),
        (DISCRIMINATORS, discriminator, torch.randn(4, *SHAPE)),
    ):
        network = build(name, norm=norm).double().eval().train()
        given = given.double()
        changed = torch.cat([given[:1], 3 * given[1:]])
        with torch.no_grad():
            for module in layers(network, *NORMALISABLE):
                module.eval()  # spectral norm's estimate moves in training
            mixed = not torch.allclose(network(given)[0], network(changed)[0], rtol=1e-9, atol=0)
        assert choice.find(name)(norm=norm).batch_normalised == mixed == (norm == "batch")


@every_family
@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_gradient_penalty_reaches_every_weight(name, norm):
    judge, given = discriminator(name, norm=norm), torch.randn(4, *SHAPE).requires_grad_()
    (slope,) = torch.autograd.grad(judge(given).sum(), given, create_graph=True)
    (slope.flatten(1).norm(dim=1) - 1).square().mean().backward()
    weights = {key: weight for key, weight in judge.named_parameters() if weight.ndim > 1}
    assert [key for key, weight in weights.items() if weight.grad is None or not weight.grad.isfinite().all()] == []
    assert [key for key, weight in weights.items() if not weight.grad.any()] == []


@every_family
def test_packed_and_grey_images(name):
    for channels in (1, 6):
        shape = (channels, 16, 16)
        assert discriminator(name, shape)(torch.randn(2, *shape)).shape == (2,)
        assert generator(name, shape)(torch.randn(2, LATENT_DIM)).shape == (2, *shape)


@every_family
def test_refusals_say_what_fits(name):
    for choice, build in ((GENERATORS, generator), (DISCRIMINATORS, discriminator)):
        config = choice.find(name)()
        assert config.refuses((2,)) == f"{name} networks are for images, not for points; use mlp"
        assert config.refuses((3, 32, 16)) == f"{name} networks are for square images, not for 32 x 16 pixels"
        assert "nearest to 33 are" in config.refuses((3, 33, 33))
        fits = [size for size in range(1, 300) if config.fits(size)]
        assert {16, 32, 48, 64} <= {*fits} and config.refuses((3, 32, 32)) is None
        assert (fits[0], fits[-1]) == ((16, 64) if name == "sngan_cnn" else (8, 256))
        with pytest.raises(ValueError, match="nearest to 33"):
            build(name, (3, 33, 33))
