"""`--where KEY=VALUE`: which runs are meant."""

from collections.abc import Sequence
from typing import Any

from ganzoo.errors import InputError, Problem, did_you_mean, visible
from ganzoo.leaderboard.board import Run
from ganzoo.records.run_state import STATUSES
from ganzoo.values import flat_overrides

STATUS = "status"  # a key beside those of the configuration


def matching(runs: Sequence[Run], conditions: Sequence[str]) -> list[Run]:
    """The runs that meet all conditions; a value is read as in an experiment, and a key that a run has not fails.

    Raises:
        InputError: a condition is no KEY=VALUE, no run has the key, or none the value.
    """
    left = list(runs)
    for condition in conditions:
        key, value = _parsed(condition)
        _check_key(runs, key)
        met = [run for run in left if meets(run, key, value)]
        if left and not met:
            raise InputError("--where", f"{visible(condition)}: no run is left; there {key} is {_values(left, key)}")
        left = met
    return left


def meets(run: Run, key: str, value: Any) -> bool:
    if key == STATUS:
        return run.status == value
    return key in run.config and _same(run.config[key], value)


def _same(one: Any, other: Any) -> bool:
    """1 and 1.0 are the same, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _parsed(condition: str) -> tuple[str, Any]:
    found: list[Problem] = []
    values = flat_overrides([condition], found)
    if found:
        raise InputError("--where", found)
    return next(iter(values.items()))


def _check_key(runs: Sequence[Run], key: str) -> None:
    known = dict.fromkeys(key for run in runs for key in run.config)
    if runs and key != STATUS and key not in known:
        raise InputError("--where", no_such_key(key, [STATUS, *known]))


def no_such_key(key: str, known: Sequence[str]) -> str:
    """What there is instead: the keys of its section, or the sections."""
    section = key.partition(".")[0]
    near = [visible(each) for each in known if each.partition(".")[0] == section]
    return did_you_mean(key, near or list(map(visible, known)), "configuration key")


def _values(runs: Sequence[Run], key: str) -> str:
    there = [run.status if key == STATUS else run.config.get(key) for run in runs]
    shown = list(
        dict.fromkeys(visible(str(value), limit=80) for value in there if value is not None or key in runs[0].config)
    )
    order = [status for status in STATUSES if status in shown] if key == STATUS else shown
    return ", ".join(order[:10]) + (" and others" if len(order) > 10 else "") if order else "not set"
