"""The run directory: whole files or none, refusals by name, lines that a kill cut short."""

import json

import pytest
from conftest import DIGITS, TINY

from ganzoo.errors import GanzooError, InputError
from ganzoo.experiment import load_experiment
from ganzoo.records.files import link_atomically, write_atomically, write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import train


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(load_experiment(DIGITS, TINY), tmp_path / "run")


def test_a_run_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = load_experiment(DIGITS, TINY)
    runs = [RunDirectory.create(experiment) for _ in range(3)]
    assert len({run.path for run in runs}) == 3
    assert all(run.path.parts[:2] == ("runs", "digits-dcgan") for run in runs)
    assert runs[0].experiment() == experiment


def test_a_folder_with_a_run_is_refused(run):
    with pytest.raises(InputError, match="--resume"):
        RunDirectory.create(run.experiment(), run.path)


def test_a_run_that_could_not_begin_does_not_take_its_folder(tmp_path):
    little = [*TINY, "budget.generator_updates=1"]
    with pytest.raises(InputError, match=r"trainer: .*MPS"):  # Apple's GPU, which no test machine has
        train(DIGITS, [*little, "trainer.accelerator=mps"], run_dir=tmp_path / "run")
    assert train(DIGITS, little, run_dir=tmp_path / "run").read_record()["status"] == "done"


def test_no_run_there(tmp_path, run):
    with pytest.raises(InputError, match=r"no config\.yaml; there are runs below it"):
        RunDirectory.open(tmp_path)
    with pytest.raises(InputError, match="no run directory"):
        RunDirectory.open(tmp_path / "nothing")


@pytest.mark.parametrize(
    "override", ["budget.generator_updates=7", "data.num_workers=1", "tracking.wandb=offline", "trainer.progress=false"]
)
def test_what_leaves_the_weights_alone_may_change(run, override):
    assert run.resumed_experiment((override,)) != run.experiment()


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "variant.n_critic=2",
        "data.batch_size=8",
        "generator.width=8",
        "optimizer.generator.lr=1",
        "trainer.precision=bf16-mixed",
        "ema.halflife_images=7",
        "evaluation.every_generator_updates=3",
        "name=other",
    ],
)
def test_what_would_change_the_weights_or_the_record_is_refused_by_name(run, override):
    with pytest.raises(InputError) as error:
        run.resumed_experiment((override, "budget.generator_updates=7"))
    assert [problem.key for problem in error.value.problems] == [override.partition("=")[0]]
    assert "may change only budget" in str(error.value)


def test_lines_after_the_checkpoint_and_half_lines_are_forgotten(run):
    lines = [json.dumps({"generator_updates": k, "loss": k / 3}) for k in range(6)]
    run.metrics.write_text("\n".join(lines) + '\n{"generator_updates": 6, "lo')
    assert [line["generator_updates"] for line in run.lines()] == [0, 1, 2, 3, 4, 5]
    run.forget_metrics_after(3)
    assert run.metrics.read_text() == "\n".join(lines[:4]) + "\n"


def test_two_processes_do_not_train_one_run(run):
    with run.claimed(), pytest.raises(GanzooError, match="another process"), RunDirectory(run.path).claimed():
        pass
    with run.claimed():
        pass


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_text(path, "before")

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(GanzooError, match="No space left on device"):
        write_atomically(path, fail)
    assert path.read_text() == "before" and [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_writing_below_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GanzooError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "x")


def test_a_second_name_outlives_the_first_ones_replacement(tmp_path):
    write_text(tmp_path / "last", "one")
    link_atomically(tmp_path / "last", tmp_path / "best")
    write_text(tmp_path / "last", "two")
    assert (tmp_path / "best").read_text() == "one"
    link_atomically(tmp_path / "last", tmp_path / "best")
    assert (tmp_path / "best").read_text() == "two"
