"""Reals and fakes in one call of the discriminator: where it may be, and that it is the same training to rounding."""

import pytest
import torch
from conftest import DIGITS, TINY, checkpoint_of
from torch import nn

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.networks.layers.normalisation import spectrally_normalised
from ganzoo.training.bound import BoundDiscriminator
from ganzoo.training.build import build_gan
from ganzoo.training.run import train

JOINT = "trainer.joint_batches=true"
NO_NORM = "discriminator.norm=none"
# Adam would make a whole step of a gradient that is nothing but rounding.
SGD = [f"optimizer.{network}={{name: sgd, lr: 0.02, momentum: 0.9}}" for network in ("generator", "discriminator")]
SETTINGS = {
    "wgan_gp": ["variant={name: wgan_gp, n_critic: 2}", NO_NORM],
    "ragan, layer norm": ["variant={name: ragan}", "discriminator.norm=layer"],
    "pacgan, noise": ["variant={name: pacgan, pack: 2, instance_noise: 0.1}", NO_NORM],
    "cgan": ["variant={name: cgan}", NO_NORM, "generator.conditioning=concat", "discriminator.conditioning=concat"],
    "unrolled": ["variant={name: unrolled, unroll: 1}", NO_NORM, "optimizer.discriminator={name: adam, lr: 0.001}"],
    "parts, channels last": [NO_NORM, "trainer.accumulate=2", "trainer.channels_last=true"],
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_it_computes_the_same_but_for_rounding(settings, tmp_path):
    words = [*TINY, *SGD, *settings, "budget.generator_updates=6"]
    train(DIGITS, words, run_dir=tmp_path / "apart")
    train(DIGITS, [*words, JOINT], run_dir=tmp_path / "joint")
    apart, joint = (checkpoint_of(tmp_path / name)["state_dict"] for name in ("apart", "joint"))
    assert any(not torch.equal(joint[name], tensor) for name, tensor in apart.items()), "nothing was joined"
    for name, tensor in apart.items():
        torch.testing.assert_close(joint[name], tensor, rtol=1e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize(
    ("discriminator", "joint"),
    [
        ("{name: dcgan, width: 4, norm: batch}", False),
        ("{name: dcgan, width: 4, norm: layer}", True),
        ("{name: dcgan, width: 4, norm: none, spectral_norm: true}", True),
        ("{name: dcgan, width: 4, minibatch: stddev}", False),
        ("{name: mlp, width: 4, minibatch: discrimination}", False),
        ("{name: mlp, width: 4, norm: batch}", False),
        ("{name: mlp, width: 4}", True),
        ("{name: resnet, width: 4}", True),
        ("{name: progressive, width: 4}", False),
        ("{name: progressive, width: 4, minibatch: none}", True),
    ],
)
def test_it_is_refused_where_samples_are_compared(discriminator, joint):
    words = [*TINY, "data.resolution=16", f"discriminator={discriminator}"]
    assert not build_gan(load_experiment(DIGITS, words)).joint
    if joint:
        assert build_gan(load_experiment(DIGITS, [*words, JOINT])).joint
    else:
        with pytest.raises(InputError, match=r"trainer\.joint_batches: .* would mix reals and fakes"):
            load_experiment(DIGITS, [*words, JOINT])


@pytest.mark.parametrize("settings", ["norm: none", "norm: layer", "norm: batch", "norm: none, minibatch: stddev"])
@pytest.mark.parametrize("name", ["dcgan", "mlp", "resnet", "sngan_cnn", "bottleneck_resnet"])
def test_what_a_network_says_of_itself_is_so(name, settings):
    """A sample's logit is the same whatever is beside it, or the network does not judge apart."""
    torch.manual_seed(0)
    network = f"discriminator={{name: {name}, width: 4, spectral_norm: false, {settings}}}"
    experiment = load_experiment(DIGITS, [*TINY, "data.resolution=32", network])
    discriminator, images = build_gan(experiment).discriminator, torch.randn(6, 1, 32, 32)
    further = (discriminator(images)[:2] - discriminator(images[:2])).abs().max() / discriminator(images).abs().max()
    assert experiment.discriminator.judges_apart == ("batch" not in settings)  # the norm, or minibatch features
    assert further < 1e-4 or not experiment.discriminator.judges_apart


def test_spectral_norm_iterates_once():
    def vector_after(joint: bool) -> torch.Tensor:
        torch.manual_seed(0)
        layer = spectrally_normalised(nn.Linear(6, 5))
        network = nn.Sequential(layer, nn.Linear(5, 1), nn.Flatten(0))
        BoundDiscriminator(network, joint=joint).both(torch.randn(3, 6), torch.randn(3, 6))
        return layer.parametrizations.weight[0]._u.clone()

    def iterated(times: int) -> torch.Tensor:
        torch.manual_seed(0)
        layer = spectrally_normalised(nn.Linear(6, 5))
        for _ in range(times):
            layer(torch.zeros(1, 6))
        return layer.parametrizations.weight[0]._u.clone()

    torch.testing.assert_close(vector_after(True), iterated(1))
    torch.testing.assert_close(vector_after(False), iterated(2))
