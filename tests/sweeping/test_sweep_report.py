"""What is told of a sweep: tables, JSON, and the table that stays in its place while workers train."""

import io
import json
import sys

import pytest
from hand_written import FID, sweep_in, write_record, write_run
from rich.console import Console

from ganzoo.records.claim import Claim
from ganzoo.sweeping.report import as_json, print_outcome, print_status, shown
from ganzoo.sweeping.states import States
from ganzoo.sweeping.table import LiveTable

REASON = "RuntimeError: [enforce fail at alloc_cpu.cpp:114] \x1b[31mnot enough\tmemory"

RATE = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1}
PARTS = ("generator", "discriminator")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def sweep(tmp_path):
    """Ten trials: two done, one pruned, one failed, one interrupted, five waiting."""
    sweep = sweep_in(tmp_path)
    write_run(sweep[0], "done", (9.0, 4.0))
    write_run(sweep[1], "done", (9.0, 2.5))
    write_run(sweep[2], "pruned", (9.0, 8.0), reason="hyperband: too far behind")
    write_run(sweep[3], "failed", (1.0,), reason=REASON)
    write_run(sweep[4])
    return sweep


def test_status_without_a_terminal_is_for_cut_and_awk(sweep, capsys):
    print_status(States(sweep))
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert [row[:4] for row in rows] == [
        ["0000", "done", "20/100", "4"],
        ["0001", "done", "20/100", "2.5"],
        ["0002", "pruned", "20/100", "8"],
        ["0003", "failed", "10/100", "1"],
        ["0004", "interrupted", "20/100", "4"],
        *([f"{number:04d}", "waiting", "", ""] for number in range(5, 10)),
    ]
    lr, width = (sweep[1].parameters[key] for key in ("optimizer.generator.lr", "variant.latent_dim"))
    assert rows[1][4:] == [f"lr={lr} latent_dim={width}", ""]
    assert rows[3][5] == "RuntimeError: [enforce fail at alloc_cpu.cpp:114] \\x1b[31mnot enough\\tmemory"
    assert lines[-2:] == [
        "# 10 trials: 5 waiting, 1 interrupted, 2 done, 1 pruned, 1 failed",
        f"# best: {FID} 2.5, trial 0001 lr={lr} latent_dim={width}",
    ]


def test_status_on_a_terminal_says_the_same(sweep, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "200")
    print_status(States(sweep))
    text = sys.stdout.getvalue()
    assert "[enforce fail at alloc_cpu.cpp:114] \\x1b[31mnot enough" in text  # neither markup nor an escape sequence
    assert "#" not in text and "best: evaluation/fid 2.5, trial 0001" in text


def test_the_outcome_names_what_broke_and_ends_with_the_folder(sweep, capsys):
    print_outcome(States(sweep))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines if line.startswith("0")] == [["0003", "failed"]]
    assert lines[-1] == str(sweep.folder)


def test_the_outcome_of_a_sweep_without_trouble_or_metric(tmp_path, capsys):
    sweep = sweep_in(tmp_path, metric=None, run_cap=1, parameters={"seed": {"values": [1]}})
    write_run(sweep[0], "done")
    print_outcome(States(sweep))
    assert capsys.readouterr().out == f"# 1 trial: 1 done\n{sweep.folder}\n"


def test_the_target_is_told(tmp_path, capsys):
    sweep = sweep_in(tmp_path, metric={"name": FID, "target": 3})
    write_run(sweep[0], "done", (2.0,))
    print_status(States(sweep))
    assert capsys.readouterr().out.endswith(f"# the target is reached: {FID} 3\n")


def test_json(sweep):
    told = json.loads(json.dumps(as_json(States(sweep)), allow_nan=False))
    assert told["folder"] == str(sweep.folder) and told["identity"] == sweep.file.identity
    assert told["metric"] == {"name": FID, "goal": "minimize", "target": None}
    assert told["counts"]["done"] == 2 and sum(told["counts"].values()) == told["size"] == len(told["trials"]) == 10
    assert told["best"] == told["trials"][1]
    assert told["trials"][3] == {
        "number": 3,
        "status": "failed",
        "reason": REASON,
        "run_dir": str(sweep[3].directory),
        "words": list(sweep[3].words),
        "parameters": dict(sweep[3].parameters),
        "generator_updates": 10,
        "budget": 100,
        "seconds": 1.0,
        "value": 1.0,
        "host": None,
    }


def test_values_are_shown_in_one_line():
    assert shown(1e-05) == "1e-05"
    assert shown("a\nb\x1b[1m") == "a\\nb\\x1b[1m"
    assert shown({"name": "gan", "betas": [0.5, {"x\t": None}]}) == "{name: gan, betas: [0.5, {x\\t: None}]}"


def rendered(table: LiveTable) -> list[str]:
    screen = Console(file=io.StringIO(), width=table.console.width, height=table.console.height)
    screen.print(table._drawn())
    return screen.file.getvalue().splitlines()


def test_without_a_terminal_there_is_a_line_for_each_trial_that_ends(sweep):
    out = io.StringIO()
    with LiveTable(States(sweep), Console(file=out)) as table:
        table.update()
        assert out.getvalue() == ""  # what had ended before is no news
        write_record(sweep[4], "done", 20)
        write_run(sweep[5], "failed", (), reason=REASON)
        table.update()
        table.update()
    lr, width = (sweep[4].parameters[key] for key in ("optimizer.generator.lr", "variant.latent_dim"))
    first, second = out.getvalue().splitlines()
    assert first == f"0004 done  {FID} 4  optimizer.generator.lr={lr} variant.latent_dim={width} (2.0 s)"
    assert second.startswith("0005 failed  optimizer") and second.endswith(
        "  RuntimeError: [enforce fail at alloc_cpu.cpp:114] \\x1b[31mnot enough\\tmemory (0.0 s)"
    )


def test_a_sweep_that_is_stopped_says_how_far_it_came(sweep):
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), LiveTable(States(sweep), Console(file=out)):
        raise KeyboardInterrupt
    assert out.getvalue().startswith("10 trials: 5 waiting, 1 interrupted, 2 done")


def test_the_live_table_fits_a_small_terminal(tmp_path):
    """500 trials, most of them ended before, seven running, six ending while we look."""
    parameters = {"optimizer": {"parameters": {part: {"parameters": {"lr": RATE}} for part in PARTS}}}
    sweep = sweep_in(tmp_path, run_cap=500, parameters=parameters)
    for number in range(490):
        write_run(sweep[number], "done" if number > 5 else None, (5.0 + number,))
    claims = [Claim.take(sweep[number].directory) for number in range(490, 497)]
    for number in range(490, 497):
        sweep[number].run.config.write_text("budget:\n  generator_updates: 1000\n")
    out = io.StringIO()
    with LiveTable(States(sweep), Console(file=out, force_terminal=True, width=80, height=24)) as table:
        for number, status in enumerate(["done", "failed", "pruned", "diverged", "done", "done"]):
            write_record(sweep[number], status, 10, reason=REASON)
        table.update()
        lines = rendered(table)
    assert max(map(len, lines)) <= 80 and len(lines) == 7 + 5 + 3
    assert [line.split()[0] for line in lines[:7]] == [f"{number:04d}" for number in range(490, 497)]
    assert all("0/1000" in line and "discriminator.lr=" in line for line in lines[:7])
    assert [line.split()[:2] for line in lines[7:12]] == [
        ["0001", "failed"],
        ["0002", "pruned"],
        ["0003", "diverged"],
        ["0004", "done"],
        ["0005", "done"],
    ]
    assert "[enforce fail" in lines[7]
    counts = " ".join(line.strip() for line in lines[12:14])
    assert counts == "500 trials, about 2 min left: 3 waiting, 7 running, 487 done, 1 pruned, 1 diverged, 1 failed"
    assert lines[14].startswith(f"best: {FID} 5, trial 0000 generator.lr=")
    assert out.getvalue().endswith("\x1b[2K")  # nothing stays: the outcome is told elsewhere
    for claim in claims:
        claim.release()


def test_more_workers_than_lines(tmp_path):
    sweep = sweep_in(tmp_path, run_cap=40)
    claims = [Claim.take(sweep[number].directory) for number in range(30)]
    table = LiveTable(States(sweep), Console(file=io.StringIO(), force_terminal=True, width=80, height=20))
    with table:
        table.update()
        lines = rendered(table)
    assert len(lines) <= 19 and any("and 16 more" in line for line in lines)
    for claim in claims:
        claim.release()
