"""The experiments on theory: their commands, and the page that describes them. Their mathematics: tests/theory/."""

import json
import math
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest
import report
from conftest import ROOT

FOLDER = ROOT / "experiments" / "theory"
PAGE = (ROOT / "docs" / "theory.md").read_text()
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]
TINY = {
    "dirac_gan": ["--steps", "5"],
    "parallel_lines": ["--samples", "50", "--updates", "3", "--networks", "5"],
    "optimal_discriminator": ["--updates", "3", "--batch-size", "8"],
    "saddle": ["--steps", "50", "--runs", "2"],
}


def tables(text):
    """Rows of Markdown tables, by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {cells[0]: cells[1:] for cells in rows if not set(cells[0]) <= {"-"}}


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("name", TINY)
def test_commands_write_their_figures_and_numbers(name, tmp_path, monkeypatch, capsys):
    command = import_module(name)
    monkeypatch.setattr(sys, "argv", [name, "--out", str(tmp_path / "new" / "folder"), *TINY[name]])
    command.main()
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    figures = [name, "dirac_gan_rates"] if name == "dirac_gan" else [name]
    assert written == sorted([f"{name}.json", *(f"{figure}.png" for figure in figures)])
    record = json.loads((tmp_path / "new" / "folder" / f"{name}.json").read_text(), parse_constant=refuse)
    assert set(record) == {"settings", "versions", "results"}
    assert tables(capsys.readouterr().out).keys() == tables_of(name).keys()


@cache
def tables_of(name):
    """The rows that docs/theory.md has about a command: between its heading and the next."""
    (section,) = [part for part in PAGE.split("\n## ") if f"experiments/theory/{name}.py" in part]
    return tables(section)


def test_without_matplotlib_one_sentence_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as stopped:
        report.pyplot()
    assert stopped.value.code == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "pip install matplotlib" in sentence and "pip install matplotlib" in PAGE


def test_json_has_no_infinity_and_no_complex_numbers():
    assert report.for_json({1.5: [math.inf, 1 + 2j, None, 3]}) == {"1.5": ["inf", [1.0, 2.0], None, 3]}


@pytest.mark.parametrize("name", TINY)
def test_help_has_an_example_and_does_not_import_torch(name):
    code = (
        f"import runpy, sys; sys.argv = ['{name}', '--help']\n"
        f"try: runpy.run_path({str(FOLDER / name) + '.py'!r}, run_name='__main__')\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.endswith("False\n")
    assert f"python experiments/theory/{name}.py --out" in done.stdout


def test_the_page_has_every_command():
    assert [shlex.split(line)[1] for line in COMMANDS] == [f"experiments/theory/{name}.py" for name in TINY]


def test_figures_are_small_and_all_are_on_the_page():
    figures = sorted((ROOT / "docs" / "figures").glob("*.png"))
    assert {f"figures/{path.name}" for path in figures} >= set(re.findall(r"\]\((figures/[^)]+)\)", PAGE))
    assert len(figures) >= 5 and all(path.stat().st_size < 100_000 for path in figures)


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_the_pages_commands_give_the_pages_numbers(line, tmp_path):
    _, script, *arguments = shlex.split(line)
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    described = tables_of(script.split("/")[-1].removesuffix(".py"))
    for row, cells in tables(done.stdout).items():
        for found, wanted in zip(cells, described[row], strict=True):
            assert alike(found, wanted), (row, found, wanted)


def alike(found, wanted):
    """Equal text, or numbers that agree as well as another machine's training does; tiny ones to a factor."""
    try:
        one, other = float(found), float(wanted)
    except ValueError:
        return found == wanted
    return one == pytest.approx(other, rel=0.1, abs=0.02 if abs(other) > 1e-3 or other == 0 else 0)
