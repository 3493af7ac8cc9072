"""The layers that families share, against their formulas."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganzoo.networks.layers.activations import ACTIVATIONS, Gated, Maxout, activation_layer, channels_before
from ganzoo.networks.layers.batch_norm import BatchNorm
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.conditioning import (
    ConditionalBatchNorm,
    with_label_maps,
    with_one_hot,
)
from ganzoo.networks.layers.heads import AuxiliaryHead, FeatureDiscriminator, LinearHead, ProjectionHead, head_of
from ganzoo.networks.layers.minibatch import MinibatchDiscrimination, MinibatchStddev, minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised

LABELS = torch.tensor([2, 0, 2, 1])
SHAPES = [(4, 6, 5, 5), (4, 6)]  # images and feature vectors

both_shapes = pytest.mark.parametrize("shape", SHAPES, ids=["images", "vectors"])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-5, rtol=1e-5)


# Labels


def test_labels_behind_latents_are_one_hot():
    latents = torch.randn(4, 3)
    given = with_one_hot(latents, LABELS, 3)
    assert torch.equal(given[:, :3], latents)
    assert given[:, 3:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_label_maps_are_constant_channels_and_points_get_one_hot_codes():
    images = torch.randn(4, 2, 3, 3)
    given = with_label_maps(images, LABELS.int(), 3)
    assert given.shape == (4, 5, 3, 3) and torch.equal(given[:, :2], images)
    assert torch.equal(given[:, 2:], torch.eye(3)[LABELS][:, :, None, None].expand(4, 3, 3, 3))
    assert torch.equal(with_label_maps(images[:, :, 0, 0], LABELS, 3)[:, 2:], torch.eye(3)[LABELS])


def test_chains_hand_labels_to_the_layers_that_take_them_and_to_no_other():
    chain = Chain(nn.Linear(2, 6), Chain(nn.ReLU(), ConditionalBatchNorm(6, 3)), nn.Linear(6, 1))
    with torch.no_grad():
        chain[1][1].shifts.copy_(torch.arange(3.0)[:, None].expand(3, 6))
    x = torch.randn(4, 2)
    shift = chain[2](torch.zeros(4, 6) + LABELS[:, None]) - chain[2](torch.zeros(4, 6))
    assert close(chain(x, LABELS) - chain(x, torch.zeros_like(LABELS)), shift)
    with pytest.raises(ValueError, match="call it with labels"):
        chain(x)
    plain = nn.Sequential(nn.Linear(2, 6), nn.ReLU())
    assert torch.equal(Chain(*plain)(x), plain(x)) and torch.equal(Chain(*plain)(x, LABELS), plain(x))


# Norms


@both_shapes
def test_conditional_batch_norm_with_equal_rows_is_batch_norm(shape):
    conditional, plain = ConditionalBatchNorm(6, 3), BatchNorm(6)
    with torch.no_grad():
        plain.weight.uniform_()
        plain.bias.uniform_()
        conditional.gains.copy_(plain.weight.expand(3, 6))
        conditional.shifts.copy_(plain.bias.expand(3, 6))
    x = 3 * torch.randn(shape) + 1
    assert close(conditional(x, LABELS), plain(x))
    assert close(conditional.eval()(x, LABELS), plain.eval()(x))  # the running statistics are the same too


@both_shapes
def test_conditional_batch_norm_scales_and_shifts_by_class(shape):
    conditional, x = ConditionalBatchNorm(6, 3), torch.randn(shape)
    normalised = conditional(x, LABELS)
    with torch.no_grad():
        conditional.gains.normal_()
        conditional.shifts.normal_()
        made = conditional(x, LABELS)
    ones = [1] * (len(shape) - 2)
    for i, label in enumerate(LABELS):
        gain, shift = conditional.gains[label].view(-1, *ones), conditional.shifts[label].view(-1, *ones)
        assert close(made[i], gain * normalised[i] + shift)


@both_shapes
def test_batch_norm_is_torchs(shape):
    ours, torchs = BatchNorm(6), (nn.BatchNorm2d(6) if len(shape) == 4 else nn.BatchNorm1d(6))
    x = torch.randn(shape)
    assert torch.equal(ours(x), torchs(x)) and torch.equal(ours.running_var, torchs.running_var)
    with pytest.raises(ValueError, match="not \\(4, 6, 2\\)"):
        ours(torch.randn(4, 6, 2))


@both_shapes
def test_layer_norm_is_over_all_that_is_not_the_batch(shape):
    """(x - mean) / sqrt(variance + 1e-5) over c, h, w, a gain and a shift for each channel: tflib/ops/layernorm.py."""
    norm, x = norm_layer("layer", 6), 3 * torch.randn(shape) + 1
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    over = tuple(range(1, len(shape)))
    standard = (x - x.mean(over, keepdim=True)) / (x.var(over, unbiased=False, keepdim=True) + 1e-5).sqrt()
    gain, shift = (values.view(-1, *[1] * (len(shape) - 2)) for values in (norm.weight, norm.bias))
    assert close(norm(x), gain * standard + shift)


def test_norms_by_name():
    assert isinstance(norm_layer("batch", 6), BatchNorm) and isinstance(norm_layer("none", 6), nn.Identity)
    assert norm_layer("batch", 6, num_classes=3).gains.shape == (3, 6)
    with pytest.raises(ValueError, match="layer cannot be conditional"):
        norm_layer("layer", 6, num_classes=3)


def test_spectral_norm_makes_every_largest_singular_value_one():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 4, 4, 2), nn.Flatten(), nn.Linear(256, 5)
    )
    network.add_module("vectors", nn.Embedding(7, 256))
    vectors = network.vectors
    assert spectrally_normalised(network) is network
    for _ in range(200):
        network[:5](torch.randn(4, 3, 5, 5))
        vectors(torch.tensor([1]))
    network.eval()
    # A transposed convolution's weight is (in, out, h, w): its matrix has the outputs as rows as well.
    matrices = [network[0].weight.flatten(1), network[2].weight.transpose(0, 1).flatten(1)]
    for matrix in (*matrices, network[4].weight, vectors.weight):
        assert torch.linalg.svdvals(matrix)[0].item() == pytest.approx(1, rel=1e-3)
    assert torch.equal(network[1].weight, torch.ones(8))


def test_a_spectrally_normalised_network_can_be_copied_and_differentiated_twice():
    network = spectrally_normalised(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))
    x = torch.randn(4, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "weight" in name)
    assert torch.equal(copy.deepcopy(network).eval()(x), network.eval()(x))


# Activations


def test_gated_is_sigmoid_times_tanh_of_the_halves():
    x = torch.randn(4, 6, 2, 2)
    assert torch.equal(Gated()(x), torch.sigmoid(x[:, :3]) * torch.tanh(x[:, 3:]))


@both_shapes
def test_maxout_is_the_largest_of_its_pieces(shape):
    x = torch.randn(shape)
    made = Maxout(3)(x)
    assert made.shape == (4, 2, *shape[2:])
    assert torch.equal(made, torch.stack([x[:, :3].max(1).values, x[:, 3:].max(1).values], dim=1))


@pytest.mark.parametrize(
    ("name", "at_minus_1", "at_2"),
    [
        ("relu", 0.0, 2.0),
        ("leaky_relu", -0.2, 2.0),
        ("leaky_relu_0.1", -0.1, 2.0),
        ("tanh", -math.tanh(1), math.tanh(2)),
        ("elu", math.exp(-1) - 1, 2.0),
        ("softplus", math.log(2) / 2 - 1, math.log1p(math.exp(6)) / 2 - 1),  # softplus(2x + 2) / 2 - 1
    ],
)
def test_activations_by_formula(name, at_minus_1, at_2):
    assert activation_layer(name)(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([at_minus_1, at_2])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_give_the_channels_that_were_asked_for(name):
    assert activation_layer(name)(torch.randn(4, channels_before(name, 6), 2, 2)).shape == (4, 6, 2, 2)


# Heads


def test_the_projection_head_is_psi_plus_an_inner_product():
    """f = b + w . phi + v_y . phi: Miyato & Koyama 2018, arXiv:1802.05637, equation 3."""
    head, features = ProjectionHead(2, 3), torch.tensor([[1.0, 2.0], [-1.0, 0.5]])
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[3.0, 4.0]]))
        head.linear.bias.fill_(0.5)
        head.vectors.weight.copy_(torch.tensor([[1.0, -1.0], [9.0, 9.0], [2.0, 6.0]]))
    assert head(features, torch.tensor([0, 2])).tolist() == [0.5 + 3 + 8 + 1 - 2, 0.5 - 3 + 2 - 2 + 3]


def test_an_auxiliary_head_judges_and_classifies():
    head, features = AuxiliaryHead(6, 3), torch.randn(4, 6)
    logits, class_logits = head.classify(features)
    assert torch.equal(logits, head(features)) and close(
        logits, (head.linear.weight * features).sum(1) + head.linear.bias
    )
    assert torch.equal(class_logits, head.classifier(features)) and class_logits.shape == (4, 3)


def test_heads_by_conditioning():
    kinds = {"none": LinearHead, "concat": LinearHead, "projection": ProjectionHead, "auxiliary": AuxiliaryHead}
    for conditioning, kind in kinds.items():
        assert type(head_of(conditioning, 6, 3)) is kind
        if conditioning != "none":
            with pytest.raises(ValueError, match=f"{conditioning} needs class labels"):
                head_of(conditioning, 6, 0)


@pytest.mark.parametrize("conditioning", ["none", "concat", "projection", "auxiliary"])
def test_a_discriminator_is_its_head_of_its_features(conditioning):
    inputs = 2 + 3 * (conditioning == "concat")
    head = head_of(conditioning, 6, 3)
    judge = FeatureDiscriminator(nn.Linear(inputs, 6), head, conditioning=conditioning, num_classes=3)
    points, takes_labels = torch.randn(4, 2), conditioning in ("concat", "projection")
    assert judge.num_classes == (3 if takes_labels else 0)
    labels = [LABELS] if takes_labels else []
    features = judge.features(points, *labels)
    assert features.shape == (4, 6)
    assert torch.equal(
        judge(points, *labels), head(features, LABELS) if conditioning == "projection" else head(features)
    )
    if takes_labels:
        assert not close(judge(points, LABELS), judge(points, (LABELS + 1) % 3))
        with pytest.raises(ValueError, match="call it with labels"):
            judge(points)
    if conditioning == "auxiliary":
        assert torch.equal(judge.classify(points)[0], judge(points))
    else:
        with pytest.raises(ValueError, match="does not tell classes"):
            judge.classify(points)


# Minibatch layers


def test_minibatch_stddev_of_a_hand_computed_batch():
    """Two groups, samples 0 and 2, samples 1 and 3; the deviations of each value, averaged: (1 + 3) / 2 and 0."""
    batch = torch.tensor([[0.0, 0.0], [5.0, 7.0], [2.0, 6.0], [5.0, 7.0]])
    made = MinibatchStddev(group_size=2)(batch)
    assert torch.equal(made[:, :2], batch)
    assert made[:, 2].tolist() == pytest.approx([2, 0, 2, 0], abs=2e-4)  # sqrt(1e-8) where there is no deviation
    images = batch.view(4, 2, 1, 1).expand(4, 2, 3, 3)
    assert torch.equal(MinibatchStddev(2)(images)[:, 2], made[:, 2, None, None].expand(4, 3, 3))


def test_minibatch_stddev_is_the_same_for_a_group_in_any_order_and_zero_for_identical_samples():
    x, layer = torch.randn(4, 3, 2, 2), MinibatchStddev()
    order = torch.tensor([2, 0, 3, 1])
    assert close(layer(x[order]), layer(x)[order]) and layer(x)[:, 3].std() == 0
    assert layer(x[:1].expand(8, -1, -1, -1))[:, 3].abs().max() <= 1.01e-4


@pytest.mark.parametrize(("n", "group_size", "groups"), [(8, 4, 2), (6, 4, 2), (7, 4, 7), (3, 4, 1), (64, 64, 1)])
def test_minibatch_stddev_takes_the_largest_group_that_divides_the_batch(n, group_size, groups):
    assert len(MinibatchStddev(group_size)(torch.randn(n, 5))[:, 5].unique()) == (groups if groups < n else 1)


def test_minibatch_discrimination_is_the_double_loop_of_the_paper():
    """o_ib = sum over j != i of exp(-|M_ib - M_jb|_1): Salimans et al. 2016, arXiv:1606.03498, equation of 3.2."""
    layer, x = MinibatchDiscrimination(4, kernels=3, dims=2), torch.randn(5, 4)
    projected = np.einsum("nf,fkd->nkd", x.numpy(), layer.projections.detach().numpy())
    expected = np.zeros((5, 3))
    for i in range(5):
        for j in range(5):
            expected[i] += np.exp(-np.abs(projected[i] - projected[j]).sum(1)) if i != j else 0
    made = layer(x)
    assert torch.equal(made[:, :4], x) and made[:, 4:].detach().numpy() == pytest.approx(expected, rel=1e-5)


def test_minibatch_discrimination_counts_the_identical_and_not_the_distant():
    layer = MinibatchDiscrimination(4, kernels=3, dims=2)
    assert close(layer(torch.ones(6, 4))[:, 4:], torch.full((6, 3), 5.0))
    assert layer(1000 * torch.randn(6, 4))[:, 4:].max() < 1e-6
    assert close(layer.projections.square().sum(0), torch.ones(3, 2))


@pytest.mark.parametrize("name", ["none", "stddev", "discrimination"])
def test_minibatch_layers_by_name(name):
    layer, features = minibatch_layer(name, 6)
    assert layer(torch.randn(4, 6)).shape == (4, features)
