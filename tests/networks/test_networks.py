"""What every network family does, with every combination of settings that it offers; families are found by name."""

import copy
import io
from typing import Any

import pytest
import torch
from families import (
    CLASSES,
    LATENT_DIM,
    POINTS,
    combinations,
    discriminator,
    fitting,
    generator,
    named,
    options,
    samples,
    settings_of,
    shape_for,
)
from torch import Tensor, nn

from ganzoo.components import DISCRIMINATORS, GENERATORS, Modules
from ganzoo.config import InvalidSettings

SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
SHAPES = [*((1 if size % 4 else 3, size, size) for size in SIZES), (9, 16, 16), POINTS, (6,)]
UNBOUNDED = ("progressive",)  # Karras et al. 2017 have no tanh
GENERATED, JUDGED = fitting(GENERATORS, SHAPES), fitting(DISCRIMINATORS, SHAPES)
MADE_SMALL = [(name, shape_for(GENERATORS, name)) for name in GENERATORS.names()]
JUDGED_SMALL = [(name, shape_for(DISCRIMINATORS, name)) for name in DISCRIMINATORS.names()]
BUILDS = [(generator, *row) for row in MADE_SMALL] + [(discriminator, *row) for row in JUDGED_SMALL]

each_network = pytest.mark.parametrize(
    ("build", "name", "shape"), BUILDS, ids=[f"{build.__name__}-{name}" for build, name, _ in BUILDS]
)


def combined(choice: Modules) -> Any:
    """A test for each family and each combination of its settings."""
    rows = [(name, values) for name in choice.names() for values in combinations(choice, name)]
    ids = ["-".join([name, *map(str, values.values())]) for name, values in rows]
    # Leaky, since tiny networks of ReLUs may die when they are perturbed.
    leaky = [(name, {**values, "activation": "leaky_relu"}) for name, values in rows]
    return pytest.mark.parametrize(("name", "values"), leaky, ids=ids)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("name", "shape"), GENERATED, ids=named(GENERATED))
def test_generators_make_samples_of_the_shape_in_range(name, shape):
    with torch.no_grad():
        made = generator(name, shape, width=8)(100 * torch.randn(3, LATENT_DIM))
    assert made.shape == (3, *shape) and made.dtype == torch.float32 and made.min() < made.max()
    if len(shape) == 3 and name not in UNBOUNDED:
        assert made.min() >= -1 and made.max() <= 1
    else:
        assert made.abs().max() > 1


@pytest.mark.parametrize(("name", "shape"), JUDGED, ids=named(JUDGED))
def test_discriminators_give_one_unbounded_logit_a_sample(name, shape):
    judge = discriminator(name, shape, width=8, spectral_norm=False)
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
    for shape in [*((1, size, size) for size in (*range(4, 37), 48, 50, 64, 65, 127, 128, 256, 257, 300)), POINTS]:
        refusal = config.refuses(shape)
        if refusal is not None:
            assert len(refusal) > 20
            with pytest.raises(ValueError) as caught:
                build(name, shape)
            assert str(caught.value) == refusal
        elif shape[-1] <= 64:  # the others take long to build
            build(name, shape)


def test_class_conditional_batch_norm_needs_batch_norm():
    for name in GENERATORS.names():
        for norm in options(GENERATORS, name, "norm"):
            if norm == "batch":
                settings_of(GENERATORS, name, norm=norm, conditioning="batch_norm")
            else:
                with pytest.raises(InvalidSettings, match="conditioning: batch_norm needs norm: batch"):
                    settings_of(GENERATORS, name, norm=norm, conditioning="batch_norm")


@each_network
def test_a_conditional_network_without_classes_is_refused(build, name, shape):
    choice = GENERATORS if build is generator else DISCRIMINATORS
    for conditioning in options(choice, name, "conditioning"):
        if conditioning != "none":
            with pytest.raises(ValueError, match="the data has none"):
                build(name, shape, conditioning=conditioning, norm="batch", num_classes=0)
    assert build(name, shape, num_classes=0).num_classes == 0


def unsettled(network: nn.Module) -> nn.Module:
    """In eval mode, away from how it begins: there class-conditional norms, for one, are all alike."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


def assert_labels_matter(network: nn.Module, given: Tensor, *, each_its_own: bool) -> None:
    """A sample's label changes what the network makes of it; of the others nothing, unless they are compared."""
    labels = torch.arange(len(given)) % CLASSES
    others = labels.clone()
    others[0] = 1
    one, other = network(given, labels), network(given, others)
    assert not torch.allclose(one[0], other[0], rtol=1e-6, atol=0)
    assert torch.allclose(one[1:], other[1:], atol=1e-5) or not each_its_own
    with pytest.raises(ValueError, match="call it with labels"):
        network(given)


def assert_copies_and_comes_back(network: nn.Module, *given: Tensor) -> None:
    """A deep copy makes the same of the same, and so does a stranger with the weights of a saved state."""
    made, copied, file = network(*given), copy.deepcopy(network), io.BytesIO()
    assert torch.equal(copied(*given), made)
    torch.save(network.state_dict(), file)
    file.seek(0)
    assert not torch.equal(unsettled(copied)(*given), made)
    copied.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(copied(*given), made)


@combined(GENERATORS)
@torch.no_grad()
def test_generators_with_every_combination_of_settings(name, values):
    shape, config = shape_for(GENERATORS, name), settings_of(GENERATORS, name, **values)
    make, latents = generator(name, shape, **values), torch.randn(6, LATENT_DIM)
    labels = [torch.arange(6) % CLASSES] if config.conditional else []
    assert make.num_classes == (CLASSES if config.conditional else 0)
    assert config.conditional == (values.get("conditioning", "none") != "none") and not config.classifies
    assert config.batch_normalised == (values.get("norm") == "batch")
    assert make(latents, *labels).shape == (6, *shape)
    unsettled(make)
    assert_copies_and_comes_back(make, latents, *labels)
    if config.conditional:
        assert_labels_matter(make, latents, each_its_own=True)


@combined(DISCRIMINATORS)
@torch.no_grad()
def test_discriminators_with_every_combination_of_settings(name, values):
    shape, config = shape_for(DISCRIMINATORS, name), settings_of(DISCRIMINATORS, name, **values)
    judge, images = discriminator(name, shape, **values), samples(6, shape)
    labels = [torch.arange(6) % CLASSES] if config.conditional else []
    assert judge.num_classes == (CLASSES if config.conditional else 0)
    assert config.conditional == (values.get("conditioning") in ("concat", "projection"))
    assert config.classifies == (values.get("conditioning") == "auxiliary")
    assert config.batch_normalised == (values.get("norm") == "batch")
    assert judge(images, *labels).shape == (6,)
    unsettled(judge)
    features = judge.features(images, *labels)
    assert features.ndim == 2 and len(features) == 6
    if values.get("norm", "batch") == "batch":  # of the norms, the one with a state
        assert_copies_and_comes_back(judge, images, *labels)
    if config.conditional:
        assert_labels_matter(judge, images, each_its_own=values.get("minibatch") == "none")
    if config.classifies:
        logits, class_logits = judge.classify(images)
        assert torch.allclose(logits, judge(images)) and class_logits.shape == (6, CLASSES)


def depends_on_its_batch(network: nn.Module, given: Tensor) -> bool:
    """Whether what the network makes of the first sample changes with the others, in training."""
    network, given = network.double().train(), given.double()
    others = given.clone()
    others[1:] *= 3
    with torch.no_grad():
        one, other = network(given)[0], network(others)[0]
    return not torch.allclose(one, other, rtol=1e-9, atol=0)


@each_network
def test_batch_normalised_tells_whether_an_output_depends_on_its_batch(build, name, shape):
    choice = GENERATORS if build is generator else DISCRIMINATORS
    for norm in options(choice, name, "norm") or ["there is no such setting"]:
        # A power iteration in every forward changes the output, too; minibatch layers are meant to compare.
        values = {"norm": norm, "spectral_norm": False, "minibatch": "none"}
        network = build(name, shape, width=16, **values)
        given = torch.randn(8, LATENT_DIM) if build is generator else samples(8, shape)
        assert settings_of(choice, name, **values).batch_normalised == depends_on_its_batch(network, given)


@each_network
def test_minibatch_layers_compare_samples_and_do_not_count_as_batch_norm(build, name, shape):
    for minibatch in options(DISCRIMINATORS, name, "minibatch") if build is discriminator else ():
        values = {"norm": "none", "spectral_norm": False, "minibatch": minibatch}
        judge = discriminator(name, shape, **values)
        assert depends_on_its_batch(judge, samples(8, shape)) == (minibatch != "none")
        assert not settings_of(DISCRIMINATORS, name, **values).batch_normalised


@each_network
def test_the_seed_decides_the_weights(build, name, shape):
    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(name, shape).parameters())

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


@each_network
@torch.no_grad()
def test_mixed_precision_computes_nearly_the_same(build, name, shape):
    given = torch.randn(4, LATENT_DIM) if build is generator else samples(4, shape)
    network = build(name, shape, spectral_norm=False)
    exact = network(given)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(given)
    assert mixed.shape == exact.shape and torch.isfinite(mixed).all()
    assert (mixed.float() - exact).norm() <= 0.1 * max(1.0, exact.norm().item())


@each_network
def test_every_weight_gets_a_gradient(build, name, shape):
    """Also through the labels, and with spectral norm; of a network that grows, the weights in use."""
    choice = GENERATORS if build is generator else DISCRIMINATORS
    for conditioning in options(choice, name, "conditioning"):
        values = {"width": 8, "norm": "batch", "conditioning": conditioning}
        config, network = settings_of(choice, name, **values), build(name, shape, **values)
        given = torch.randn(16, LATENT_DIM) if build is generator else samples(16, shape)
        labels = [torch.arange(16) % CLASSES] if config.conditional else []
        made = torch.cat([part.flatten() for part in network.classify(given)]) if config.classifies else None
        (network(given, *labels) if made is None else made).square().sum().backward()
        idle = [key for key, weight in network.named_parameters() if weight.grad is None]
        assert idle == [] or getattr(config, "grows", False)
        used = {key: weight.grad for key, weight in network.named_parameters() if weight.grad is not None}
        assert [key for key, slope in used.items() if not torch.isfinite(slope).all()] == []
        assert [key for key, slope in used.items() if "weight" in key and not slope.any()] == []
