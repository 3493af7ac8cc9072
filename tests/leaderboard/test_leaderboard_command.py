"""`ganzoo leaderboard`, as it is called."""

import csv
import io
import json
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from made_runs import record_of, write_many, write_run


@pytest.fixture
def runs(tmp_path):
    for variant, fids in {"gan": (30.0, 31.0), "wgan": (20.0, 22.0)}.items():
        for seed, fid in enumerate(fids):
            changes = {"variant.name": variant}
            write_run(tmp_path / "runs" / variant / str(seed), record_of(seed, changes, {"fid": fid}))
    write_run(tmp_path / "runs" / "broken", "no record")
    return tmp_path / "runs"


def test_a_table_without_a_terminal_is_lines_with_tabs(runs, command):
    done = command("leaderboard")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "# digits at 32 x 32, 1,000 generator updates, digits-v1"
    assert lines[1].split("\t")[:5] == ["# rank", "group", "seeds", "fid ↓", "best fid ↓"]
    assert lines[2].split("\t")[:4] == ["1", "wgan", "2", "21 ± 13"]
    assert lines[3].split("\t")[:4] == ["2", "gan", "2", "30.5 ± 6.4"]
    assert all(line.startswith("#") for line in lines[5:])
    assert "# runs/broken: record.json is cut short, or no JSON object" in lines


def test_formats(runs, command):
    told = json.loads(command("leaderboard", runs, "--json").stdout)
    assert [group["label"] for group in told["tables"][0]["groups"]] == ["wgan", "gan"]
    assert command("leaderboard", runs, "--format", "json").stdout == json.dumps(told) + "\n"
    rows = list(csv.DictReader(io.StringIO(command("leaderboard", "--format", "csv").stdout)))
    assert [(row["group"], float(row["fid_mean"])) for row in rows] == [("wgan", 21.0), ("gan", 30.5)]
    assert "\\toprule" in command("leaderboard", "--format", "latex").stdout
    assert "| 1 | wgan | 2 |" in command("leaderboard", "--format", "markdown").stdout


def test_out_writes_every_format(runs, command, tmp_path):
    done = command("leaderboard", "--out", "board", "--where", "variant.name=gan", "--metric", "kid,fid")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "board/index.html"
    names = {path.name for path in (tmp_path / "board").iterdir()}
    assert names == {"board.md", "board.csv", "board.json", "board.tex", "index.html"}
    told = json.loads((tmp_path / "board" / "board.json").read_text())
    (table,) = told["tables"]
    assert [metric["name"] for metric in table["metrics"]] == ["kid", "fid"] and len(table["groups"]) == 1
    assert "<html" in (tmp_path / "board" / "index.html").read_text()
    both = command("leaderboard", "--out", "again", "--format", "csv")
    assert both.stdout == (tmp_path / "again" / "board.csv").read_text()


@pytest.mark.parametrize(
    "words, told",
    [
        (["nowhere"], "nowhere: no such folder"),
        (["--where", "variant.nme=gan"], "did you mean 'variant.name'"),
        (["--where", "variant.name=dcgan"], "there variant.name is gan, wgan"),
        (["--group-by", "seed,variant.nme"], "did you mean 'variant.name'"),
        (["--sort", "rnk"], "did you mean 'rank'"),
        (["--metric", "fidd"], "did you mean 'fid'"),
        (["--json", "--format", "csv"], "--json: is --format json"),
    ],
)
def test_mistakes_are_answered_in_a_paragraph(runs, command, tmp_path, words, told):
    done = command("leaderboard", *words)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_where_nothing_can_be_written_the_command_fails(runs, command, tmp_path):
    (tmp_path / "file").write_text("")
    done = command("leaderboard", "--out", "file/board")
    assert (done.returncode, done.stdout) == (1, "") and "file/board/board.md: cannot be written" in done.stderr


def test_without_runs_the_answer_is_what_makes_them(command):
    done = command("leaderboard")
    assert done.returncode == 2 and "no such folder" in done.stderr


def test_it_imports_no_torch(runs, tmp_path):
    """Nor does it wait for Lightning or W&B."""
    code = (
        "import sys\nfrom ganzoo.cli import main\nmain(['leaderboard', '--json'], standalone_mode=False)\n"
        "heavy = {'torch', 'lightning', 'wandb', 'plotly', 'optuna', 'pandas'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def spent_on(words, folder):
    """Seconds on the wall and of the processor, and the most megabytes, of the command in a process of its own."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    code += "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-c", code, sys.executable, "-m", "ganzoo", *map(str, words)]
    started = time.perf_counter()
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return time.perf_counter() - started, seconds, kilobytes / 1024


@pytest.mark.slow
def test_ten_thousand_runs(tmp_path):
    """In ten seconds and a gigabyte: of the processor, for this machine may be busy with other tests."""
    write_many(tmp_path / "runs", 10_000)
    wall, processor, megabytes = spent_on(["leaderboard", "runs", "--json"], tmp_path)
    print(f"10,000 runs: {wall:.1f} s on the wall, {processor:.1f} s of the processor, {megabytes:.0f} MB")
    assert processor < 10 and megabytes < 1024


def test_a_thousand_runs(tmp_path):
    write_many(tmp_path / "runs", 1000)
    _, processor, megabytes = spent_on(["leaderboard", "runs", "--format", "csv"], tmp_path)
    assert processor < 5 and megabytes < 400
