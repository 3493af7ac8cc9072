"""Channels last: the same mathematics in another order of memory; and TF32, which a training sets for its process."""

import pytest
import torch
from conftest import DIGITS, TINY, checkpoint_of, differences
from torch import nn

from ganzoo.errors import InputError
from ganzoo.evaluation import extraction
from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.build import begin_gan, load_generator
from ganzoo.training.config import TrainerConfig
from ganzoo.training.layout import lay_states_as_weights
from ganzoo.training.process import prepare_process
from ganzoo.training.repeated import outcomes, plan
from ganzoo.training.run import resume, train

LAST, USUAL = "trainer.channels_last=true", "trainer.channels_last=false"
# Adam would make a whole step of a gradient that is nothing but rounding, as of a bias that BatchNorm takes away.
SGD = [f"optimizer.{network}={{name: sgd, lr: 0.02, momentum: 0.9}}" for network in ("generator", "discriminator")]
NO_NORM = "discriminator.norm=none"
SETTINGS = {
    "dcgan": [],
    "wgan_gp": ["variant={name: wgan_gp, n_critic: 2}", NO_NORM],
    "sngan": ["variant={name: sngan}", NO_NORM, "discriminator.spectral_norm=true"],
    "r1gan": ["variant={name: r1gan}", NO_NORM],
    "pacgan": ["variant={name: pacgan, pack: 2}"],
    "resnet": ["generator={name: resnet, width: 4}", "discriminator={name: resnet, width: 4}"],
    "progressive": [
        "variant={name: progressive, stable_images: 32, fade_images: 32}",
        "generator={name: progressive, width: 4, max_width: 8}",
        "discriminator={name: progressive, width: 4, max_width: 8}",
    ],
}


def words(settings: list[str], updates: int) -> list[str]:
    return [*TINY, "data.resolution=16", *settings, f"budget.generator_updates={updates}"]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_it_computes_the_same_but_for_rounding(settings, tmp_path):
    train(DIGITS, words([*settings, *SGD, USUAL], 6), run_dir=tmp_path / "first")
    train(DIGITS, words([*settings, *SGD, LAST], 6), run_dir=tmp_path / "last")
    first, last = (checkpoint_of(tmp_path / name)["state_dict"] for name in ("first", "last"))
    moved = {name: tensor for name, tensor in last.items() if tensor.dim() == 4 and not tensor.is_contiguous()}
    assert moved, "no weight lies in another order"
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in moved.values())
    for name, tensor in first.items():
        torch.testing.assert_close(last[name], tensor, rtol=1e-3, atol=2e-5, msg=name)


def test_a_run_goes_on_to_the_last_bit(tmp_path):
    train(DIGITS, words([LAST], 8), run_dir=tmp_path / "whole")
    train(DIGITS, words([LAST], 3), run_dir=tmp_path / "run")
    resume(tmp_path / "run", ["budget.generator_updates=8"])
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(tmp_path / "run")) == []


def test_a_run_of_a_pack_goes_on_alone(tmp_path):
    """In the pack weights and moments lie in the usual order; alone the weights lie channels last again."""
    train(DIGITS, words([*SGD, LAST], 8), run_dir=tmp_path / "alone")
    run, _ = outcomes(plan(DIGITS, [*words([*SGD, LAST], 5), "seeds=2", "pack=2"], tmp_path / "packed"))
    resume(run.path, ["budget.generator_updates=8"])
    alone, packed = checkpoint_of(tmp_path / "alone"), checkpoint_of(run.path)
    for name, tensor in alone["state_dict"].items():
        torch.testing.assert_close(packed["state_dict"][name], tensor, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_moments_are_laid_as_their_weights(fused):
    """Without this, torch's fused Adam takes the moments of one weight for another's."""

    def stepped(*, disturbed: bool) -> torch.Tensor:
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last))
        optimizer = torch.optim.Adam([weight], lr=0.1, fused=fused)
        for turn in range(2):
            weight.grad = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
            if disturbed and turn:
                for state in optimizer.state.values():
                    state.update({key: state[key].contiguous() for key in ("exp_avg", "exp_avg_sq")})
                lay_states_as_weights(optimizer)
            optimizer.step()
        return weight.detach()

    assert torch.equal(stepped(disturbed=True), stepped(disturbed=False))


def test_it_is_refused_to_change_it_in_the_middle_of_a_run(tmp_path):
    run = RunDirectory.create(load_experiment(DIGITS, words([USUAL], 1)), tmp_path / "run")
    with pytest.raises(InputError, match=r"trainer\.channels_last"):
        run.resumed_experiment((LAST,))


def test_samples_of_such_a_run_are_drawn_as_of_any(tmp_path):
    run = train(DIGITS, words([LAST], 2), run_dir=tmp_path / "run")
    samples = load_generator(run.path).sample(4, seed=0)
    trained = begin_gan(load_experiment(DIGITS, words([LAST], 2)))
    trained.load_state_dict(checkpoint_of(run.path)["state_dict"])
    torch.testing.assert_close(trained.eval().sample(4, seed=0), samples, rtol=1e-4, atol=1e-5)


def test_on_a_cpu_adam_looks_for_no_gpu_at_a_step(tmp_path, monkeypatch):
    def asked(self: torch.optim.Optimizer) -> None:
        raise AssertionError("a step asked for a GPU")

    for name in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        monkeypatch.setattr(torch.optim.Optimizer, name, asked, raising=False)
    with pytest.raises(AssertionError, match="asked"):
        torch.optim.Adam([nn.Parameter(torch.zeros(1))]).step()
    train(DIGITS, words(["trainer.accelerator=cpu"], 1), run_dir=tmp_path / "run")


@pytest.mark.parametrize("deterministic", [True, False])
def test_cudnn_tries_its_algorithms_out_where_bits_may_differ(deterministic, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", deterministic)  # as a training before may have left it
    train(DIGITS, words([f"trainer.deterministic={deterministic}"], 1), run_dir=tmp_path / "run")
    assert torch.backends.cudnn.benchmark is not deterministic


@pytest.mark.parametrize(
    ("tf32", "convolutions", "products"),
    [("never", False, False), ("convolutions", True, False), ("always", True, True)],
)
def test_tf32_is_what_the_experiment_says(tf32, convolutions, products):
    try:
        for before in ("always", "never"):
            prepare_process(TrainerConfig(tf32=before))
            prepare_process(TrainerConfig(tf32=tf32))
            with extraction._full_float32(torch.device("cuda")):  # scores are made without, whatever training does
                switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
                assert [switch.fp32_precision for switch in switches] == ["ieee", "ieee"]
            assert torch.backends.cudnn.allow_tf32 is convolutions
            assert torch.backends.cuda.matmul.allow_tf32 is products
            assert torch.get_float32_matmul_precision() == ("high" if products else "highest")  # as Lightning asks
    finally:
        prepare_process(TrainerConfig())
