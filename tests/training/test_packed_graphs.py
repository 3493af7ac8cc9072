"""Packs of runs whose updates are graphs: each makes its own, so it is to the bit the run that it would be alone."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DIGITS, TINY, checkpoint_of, differences, metrics_of
from tape import Tape
from torch import nn

from ganzoo.errors import InputError
from ganzoo.packing.pack import Member, Pack
from ganzoo.training import run as training
from ganzoo.training.build import build_gan
from ganzoo.training.gan import GAN
from ganzoo.training.graphs import WARM_UP, Graphs
from ganzoo.training.run import resume, train

UPDATES = 6
SETTINGS = {
    "other rates": [],
    "a penalty beside spectral norm": [
        "variant={name: wgan_gp, n_critic: 2}", "discriminator.norm=none", "discriminator.spectral_norm=true",
    ],
    "random before it is judged": ["variant.augment=[color,translation,cutout]", "variant.instance_noise=0.1"],
    "labels": ["variant.name=cgan", "generator.conditioning=concat", "discriminator.conditioning=concat"],
}  # fmt: skip
RATES = ([], ["optimizer.generator.lr=0.005"], ["optimizer.discriminator.lr=0.001"])


def words_of(settings: list[str], seed: int, updates: int) -> list[str]:
    return [*TINY, *settings, *RATES[seed], f"seed={seed}", f"budget.generator_updates={updates}"]


def packed(runs: dict[Path, list[str]]) -> list[BaseException | None]:
    """Begins all, or goes on with them, at once; what each raised."""

    def work(path: Path, words: list[str]) -> Callable[[Member], None]:
        if (path / "config.yaml").exists():
            return lambda member: resume(path, words[-1:], member=member)
        return lambda member: train(DIGITS, words, run_dir=path, member=member)

    return Pack().run([work(path, words) for path, words in runs.items()])


def assert_same(one: Path, other: Path) -> None:
    assert differences(checkpoint_of(one), checkpoint_of(other)) == [] and metrics_of(one) == metrics_of(other)


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    """What the updates of a pack were recorded on."""
    recorded: list[Tape] = []

    def graphs_of(experiment: Any, device: torch.device, member: Member | None) -> Graphs | None:
        def new_tape() -> Tape:
            assert member is not None and member._gan is not None
            recorded.append(Tape(member._gan, member.stream))
            return recorded[-1]

        return None if member is None else Graphs(new_tape)

    monkeypatch.setattr(training, "graphs_for", graphs_of)
    return recorded


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_each_run_is_the_one_that_it_would_be_alone(settings, tmp_path, tapes):
    words = [words_of(settings, seed, UPDATES + seed) for seed in range(3)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}) == [None] * 3
    for seed in range(3):
        assert_same(tmp_path / f"alone{seed}", tmp_path / f"packed{seed}")
    assert len(tapes) == 6 and {UPDATES - WARM_UP + n for n in range(3)} <= {tape.replays for tape in tapes}


def test_a_run_goes_on_in_a_pack_and_alone(tmp_path, tapes):
    words = [words_of([], seed, 9) for seed in range(2)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    runs = [tmp_path / f"parts{seed}" for seed in range(2)]
    for updates in (4, 8):
        assert packed({run: words_of([], seed, updates) for seed, run in enumerate(runs)}) == [None] * 2
    for seed, run in enumerate(runs):
        resume(run, ["budget.generator_updates=9"])
        assert differences(checkpoint_of(tmp_path / f"alone{seed}"), checkpoint_of(run)) == []


def with_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(experiment: Any) -> GAN:
        gan = build_gan(experiment)
        gan.discriminator.body.append(copy.deepcopy(nn.Dropout(0.5)))
        return gan

    monkeypatch.setattr("ganzoo.training.build.build_gan", build)


def test_a_network_that_draws_by_itself_is_told(tmp_path, tapes, monkeypatch):
    with_dropout(monkeypatch)
    errors = packed({tmp_path / str(seed): words_of([], seed, 4) for seed in range(2)})
    for error in errors:
        assert isinstance(error, InputError) and "draws random numbers by itself" in str(error)


if torch.cuda.is_available():  # a skipped test fails the gate

    @pytest.mark.gpu
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
    def test_on_a_gpu_each_run_is_the_one_that_it_would_be_alone(settings, tmp_path):
        words = [[*words_of(settings, seed, 30 + seed), "trainer.accelerator=gpu"] for seed in range(3)]
        scored = ["evaluation.protocol=digits-v1", "evaluation.every_generator_updates=10"]
        for seed, each in enumerate(words):
            train(DIGITS, [*each, *scored], run_dir=tmp_path / f"alone{seed}")
        assert packed({tmp_path / f"packed{seed}": [*each, *scored] for seed, each in enumerate(words)}) == [None] * 3
        for seed in range(3):
            assert_same(tmp_path / f"alone{seed}", tmp_path / f"packed{seed}")

    @pytest.mark.gpu
    @pytest.mark.parametrize("graphs", ["true", "false"])
    def test_on_a_gpu_a_network_that_draws_by_itself_is_told(graphs, tmp_path, monkeypatch):
        with_dropout(monkeypatch)
        settings = ["trainer.accelerator=gpu", f"trainer.cuda_graphs={graphs}"]
        errors = packed({tmp_path / str(seed): words_of(settings, seed, 4) for seed in range(2)})
        for error in errors:
            assert isinstance(error, InputError) and "draws random numbers by itself" in str(error)
