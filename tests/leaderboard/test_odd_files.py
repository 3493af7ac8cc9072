"""What is odd in a run directory, and yet a run: pipes beside the record, links, numbers beyond all bounds."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT
from made_runs import config_of, record_of, write_config, write_run

from ganzoo.leaderboard.board import Run
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.runs import read_run, read_runs
from ganzoo.records.run_files import NoFile, open_regular


def test_pipes_beside_a_record_are_not_waited_for(tmp_path):
    """Neither where a run's state is asked for, nor where its scores and samples are."""
    begun = write_config(tmp_path / "runs" / "begun", config_of({}, 0))
    done = write_run(tmp_path / "runs" / "done", record_of(1))
    os.mkfifo(begun / "metrics.jsonl")
    os.mkfifo(done / "metrics.jsonl")
    for folder, name in ((begun / "claims", "000001.json"), (done / "samples", "00000400.png")):
        folder.mkdir()
        os.mkfifo(folder / name)
    code = "from ganzoo.cli import main; main(['leaderboard', 'runs', '--out', 'board'])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert call.returncode == 0, call.stderr
    (table,) = json.loads((tmp_path / "board" / "board.json").read_text())["tables"]
    assert table["groups"][0]["counts"] == {"interrupted": 1, "done": 1}


def test_only_whole_files_up_to_a_size_are_opened(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    with open_regular(path, 4) as file:
        assert file.read() == b"1234"
    for odd, most, told in ((path, 3, "file has more than 3 bytes"), (tmp_path, None, "is no file")):
        with pytest.raises(NoFile) as raised:
            open_regular(odd, most)
        assert raised.value.strerror is not None and told in raised.value.strerror


@pytest.mark.parametrize("way", ["link/run", "runs/../runs", "runs"])
def test_one_run_by_two_ways_counts_once(tmp_path, way):
    write_run(tmp_path / "runs" / "run", record_of(0))
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    runs, _ = read_runs([tmp_path / "runs", tmp_path / way])
    assert len(runs) == 1
    write_run(tmp_path / "runs" / "other", record_of(1))
    assert len(read_runs([tmp_path / "runs", tmp_path / way])[0]) == 2


def test_scores_that_nothing_can_be_computed_of_are_none(tmp_path):
    """The square of 1e200 is no float; that of 1e99 is one."""
    scores = {"fid": 1e200, "kid": 1e99, "precision": -1e200, "recall": 10**150}
    run = read_run(write_run(tmp_path / "run", record_of(0, scores=scores, seconds=1e300)))
    assert isinstance(run, Run) and {"fid", "precision", "recall"}.isdisjoint(run.last) and run.last["kid"] == 1e99
    assert run.seconds is None
    other = read_run(write_run(tmp_path / "other", record_of(1, scores={"fid": 3.0, "kid": -1e99})))
    (table,) = board_of([run, other]).tables
    assert table.groups[0].standings["kid"].last.mean == 0 and table.groups[0].standings["fid"].last.n == 1


@pytest.mark.parametrize(
    "ranks, processes",
    [
        ([(0, 4)], 4),
        ([(0, 8), (900, 1)], 7.3),
        ([(0, 8), (600, 2), (500, 1)], 4.5),  # it went on from an earlier checkpoint
        ([], 1),
        ([(0, 2), (2000, 4)], 2),  # past the end
        ("two", 1),
    ],
)
def test_processes_are_a_mean_over_the_updates(tmp_path, ranks, processes):
    told = [{"from_generator_update": start, "ranks": many} for start, many in ranks] if ranks != "two" else ranks
    run = read_run(write_run(tmp_path / "run", record_of(0, ranks=told)))
    assert isinstance(run, Run) and run.processes == pytest.approx(processes)
