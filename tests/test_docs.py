"""What the documentation says is run, or compared with what it describes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("warm")
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """An empty folder that has the experiments and the sweeps."""
    for name in ("experiments", "sweeps"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.slow
def test_the_readmes_commands_work_in_their_order(folder):
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("ganzoo ")]
    assert len(commands) >= 6
    for words in commands:
        done = run([sys.executable, "-m", "ganzoo", *words], folder)
        assert done.returncode == 0, (words, done.stderr)
    assert (folder / "grid.png").exists()


def test_the_readmes_other_commands_are_run_by_the_gate():
    gate = (ROOT / ".ci" / "run").read_text()
    others = {line for block in blocks("sh") for line in block.splitlines() if not line.startswith("ganzoo ")}
    assert others == {"make demo", "make test"}
    assert all(command in gate for command in others)


def test_the_readmes_answer_to_a_mistake_is_the_real_one(folder):
    (console,) = blocks("console")
    question, answer = console.strip().split("\n")
    done = run([sys.executable, "-m", *shlex.split(question.removeprefix("$ "))], folder)
    assert (done.returncode, done.stderr.strip()) == (2, answer)


def test_the_readmes_python_runs(folder):
    (code,) = blocks("python")
    done = run([sys.executable, "-c", code + "\nassert samples.shape == (16, 2)"], folder)
    assert done.returncode == 0, done.stderr


def test_the_readmes_experiment_is_the_file():
    assert blocks("yaml") == [(ROOT / "experiments" / "digits" / "dcgan.yaml").read_text()]


def test_the_page_of_keys_is_up_to_date():
    words = [sys.executable, "-c", "import configuration; print(configuration.page(), end='')"]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'docs'}"}
    )
    assert done.stdout == (ROOT / "docs" / "configuration.md").read_text(), "run: python docs/configuration.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
