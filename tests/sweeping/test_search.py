"""Search by Optuna: what it asks and what it tells, and that processes that die or meet neither lose nor double it."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import pytest
from conftest import RING, ROOT
from optuna.trial import FrozenTrial, TrialState

from ganzoo.errors import GanzooError, InputError
from ganzoo.records.claim import holder
from ganzoo.records.run_files import MetricsFile
from ganzoo.sweeping.axes import axis_of
from ganzoo.sweeping.distributions import Distribution
from ganzoo.sweeping.parameters import KINDS, read_parameters
from ganzoo.sweeping.points import point_of
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.rounding import quantised
from ganzoo.sweeping.search import Search
from ganzoo.sweeping.storage import open_storage, without_password
from ganzoo.sweeping.trials import Sweep, Trial

LOSS = "generator/loss"
SQUARE = {"x": {"min": -5.0, "max": 5.0}, "y": {"min": -5.0, "max": 5.0}}

# A worker without training: it claims a trial, says its number, and ends it with the value of a parabola.
# Arguments: the sweep file, the folder of runs, the number of trials, "finish" or "hang" (at the first trial).
pytestmark = pytest.mark.usefixtures("warm")
WORKER = f"""
import json, sys, time
from pathlib import Path
from ganzoo.records.claim import Claim
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.search import Search
from ganzoo.sweeping.trials import Sweep, has_ended

sweep = Sweep(read_sweep(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]))
search = Search(sweep)
while not search.all_ended():
    for trial in search.candidates():
        claim = Claim.take(trial.directory)
        if claim is None:
            continue
        if not has_ended(trial.run):
            trial.write()
            print(trial.number, flush=True)
            time.sleep(1000 if sys.argv[4] == "hang" else 0.01)
            line = {{"generator_updates": 1, "seconds": 0.1, "{LOSS}": trial.parameters["x"] ** 2}}
            trial.run.metrics.write_text(json.dumps(line) + "\\n")
            trial.run.write_record({{"status": "done"}})
        claim.release()
        search.tell_ended()
"""


def square(parameters: Any) -> float:
    return (parameters["x"] - 2) ** 2 + (parameters["y"] + 1) ** 2


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Sweep]:
    """A sweep of these parameters."""

    def sweep(count: int | None = None, *, parameters: Any = SQUARE, goal: str = "minimize", **others: Any) -> Sweep:
        metric = {"name": LOSS, "goal": goal}
        values = {"program": str(RING), "method": "bayes", "metric": metric, "parameters": parameters, **others}
        path = tmp_path / "sweep.yaml"
        path.write_text(json.dumps(values))  # JSON is YAML
        return Sweep(read_sweep(path), tmp_path / "runs", count)

    return sweep


def end(trial: Trial, *values: float | str, status: str = "done") -> None:
    """The trial's run directory as training leaves it: values of the metric at updates 10, 20, ..., and a record."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    trial.write()
    lines = [{"generator_updates": 10 * place, "seconds": 0.1, LOSS: value} for place, value in enumerate(values, 1)]
    trial.run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    trial.run.record.write_text(json.dumps({"status": status, "reason": None}))


def finish(search: Search, value: Callable[[Any], float] = square) -> list[Trial]:
    """One worker's loop; the trials in the order in which they were tried."""
    tried = []
    while not search.all_ended():
        for trial in search.candidates():
            tried.append(trial)
            end(trial, value(trial.parameters))
            search.tell_ended()
    return tried


def study_of(sweep: Sweep, storage: str | None = None) -> optuna.Study:
    """Optuna's own account of the search."""
    kept = open_storage(storage or str(sweep.folder / "optuna.journal"))
    return optuna.load_study(study_name=sweep.file.identity, storage=kept)


def asked(sweep: Sweep, storage: str | None = None) -> list[FrozenTrial]:
    return study_of(sweep, storage).trials


def states(sweep: Sweep) -> Counter[str]:
    return Counter(trial.state.name for trial in asked(sweep))


# What is asked

SECTIONS = {
    "categorical": {"values": [0.1, "relu", None, True, [0.0, 0.9], {"name": "adam"}]},
    "categorical_w_probabilities": {"values": ["a", "b", "c"], "probabilities": [0.2, 0.5, 0.3]},
    "int_uniform": {"min": -3, "max": 40},
    "uniform": {"min": 1.0, "max": 3.0},
    "q_uniform": {"min": 1, "max": 30, "q": 0.3},
    "log_uniform": {"min": -9, "max": -2},
    "log_uniform_values": {"min": 1e-5, "max": 0.1},
    "inv_log_uniform": {"min": 2, "max": 5},
    "inv_log_uniform_values": {"min": 0.01, "max": 3},
    "q_log_uniform": {"min": 1, "max": 5, "q": 1},
    "q_log_uniform_values": {"min": 3, "max": 300, "q": 2},
    "normal": {"mu": 3, "sigma": 2},
    "q_normal": {"mu": 3, "sigma": 20, "q": 2},
    "log_normal": {"mu": -7, "sigma": 0.5},
    "q_log_normal": {"mu": 3, "sigma": 0.5, "q": 1},
    "beta": {"a": 2, "b": 5},
    "q_beta": {"a": 2, "b": 2, "q": 0.05},
}
ASKED_AS_IT_IS = {
    "categorical": optuna.distributions.CategoricalDistribution,
    "int_uniform": optuna.distributions.IntDistribution,
}


def distribution(kind: str) -> Distribution:
    problems: list[Any] = []
    found = read_parameters({"p": {"distribution": kind, **SECTIONS[kind]}}, problems)
    assert not problems
    return found[("p",)]


def test_no_distribution_is_forgotten():
    assert set(SECTIONS) == set(KINDS) - {"constant"}


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_distribution_is_asked_for_as_it_is(kind):
    """What Optuna draws at random is distributed as W&B's draws: the values themselves, or their quantiles."""
    meant = distribution(kind)
    axis = axis_of(meant)
    assert axis is not None
    assert isinstance(axis.asked, ASKED_AS_IT_IS.get(kind, optuna.distributions.FloatDistribution))
    study, trial = optuna.create_study(), optuna.trial.create_trial(value=0.0)
    draw = optuna.samplers.RandomSampler(seed=0).sample_independent
    drawn = [axis.value(draw(study, trial, "p", axis.asked)) for _ in range(1000)]
    shares = [(index + 0.5) / 1000 for index in range(1000)]
    expected = [meant.quantile(share) for share in shares]
    assert {type(value) for value in drawn} == {type(value) for value in expected}
    if kind.startswith("categorical"):
        counts, means = (Counter(map(str, values)) for values in (drawn, expected))
        assert counts.keys() == means.keys()
        assert all(abs(counts[word] - means[word]) < 60 for word in means)  # four standard deviations
        return
    if (q := SECTIONS[kind].get("q")) is not None:
        assert drawn == [quantised(value, q) for value in drawn]
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        below = mean(value < meant.quantile(share) for value in drawn)
        at_or_below = mean(value <= meant.quantile(share) for value in drawn)
        assert below - 0.06 < share < at_or_below + 0.06


@pytest.mark.parametrize("kind", SECTIONS)
def test_the_ends_that_optuna_goes_to_are_values(kind):
    """Samplers try the very ends of a range, where a normal distribution has no value."""
    meant = distribution(kind)
    axis = axis_of(meant)
    assert axis is not None
    if kind == "categorical":
        assert [axis.value(choice) for choice in axis.asked.choices] == SECTIONS[kind]["values"]
        return
    low, high = axis.value(axis.asked.low), axis.value(axis.asked.high)
    assert type(low) is type(high) is type(meant.quantile(0.5))
    if kind != "categorical_w_probabilities":
        assert low <= meant.quantile(0.01) < meant.quantile(0.99) <= high
    if "uniform" in kind:
        assert [low, high] == list(meant.examples)


def test_constants_are_not_asked_for_and_reach_the_run(make):
    parameters = {
        "lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
        "budget": {"parameters": {"generator_updates": {"value": 7}, "extra": {"values": [[1, {"a": None}]]}}},
    }
    sweep = make(2, parameters=parameters)
    tried = finish(Search(sweep), lambda point: point["lr"])
    assert [set(trial.params) for trial in asked(sweep)] == [{"lr", "budget.extra"}] * 2
    for trial in tried:
        lr = trial.parameters["lr"]
        assert trial.words == (f"lr={lr}", "budget={'generator_updates': 7, 'extra': [1, {'a': None}]}")
        assert lr == float(f"{lr:.6g}")


def test_trials_are_the_same_in_every_process_that_looks(make):
    sweep = make(4, parameters={**SQUARE, "seeds": {"value": 2}})
    first = [(trial.number, trial.words, trial.directory) for trial in Search(sweep).candidates()]
    again = [(trial.number, trial.words, trial.directory) for trial in Search(sweep).candidates()]
    assert first == again
    assert [number for number, _, _ in first] == [0, 1, 2, 3]
    assert [words[-1] for _, words, _ in first] == ["seed=0", "seed=1", "seed=0", "seed=1"]
    assert first[0][1][:2] == first[1][1][:2] != first[2][1][:2] == first[3][1][:2]


def test_one_worker_searches_the_same_way_every_time(make, tmp_path):
    sweep = make(14)
    one = finish(Search(sweep))
    other = finish(Search(Sweep(sweep.file, tmp_path / "elsewhere", 14)))
    assert [trial.words for trial in one] == [trial.words for trial in other]
    assert len({trial.words for trial in one}) == 14


# Whether it finds anything


def test_tpe_finds_what_random_search_does_not(make):
    """Of (x - 2)^2 + (y + 1)^2 on [-5, 5]^2 the mean is 21.7, the least value 0 and the greatest 85."""
    least = finish(Search(make(40)))
    greatest = finish(Search(make(40, goal="maximize")))
    random = make(40, method="random").file
    assert 12 < mean(square(point_of(random, number)) for number in range(40)) < 32
    assert mean(square(trial.parameters) for trial in least[-20:]) < 14  # 6 to 13 in eight searches
    assert mean(square(trial.parameters) for trial in greatest[-20:]) > 30  # 35 to 61


def test_gp_finds_it_too(make):
    found = finish(Search(make(16), sampler="gp"))
    assert min(square(trial.parameters) for trial in found[10:]) < 0.05  # below 0.008 in eight searches


# What is told


def only_point(search: Search, *ends: tuple[str, tuple[float | str, ...]]) -> FrozenTrial:
    """One point's trials end as given; what Optuna then knows of it."""
    for trial, (status, values) in zip(search.candidates(), ends, strict=True):
        end(trial, *values, status=status)
    search.tell_ended()
    return asked(search.sweep)[0]


@pytest.mark.parametrize(
    ("ends", "state", "value"),
    [
        ([("done", (9.0, 1.0)), ("done", (9.0, 3.0)), ("done", (5.0,))], "COMPLETE", 3.0),
        ([("done", (1.0,)), ("diverged", (9.0,)), ("failed", (9.0,))], "COMPLETE", 1.0),
        ([("done", (1.0,)), ("pruned", (5.0,)), ("diverged", ())], "COMPLETE", 3.0),
        ([("done", (1.0,)), ("done", (1.0, "nan")), ("done", (3.0,))], "COMPLETE", 2.0),
        ([("done", ("nan",)), ("failed", ()), ("diverged", (1.0,))], "FAIL", None),
        ([("pruned", (8.0, 4.0)), ("pruned", (6.0,)), ("failed", (1.0,))], "PRUNED", 4.0),
        ([("done", (1e308,)), ("done", (1e308,)), ("done", (1e308,))], "COMPLETE", 1e308),
    ],
)
def test_a_point_comes_to_the_mean_of_its_seeds(make, ends, state, value):
    sweep = make(3, parameters={**SQUARE, "seeds": {"value": 3}})
    told = only_point(Search(sweep), *ends)
    assert (told.state.name, told.value) == (state, pytest.approx(value))
    assert told.intermediate_values == ({10: 7.0, 20: 4.0} if state == "PRUNED" else {})
    assert Search(sweep).all_ended()


def test_a_point_is_told_when_its_last_seed_has_ended(make):
    sweep = make(3, parameters={**SQUARE, "seeds": {"value": 3}})
    search = Search(sweep)
    for trial in search.candidates():
        assert states(sweep) == {"RUNNING": 1}
        end(trial, 1.0)
        search.tell_ended()
        search.tell_ended()
    assert states(sweep) == {"COMPLETE": 1}
    other = Search(sweep)
    other.tell_ended()
    assert states(sweep) == {"COMPLETE": 1} and list(other.candidates()) == []


def test_the_last_point_may_have_fewer_seeds(make):
    sweep = make(5, parameters={**SQUARE, "seeds": {"value": 3}})
    assert len(finish(Search(sweep))) == 5
    assert states(sweep) == {"COMPLETE": 2}


def test_a_longer_search_goes_on(make):
    finish(Search(make(3)))
    sweep = make(5)
    assert [trial.number for trial in finish(Search(sweep))] == [3, 4]
    assert states(sweep) == {"COMPLETE": 5}


def test_a_shorter_search_beside_it_ends_nothing_of_the_longer_one(make):
    sweep = make(5)
    assert len(list(Search(sweep).candidates())) == 5
    short = Search(make(2))
    assert len(finish(short)) == 2
    assert states(sweep) == {"COMPLETE": 2, "RUNNING": 3}


def test_what_had_failed_and_is_tried_again_is_told_once(make):
    sweep = make(2)
    search = Search(sweep)
    trials = list(search.candidates())
    end(trials[0], status="failed")
    end(trials[1], 5.0)
    search.tell_ended()
    assert states(sweep) == {"FAIL": 1, "COMPLETE": 1}
    trials[0].run.record.unlink()
    search = Search(sweep)
    assert not search.all_ended()
    assert [trial.words for trial in search.candidates()] == [trials[0].words]
    assert states(sweep) == {"FAIL": 1, "COMPLETE": 1}
    end(trials[0], 4.0)
    for _ in range(2):
        search.tell_ended()
    assert states(sweep) == {"FAIL": 1, "COMPLETE": 2}
    assert [trial.value for trial in asked(sweep)] == [None, 5.0, 4.0]
    assert search.all_ended() and list(search.candidates()) == []


# Several processes


def start(sweep: Sweep, tmp_path: Path, how: str = "finish") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WORKER, str(sweep.file.source), str(sweep.runs), str(len(sweep)), how]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def said(worker: subprocess.Popen[str]) -> list[int]:
    """The numbers of the trials that a worker began before it ended, which it must have done in order."""
    told, problems = worker.communicate(timeout=240)
    assert worker.returncode == 0 and problems == ""
    return [int(word) for word in told.split()]


@pytest.mark.slow
def test_four_workers_ask_for_just_as_many_points_as_there_are_to_be(make, tmp_path):
    sweep = make(20)
    workers = [start(sweep, tmp_path) for _ in range(4)]
    numbers = [number for worker in workers for number in said(worker)]
    assert sorted(numbers) == list(range(20))
    assert states(sweep) == {"COMPLETE": 20}
    assert len({tuple(trial.params.values()) for trial in asked(sweep)}) == 20
    for number, point in enumerate(asked(sweep)):
        assert Trial.read(sweep.directory(number)).parameters["x"] == pytest.approx(point.params["x"], rel=1e-5)


def test_the_point_of_a_killed_worker_is_given_to_another(make, tmp_path):
    sweep = make(6)
    hanging = start(sweep, tmp_path, "hang")
    assert hanging.stdout is not None
    number = int(hanging.stdout.readline())
    begun = Trial.read(sweep.directory(number)).words
    others = start(sweep, tmp_path)
    assert others.stdout is not None
    while len(list(sweep.folder.glob("*/record.json"))) < 5:
        assert others.poll() is None
    assert holder(sweep.directory(number)) is not None and others.poll() is None  # it waits for the one that hangs
    hanging.send_signal(signal.SIGKILL)
    hanging.communicate()
    assert number in said(others)
    assert Trial.read(sweep.directory(number)).words == begun
    assert states(sweep) == {"COMPLETE": 6}


def test_a_worker_that_died_while_asking_leaves_no_hole(make):
    sweep = make(3)
    assert next(Search(sweep).candidates()).number == 0
    study = optuna.load_study(
        study_name=sweep.file.identity, storage=open_storage(str(sweep.folder / "optuna.journal"))
    )
    study.ask().suggest_float("x", -5.0, 5.0)  # and it never came to y
    assert [trial.number for trial in finish(Search(sweep))] == [0, 1, 2]
    assert states(sweep) == {"COMPLETE": 3, "FAIL": 1}


def test_a_line_that_a_full_disk_cut_short_is_taken_away(make):
    sweep = make(4)
    first = next(Search(sweep).candidates())
    with (sweep.folder / "optuna.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "worker_id": "8f3')
    assert [trial.number for trial in finish(Search(sweep))] == [0, 1, 2, 3]
    assert Trial.read(first.directory).words == first.words
    assert states(sweep) == {"COMPLETE": 4}


@pytest.mark.slow
def test_optunas_own_lock_of_a_dead_process_is_waited_for_only_seconds(make):
    sweep = make(2)
    sweep.folder.mkdir(parents=True)
    (sweep.folder / "optuna.journal.lock").touch()
    assert len(finish(Search(sweep))) == 2


@pytest.mark.slow
def test_workers_killed_at_any_moment_lose_and_double_nothing(make, tmp_path):
    sweep = make(120)
    for moment in range(8):
        workers = [start(sweep, tmp_path) for _ in range(2)]
        for worker in workers:
            assert worker.stdout is not None
            for _ in range(1 + moment % 5):
                worker.stdout.readline()
            worker.kill()
            worker.communicate()
    said(start(sweep, tmp_path))
    assert Search(sweep).all_ended()
    found = states(sweep)
    assert found["COMPLETE"] == 120 and found["RUNNING"] == 0
    assert sorted(trial.number for trial in sweep.begun()) == list(range(120))


# Where it is kept


def test_a_database_by_its_url(make, tmp_path):
    url = f"sqlite:///{tmp_path / 'search.db'}"
    sweep = make(4)
    tried = finish(Search(sweep, url))
    assert not (sweep.folder / "optuna.journal").exists()
    assert [trial.value for trial in asked(sweep, url)] == [square(trial.parameters) for trial in tried]
    assert Search(sweep, url).all_ended()


def test_a_journal_of_ones_own(make, tmp_path):
    sweep = make(2)
    finish(Search(sweep, str(tmp_path / "shared.journal")))
    assert len(asked(sweep, str(tmp_path / "shared.journal"))) == 2


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        ("search", "must be a database's URL"),
        ("nosuch://host/search", "nosuch"),
        ("sqlite:////nowhere/search.db", "unable to open database file"),
        ("postgresql://ann:s3cret@127.0.0.1:1/search", "psycopg"),
        ("mysql+pymysql://ann:s3cret@127.0.0.1:1/search", "pymysql"),
        ("sqlite:///{tmp_path}/text.journal", "file is not a database"),
        ("{tmp_path}/text.journal", "Expecting value"),
        ("{tmp_path}/nowhere/search.journal", "No such file"),
        ("{tmp_path}/folder.journal", "Is a directory"),
    ],
)
def test_a_storage_that_cannot_be_is_told_in_a_paragraph(make, tmp_path, storage, why):
    (tmp_path / "text.journal").write_text("not a journal\n" * 100)
    (tmp_path / "folder.journal").mkdir()
    with pytest.raises(InputError) as caught:
        Search(make(2), storage.replace("{tmp_path}", str(tmp_path)))
    message = str(caught.value)
    assert message.startswith("--storage: ") and why in message and "\n" not in message
    assert "s3cret" not in message


def test_a_database_that_goes_away_is_told_in_a_paragraph(make, tmp_path):
    database = tmp_path / "search.db"
    search = Search(make(3), f"sqlite:///{database}")
    next(search.candidates())
    database.write_text("no database any more\n" * 1000)
    with pytest.raises(GanzooError, match=r"search\.db: the search cannot go on without its storage: .*not a database"):
        list(search.candidates())


def test_trials_of_another_storage_are_not_taken_for_its_own(make, tmp_path):
    sweep = make(3)
    finish(Search(sweep))
    with pytest.raises(InputError, match=r"--storage: .*other\.journal: .*give the storage that they came from"):
        list(Search(sweep, str(tmp_path / "other.journal")).candidates())


def test_an_unknown_sampler_is_refused(make):
    with pytest.raises(InputError, match="--sampler: there is no sampler 'tqe'; did you mean 'tpe'"):
        Search(make(3), sampler="tqe")


def test_a_search_without_end_is_refused(make):
    with pytest.raises(InputError, match="bayes search has no end"):
        list(Search(make()).candidates())


def test_passwords_stay_secret():
    assert without_password("postgresql://ann:p@ss@db:5432/search") == "postgresql://ann:***@db:5432/search"
    assert without_password("sqlite:///a@b.db") == "sqlite:///a@b.db"


# With training


def test_a_search_that_trains(make):
    """What Optuna is told is what the runs logged, and a run that W&B's hyperband ends is pruned there too."""
    tiny = ["generator.width=16", "discriminator.width=16", "data.batch_size=8", "tracking.wandb=disabled"]
    short = ["tracking.every_generator_updates=1", "evaluation.protocol=null", "samples.every_generator_updates=null"]
    sweep = make(
        4,
        command=["${env}", "ganzoo", "train", "${program}", "${args_no_hyphens}", *tiny, *short],
        early_terminate={"type": "hyperband", "min_iter": 3, "eta": 10},  # who is not the best is out
        parameters={
            "budget": {"parameters": {"generator_updates": {"value": 9}}},
            "optimizer": {"parameters": {"generator": {"parameters": {"lr": {"min": 1e-4, "max": 0.3}}}}},
        },
    )
    from ganzoo.sweeping.working import work

    work(sweep, Search(sweep))
    for trial, told in zip(sweep.begun(), asked(sweep), strict=True):
        record, file = trial.run.read_record(), MetricsFile(trial.run.metrics, LOSS)
        file.read()
        assert record is not None
        assert record["config"]["optimizer"]["generator"]["lr"] == trial.parameters["optimizer"]["generator"]["lr"]
        assert told.value == file.history[-1][1]
        assert told.state == {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED}[record["status"]]
        assert len(file.history) == (9 if record["status"] == "done" else told.last_step)
        assert (record["status"] == "pruned") == str(record["reason"]).startswith("hyperband: generator/loss is ")
    assert set(states(sweep)) == {"COMPLETE", "PRUNED"}
