"""Rows that a program computes: called for every seed, once; what it says is told where it fails."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from table_texts import COMPUTED, PROGRAM, opened, written

from ganzoo.errors import GanzooError, InputError
from ganzoo.reproducing import sources
from ganzoo.reproducing.programs import Computation, computations, number_at
from ganzoo.reproducing.running import Computing


@pytest.fixture
def values() -> dict[str, Any]:
    return deepcopy(COMPUTED)


def directories(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("runs/*/*/computed.json"))


def finished(folder: Path, values: dict[str, Any]) -> Computing:
    table = opened(folder, values)
    work = Computing(table, table.scale("cpu"), folder / "runs")
    work.finish()
    return work


def test_every_seed_is_computed_once(tmp_path, values):
    (outcome,) = finished(tmp_path, values).outcomes()
    assert outcome.values == {"sum": [2.0, 3.0, 4.0], "steps": [2.0, 2.0, 2.0]}  # seeds 0 to 2, and two steps
    assert outcome.counts == {"done": 3} and not outcome.exact
    assert [(made.git_commit != "", made.versions[:7]) for made in outcome.made] == [(True, "ganzoo ")] * 3
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/*.json")}
    assert len(before) == 6
    finished(tmp_path, values)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/*.json")} == before


def test_what_decides_on_the_numbers_decides_on_their_folder(tmp_path, values):
    finished(tmp_path, values)
    first = directories(tmp_path)
    assert len(first) == 3
    values["scales"]["cpu"]["says"] = "other words"
    values["scales"]["cpu"]["seeds"] = 2
    finished(tmp_path, values)
    assert directories(tmp_path) == first
    values["scales"]["cpu"]["arguments"] = ["--steps=3"]
    finished(tmp_path, values)
    assert len(directories(tmp_path)) == 5
    (tmp_path / "counting.py").write_text(PROGRAM + "import helper\n")
    (tmp_path / "helper.py").write_text("A = 1\n")
    (tmp_path / "nothing_to_do_with_it.py").write_text("A = 1\n")
    finished(tmp_path, values)
    assert len(directories(tmp_path)) == 7
    (tmp_path / "nothing_to_do_with_it.py").write_text("A = 2\n")
    finished(tmp_path, values)
    assert len(directories(tmp_path)) == 7
    (tmp_path / "helper.py").write_text("A = 2\n")
    finished(tmp_path, values)
    assert len(directories(tmp_path)) == 9


def test_what_a_program_imports_of_ganzoo_decides_too(tmp_path, values, monkeypatch):
    """Also what that imports, wherever in it; what it imports for types alone does not."""
    package = tmp_path / "ganzoo"
    (package / "metrics").mkdir(parents=True)
    files = {
        "__init__.py": "", "metrics/__init__.py": "",
        "other.py": "A = 1\n", "types.py": "A = 1\n", "inner.py": "A = 1\n",
        "metrics/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ganzoo.types\ndef f():\n"
        "    from ganzoo import inner\n",
    }  # fmt: skip
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.setattr(sources, "PACKAGE", package)
    (tmp_path / "counting.py").write_text("from ganzoo.metrics.one import f\n" + PROGRAM)
    table = opened(tmp_path, values)

    def folders() -> list[Path]:
        return [call.directory for call in computations(table, table.scale("cpu"), tmp_path / "runs")]

    before = folders()
    for name, decides in (("other.py", False), ("types.py", False), ("inner.py", True), ("metrics/__init__.py", True)):
        (package / name).write_text("A = 2\n")
        after = folders()
        assert (after != before) == decides, name
        before = after


def test_the_metrics_that_the_identities_are_of_are_among_the_sources():
    program = ROOT / "experiments" / "theory" / "metric_identities.py"
    found = {str(path.relative_to(ROOT)) for path in sources.sources_of(program)}
    assert {"experiments/theory/report.py", "ganzoo/evaluation/metrics/frechet.py", "ganzoo/shapes.py"} <= found
    assert "ganzoo/cli.py" not in found


def test_a_seed_that_is_only_spoken_of_is_none(tmp_path):
    program = tmp_path / "counting.py"
    for text, there in (
        ('parser.add_argument("--seed", type=int)\n', True),
        ("add_argument('-s', '--seed')\n", True),
        ('"""There is no "--seed" here."""\nparser.error("--seed")\n', False),
        ('# parser.add_argument("--seed")\nparser.add_argument("--seeds")\n', False),
    ):
        program.write_text(text)
        assert sources.takes_seed(program) == there, text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = 1\ndef\n", "line 2: this is no Python"),
        (b"# \xff\n", "this is no Python"),
        (b"a\0b", "this is no Python"),
    ],
)
def test_a_program_that_is_no_python_is_told(tmp_path, values, content, told):
    (tmp_path / "counting.py").write_bytes(content)
    with pytest.raises(InputError) as raised:
        finished(tmp_path, values)
    assert str(tmp_path / "counting.py") in str(raised.value) and told in str(raised.value)


def test_a_program_without_a_seed_is_exact(tmp_path, values):
    (tmp_path / "counting.py").write_text(
        PROGRAM.replace('parser.add_argument("--seed", type=int, default=0)\n', "").replace("told.seed", "0")
    )
    (outcome,) = finished(tmp_path, values).outcomes()
    assert outcome.exact and outcome.values == {"sum": [2.0], "steps": [2.0]}
    assert outcome.counts == {"done": 1}


def test_a_program_that_fails_says_why(tmp_path, values):
    (tmp_path / "counting.py").write_text("import sys\nsys.exit('no such number')\n")
    with pytest.raises(GanzooError, match=r"counting\.py --steps=2 .*: ended with status 1: no such number"):
        finished(tmp_path, values)
    (tmp_path / "counting.py").write_text("print('done')\n")
    with pytest.raises(GanzooError, match=r"its numbers cannot be read: .*No such file"):
        finished(tmp_path, values)
    assert directories(tmp_path) == []
    (tmp_path / "counting.py").write_text(PROGRAM)
    assert finished(tmp_path, values).outcomes()[0].counts == {"done": 3}


def test_a_path_that_leads_nowhere_is_told(tmp_path, values):
    values["rows"][0]["values"] = {"sum": "results.games.1.0", "steps": "results.games"}
    with pytest.raises(InputError) as raised:
        finished(tmp_path, values)
    told = str(raised.value)
    assert "A: values.sum: 'results.games.1.0': there is nothing in the numbers of the program" in told
    assert "A: values.steps: 'results.games': {'0.5': [2, None, 'inf']} is no number" in told


def test_numbers_at_paths():
    numbers = {"a": {"b.c": [1, {"d": True}], "b": {"c": 7}}, "e": ["-inf", "nan", None, "1"], "a.b": {"x": 3}}
    assert number_at(numbers, "a.b.c") == 7.0
    assert number_at(numbers, "a.b.c.0") == 1.0  # a key with a dot
    assert number_at(numbers, "a.b.c.1.d") == 1.0
    assert number_at(numbers, "a.b.x") == 3.0
    assert number_at(numbers, "e.0") == -math.inf and math.isnan(number_at(numbers, "e.1") or 0.0)
    assert number_at(numbers, "e.2") is None
    for path in ("e.3", "e.4", "e.-1", "a", "x", "e.2.y", ""):
        with pytest.raises(LookupError):
            number_at(numbers, path)


def test_what_is_null_has_no_value(tmp_path, values):
    values["rows"][0]["values"]["sum"] = "results.games.0.5.1"
    (outcome,) = finished(tmp_path, values).outcomes()
    assert outcome.values["sum"] == [] and outcome.interval("sum") is None and outcome.sample("sum") is None
    values["rows"][0]["values"]["sum"] = "results.games.0.5.2"  # infinity: of several seeds there is no mean
    (outcome,) = finished(tmp_path, values).outcomes()
    assert outcome.values["sum"] == []


def test_half_a_computation_is_made_again(tmp_path, values):
    """A program that was killed has left files, but not the one that says that it is done."""
    table = opened(tmp_path, values)
    call = computations(table, table.scale("cpu"), tmp_path / "runs")[0]
    call.directory.mkdir(parents=True)
    (call.directory / "counting.json").write_text('{"results": {"st')
    assert not call.record
    call.run()
    assert call.record["seed"] == 0 and call.numbers["results"]["steps"] == 2


@pytest.mark.parametrize("text", [None, '{"results": {"st', "\udcff"])
def test_numbers_that_are_gone_are_computed_again(tmp_path, values, text):
    work = finished(tmp_path, values)
    expected, file = work.outcomes(), work.calls[0].directory / "counting.json"
    file.unlink()
    if text is not None:
        file.write_text(text, errors="surrogateescape")
    assert work.left == 1 and work.outcomes()[0].counts == {"done": 2, "waiting": 1}
    again = finished(tmp_path, values)
    assert again.left == 0 and again.outcomes()[0].values == expected[0].values


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_too(tmp_path, values, sent, code):
    """And the same command goes on."""
    waiting = (
        "import os, time\nopen('started', 'w').write(str(os.getpid()))\nif not os.path.exists('go'): time.sleep(60)\n"
    )
    (tmp_path / "counting.py").write_text(waiting + PROGRAM)
    words = [sys.executable, "-m", "ganzoo", "reproduce", str(written(tmp_path, values))]
    how = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "stdout": subprocess.PIPE}
    process = subprocess.Popen(words, stderr=subprocess.STDOUT, text=True, **how)
    until(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text())
    called = int((tmp_path / "started").read_text())
    process.send_signal(sent)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == code and "Traceback" not in said, said
    until(lambda: not Path(f"/proc/{called}").exists())
    (tmp_path / "go").touch()
    done = subprocess.run([*words, "--json"], text=True, timeout=60, **how)
    assert done.returncode == 0 and json.loads(done.stdout)["rows"][0]["metrics"]["sum"]["values"] == [2.0, 3.0, 4.0]


def until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.02)


def test_a_computation_of_another_process_is_left_to_it(tmp_path):
    from ganzoo.records.run_directory import RunDirectory

    call = Computation(tmp_path / "counting.py", (), 0, tmp_path / "there")
    holding = (
        "import sys\nfrom ganzoo.records.run_directory import RunDirectory\n"
        f"with RunDirectory({str(call.directory)!r}).claimed():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(GanzooError, match="process"):
            call.run()
        assert other.stdin is not None
        other.stdin.close()
    assert RunDirectory(call.directory).path.exists()
