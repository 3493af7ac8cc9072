"""The discriminator as objectives see it; noise and packs before it; labels on their way through an update."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganzoo.errors import InputError
from ganzoo.training.bound import BoundDiscriminator, packed
from ganzoo.variants.nsgan import NSGAN, Config

CLASSES = 3


class Conditional(nn.Module):
    """Somebody's own conditional discriminator: a weight a class."""

    num_classes = CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(CLASSES, 2))

    def forward(self, points, labels):
        return (points * self.weights[labels]).sum(dim=1)

    def features(self, points, labels):
        return points * self.weights[labels]

    def classify(self, points):
        return points.sum(dim=1), points @ self.weights.T


def test_labels_are_bound_and_go_only_to_networks_that_take_them():
    points, labels = torch.randn(4, 2), torch.tensor([0, 2, 1, 1])
    network = Conditional()
    assert torch.equal(BoundDiscriminator(network, labels)(points), network(points, labels))
    assert torch.equal(BoundDiscriminator(network, labels).features(points), network.features(points, labels))
    assert torch.equal(BoundDiscriminator(network, labels).classify(points)[1], network.classify(points)[1])
    plain = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    assert torch.equal(BoundDiscriminator(plain, labels)(points), plain(points))


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 2, 1, 1])], ids=["no labels", "labels"])
def test_both_are_the_logits_of_each(labels):
    real, fake, network = torch.randn(4, 2), torch.randn(4, 2), Conditional()
    network.num_classes = CLASSES if labels is not None else 0
    network.forward = lambda points, labels=None: points.sum(dim=1) + (0 if labels is None else labels)
    for weights in (None, dict(network.named_parameters())):
        apart = BoundDiscriminator(network, labels, weights)
        together = BoundDiscriminator(network, labels, weights, joint=True)
        wanted = (apart(real), apart(fake))
        torch.testing.assert_close(apart.both(real, fake), wanted)
        torch.testing.assert_close(together.both(real, fake), wanted)


@pytest.mark.parametrize("method", ["forward", "features", "classify"])
def test_other_weights_take_the_place_of_its_own(method):
    points, labels = torch.randn(4, 2), torch.tensor([0, 2, 1, 1])
    network, other = Conditional(), Conditional()
    bound = BoundDiscriminator(network, labels).with_weights(dict(other.named_parameters()))
    ask = {"forward": bound, "features": bound.features, "classify": lambda x: bound.classify(x)[1]}[method]
    inputs = (points,) if method == "classify" else (points, labels)
    wanted = getattr(other, method)(*inputs)
    torch.testing.assert_close(ask(points), wanted[1] if method == "classify" else wanted)


def test_a_network_without_the_method_is_named():
    with pytest.raises(InputError, match="Linear has no classify"):
        BoundDiscriminator(nn.Linear(2, 1)).classify(torch.zeros(1, 2))


@given(st.integers(1, 4), st.integers(1, 9), st.sampled_from([(2,), (3, 4, 4)]))
def test_packs_hold_every_sample_once_in_order(size, count, shape):
    samples = torch.arange(count * size * 2 * 3 * 16, dtype=torch.float32)[
        : count * size * int(torch.tensor(shape).prod())
    ]
    samples = samples.view(count * size, *shape)
    packs = packed(samples, size)
    assert packs.shape == (count, size * shape[0], *shape[1:])
    assert torch.equal(packs.reshape(samples.shape), samples)
    assert torch.equal(packed(torch.cat([samples, samples[: size - 1]]), size), packs)


def gan(**settings) -> NSGAN:
    return NSGAN(nn.Linear(2, 2), nn.Linear(4, 1), Config(latent_dim=2, **settings))


def test_instance_noise_is_normal_with_the_deviation_in_force_and_ends():
    noisy, samples = gan(instance_noise=0.5, instance_noise_images=100), torch.zeros(20_000, 2)
    noisy.images_seen = 50
    noise = noisy.presented(samples)
    assert noise.mean().item() == pytest.approx(0, abs=0.01) and noise.std().item() == pytest.approx(0.25, rel=0.02)
    noisy.images_seen = 100
    before = torch.get_rng_state()
    assert noisy.presented(samples) is samples
    assert torch.equal(torch.get_rng_state(), before)  # what is not there draws nothing


def test_each_sample_gets_its_noise_before_it_is_packed():
    both = gan(instance_noise=1.0, pack=2)
    shown = both.presented(torch.zeros(6, 2))
    assert shown.shape == (3, 4) and len(shown.unique()) == 12


def test_fakes_are_of_the_reals_classes():
    """So that interpolated points and relativistic pairs have a class too."""

    class Embedded(nn.Module):
        num_classes = CLASSES

        def forward(self, latents, labels):
            return labels.float().unsqueeze(1).expand(-1, 2) + 0 * latents

    model = NSGAN(Embedded(), Conditional(), Config(latent_dim=2))
    labels = torch.tensor([2, 0, 1, 2])
    assert torch.equal(model.generate(model.sample_latents(4), labels)[:, 0], labels.float())
    latents, drawn = model.draw_inputs(50, torch.Generator().manual_seed(0))
    samples = model.images_of(latents, drawn)
    assert drawn is not None and torch.equal(samples[:, 0], drawn.float()) and set(drawn.tolist()) == {0, 1, 2}
    assert torch.equal(model.sample(3, labels=torch.tensor([1, 1, 0]))[:, 0], torch.tensor([1.0, 1.0, 0.0]))
