"""A thousand generated sweep files: right ones give trials that the experiment takes, broken ones are one paragraph."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sweep_generators import broken, disturbed, right

from ganzoo.errors import SHOWN, InputError
from ganzoo.experiment import Experiment
from ganzoo.sweeping.checking import check
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep

CHECKS_OFF = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
fuzz = partial(settings, deadline=None, derandomize=True, database=None, suppress_health_check=CHECKS_OFF)
BEGUN = 3  # trials that are looked at


def trials_of(path: Path) -> Sweep | InputError:
    """The sweep in the file, which its experiment takes, or the one paragraph that refuses it."""
    try:
        file = read_sweep(path)
        sweep = Sweep(file, path.parent / "runs", None if file.method == "grid" else BEGUN)
        check(sweep)
    except InputError as error:
        message = str(error)
        assert error.problems and all(problem.text for problem in error.problems), message
        assert "Traceback" not in message
        lines = min(len(error.problems), SHOWN + 1)  # the last says how many more there are
        assert message.count("\n") == (lines if lines > 1 else 0), message
        assert all(line.isprintable() for line in message.split("\n")), repr(message)
        assert all(len(str(problem)) < 2000 for problem in error.problems), message
        return error
    assert len(file.identity) == 8 and read_again(file.to_yaml(program=file.experiment), path) == file.identity
    if file.method != "bayes":
        trials = [sweep[number] for number in range(min(len(sweep), BEGUN))]
        assert all(isinstance(sweep.experiment_of(trial), Experiment) for trial in trials)
        assert [json.loads(json.dumps(trial.parameters)) for trial in trials] == [trial.parameters for trial in trials]
    return sweep


def read_again(text: str, path: Path) -> str:
    copy = path.with_name("copy.yaml")
    copy.write_text(text, encoding="utf-8")
    return read_sweep(copy).identity


def write(folder: Path, contents: dict[str, Any]) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(contents, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    return path


def right_ones(folder: Path, count: int) -> None:
    @fuzz(max_examples=count)
    @given(right())
    def each(contents: dict[str, Any]) -> None:
        sweep = trials_of(write(folder, contents))
        assert isinstance(sweep, Sweep), f"{contents}\n{sweep}"

    each()


def broken_ones(folder: Path, count: int) -> None:
    @fuzz(max_examples=count)
    @given(broken())
    def each(case: tuple[dict[str, Any], str]) -> None:
        contents, key = case
        error = trials_of(write(folder, contents))
        assert isinstance(error, InputError), contents
        assert any(problem.key.strip().startswith(key) for problem in error.problems), f"{contents}\n{error}"

    each()


def disturbed_ones(folder: Path, count: int) -> None:
    @fuzz(max_examples=count)
    @given(disturbed())
    def each(contents: dict[str, Any]) -> None:
        trials_of(write(folder, contents))

    each()


def cut_ones(folder: Path, count: int) -> None:
    @fuzz(max_examples=count)
    @given(right(), st.integers(0), st.integers(0, 40), st.text(max_size=5))
    def each(contents: dict[str, Any], start: int, length: int, text: str) -> None:
        path = write(folder, contents)
        whole = path.read_text()
        at = start % len(whole)
        path.write_text(whole[:at] + text + whole[at + length :], encoding="utf-8")
        trials_of(path)

    each()


COUNTS = {right_ones: 30, broken_ones: 70, disturbed_ones: 50, cut_ones: 50}


@pytest.mark.parametrize("kind", COUNTS, ids=lambda kind: kind.__name__)
def test_two_hundred_sweep_files(tmp_path, kind):
    kind(tmp_path, COUNTS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", COUNTS, ids=lambda kind: kind.__name__)
def test_a_thousand_sweep_files(tmp_path, kind):
    kind(tmp_path, 5 * COUNTS[kind])
