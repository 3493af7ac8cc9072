"""How trials stand, as their files tell: every status, files that change while we look, and files that are no files."""

import os
import shutil

import pytest
from hand_written import FID, line, sweep_in, write_record, write_run
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.records.claim import Claim
from ganzoo.records.run_files import MetricsFile
from ganzoo.sweeping.states import States
from ganzoo.training.run import train


@pytest.fixture
def sweep(tmp_path):
    return sweep_in(tmp_path)


def state_of(sweep, number=0):
    return States(sweep).refresh()[number]


def test_nothing_has_begun(sweep):
    states = States(sweep)
    assert [state.status for state in states.refresh()] == ["waiting"] * 10
    assert [state.trial for state in states.seen] == list(sweep)
    assert states.summary().counts["waiting"] == 10
    assert (states.summary().best, states.summary().seconds_left) == (None, None)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, "interrupted"),
        ("stopped", "interrupted"),
        ("something newer", "interrupted"),
        ("done", "done"),
        ("pruned", "pruned"),
        ("diverged", "diverged"),
        ("failed", "failed"),
    ],
)
def test_the_record_says_how_a_run_ended(sweep, record, expected):
    write_run(sweep[3], record, reason="why not")
    state = state_of(sweep, 3)
    assert (state.status, state.generator_updates, state.budget, state.seconds) == (expected, 20, 100, 2.0)
    assert (state.history, state.value) == (((10, 9.0), (20, 4.0)), 4.0)
    assert state.reason == (None if expected == "done" or record is None else "why not")


def test_a_directory_without_a_configuration_has_not_begun(sweep):
    sweep[2].write()
    assert state_of(sweep, 2).status == "waiting"


def test_who_has_the_claim_runs(sweep):
    states = States(sweep)
    write_run(sweep[1], "stopped", reason="SIGTERM")
    claim = Claim.take(sweep[1].directory)
    running = states.refresh()[1]
    assert (running.status, running.reason, running.host) == ("running", None, os.uname().nodename)
    write_record(sweep[1], "done", 100, ended="2999-01-01T00:00:00+00:00")
    assert states.refresh()[1].status == "done"  # its process still has the claim, and will give it back
    claim.release()
    assert states.refresh()[1].host is None


def test_a_failed_trial_that_is_run_again(sweep):
    states = States(sweep)
    write_run(sweep[1], "failed", reason="of old")
    assert states.refresh()[1].status == "failed"
    claim = Claim.take(sweep[1].directory)  # later than the record
    assert states.refresh()[1].status == "running"
    claim.release()
    assert states.refresh()[1].status == "failed"


def test_the_last_value_counts_and_only_if_it_is_finite(sweep):
    write_run(sweep[0], "done", (1.0, 5.0, 3.0))
    write_run(sweep[1], "diverged", (1.0, float("nan")))
    write_run(sweep[2], "done", (float("inf"), 2.0))
    states = States(sweep).refresh()
    assert [state.value for state in states[:4]] == [3.0, None, 2.0, None]
    assert [state.history for state in states[1:3]] == [((10, 1.0),), ((20, 2.0),)]


def test_lines_are_followed_as_they_come(sweep):
    write_run(sweep[0])
    states = States(sweep)
    assert states.refresh()[0].value == 4.0
    first, second = line(30, 2.0)[:20], line(30, 2.0)[20:]
    with sweep[0].run.metrics.open("a") as file:
        file.write(first)
        file.flush()
        assert states.refresh()[0].history == ((10, 9.0), (20, 4.0))
        file.write(second)
    assert states.refresh()[0].history == ((10, 9.0), (20, 4.0), (30, 2.0))


@pytest.mark.parametrize("after", [(9.5,), (9.5, 4.5), (9.5, 4.5, 3.5, 2.5, 1.5)])
def test_a_resumed_run_writes_other_lines(sweep, after):
    write_run(sweep[0])
    states = States(sweep)
    states.refresh()
    sweep[0].run.metrics.write_text("".join(line(10 * place, value) for place, value in enumerate(after, start=1)))
    state = states.refresh()[0]
    assert [value for _, value in state.history] == list(after)
    assert state.generator_updates == 10 * len(after)
    sweep[0].run.metrics.unlink()
    assert (states.refresh()[0].history, states.seen[0].generator_updates) == ((), 0)


def test_what_has_been_read_is_not_read_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(updates, 1.5) for updates in range(1, 21)))
    metrics = MetricsFile(path, FID)
    metrics.read()
    stat = path.stat()
    changed = path.read_text().replace("1.5", "2.5", 1)
    path.write_text(changed)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    metrics.read()
    assert metrics.history[0] == (1, 1.5)  # the same size and time: nobody looked
    with path.open("a") as file:
        file.write(line(21, 0.5))
    metrics.read()
    assert (metrics.history[0], metrics.history[-1]) == ((1, 1.5), (21, 0.5))  # only the end was read
    again = MetricsFile(path, FID)
    again.read()
    assert (again.history[0], again.history[-1]) == ((1, 2.5), (21, 0.5))


@pytest.mark.parametrize(("status", "value"), [("done", 4.0), ("pruned", 4.0), ("failed", 77.0), ("diverged", 77.0)])
def test_what_is_over_for_good_is_not_looked_at_again(sweep, status, value):
    write_run(sweep[0], status)
    states = States(sweep)
    states.refresh()
    sweep[0].run.metrics.write_text(line(10, 77.0))
    assert states.refresh()[0].value == value


def test_a_directory_that_was_removed_waits_again(sweep):
    write_run(sweep[0], "done")
    states = States(sweep)
    states.refresh()
    shutil.rmtree(sweep[0].directory)
    assert states.refresh()[0].status == "waiting"
    write_run(sweep[0], "pruned", (1.0,))
    assert (states.refresh()[0].status, states.seen[0].value) == ("pruned", 1.0)


def test_an_update_that_is_logged_twice_counts_once(sweep):
    write_run(sweep[0])
    with sweep[0].run.metrics.open("a") as file:
        file.write(line(20, 3.0))
    assert state_of(sweep).history == ((10, 9.0), (20, 3.0))


NO_FILES = [
    b"",
    b"\0" * 100,
    b"\xff\xfe",
    b"[" * 100_000,
    b"[1]\n",
    b"null\n",
    b'{"generator_updates": "x", "evaluation/fid": [1]}\n',
    b'{"generator_updates": 1e999, "evaluation/fid": 1e999}\n',
    b'{"generator_updates": -3, "seconds": "long", "evaluation/fid": ' + b"9" * 4000 + b"}\n",
    b'{"generator_updates": 3, "seconds": true, "evaluation/fid": ' + b"9" * 4000 + b"}\n",
    b'{"status": ["done"], "reason": 7, "budget": 3, "ended": {}}',
    b'{"status": "done", "reason": {}, "budget": {"generator_updates": "all"}}',
    b'{"number": [], "parameters": 3}',
    b"budget: {generator_updates: many}",
    b"budget: [",
    b"budget: !!python/object:os.system {}",
]


@pytest.mark.parametrize("method", ["random", "bayes"])
@pytest.mark.parametrize("name", ["record.json", "metrics.jsonl", "config.yaml", "trial.json"])
def test_no_file_is_too_broken_to_look_at(tmp_path, name, method):
    sweep = sweep_in(tmp_path, method=method)
    trial = sweep.trial(0, {"optimizer.generator.lr": 0.1, "variant.latent_dim": 2})
    write_run(trial, "done")
    path = trial.directory / name
    for content in NO_FILES:
        path.write_bytes(content)
        states = States(sweep)
        states.refresh()
        assert sum(states.summary().counts.values()) == 10
    path.unlink()
    path.mkdir()
    States(sweep).refresh()


def test_a_file_that_only_begins_like_a_sweep_s_own(tmp_path):
    sweep = sweep_in(tmp_path, method="bayes")
    sweep.folder.mkdir(parents=True)
    (sweep.folder / f"{sweep.file.identity}-0000").write_text("no folder")
    assert States(sweep).refresh() == []


lines_and_cuts = st.lists(st.tuples(st.integers(0, 50), st.floats()), max_size=8)


@given(lines_and_cuts, st.lists(st.integers(0, 400), max_size=4))
def test_reading_in_pieces_is_reading_at_once(tmp_path_factory, values, cuts):
    text = "".join(line(updates, value) for updates, value in values)
    path = tmp_path_factory.mktemp("pieces") / "metrics.jsonl"
    piecewise = MetricsFile(path, FID)
    for cut in [*sorted(cuts), len(text)]:
        path.write_text(text[:cut])
        piecewise.read()
    at_once = MetricsFile(path, FID)
    at_once.read()
    for metrics in (piecewise, at_once):
        assert metrics.generator_updates == (values[-1][0] if values else 0)
    assert (piecewise.history, piecewise.value) == (at_once.history, at_once.value)


def test_a_bayes_search_lists_what_has_begun(tmp_path):
    sweep = sweep_in(tmp_path, method="bayes")
    states = States(sweep)
    assert states.refresh() == []
    for number, lr in enumerate([0.1, 0.01]):
        write_run(sweep.trial(number, {"optimizer.generator.lr": lr, "variant.latent_dim": 2}), "done")
    assert [states.varied(state.trial)["optimizer.generator.lr"] for state in states.refresh()] == [0.1, 0.01]
    assert states.summary().counts["waiting"] == 8


def test_a_search_without_end_lists_what_has_begun(tmp_path):
    sweep = sweep_in(tmp_path, run_cap=None)
    write_run(sweep[5], "done")
    assert [state.trial.number for state in States(sweep).refresh()] == [5]


@pytest.mark.parametrize(("goal", "best"), [("minimize", 1), ("maximize", 0)])
def test_the_best_is_by_the_goal(tmp_path, goal, best):
    sweep = sweep_in(tmp_path, metric={"name": FID, "goal": goal})
    for number, (status, value) in enumerate([("done", 7.0), ("pruned", 2.0), ("diverged", 0.0), ("failed", 99.0)]):
        write_run(sweep[number], status, (5.0, value))
    untrained = sweep[4]
    write_run(untrained, history=())
    untrained.run.metrics.write_text(line(0, 1.0 if goal == "minimize" else 50.0))
    states = States(sweep)
    states.refresh()
    assert states.summary().best == states.seen[best]
    assert dict(states.summary().counts) == {
        "waiting": 5,
        "running": 0,
        "interrupted": 1,
        "done": 1,
        "pruned": 1,
        "diverged": 1,
        "failed": 1,
    }


@pytest.mark.parametrize(
    ("goal", "target", "reached"),
    [("minimize", 4.0, True), ("minimize", 3.9, False), ("maximize", 4.0, True), ("maximize", 4.1, False)],
)
def test_the_target(tmp_path, goal, target, reached):
    sweep = sweep_in(tmp_path, metric={"name": FID, "goal": goal, "target": target})
    states = States(sweep)
    states.refresh()
    assert not states.summary().target_reached
    write_run(sweep[0], "done")
    states.refresh()
    assert states.summary().target_reached == reached


def test_time_left(sweep):
    states = States(sweep)
    write_run(sweep[0], "done", history=(1.0,) * 10)  # 100 updates in 10 s
    states.refresh()
    assert states.summary().seconds_left is None  # nobody is at it
    claims = []
    for number in (1, 2):
        write_run(sweep[number])  # 80 updates left
        claims.append(Claim.take(sweep[number].directory))
    states.refresh()
    assert states.summary().seconds_left == pytest.approx(0.1 * (2 * 80 + 7 * 100) / 2)
    for number in range(3, 10):
        write_run(sweep[number], "pruned")
    write_record(sweep[2], "done", 100, ended="2999-01-01T00:00:00+00:00")
    states.refresh()
    assert states.summary().seconds_left == pytest.approx(0.1 * 80, rel=0.5)  # one, with nobody's help
    write_record(sweep[1], "done", 100, ended="2999-01-01T00:00:00+00:00")
    states.refresh()
    assert states.summary().seconds_left == 0
    for claim in claims:
        claim.release()


def test_what_varies(tmp_path):
    parameters = {
        "optimizer": {"parameters": {"generator": {"parameters": {"lr": {"values": [0.1, 0.2]}}}}},
        "variant.latent_dim": {"value": 2},
        "data.batch_size": {"values": [16]},
        "seeds": {"value": 2},
    }
    sweep = sweep_in(tmp_path, method="grid", parameters=parameters, run_cap=None)
    states = States(sweep)
    assert [states.varied(trial) for trial in sweep] == [
        {"optimizer.generator.lr": lr, "seed": seed} for lr in (0.1, 0.2) for seed in (0, 1)
    ]


def test_a_run_that_really_trains(tmp_path):
    small = "budget.generator_updates=4 evaluation.every_generator_updates=2 samples.every_generator_updates=null"
    sweep = sweep_in(tmp_path, command=["ganzoo", "train", "${program}", "${args_no_hyphens}", *small.split()])
    states = States(sweep)
    states.refresh()
    trial = sweep[0]
    train(sweep.experiment_of(trial), run_dir=trial.directory)
    state = states.refresh()[0]
    logged = [each for each in trial.run.lines() if FID in each]
    assert (state.status, state.generator_updates, state.budget) == ("done", 4, 4)
    assert state.history == tuple((each["generator_updates"], each[FID]) for each in logged)
    assert (len(logged), state.value) == (3, logged[-1][FID])
