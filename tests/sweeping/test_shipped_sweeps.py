"""The sweeps that ship with ganzoo: each is right as it stands, and asks what its first lines say that it asks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

from ganzoo.components import DISCRIMINATORS, GENERATORS, VARIANTS
from ganzoo.data.cifar10 import Config as Cifar10
from ganzoo.errors import InputError
from ganzoo.experiment import Experiment
from ganzoo.sweeping.checking import check
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep
from ganzoo.training.run import train

SHIPPED = sorted(ROOT.glob("sweeps/*.yaml"))
TRIALS = {
    "cifar10_random_architectures_gan": 200,
    "cifar10_random_architectures_wgan_gp": 200,
    "digits_loss_x_norm": 48,
    "digits_random_architectures_gan": 40,
    "digits_random_architectures_wgan_gp": 40,
    "digits_robustness": 28,
    "digits_wgan_gp": 12,
    "robustness": 28,
}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Sweep]:
    """Reads a shipped sweep in a folder that has the experiments, and files where the data sets look for theirs."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    for name in Cifar10().facts.files:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).touch()
    (tmp_path / "bedrooms").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "bedrooms" / "one.png")
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return lambda name: Sweep(read_sweep(ROOT / "sweeps" / f"{name}.yaml"), tmp_path / "runs")


def test_there_are_those_and_no_others():
    assert {path.stem for path in SHIPPED} == TRIALS.keys()


SLOW = [pytest.param(name, marks=pytest.mark.slow) if trials > 100 else name for name, trials in TRIALS.items()]


@pytest.mark.parametrize("name", SLOW)
def test_every_trial_of_it_is_an_experiment_that_logs_the_metric(name, opened):
    sweep = opened(name)
    assert len(sweep) == TRIALS[name]
    check(sweep)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_its_first_lines_say_what_it_asks_and_how_it_is_run(path):
    lines = path.read_text().splitlines()
    head = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    assert head[0].startswith("# ") and any(f"ganzoo sweep sweeps/{path.name}" in line for line in head)
    assert "?" in " ".join(head[:2]) and all(len(line) <= 120 for line in head)


def test_a_data_set_that_is_not_there_is_told_before_anything_runs(opened):
    (Path("bedrooms") / "one.png").unlink()
    Path("bedrooms").rmdir()
    with pytest.raises(InputError, match=r"data: data\.path='bedrooms'"):
        check(opened("robustness"))


def names(experiment: Experiment) -> tuple[str, str, str]:
    """Of the variant and of the two networks."""
    choices = {VARIANTS: experiment.variant, GENERATORS: experiment.generator, DISCRIMINATORS: experiment.discriminator}
    variant, generator, discriminator = (choice.name_of(settings) for choice, settings in choices.items())
    return variant, generator, discriminator


@pytest.mark.parametrize("name", ["digits_robustness", "robustness"])
def test_the_robustness_grid_is_that_of_figure_2(name, opened):
    sweep = opened(name)
    experiments = [sweep.experiment_of(trial) for trial in sweep]
    methods = [[experiment for experiment in experiments if names(experiment)[0] == each] for each in METHODS]
    assert [len(method) for method in methods] == [7] * 4
    width = 16 if name.startswith("digits") else 64
    for method, (norm, optimizer, n_critic) in zip(methods, METHODS.values(), strict=True):
        for experiment, architecture in zip(method, ARCHITECTURES, strict=True):
            assert described(experiment) == tuple(norm if part == "norm" else part for part in architecture)
            networks = experiment.optimizer.generator, experiment.optimizer.discriminator
            assert all((type(each).__name__, each.lr) == optimizer for each in networks)
            assert experiment.variant.n_critic == n_critic
        constant = method[1].generator
        assert constant.width == constant.max_width == width and method[0].generator.max_width > 8 * width
        assert (method[2].generator.width, method[2].generator.depth) == (512, 4)


# Gulrajani et al. 2017, arXiv:1704.00028, figure 2 and appendix E; layer norm in place of BatchNorm for the penalty.
METHODS = {
    "dcgan": ("batch", ("Adam", 2e-4), 1),
    "lsgan": ("batch", ("RMSprop", 1e-4), 1),
    "wgan": ("batch", ("RMSprop", 5e-5), 5),
    "wgan_gp": ("layer", ("Adam", 1e-4), 5),
}
# Generator, its norm and nonlinearity; discriminator, its norm ("norm": the method's) and nonlinearity.
ARCHITECTURES = (
    ("dcgan", "batch", "relu", "dcgan", "norm", "leaky_relu"),
    ("dcgan", "none", "relu", "dcgan", "norm", "leaky_relu"),  # and as many filters everywhere in the generator
    ("mlp", "none", "relu", "dcgan", "norm", "leaky_relu"),
    ("dcgan", "none", "relu", "dcgan", "none", "leaky_relu"),
    ("dcgan", "batch", "gated", "dcgan", "norm", "gated"),
    ("dcgan", "batch", "tanh", "dcgan", "norm", "tanh"),
    ("bottleneck_resnet", "batch", "relu", "bottleneck_resnet", "norm", "relu"),
)


def described(experiment: Experiment) -> tuple[str, ...]:
    _, generator, discriminator = names(experiment)
    ours, theirs = experiment.generator, experiment.discriminator
    return generator, ours.norm, ours.activation, discriminator, theirs.norm, theirs.activation


LOOKED_AT = 25  # of the trials


@pytest.mark.parametrize("scale", ["digits", "cifar10"])
def test_both_methods_get_the_same_random_architectures(scale, opened):
    gan, penalised = (opened(f"{scale}_random_architectures_{method}") for method in ("gan", "wgan_gp"))
    drawn = set()
    for number in range(LOOKED_AT):
        ours, theirs = gan.experiment_of(gan[number]), penalised.experiment_of(penalised[number])
        assert (names(ours)[0], names(theirs)[0]) == ("nsgan", "wgan_gp") and names(ours)[1:] == names(theirs)[1:]
        assert ours.generator == theirs.generator
        norms = ours.discriminator.norm, theirs.discriminator.norm
        assert norms in {("none", "none"), ("batch", "layer")}
        assert ours.discriminator.replace(norm=norms[1]) == theirs.discriminator
        decays = {each.optimizer.discriminator.weight_decay for each in (ours, theirs)}
        assert decays == {0.0 if norms == ("none", "none") else 1e-3}
        drawn.add((names(ours)[1:], ours.generator, ours.discriminator))
    assert len(drawn) > 0.8 * LOOKED_AT  # of 3 * 3 * 4 * 4 * 2 * 2 * 3 * 3 = 5,184 architectures
    assert {name for (name, _), _, _ in drawn} == {"dcgan", "resnet", "bottleneck_resnet"}


def test_the_losses_meet_every_normalisation_with_every_seed(opened):
    sweep = opened("digits_loss_x_norm")
    met = set()
    for trial in sweep:
        experiment = sweep.experiment_of(trial)
        ours = experiment.discriminator
        met.add((names(experiment)[0], ours.norm, ours.spectral_norm, experiment.seed))
    norms = (("none", False), ("batch", False), ("layer", False), ("none", True))
    losses = ("nsgan", "lsgan", "hinge", "ragan")
    assert met == {(loss, *norm, seed) for loss in losses for norm in norms for seed in range(3)}


@pytest.mark.parametrize("number", [*range(21, 28), 14])
def test_every_architecture_of_the_grid_trains(number, opened):
    sweep = opened("digits_robustness")
    tiny = ["budget.generator_updates=1", "evaluation.protocol=null", "samples.every_generator_updates=null"]
    words = [*sweep.file.fixed, *sweep[number].words, *tiny, "data.batch_size=4", "tracking.wandb=disabled"]
    run = train(sweep.file.experiment, words, run_dir=sweep.directory(number))
    assert (run.read_record() or {})["status"] == "done"


def test_the_guides_example_is_the_file():
    page, file = (ROOT / "docs" / "sweeps.md").read_text(), (ROOT / "sweeps" / "digits_wgan_gp.yaml").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert example == file[file.index("name: ") :]
