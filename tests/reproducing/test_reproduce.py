"""`ganzoo reproduce` as a command: what it prints and writes, and that it survives being killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import ROOT
from table_texts import COMPUTED, TINY_RING, tiny_ring, written

from ganzoo.cli import main
from ganzoo.records.claim import holder
from ganzoo.reproducing.commands import SCALES
from ganzoo.reproducing.table_file import SCALES as OF_TABLES

pytestmark = pytest.mark.usefixtures("warm")


class Command:
    """`ganzoo reproduce` on a file of its own, in the folder that it is run from."""

    def __init__(self, folder: Path):
        self.folder, self.file = folder, folder / "tiny_ring.yaml"

    def start(self, *words: object) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "ganzoo", "reproduce", self.file, *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(list(map(str, command)), cwd=self.folder, env=environment, **pipes)

    def run(self, *words: object) -> tuple[int, str, str]:
        process = self.start(*words)
        out, errors = process.communicate(timeout=240)
        return process.returncode, out, errors

    def records(self) -> dict[str, dict[str, Any]]:
        """By the trial's directory."""
        found = sorted(self.folder.glob("runs/tiny_ring-cpu/*/record.json"))
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def all_records(self) -> dict[Path, str]:
        return {path: path.read_text() for path in self.folder.glob("runs/*/*/record.json")}

    def claims(self) -> list[list[str]]:
        return [sorted(path.name for path in claims.iterdir()) for claims in self.folder.glob("runs/*/*/claims")]

    def until(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not there():
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.05)

    def checkpoints(self) -> list[Path]:
        return sorted(self.folder.glob("runs/*/*/checkpoints/last.ckpt"))

    def trained(self) -> list[Path]:
        """Run directories with a checkpoint."""
        return [path.parents[1] for path in self.checkpoints()]


@pytest.fixture
def reproduce(tmp_path: Path) -> Command:
    return Command(tmp_path)


def long_ring(seeds: int = 2, updates: int = 3000) -> dict[str, Any]:
    """One row, which takes some time and writes checkpoints often."""
    values = tiny_ring()
    del values["rows"][1], values["claims"]
    scale = values["scales"]["cpu"]
    scale["seeds"] = seeds
    scale["overrides"] += [
        f"budget.generator_updates={updates}", "checkpoint.every_generator_updates=20", "generator.width=4",
        "evaluation.every_generator_updates=3000",
    ]  # fmt: skip
    return values


@pytest.mark.slow
def test_a_table_from_nothing_to_the_page(reproduce):
    """A smoke run: two rows with the plumbing of all of it."""
    written(reproduce.folder, tiny_ring())
    results = reproduce.folder / "results.md"
    results.write_text("before\n\n<!-- ganzoo reproduce tiny_ring --scale smoke -->\nold\n<!-- end -->\n\nafter\n")
    code, out, errors = reproduce.run("--scale", "smoke", "--workers", 2, "--out", "board", "--update", results)
    assert code == 0, errors
    assert "# tiny_ring at scale smoke: not comparable at this scale" in out.splitlines()
    rows = [line.split("\t") for line in out.splitlines() if not line.startswith("#")]
    assert rows[0][:3] == ["GAN", "1", "modes"] and rows[0][4:] == ["6.3 (s.e. 0.5, n = 10)", "", rows[0][6]]
    text = results.read_text()
    assert text.startswith("before\n\n<!-- ganzoo") and text.endswith("<!-- end -->\n\nafter\n") and "old" not in text
    assert "## Tiny ring\n" in text and "modes: wide above GAN" in text and " cores. Versions: ganzoo " in text
    assert "| (held-out real samples) |  | 8 |" in text
    page = (reproduce.folder / "board" / "index.html").read_text()
    assert "<title>Tiny ring at scale smoke" in page and "wide reaches more modes" in page
    assert (reproduce.folder / "board" / "table.md").read_text().startswith("# Tiny ring\n")
    told = json.loads((reproduce.folder / "board" / "table.json").read_text())
    assert told["verdict"] == "not comparable at this scale" and len(told["made"]) == 2
    before, claims = (
        {path: path.read_text() for path in reproduce.folder.glob("runs/*/*/record.json")},
        reproduce.claims(),
    )
    code, again, _ = reproduce.run("--scale", "smoke")
    assert (code, again) == (0, out) and reproduce.claims() == claims  # nothing is run again
    assert reproduce.all_records() == before


@pytest.mark.slow
def test_a_table_that_was_killed_goes_on(reproduce):
    """kill -9 of the command in the middle of two trainings."""
    written(reproduce.folder, long_ring(updates=600))
    process = reproduce.start("--workers", 2)
    reproduce.until(lambda: len(reproduce.checkpoints()) == 2)
    process.kill()
    process.communicate(timeout=60)
    reproduce.until(
        lambda: not any(holder(path.parents[1]) for path in reproduce.checkpoints())
    )  # they end by themselves
    code, out, errors = reproduce.run("--workers", 2)
    assert code == 0, errors
    assert [record["status"] for record in reproduce.records().values()] == ["done", "done"]
    assert reproduce.claims() == [["000002.json"], ["000002.json"]]
    lines = [
        json.loads(line) for line in (reproduce.checkpoints()[0].parents[1] / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["generator_updates"] for line in lines if "evaluation/modes" in line].count(0) == 1  # not begun anew
    assert "GAN\t2\tmodes\t" in out


@pytest.mark.slow
def test_ctrl_c_leaves_checkpoints_and_the_same_command_goes_on(reproduce):
    written(reproduce.folder, long_ring())
    process = reproduce.start("--workers", 2)
    reproduce.until(lambda: len(reproduce.checkpoints()) == 2)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and out == ""
    assert "tiny_ring-cpu: stopped; the same command goes on" in errors and "Traceback" not in errors
    stopped = reproduce.records()
    assert [record["status"] for record in stopped.values()] == ["stopped", "stopped"]
    saved = [path.stat().st_mtime_ns for path in reproduce.checkpoints()]
    process = reproduce.start("--workers", 2)
    reproduce.until(
        lambda: all(path.stat().st_mtime_ns != at for path, at in zip(reproduce.checkpoints(), saved, strict=True))
    )
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143
    for name, record in reproduce.records().items():
        assert record["budget"]["generator_updates"] > stopped[name]["budget"]["generator_updates"]


def invoked(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["reproduce", *map(str, words)])
    return done.exit_code, done.output


def test_a_dry_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out = invoked(TINY_RING, "--dry-run")
    title, *rows = out.splitlines()
    assert code == 0 and title == "# 4 runs, 4 to run, about 0.5 minutes: tiny networks"
    assert [row.split("\t")[2] for row in rows] == ["to run"] * 4
    labels = [row.split("\t")[:2] for row in rows]
    assert labels == [["GAN", "0"], ["wide", "0"], ["GAN", "1"], ["wide", "1"]]
    assert rows[3].endswith("generator.width=6 seed=1")
    code, out = invoked(TINY_RING, "--dry-run", "--json")
    assert [each["seed"] for each in json.loads(out)] == ["0", "0", "1", "1"]
    assert json.loads(out)[0]["run directory"].startswith("runs/tiny_ring-cpu/GAN-")
    assert list(tmp_path.iterdir()) == []


def test_a_computed_table_says_how_it_comes_out(tmp_path, monkeypatch):
    """Seeds 0 to 2 and two steps: 2, 3 and 4, whose interval is 3 ± 2.48."""
    monkeypatch.chdir(tmp_path)
    values = deepcopy(COMPUTED)
    values["rows"][0]["published"] = {"sum": {"mean": 3.5, "standard_error": 0.1, "trials": 4}, "steps": 2}
    values["claims"] = [
        {"says": "it is above 0", "metric": "sum", "row": "A", "at_least": 0.5},
        {"says": "it is above 2", "metric": "sum", "row": "A", "at_least": 2},
    ]
    values["scales"]["cpu"]["comparable"] = True
    path = written(tmp_path, values, "counting")
    code, out = invoked(path)
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert lines[1] == ["A", "3", "sum", "3.0 ± 2.5", "3.5 (s.e. 0.1, n = 4)", lines[1][5], "agrees"]
    assert re.fullmatch(r"-0\.5 ± 2\.[34]", lines[1][5])
    assert lines[2] == ["A", "3", "steps", "2 ± 0", "2", "0", "agrees"]
    assert lines[4] == ["it is above 0", "sum: A at least 0.5", "3.0 ± 2.5", "reproduced", ""]
    assert lines[5] == ["it is above 2", "sum: A at least 2", "3.0 ± 2.5", "direction only", ""]
    assert lines[6] == ["# counting at scale cpu: direction only"]
    told = json.loads(invoked(path, "--json")[1])
    assert told["verdict"] == "direction only" and told["rows"][0]["metrics"]["sum"]["values"] == [2.0, 3.0, 4.0]
    ours = told["rows"][0]["metrics"]["sum"]["ours"]
    assert ours["mean"] == 3.0 and ours["high"] - 3.0 == pytest.approx(2.4841, abs=1e-4)
    assert [claim["verdict"] for claim in told["claims"]] == ["reproduced", "direction only"]


def test_hostile_words_are_words(tmp_path, monkeypatch):
    """Labels with what Markdown, HTML and terminals would obey."""
    monkeypatch.chdir(tmp_path)
    values = deepcopy(COMPUTED)
    values["rows"][0]["label"] = "<script>alert(1)</script> | **b** \\x1b[31m"
    values["title"] = "<b>T</b>"
    code, _ = invoked(written(tmp_path, values, "counting"), "--out", "board")
    assert code == 0
    text, page = ((tmp_path / "board" / name).read_text() for name in ("table.md", "index.html"))
    assert "<script>alert" not in text and "&lt;script&gt;" in text and r"\|" in text and r"\*\*b" in text
    assert "<script>alert" not in page and "<b>T</b>" not in page


def test_a_file_without_markers_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, COMPUTED, "counting")
    (tmp_path / "results.md").write_text("<!-- ganzoo reproduce counting --scale paper -->\n<!-- end -->\n")
    code, out = invoked(path, "--update", "results.md")
    assert code == 2 and "results.md: there is no line `<!-- ganzoo reproduce counting --scale cpu" in out


def test_what_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, COMPUTED, "counting")
    (tmp_path / "file").write_text("no marker\n")
    for words, told in (
        (["--update", "file"], "file: there is no line `<!-- ganzoo reproduce counting --scale cpu"),
        (["--update", "missing.md"], "missing.md: there is no such file"),
        (["--check", "file"], "file: there is no line"),
        (["--out", "file"], "--out: file is a file; a folder goes there"),
        (["--out", "file/below"], "--out: file is a file; a folder goes there"),
        (["--runs", "file"], "--runs: file is a file; a folder goes there"),
        (["--check", "file", "--json"], "--check: runs and writes nothing: leave it or --json out"),
    ):
        code, out = invoked(path, *words)
        assert code == 2 and told in out, (words, out)
    assert not (tmp_path / "runs").exists() and (tmp_path / "file").read_text() == "no marker\n"


def test_a_table_in_a_file_is_checked_without_running_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, file = written(tmp_path, COMPUTED, "counting"), tmp_path / "results.md"
    file.write_text("<!-- ganzoo reproduce counting --scale cpu -->\n<!-- end -->\n")
    code, out = invoked(path, "--check", file)
    assert code == 1 and "out of date" in out and not (tmp_path / "runs").exists()
    assert invoked(path, "--dry-run")[1].startswith("# 3 runs, 3 to run: nothing is reduced\n")
    assert invoked(path, "--update", file)[0] == 0
    before = file.read_text()
    assert invoked(path, "--check", file) == (0, "") and file.read_text() == before
    title, *rows = invoked(path, "--dry-run")[1].splitlines()
    assert title == "# 3 runs, none to run: nothing is reduced" and [row.split("\t")[2] for row in rows] == ["done"] * 3
    file.write_text(before.replace("3.0 ±", "3.1 ±"))
    assert invoked(path, "--check", file)[0] == 1


def test_json_has_no_names_that_json_has_not(tmp_path, monkeypatch):
    """An exact program that computes infinity."""
    monkeypatch.chdir(tmp_path)
    values = deepcopy(COMPUTED)
    values["rows"][0]["values"] = {"sum": "results.games.0.5.2"}
    values["rows"].append({**values["rows"][0], "label": "B"})
    values["claims"] = [{"says": "A is above B", "metric": "sum", "higher": "A", "lower": "B"}]
    path = written(tmp_path, values, "counting")
    program = tmp_path / "counting.py"
    program.write_text(
        program.read_text()
        .replace('parser.add_argument("--seed", type=int, default=0)\n', "")
        .replace("told.seed", "0")
    )
    code, out = invoked(path, "--json", "--out", "board")
    first = json.loads(out.splitlines()[0], parse_constant=pytest.fail)
    assert code == 0 and first["verdict"] == "not reproduced"
    assert first["rows"][0]["metrics"]["sum"]["values"] == ["inf"]
    assert first["claims"][0]["difference"]["mean"] == "nan"
    assert json.loads((tmp_path / "board" / "table.json").read_text(), parse_constant=pytest.fail) == first


def test_a_tables_data_need_not_be_there_for_a_dry_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path))
    code, out = invoked("sngan_resnet", "--scale", "smoke", "--dry-run")
    assert code == 0 and out.startswith("# 3 runs, 3 to run: plumbing only")
    code, out = invoked("sngan_resnet", "--scale", "smoke")
    assert code == 2 and out.count("CIFAR-10 is not there") == 1 and "fetches it for tables too" in out
    assert list(tmp_path.iterdir()) == []


def test_what_the_command_offers():
    assert SCALES == OF_TABLES
    done = CliRunner().invoke(main, ["reproduce", "--help"])
    assert "ganzoo reproduce dirac_gan --scale smoke" in done.output
    assert "<!-- ganzoo reproduce TABLE --scale SCALE -->" in done.output and "--engine" not in done.output
