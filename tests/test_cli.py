"""The command: help, exit codes, what it prints, and one tiny run through every command that takes a run."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from conftest import DIGITS, ROOT, TINY, metrics_of
from PIL import Image

from ganzoo import __version__
from ganzoo.cli import KINDS, main
from ganzoo.components import DATASETS, DISCRIMINATORS, GENERATORS, VARIANTS
from ganzoo.evaluation.protocol import protocol_names
from ganzoo.evaluation.scores import SCORES
from ganzoo.experiment import load_experiment

COMMANDS = [*(name for name in main.commands if name != "extractor"), "extractor train"]
LITTLE = (
    *TINY,
    "evaluation.protocol=digits-v1",
    "evaluation.every_generator_updates=2",
    "samples.every_generator_updates=2",
    "samples.count=4",
    "checkpoint.every_generator_updates=2",
    "budget.generator_updates=4",
)
WATCHED = """
import atexit, sys
heavy = ("torch", "torchvision", "lightning", "wandb", "sklearn")
atexit.register(lambda: print("loaded:", *(name for name in heavy if name in sys.modules), file=sys.stderr))
from ganzoo.cli import main
main(prog_name="ganzoo")
"""


def ganzoo(*arguments: object, cwd: Path, code: str = WATCHED, **variables: str) -> subprocess.CompletedProcess[str]:
    """`ganzoo` in a process of its own, which says on stderr what heavy packages it has imported."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=environment, timeout=240)


def here(*arguments: object) -> Result:
    """`ganzoo` in this process, where torch is imported already."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(done: Result, says: str) -> None:
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.startswith("ganzoo: ") and says in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Four generator updates, scored, with sample grids."""
    done = ganzoo("train", DIGITS, *LITTLE, cwd=tmp_path_factory.mktemp("trained"))
    assert done.returncode == 0, done.stderr
    done.args = Path(tmp_path_factory.getbasetemp(), "trained0", done.stdout.splitlines()[-1])
    return done


@pytest.fixture(scope="session")
def finished(trained: subprocess.CompletedProcess[str]) -> Path:
    """The run directory, for reading."""
    return trained.args


@pytest.fixture
def run_dir(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run directory, for changing."""
    return shutil.copytree(finished, tmp_path / "runs" / finished.name)


# Without torch


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_has_an_example(tmp_path, name):
    done = ganzoo(*name.split(), "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "loaded:\n"
    assert re.search(rf"^  ganzoo {name or 'train'}\b", done.stdout, re.MULTILINE), done.stdout


def test_version(tmp_path):
    done = ganzoo("--version", cwd=tmp_path)
    assert done.stdout == f"ganzoo, version {__version__}\n" and done.stderr == "loaded:\n"


def test_python_m_ganzoo_is_the_same_command(command):
    done, entry = command("list"), here("list")
    assert (done.returncode, done.stdout) == (entry.exit_code, entry.stdout)
    scripts = re.search(r"\[project.scripts\]\n(.*)\n", (ROOT / "pyproject.toml").read_text())
    assert scripts is not None and scripts[1] == 'ganzoo = "ganzoo.cli:main"'


MISTAKES = [
    (["trian"], "did you mean 'train'?"),
    (["nonsense"], "There are: "),
    (["train", DIGITS, "--bogus"], "--bogus"),
    (["train"], "EXPERIMENT"),
    (["train", "no-such.yaml"], "no-such.yaml"),
    (["train", DIGITS, "seed=x", "budget.generator_updates=-1"], "budget.generator_updates"),
    (["train", DIGITS, "variant.n_critc=5"], "did you mean 'n_critic'"),
    (["train", DIGITS, "--run-dir", "RUN"], "--resume"),
    (["train", "--resume", "no-such-run"], "no-such-run"),
    (["train", "--resume", "RUN", "--run-dir", "x"], "--run-dir"),
    (["train", "--resume", "RUN", "variant.latent_dim=5"], "variant.latent_dim"),
    (["train", "--resume", "RUN", "seed=5", "generator.width=3"], "generator.width"),
    (["train", "--resume", "RUN", "budget.generator_updates=many"], "budget.generator_updates"),
    (["evaluate"], "SOURCE"),
    (["evaluate", "no-such-run"], "no-such-run"),
    (["evaluate", ".", "--protocol", "digits-v9"], "did you mean 'digits-v1'"),
    (["evaluate", "."], "--protocol"),
    (["sample", "no-such-run", "--out", "a.png"], "no-such-run"),
    (["sample", "RUN", "--out", "a.gif"], ".npz"),
    (["sample", "RUN"], "--out"),
    (["sample", "RUN", "--out", "a.png", "-n", "0"], "-n"),
    (["sample", "RUN", "--out", "a.png", "--truncation", "0"], "--truncation"),
    (["list", "variant"], "variants"),
    (["extractor", "train", "data=digit", "--out", "x"], "did you mean 'digits'"),
    (["extractor", "train", "data=digits"], "--out"),
    (["--bogus"], "--bogus"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=[" ".join(map(str, row[0][:4])) for row in MISTAKES])
def test_bad_input_exits_with_2_and_one_paragraph_before_torch_is_imported(finished, tmp_path, arguments, says):
    done = ganzoo(*(finished if word == "RUN" else word for word in arguments), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr and "\n\n" not in done.stderr.partition("Error:")[2]
    assert done.stderr.endswith("loaded:\n")
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path):
    done = ganzoo("--debug", "train", "no-such.yaml", cwd=tmp_path)
    assert done.returncode not in (0, 130) and done.stdout == ""
    assert "Traceback" in done.stderr and "InputError: no-such.yaml" in done.stderr


def test_a_terminal_gets_no_control_characters(tmp_path):
    done = ganzoo("evaluate", "a\x1b[31mb", cwd=tmp_path)
    assert done.returncode == 2 and r"a\x1b[31mb" in done.stderr and "\x1b" not in done.stderr


def test_print_config_prints_the_whole_experiment(tmp_path):
    done = ganzoo("train", DIGITS, *TINY, "seed=7", "--print-config", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "loaded:\n"
    (tmp_path / "printed.yaml").write_text(done.stdout)
    assert load_experiment(tmp_path / "printed.yaml") == load_experiment(DIGITS, [*TINY, "seed=7"])


# Lists and findings


def test_lists_name_everything_there_is(tmp_path):
    done = ganzoo("list", "--json", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "loaded:\n"
    found = json.loads(done.stdout)
    assert {kind: list(names) for kind, names in found.items()} == {
        "variants": VARIANTS.names(),
        "datasets": DATASETS.names(),
        "networks": list(dict.fromkeys([*GENERATORS.names(), *DISCRIMINATORS.names()])),
        "metrics": list(SCORES),
        "protocols": protocol_names(),
        "tables": sorted(path.stem for path in (ROOT / "experiments" / "tables").glob("*.yaml")),
    }
    assert all(len(summary) > 20 for names in found.values() for summary in names.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_is_one_line_each(kind):
    names = json.loads(here("list", kind, "--json").stdout)[kind]
    assert here("list", kind).stdout == f"# {kind}\n" + "".join(f"{name}\t{text}\n" for name, text in names.items())


def test_doctor_tells_what_is_there_and_what_to_do():
    done = here("doctor", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert {"versions", "processor", "GPU", "W&B", "SLURM", "data digits", "data cifar10"} <= {
        each["what"] for each in found
    }
    assert all(each["good"] or each["advice"] for each in found)
    lines = here("doctor").stdout.splitlines()
    assert lines[0] == "# this machine" and len(lines) == 1 + len(found)
    assert all(line.split("\t")[0] in ("ok", "--") for line in lines[1:])


# Shell completion


def completions(words: str, cwd: Path) -> list[str]:
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_GANZOO_COMPLETE": "bash_complete"}
    done = ganzoo(cwd=cwd, **variables)
    assert done.stderr == "loaded:\n"
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_a_script_for_the_shell(tmp_path, shell):
    bash = shutil.which("bash")
    if shell == "bash" and bash is None:
        pytest.skip("no bash, whose version click asks")
    done = ganzoo(cwd=tmp_path, _GANZOO_COMPLETE=f"{shell}_source")
    assert done.returncode == 0 and f"_GANZOO_COMPLETE={shell}_complete" in done.stdout


def test_completion_knows_commands_options_kinds_and_experiments():
    assert completions("ganzoo tr", ROOT) == ["train"]
    assert completions("ganzoo list v", ROOT) == ["variants"]
    assert completions("ganzoo train --res", ROOT) == ["--resume"]
    assert completions("ganzoo train experiments/dig", ROOT) == sorted(
        str(path.relative_to(ROOT)) for path in ROOT.glob("experiments/digits/*.yaml")
    )


# One run


def test_a_run_leaves_a_complete_directory_and_names_it_last(trained, finished):
    assert re.fullmatch(r"runs/digits-dcgan/[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", trained.stdout.splitlines()[-1])
    files = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    grids = {f"samples/{path.name}" for path in (finished / "samples").glob("*.png")}
    checkpoints = {"checkpoints/last.ckpt", "checkpoints/best.ckpt"}
    assert files == {"claims/000001.json", "config.yaml", "metrics.jsonl", "record.json", *checkpoints, *grids}
    assert len(grids) == 3  # at the start, after two updates, at the end
    assert load_experiment(finished / "config.yaml") == load_experiment(DIGITS, LITTLE)


def test_a_record_tells_how_the_run_came_about(finished):
    record = json.loads((finished / "record.json").read_text())
    assert (record["status"], record["reason"], record["seed"]) == ("done", None, 0)
    assert record["budget"] == {"generator_updates": 4, "discriminator_updates": 4, "images_seen": 64}
    assert (
        record["evaluation"]["protocol"]["name"] == "digits-v1"
        and record["evaluation"]["last"]["generator_updates"] == 4
    )
    of_no_class = set(record["evaluation"]["floor"]) - {"class_accuracy"}
    assert of_no_class == set(record["evaluation"]["last"]["scores"])
    assert record["parameters"]["generator"] > 0 and record["parameters"]["discriminator"] > 0
    assert (
        record["versions"]["torch"] == torch.__version__.partition("+")[0]
        or record["versions"]["torch"] == torch.__version__
    )
    assert record["hardware"]["threads"] == 1 and record["seconds"] > 0 and record["images_per_second"] > 0
    assert record["run_id"] == finished.name and record["config"]["name"] == record["name"] == "digits-dcgan"


def test_metrics_have_losses_and_scores_by_generator_updates(finished):
    lines = metrics_of(finished)
    assert [line["generator_updates"] for line in lines if "generator/loss" in line] == [1, 2, 3, 4]
    assert [line["generator_updates"] for line in lines if any("fid" in name for name in line)] == [0, 2, 4]


def test_evaluate_scores_a_run_as_its_training_did(finished):
    done = here("evaluate", finished, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    record = json.loads((finished / "record.json").read_text())
    assert answer["scores"] == pytest.approx(record["evaluation"]["last"]["scores"], rel=1e-6)
    assert answer["floor"] == pytest.approx(record["evaluation"]["floor"], rel=1e-6)
    assert answer["generator_updates"] == 4 and answer["protocol"] == record["evaluation"]["protocol"]
    table = here("evaluate", finished).stdout.splitlines()
    assert table[0].endswith("digits-v1 against digits") and table[1].startswith("fid\t")
    assert table[1 + len(answer["scores"])] == "# how they were made" and "real samples\t1,297" in table


def images(path: Path) -> np.ndarray:
    """uint8 (n, 8, 8) out of any of the forms that hold single images."""
    if path.suffix == ".npz":
        return np.load(path)["arr_0"].squeeze(-1)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".png"))
            return np.stack([np.asarray(Image.open(archive.open(name))) for name in names])
    return np.stack([np.asarray(Image.open(file)) for file in sorted(path.glob("**/*.png"))])


@pytest.mark.parametrize("out", ["a.npz", "a.zip", "a"])
def test_sample_writes_as_many_as_asked_the_same_for_the_same_seed(finished, tmp_path, out):
    def sampled(folder: str, *options: object) -> np.ndarray:
        done = here("sample", finished, "-n", 7, "--out", tmp_path / folder / out, *options)
        assert (done.exit_code, done.stdout) == (0, f"{tmp_path / folder / out}\n"), done.output
        return images(tmp_path / folder / out)

    first = sampled("first")
    assert first.shape == (7, 8, 8) and first.dtype == np.uint8
    assert np.array_equal(first, sampled("again", "--seed", 0))
    assert not np.array_equal(first, sampled("other", "--seed", 1))
    assert not np.array_equal(first, sampled("narrow", "--truncation", 0.1))
    assert sampled("best", "--best").shape == first.shape


def test_the_same_seed_writes_the_same_bytes(finished, tmp_path):
    for out in ("a.png", "b.png", "a.npz", "b.npz", "a.zip", "b.zip"):
        assert here("sample", finished, "-n", 4, "--seed", 3, "--out", tmp_path / out).exit_code == 0
    for ending in ("png", "npz", "zip"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes(), ending


def test_a_grid_is_a_square_of_images(finished, tmp_path):
    assert here("sample", finished, "-n", 9, "--out", tmp_path / "grid.png").exit_code == 0
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (3 * 8 + 4 * 2, 3 * 8 + 4 * 2)


def test_samples_in_any_form_get_the_score_of_the_run(finished, tmp_path):
    answers = []
    for name in ("a.npz", "a.zip", "a"):
        assert here("sample", finished, "-n", 500, "--out", tmp_path / name).exit_code == 0
        done = here("evaluate", tmp_path / name, "--protocol", "digits-v1", "--json")
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.stdout)["scores"])
    assert answers[0]["fid"] == pytest.approx(answers[1]["fid"], rel=0.2) and answers[1] == answers[2]


def test_resume_of_a_finished_run_changes_nothing(run_dir):
    before = (run_dir / "checkpoints" / "last.ckpt").read_bytes(), metrics_of(run_dir)
    done = here("train", "--resume", run_dir)
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == str(run_dir), done.output
    assert ((run_dir / "checkpoints" / "last.ckpt").read_bytes(), metrics_of(run_dir)) == before
    record = json.loads((run_dir / "record.json").read_text())
    assert record["status"] == "done" and record["evaluation"]["last"]["scores"]["fid"] > 0


def test_resume_with_a_larger_budget_goes_on(run_dir):
    done = here("train", "--resume", run_dir, "budget.generator_updates=6", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record == json.loads((run_dir / "record.json").read_text())
    assert record["status"] == "done" and record["budget"]["generator_updates"] == 6
    assert [line["generator_updates"] for line in metrics_of(run_dir) if "generator/loss" in line] == [1, 2, 3, 4, 5, 6]
    assert load_experiment(run_dir / "config.yaml").budget.generator_updates == 6


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b"x"), lambda path: os.truncate(path, 1000), Path.unlink]
)
@pytest.mark.parametrize("arguments", [["evaluate", "RUN"], ["sample", "RUN", "--out", "a.png"]])
def test_a_damaged_checkpoint_is_named(run_dir, arguments, damage: Callable[[Path], object]):
    damage(run_dir / "checkpoints" / "last.ckpt")
    refused(here(*(run_dir if word == "RUN" else word for word in arguments)), "last.ckpt")
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evaluate", "RUN", "--protocol", "toy2d-v1"], "points"),
        (["evaluate", "RUN", "--against", "no-such-data"], "--against"),
        (["evaluate", "RUN", "--extractor", "no-such-file"], "its own extractor"),
        (["evaluate", "RUN", "--protocol", "classifier-v1", "--extractor", "no-such-file"], "no-such-file"),
        (["train", DIGITS, "--run-dir", "/proc/no/such"], "/proc/no/such"),
        (["evaluate", DIGITS, "--protocol", "digits-v1"], "zip"),
        (["evaluate", ROOT / "tests", "--protocol", "digits-v1"], "no image"),
    ],
)
def test_what_does_not_fit_together_is_refused(finished, arguments, says):
    refused(here(*(finished if word == "RUN" else word for word in arguments)), says)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("leaderboard", "--format", "pdf"), "Invalid value for '--format': 'pdf' is not one of"),
        (("list", "--jsn"), "Did you mean '--json'?"),
        (("train", "--run-dir"), "Option '--run-dir' requires an argument."),
        (("reproduce",), "Missing argument 'TABLE'."),
    ],
)
def test_a_wrong_option_is_told_in_a_line(words, answer):
    done = here(*words)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("ganzoo: ") and answer in done.stderr and done.stderr.count("\n") == 1
