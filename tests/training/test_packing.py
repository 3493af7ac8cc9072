"""Runs that are trained at once are the runs that they would be alone."""

import copy
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DIGITS, RING, ROOT, TINY, checkpoint_of, metrics_of
from torch import nn

from ganzoo.errors import Diverged, InputError, Stopped
from ganzoo.experiment import load_experiment
from ganzoo.packing.alike import kind_of, problems_of_packing
from ganzoo.packing.pack import Member, Pack
from ganzoo.packing.steps import OnStack
from ganzoo.training.build import build_gan
from ganzoo.training.gan import GAN
from ganzoo.training.repeated import outcomes, plan
from ganzoo.training.run import resume, train

RINGS = (
    "data.num_points=200",
    "data.batch_size=16",
    "generator.width=8",
    "discriminator.width=8",
    "ema.halflife_images=100",
    "tracking.wandb=disabled",
    "tracking.every_generator_updates=1",
    "evaluation.protocol=null",
    "samples.every_generator_updates=null",
)
UPDATES = 6
BUDGET = f"budget.generator_updates={UPDATES}"
NO_NORM = "discriminator.norm=none"
# Large enough that rounding would be seen if it were amplified, and far above what it is.
FAST = ("optimizer.generator.lr=0.005", "optimizer.discriminator.lr=0.005")
RMSPROP = "optimizer.generator={name: rmsprop, lr: 0.001}"

SETTINGS = {
    "nsgan": ("variant.name=nsgan",),
    "dcgan, BatchNorm": ("variant.name=dcgan",),
    "wgan_gp": ("variant.name=wgan_gp", NO_NORM, "variant.n_critic=2"),
    "sngan": ("variant.name=sngan", NO_NORM, "discriminator.spectral_norm=true", "variant.n_critic=2"),
    "r1gan": ("variant.name=r1gan", NO_NORM),
    "pacgan": ("variant.name=pacgan", "variant.pack=2"),
    "wgan": ("variant.name=wgan", "variant.n_critic=2", "variant.clip=0.05", RMSPROP),
    "dragan": ("variant.name=dragan", NO_NORM),
    "ragan": ("variant.name=ragan",),
    "rpgan": ("variant.name=rpgan", NO_NORM, "variant.r1_weight=1", "variant.r2_weight=0.5"),
    "feature_matching": ("variant.name=feature_matching",),
    "acgan": ("variant.name=acgan", "generator.conditioning=concat", "discriminator.conditioning=auxiliary"),
    "cgan": ("variant.name=cgan", "generator.conditioning=concat", "discriminator.conditioning=concat"),
    "instance noise": ("variant.name=nsgan", "variant.instance_noise=0.3", "variant.instance_noise_images=64"),
    "augmented": ("variant.name=nsgan", "variant.augment=[color,translation,cutout]"),
    "sgd, clipped": (
        "variant.name=nsgan",
        "optimizer.generator={name: sgd, lr: 0.01, momentum: 0.9}",
        "optimizer.discriminator.clip_norm=0.1",
        "optimizer.discriminator.schedule=cosine",
        "optimizer.discriminator.decay_end_updates=9",
    ),
    "flips": ("variant.name=nsgan", "data.flip=true"),
    "joint batches": ("variant.name=wgan_gp", NO_NORM, "trainer.joint_batches=true"),
}

QUICK = ("nsgan", "dcgan, BatchNorm", "wgan_gp", "sngan", "sgd, clipped")  # the others when there is time
CASES = [
    pytest.param(settings, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
    for name, settings in SETTINGS.items()
]


class Branching(nn.Module):
    """Looks at a number, of which there are as many as runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else 2 * x


def packed(runs: dict[Path, list[str]], file: Path = DIGITS) -> list[BaseException | None]:
    """Trains all at once; what each raised."""

    def work(path: Path, words: list[str]) -> Callable[[Member], None]:
        def begin_or_go_on(member: Member) -> None:
            if (path / "config.yaml").exists():
                resume(path, words, member=member)
            else:
                train(file, words, run_dir=path, member=member)

        return begin_or_go_on

    return Pack().run([work(path, words) for path, words in runs.items()])


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training in float64, where rounding is a billion times smaller than what is to be seen."""
    monkeypatch.setattr(GAN, "unpack", staticmethod(lambda batch: (batch[0].double(), batch[1])))
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def furthest(one: Any, other: Any) -> float:
    """The largest difference of two structures of the same kind: infinite where they are not."""
    if isinstance(one, torch.Tensor) and one.is_floating_point():
        same = one.shape == other.shape and one.dtype == other.dtype
        return float((one - other).abs().max()) if same and one.numel() else 0.0 if same else math.inf
    if isinstance(one, torch.Tensor):
        return 0.0 if torch.equal(one, other) else math.inf
    if isinstance(one, dict):
        same = one.keys() == other.keys()
        return max((furthest(one[key], other[key]) for key in one), default=0.0) if same else math.inf
    if isinstance(one, (list, tuple)):
        return max(map(furthest, one, other), default=0.0) if len(one) == len(other) else math.inf
    if isinstance(one, float):
        return abs(one - other)
    return 0.0 if one == other else math.inf


def keys_of(record: Any) -> Any:
    return {key: keys_of(value) for key, value in record.items()} if isinstance(record, dict) else None


def record_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "record.json").read_text())


def assert_same(alone: Path, together: Path, within: float) -> None:
    """Weights, averages, optimisers, counters, random states, metrics and the record's fields."""
    assert furthest(checkpoint_of(alone), checkpoint_of(together)) < within
    assert furthest(metrics_of(alone), metrics_of(together)) < within
    records = [record_of(run) for run in (alone, together)]
    assert records[0]["status"] == records[1]["status"] == "done"
    assert keys_of(records[0]) == keys_of(records[1])


@pytest.mark.parametrize("settings", CASES)
def test_packed_is_alone_to_rounding(tmp_path, double, settings):
    """Three runs with other seeds and rates: after six updates of both networks every tensor is equal to 1e-10."""
    rates = [(), FAST, ("optimizer.discriminator.lr=0.001",)]
    words = [[*TINY, *settings, BUDGET, *rate, f"seed={seed}"] for seed, rate in enumerate(rates)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}) == [None] * 3
    for seed in range(3):
        assert_same(tmp_path / f"alone{seed}", tmp_path / f"packed{seed}", within=1e-10)
    assert furthest(checkpoint_of(tmp_path / "packed0"), checkpoint_of(tmp_path / "packed1")) > 1e-3


ONE_SETTING = {
    "adam": (),
    "sgd, clipped, scheduled": SETTINGS["sgd, clipped"],
    "rmsprop and adamw": (RMSPROP, "optimizer.discriminator={name: adamw, lr: 0.001, weight_decay: 0.1}"),
}


@pytest.mark.parametrize("settings", ONE_SETTING.values(), ids=ONE_SETTING.keys())
def test_runs_of_one_setting_step_on_the_stack(tmp_path, double, monkeypatch, settings):
    steps, step = [], OnStack.step
    monkeypatch.setattr(OnStack, "step", lambda self, gradients: steps.append(1) or step(self, gradients))
    words = [[*TINY, *settings, BUDGET, f"seed={seed}"] for seed in range(2)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}) == [None] * 2
    assert len(steps) == 2 * UPDATES  # of both networks
    for seed in range(2):
        assert_same(tmp_path / f"alone{seed}", tmp_path / f"packed{seed}", within=1e-10)


def test_a_weight_that_is_one_number_steps_on_the_stack():
    """Its moments have the shape of the count beside them. After two steps the pack is put together anew."""

    def scalars() -> list[nn.Parameter]:
        return [nn.Parameter(torch.tensor(value)) for value in (1.0, -2.0)]

    def stepped(weights: list[nn.Parameter], optimizers: list[torch.optim.Adam], values: list[float]) -> None:
        stack = torch.stack([weight.data for weight in weights])
        for weight, row in zip(weights, stack.unbind(), strict=True):
            weight.data = row
        on_stack = OnStack([stack], [[weight] for weight in weights], optimizers)
        for value in values:
            on_stack.step([torch.tensor([value, -3 * value])])

    together, alone = scalars(), scalars()
    optimizers = [[torch.optim.Adam([weight], lr=0.1, fused=True) for weight in some] for some in (together, alone)]
    stepped(together, optimizers[0], [0.5, -1.0])
    stepped(together, optimizers[0], [2.0])
    for value in (0.5, -1.0, 2.0):
        for weight, optimizer, factor in zip(alone, optimizers[1], (1, -3), strict=True):
            weight.grad = torch.tensor(factor * value)
            optimizer.step()
    torch.testing.assert_close(together, alone)
    for optimizer, weight in zip(optimizers[0], together, strict=True):
        assert optimizer.state[weight]["step"].item() == 3 and optimizer.state[weight]["exp_avg"].shape == ()


def test_linear_layers_of_a_pack_are_one_product(tmp_path, monkeypatch):
    products, product = [], torch.baddbmm
    monkeypatch.setattr(torch, "baddbmm", lambda *args: products.append(args[1].shape[0]) or product(*args))
    words = [[*RINGS, "budget.generator_updates=1", f"seed={seed}"] for seed in range(2)]
    train(RING, words[0], run_dir=tmp_path / "alone")
    assert products == []
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}, RING) == [None] * 2
    network = build_gan(load_experiment(RING, words[0])).discriminator
    layers = sum(isinstance(module, nn.Linear) for module in network.modules())
    assert len(products) == 5 * layers and set(products) == {2}  # G twice, D three times, of as many layers


def test_a_rate_that_somebody_sets_is_that_runs_alone(tmp_path, double, monkeypatch):
    follow = GAN._follow_generator

    def faster_in_one(self: GAN) -> None:
        follow(self)
        if self.generator_updates == 3 and self.trainer.default_root_dir.endswith("1"):
            self.optimizer_of("discriminator").optimizer.param_groups[0]["lr"] = 0.01

    monkeypatch.setattr(GAN, "_follow_generator", faster_in_one)
    words = [[*TINY, BUDGET, f"seed={seed}"] for seed in range(2)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}) == [None] * 2
    for seed in range(2):
        assert_same(tmp_path / f"alone{seed}", tmp_path / f"packed{seed}", within=1e-10)


def test_in_float32_a_pack_differs_by_rounding_only(tmp_path):
    """Sums of 16 products of numbers about 1, rounded at 6e-8 each, after six updates at a rate of 2e-4."""
    words = [[*TINY, BUDGET, f"seed={seed}", "evaluation.protocol=digits-v1"] for seed in range(2)]
    for seed, each in enumerate(words):
        train(DIGITS, each, run_dir=tmp_path / f"alone{seed}")
    assert packed({tmp_path / f"packed{seed}": each for seed, each in enumerate(words)}) == [None] * 2
    for seed in range(2):
        alone, together = checkpoint_of(tmp_path / f"alone{seed}"), checkpoint_of(tmp_path / f"packed{seed}")
        assert furthest(alone["state_dict"], together["state_dict"]) < 1e-4
        assert furthest(alone["ganzoo"], together["ganzoo"]) == 0.0
        records = [record_of(tmp_path / f"{how}{seed}") for how in ("alone", "packed")]
        scores = [record["evaluation"]["last"]["scores"] for record in records]
        assert scores[0] == pytest.approx(scores[1], rel=1e-3)


@pytest.mark.parametrize(
    ("file", "settings"),
    [(RING, RINGS), (DIGITS, (*TINY, "data.resolution=16", "trainer.channels_last=true"))],
    ids=["points", "channels last"],  # in a pack they are not, so weights and moments change their order
)
def test_a_packed_run_goes_on_alone_and_in_a_pack(tmp_path, double, file, settings):
    words = [[*settings, f"seed={seed}"] for seed in range(3)]
    for seed, each in enumerate(words):
        train(file, [*each, "budget.generator_updates=9"], run_dir=tmp_path / f"whole{seed}")
    parts = [tmp_path / f"parts{seed}" for seed in range(3)]
    budgets = ["budget.generator_updates=3", "budget.generator_updates=4", "budget.generator_updates=5"]
    begun = {part: [*each, budget] for part, each, budget in zip(parts, words, budgets, strict=True)}
    assert packed(begun, file) == [None] * 3
    whole = (parts[0] / "checkpoints" / "last.ckpt").stat().st_size
    assert whole < 1.1 * (tmp_path / "whole0" / "checkpoints" / "last.ckpt").stat().st_size  # of one run, not three
    resume(parts[0], ["budget.generator_updates=9"])
    assert packed({part: ["budget.generator_updates=9"] for part in parts[1:]}) == [None] * 2  # from updates 4 and 5
    for seed in range(3):
        assert furthest(checkpoint_of(tmp_path / f"whole{seed}"), checkpoint_of(parts[seed])) < 1e-10


def test_one_that_diverges_leaves_the_others_alone(tmp_path, double):
    words = [*RINGS, "budget.generator_updates=60", "tracking.every_generator_updates=20"]
    wild = ["optimizer.generator.lr=1000", "optimizer.discriminator={name: sgd, lr: 1000}"]
    settings = {"first": [*words, "seed=1"], "wild": [*words, *wild], "last": [*words, "seed=2"]}
    first, diverged, last = packed({tmp_path / name: each for name, each in settings.items()}, RING)
    assert first is None and last is None and isinstance(diverged, Diverged)
    assert record_of(tmp_path / "wild")["status"] == "diverged"
    for name in ("first", "last"):
        train(RING, settings[name], run_dir=tmp_path / f"{name} alone")
        assert_same(tmp_path / f"{name} alone", tmp_path / name, within=1e-7)  # rounding grows in sixty updates


def test_a_signal_stops_all_after_checkpoints(tmp_path):
    """It comes when the first of them has begun and the others have not."""
    paths = [tmp_path / str(seed) for seed in range(3)]

    def work(path: Path) -> Callable[[Member], None]:
        def begin(member: Member) -> None:
            words = [*RINGS, f"seed={path.name}", "budget.generator_updates=100000"]
            if path.name == "1":
                os.kill(os.getpid(), signal.SIGTERM)
            train(RING, words, run_dir=path, member=member)

        return begin

    errors = Pack().run([work(path) for path in paths])
    assert [type(error) for error in errors] == [Stopped] * 3
    assert [error.exit_code for error in errors if isinstance(error, Stopped)] == [143] * 3
    for path in paths:
        record = record_of(path)
        assert record["status"] == "stopped" and (path / "checkpoints" / "last.ckpt").exists()
        assert record["budget"]["generator_updates"] < 100
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_one_raises_is_its_own(tmp_path):
    def break_down(member: Member) -> None:
        raise LookupError("the coffee machine is empty")

    def succeed(member: Member) -> None:
        train(RING, [*RINGS, "budget.generator_updates=2"], run_dir=tmp_path / "run", member=member)

    errors = Pack().run([break_down, succeed, break_down])
    assert [type(error) for error in errors] == [LookupError, type(None), LookupError]
    assert record_of(tmp_path / "run")["status"] == "done"


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Dropout(0.5), "draws random numbers by itself"),
        (Branching(), "cannot be computed for several runs at once"),
    ],
    ids=["dropout", "branching"],
)
def test_what_cannot_be_computed_at_once_is_told_before_a_weight_has_moved(tmp_path, monkeypatch, layer, reason):
    def build(experiment: Any) -> GAN:
        gan = build_gan(experiment)
        gan.discriminator.body.append(copy.deepcopy(layer))
        return gan

    monkeypatch.setattr("ganzoo.training.build.build_gan", build)
    words = [*RINGS, "budget.generator_updates=2"]
    errors = packed({tmp_path / "a": [*words, "seed=1"], tmp_path / "b": [*words, "seed=2"]}, RING)
    for error in errors:
        assert isinstance(error, InputError) and reason in str(error) and "train without pack" in str(error)
        assert "\n" not in str(error)
    train(RING, words, run_dir=tmp_path / "alone")  # where it works


MAY_DIFFER = ("seed=7", "optimizer.generator.lr=0.3", "ema.halflife_images=1", "budget.generator_updates=1", "name=x")


def test_which_experiments_go_together():
    def kind(*words: str) -> str:
        return kind_of(load_experiment(RING, words))

    assert {kind(word) for word in MAY_DIFFER} == {kind()}
    for word in ("generator.width=7", "variant.n_critic=3", "data.batch_size=16", "trainer.deterministic=false"):
        assert kind() != kind(word)


@pytest.mark.parametrize(
    ("experiment", "word", "reason"),
    [
        ("ring8/unrolled.yaml", "seed=0", "variant.name: unrolled cannot be trained in a pack: an update looks ahead"),
        ("digits/progressive.yaml", "seed=0", "variant.name: progressive cannot be trained in a pack: its networks"),
        ("ring8/dcgan.yaml", "trainer.precision=bf16-mixed", "trainer.precision: bf16-mixed must be 32 in a pack"),
        ("ring8/dcgan.yaml", "trainer.devices=2", "trainer.devices: a pack is trained on one device, not on 2"),
        ("ring8/dcgan.yaml", "trainer.accumulate=2", "trainer.accumulate: 2 must be 1 in a pack"),
    ],
)
def test_what_is_never_packed_is_refused_by_name(experiment, word, reason):
    (problem,) = problems_of_packing(load_experiment(ROOT / "experiments" / experiment, [word]))
    assert str(problem).startswith(reason)


def test_seeds_in_packs_by_the_command(command, tmp_path):
    words = [*RINGS, "budget.generator_updates=2", "seeds=3"]
    done = command("train", RING, *words, "pack=2", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == ["run", "run-seed-1", "run-seed-2"]
    assert [record_of(path)["seed"] for path in paths] == [0, 1, 2]
    for pack in ("pack=0", "pack=some"):
        refused = command("train", RING, *words, pack)
        assert refused.returncode == 2 and "must be a whole number, at least 1" in refused.stderr
    refused = command("train", ROOT / "experiments" / "ring8" / "unrolled.yaml", "seeds=2", "pack=2")
    assert refused.returncode == 2 and "unrolled cannot be trained in a pack" in refused.stderr


def test_a_signal_to_a_pack_is_told_of_every_run_in_it(tmp_path):
    words = [*RINGS, "budget.generator_updates=1000000", "seeds=2", "pack=2"]
    runs = plan(RING, words, tmp_path / "run")

    def interrupt_when_all_train() -> None:
        while not all(run.directory and (run.directory / "metrics.jsonl").exists() for run in runs):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_all_train, daemon=True).start()
    with pytest.raises(Stopped) as stopped:
        list(outcomes(runs))
    assert stopped.value.exit_code == 130
    assert all(f"--resume {run.directory}" in str(stopped.value) for run in runs)
