"""What `ganzoo sweep` tells of a sweep: how every trial stands, how it ended, and both as JSON."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from ganzoo.errors import visible
from ganzoo.sweeping.states import BROKEN, States, Summary, TrialState
from ganzoo.sweeping.trials import Sweep, Trial
from ganzoo.terminal import print_table

LONGEST_REASON = 100  # characters of a table's cell; the record has all of it


def print_status(states: States) -> None:
    """A table with a row a trial, then the sweep in a few lines; without a terminal, what is no row begins with #."""
    print_table(_title(states), COLUMNS, [_row(states, state) for state in states.refresh()])
    _print_summary(states)


def print_outcome(states: States) -> None:
    """What is to be said when a sweep ends: which trials broke and why, the best one, and, in the last line, where."""
    if broken := [state for state in states.refresh() if state.status in BROKEN]:
        print_table(f"{_title(states)}: not done", COLUMNS, [_row(states, state) for state in broken])
    _print_summary(states)
    click.echo(states.sweep.folder)


def as_json(states: States[Sweep]) -> dict[str, Any]:
    """A sweep as JSON takes it.

    Its keys:
        sweep, identity, folder, method, runs' `metric` {name, goal, target} or null, size: trials in all, or null.
        counts: trials by status. seconds_left: of training, or null. target_reached.
        best: one of `trials`, or null.
        trials: each {number, status, reason, run_dir, words: its overrides of the experiment, parameters: what varies,
            by dotted keys, generator_updates, budget, seconds, value: the last of the metric, host}.
    """
    trials = [_trial_as_json(states, state) for state in states.refresh()]
    sweep, summary = states.sweep, states.summary()
    best = summary.best and _trial_as_json(states, summary.best)
    return {
        "sweep": sweep.file.name,
        "identity": sweep.file.identity,
        "folder": str(sweep.folder),
        "method": sweep.file.method,
        "metric": sweep.file.metric and asdict(sweep.file.metric),
        "size": sweep.size,
        "counts": dict(summary.counts),
        "best": best,
        "seconds_left": summary.seconds_left,
        "target_reached": summary.target_reached,
        "trials": trials,
    }


def _trial_as_json(states: States, state: TrialState) -> dict[str, Any]:
    return {
        "number": state.trial.number,
        "status": state.status,
        "reason": state.reason,
        "run_dir": str(state.trial.directory),
        "words": list(state.trial.words),
        "parameters": states.varied(state.trial),
        "generator_updates": state.generator_updates,
        "budget": state.budget,
        "seconds": state.seconds,
        "value": state.value,
        "host": state.host,
    }


COLUMNS = ("trial", "status", "updates", "value", "parameters", "reason")


def _title(states: States) -> str:
    metric = states.sweep.metric
    return states.sweep.folder.name + (f": {metric.name}" if metric else "")


def _row(states: States, state: TrialState) -> tuple[str, ...]:
    return (
        numbered(state.trial),
        state.status + (f" on {state.host}" if state.host else ""),
        "" if state.budget is None else f"{state.generator_updates}/{state.budget}",
        shown_value(state.value),
        described(states, state.trial),
        visible(state.reason or "", limit=LONGEST_REASON),
    )


def _print_summary(states: States) -> None:
    for line in summary_lines(states, states.summary()):
        click.echo(line if sys.stdout.isatty() else f"# {line}")


def summary_lines(states: States, summary: Summary) -> list[str]:
    """The sweep in one to three lines: its counts and time left, its best trial, its target."""
    total = sum(summary.counts.values())
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items() if count)
    left = f", about {shown_time(summary.seconds_left)} left" if summary.seconds_left else ""
    lines = [f"{total} trial{'' if total == 1 else 's'}{left}: {counts or 'none has begun'}"]
    metric, best = states.sweep.metric, summary.best
    if metric is not None and best is not None:
        which = f"trial {numbered(best.trial)} {described(states, best.trial)}".rstrip()
        so_far = "" if best.ended else f" after {best.generator_updates} updates"
        lines.append(f"best: {metric.name} {shown_value(best.value)}{so_far}, {which}")
        if summary.target_reached:
            lines.append(f"the target is reached: {metric.name} {shown_value(metric.target)}")
    return lines


def described(states: States, trial: Trial) -> str:
    """A trial by what varies, each key as short as it can be without being taken for another."""
    varied = states.varied(trial)
    return " ".join(
        f"{key}={shown(value)}" for key, value in zip(short_keys(list(varied)), varied.values(), strict=True)
    )


def short_keys(keys: Sequence[str]) -> list[str]:
    """The keys by their last parts, as few as tell them apart; `name` alone would tell nothing.

    >>> short_keys(["optimizer.generator.lr", "optimizer.discriminator.lr", "variant.n_critic", "variant.name", "seed"])
    ['generator.lr', 'discriminator.lr', 'n_critic', 'variant.name', 'seed']
    """
    ends = [[".".join(key.split(".")[-count:]) for count in range(1, key.count(".") + 2)] for key in keys]
    taken = ["name", "name", *(end for of_key in ends for end in of_key)]
    return [next((end for end in of_key if taken.count(end) == 1), of_key[-1]) for of_key in ends]


def shown(value: Any) -> str:
    """A parameter's value, without quotes.

    >>> shown({"name": "wgan_gp", "betas": [0.5, 0.9]})
    '{name: wgan_gp, betas: [0.5, 0.9]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{visible(str(key))}: {shown(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(part) for part in value) + "]"
    return visible(str(value))


def shown_value(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def shown_time(seconds: float) -> str:
    """A duration, as precisely as anybody wants to know it.

    >>> [shown_time(seconds) for seconds in (0.25, 41.2, 754, 7505, 400_000)]
    ['0.2 s', '41 s', '13 min', '2 h 05 min', '4 d 15 h']
    """
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def numbered(trial: Trial) -> str:
    """The trial's number as its run directory has it."""
    return f"{trial.number:04d}"
