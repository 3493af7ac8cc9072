"""Every table that comes with the repository, at every scale that it has."""

from pathlib import Path

import pytest
from conftest import ROOT

from ganzoo.reproducing.plan import Plan
from ganzoo.reproducing.programs import check_paths, computations
from ganzoo.reproducing.reading import read_table
from ganzoo.reproducing.table_file import table_files, table_summary

FOLDER = ROOT / "experiments" / "tables"
COMPUTED = {"dirac_gan", "metric_identities", "parallel_lines", "saddle"}
ON_CPU = {"pacgan_1", "r3gan_losses", "robustness", "unrolled_ring", "wgan_gp_toy"}
ON_GPU = {
    "lucic_mnist",
    "mimicry_cifar10",
    "pacgan_2",
    "pacgan_3",
    "r3gan_1",
    "relativistic",
    "sngan_2",
    "sngan_resnet",
    "ttur_1",
    "wgan_gp_resnet",
}
LONG = {"lucic_mnist", "pacgan_3", "robustness"}  # a dozen rows and more, several times

each_table = pytest.mark.parametrize("name", sorted(COMPUTED | ON_CPU | ON_GPU))
each_computed = pytest.mark.parametrize("name", sorted(COMPUTED))
each_trained = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in sorted(ON_CPU | ON_GPU)]
)


def test_they_are_found_by_name():
    assert {path.stem for path in FOLDER.iterdir()} == COMPUTED | ON_CPU | ON_GPU == set(table_files())


@each_table
def test_it_says_what_it_is(name: str):
    table = read_table(FOLDER / f"{name}.yaml")
    assert table_summary(table.source) == f"{table.title}, {table.paper}" and "arXiv:" in table.paper
    assert table.claims and len(table.about) > 200
    for scale in table.scales.values():
        assert scale.name in ("smoke", "paper") or scale.minutes is not None, f"{scale.name} says no minutes"


@each_table
def test_it_has_a_smoke_scale_and_another_and_its_laptops_has_three_seeds(name: str):
    table = read_table(FOLDER / f"{name}.yaml")
    assert "smoke" in table.scales and table.scales["smoke"].seeds == 1 and len(table.scales) > 1
    assert ("cpu" in table.scales) == (name not in ON_GPU)
    if name not in ON_GPU:
        assert table.scales["cpu"].minutes <= 60
        assert table.scales["cpu"].seeds >= 3 or name == "dirac_gan"  # nothing in which is random


@each_table
def test_its_lines_can_be_read(name: str):
    assert max(map(len, (FOLDER / f"{name}.yaml").read_text().splitlines())) <= 150


@each_table
def test_only_formulas_of_the_same_game_are_held_against_ours(name: str):
    """No training here is the paper's to the last setting; a table that becomes so says it, and is added here."""
    table = read_table(FOLDER / f"{name}.yaml")
    comparable = {scale.name for scale in table.scales.values() if scale.comparable}
    assert comparable == ({"cpu", "paper"} if name == "dirac_gan" else set())


@each_trained
def test_rows_are_scored_alike(name: str, tmp_path: Path):
    """Averaged generators with averaged ones, and no paper but R3GAN's has any; smoke scores but once on the way."""
    table = read_table(FOLDER / f"{name}.yaml")
    for scale in table.scales.values():
        plan = Plan(table, scale, tmp_path)
        rows = [plan._settled[row.label] for row in table.rows]
        averaged = {row["ema"]["halflife_images"] for row in rows}
        assert len(averaged) == 1, scale.name
        assert scale.name != "paper" or averaged == {None} or name == "r3gan_1"
        if scale.name == "smoke":
            assert {row["evaluation"]["every_generator_updates"] for row in rows} == {20}


def test_methods_of_lucics_table_see_as_many_images(tmp_path: Path):
    """20 epochs of 60,000 images, by what the discriminator sees."""
    table = read_table(FOLDER / "lucic_mnist.yaml")
    for scale in (table.scale("gpu"), table.scale("paper")):
        for trial in Plan(table, scale, tmp_path).trials[: len(table.rows)]:
            settled = Plan(table, scale, tmp_path)._settled[trial.row.label]
            seen = settled["data"]["batch_size"] * settled["variant"].get("n_critic", 1)
            assert seen * settled["budget"]["generator_updates"] == 20 * 60_000, trial.row.label


@each_trained
def test_every_row_is_an_experiment_of_its_own_at_every_scale(name: str, tmp_path: Path):
    """Tables for a laptop have their data here. A scale's overrides come after the row's and must not undo them."""
    table = read_table(FOLDER / f"{name}.yaml")
    for scale in table.scales.values():
        plan = Plan(table, scale, tmp_path)
        plan.check(to_train=name in ON_CPU)
        assert len(plan) == len(table.rows) * scale.seeds
        identities = {trial.directory.name.split("-")[-2] for trial in plan}  # of all that decides but the seed
        assert len(identities) == len(table.rows), scale.name


@each_computed
def test_its_program_is_called_once_for_every_seed_that_it_takes(name: str, tmp_path: Path):
    table = read_table(FOLDER / f"{name}.yaml")
    for scale in table.scales.values():
        assert len(computations(table, scale, tmp_path)) == (1 if name == "dirac_gan" else scale.seeds)


@pytest.mark.slow
@each_computed
def test_its_program_has_every_number_of_it(name: str, tmp_path: Path):
    table = read_table(FOLDER / f"{name}.yaml")
    (computation,) = computations(table, table.scales["smoke"], tmp_path)
    computation.run()
    check_paths(table, computation.numbers)
