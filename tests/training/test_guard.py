"""A run that breaks down is noticed within 50 updates, says why, and keeps its last good checkpoint."""

import json

import pytest
import torch
from click.testing import CliRunner
from conftest import DIGITS, TINY, checkpoint_of

from ganzoo.cli import main
from ganzoo.errors import Diverged
from ganzoo.training.callbacks.guard import CHECK_EVERY, Guard
from ganzoo.training.run import train
from ganzoo.variants.dcgan import DCGAN, Config

EVERY_UPDATE = ["checkpoint.every_generator_updates=1", "budget.generator_updates=500"]


def updates_of(error: pytest.ExceptionInfo) -> int:
    """The discriminator updates that the message tells."""
    return int(str(error.value).partition(" discriminator updates")[0].rsplit(" ", 1)[1])


def test_the_command_answers_with_3_and_names_the_checkpoint(tmp_path):
    rates = [f"optimizer.{network}={{name: sgd, lr: 1000}}" for network in ("generator", "discriminator")]
    norms = ["generator.norm=none", "discriminator.norm=none"]
    words = ["train", str(DIGITS), *TINY, *EVERY_UPDATE, *rates, *norms, "--run-dir", str(tmp_path / "run")]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (3, ""), done.output
    assert "last.ckpt" in done.stderr and "Traceback" not in done.stderr
    assert str(tmp_path / "run") in done.stderr and done.stderr.count("\n") == 1


def test_two_checks_are_within_fifty_updates():
    assert 2 * CHECK_EVERY + CHECK_EVERY // 2 <= 50


def test_nan_ends_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    explosive = ["optimizer.discriminator={name: sgd, lr: 1000}", "optimizer.generator={name: sgd, lr: 1000}"]
    with pytest.raises(Diverged) as error:
        train(
            DIGITS,
            [*TINY, *EVERY_UPDATE, *explosive, "generator.norm=none", "discriminator.norm=none"],
            run_dir=tmp_path / "run",
        )
    assert error.value.exit_code == 3 and updates_of(error) <= 50
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["status"] == "diverged" and any(word in record["reason"] for word in ("nan", "inf", "not finite"))
    for name, value in checkpoint_of(tmp_path / "run")["state_dict"].items():
        assert torch.isfinite(value).all(), name


def test_a_dead_discriminator_is_noticed(tmp_path):
    dead = [
        "generator={name: mlp, width: 4, depth: 1}",
        "discriminator={name: mlp, width: 4, depth: 1}",
        "data.batch_size=16",
    ]
    huge_step = ["optimizer.discriminator={name: sgd, lr: 1000}"]  # the first steps turn every ReLU off, for good
    with pytest.raises(Diverged, match="gradient is exactly zero") as error:
        train(
            DIGITS, [*TINY[:3], *TINY[5:], *dead, *huge_step, "budget.generator_updates=500"], run_dir=tmp_path / "run"
        )
    assert updates_of(error) <= 50


def gan(loss: float = 1.0) -> DCGAN:
    """A variant that has reported that loss and not been trained."""
    made = DCGAN(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), Config(latent_dim=1))
    made.report({"discriminator/loss": torch.tensor(loss)})
    return made


def step(made: DCGAN, gradient: float) -> DCGAN:
    """As if the updates between two checks had been made, the last with that gradient of the generator."""
    made.generator_updates += CHECK_EVERY
    made.discriminator_updates += CHECK_EVERY
    for parameter in made.generator.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    return made


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite(loss):
    with pytest.raises(Diverged, match="discriminator/loss is"):
        Guard().check(gan(loss))


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(network, value):
    broken = gan()
    torch.nn.init.constant_(getattr(broken, network).bias, value)
    with pytest.raises(Diverged, match=f"the {network}'s weights"):
        Guard().check(broken)


def test_large_weights_and_losses_are_finite():
    large = gan(loss=1e38)
    for parameter in large.parameters():
        torch.nn.init.constant_(parameter, 3e38)
    Guard().check(large)


def test_one_silent_batch_may_be_chance_and_tiny_gradients_are_gradients():
    made, watch = gan(), Guard()
    for gradient in (0.0, 1e-30, 0.0, 1.0, 0.0):
        watch.check_gradient(step(made, gradient))
    with pytest.raises(Diverged, match="exactly zero"):
        watch.check_gradient(step(made, 0.0))


def test_without_a_new_generator_update_nothing_is_concluded():
    made, watch = step(gan(), 0.0), Guard()
    for _ in range(5):
        watch.check_gradient(made)
