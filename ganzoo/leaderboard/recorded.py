"""record.json, or config.yaml where there is none yet, -> Run. What a file lacks or what is wrong in it is told.

The files may be anybody's: cut short, of another program, of a later ganzoo, made to do harm. Nothing here trusts them.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from sys import intern
from typing import Any

from ganzoo.errors import shorten
from ganzoo.leaderboard.board import Run
from ganzoo.records.record import RECORD_VERSION
from ganzoo.records.run_files import finite, whole_number
from ganzoo.records.run_state import ENDED, Status
from ganzoo.values import DEEPEST, MOST_BITS

LARGEST = 2**63 - 1  # of a seed or a count; Python refuses to print much longer numbers
LARGEST_SCORE = 1e100  # whose square is a float, and so are sums of these
HARMLESS = frozenset((str, float, bool, type(None)))  # values that need no look
NAMES = ("name", "data.name", "variant.name", "generator.name", "discriminator.name")  # every experiment has them


class Unreadable(Exception):
    """Why a directory is no run that a leaderboard can have. The text is for its footnote."""


def run_of_record(record: Mapping[str, Any], *, path: Path | None, source: str) -> Run:
    """Raises Unreadable."""
    _check_version(record)
    status, reason = _status(record), _text(record.get("reason"))
    if record.get("config") is None and status == "failed":
        raise Unreadable(f"failed before its experiment was read: {shorten(reason)}")
    config = flat_config(_section(record, "config", needed=True))
    budget, evaluation = _section(record, "budget"), _section(record, "evaluation")
    hardware = _section(record, "hardware")
    run = Run(
        path=path,
        source=source,
        status=status,
        reason=reason,
        generator_updates=_count(budget.get("generator_updates")),
        images_seen=_count(budget.get("images_seen")),
        seconds=number(record.get("seconds")),
        images_per_second=number(record.get("images_per_second")),
        processes=_processes(record.get("ranks"), _count(budget.get("generator_updates")) or 0),
        parameters=_counts(record.get("parameters")),
        on_gpu=_on_gpu(config, hardware),
        hardware=_hardware(hardware),
        git_commit=_text(record.get("git_commit")),
        ended=_text(record.get("ended")),
        **_of_config(config),
        **_of_evaluation(evaluation),
    )
    if run.status == "done" and run.generator_updates is None:
        raise Unreadable("record.json: budget.generator_updates is missing, or no whole number")
    return run


def run_without_record(values: Any, *, path: Path | None, source: str, status: Status) -> Run:
    """A run that has not ended, by its configuration. Raises Unreadable."""
    if not isinstance(values, dict):
        raise Unreadable("config.yaml is no experiment of ganzoo")
    config = flat_config(values)
    return Run(path=path, source=source, status=status, **_of_config(config))


def flat_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys, each string of them kept once for all runs. Raises Unreadable for what no experiment has."""
    leaves: dict[str, Any] = {}
    _flatten(values, "", 0, leaves)
    return leaves


def _flatten(values: Mapping[str, Any], at: str, depth: int, leaves: dict[str, Any]) -> None:
    for dotted, value in zip(_dotted(at, tuple(values)), values.values(), strict=True):
        if type(value) in HARMLESS:
            leaves[dotted] = value
        elif isinstance(value, dict) and depth < DEEPEST:
            _flatten(value, f"{dotted}.", depth + 1, leaves)
        else:
            _check_value(value, DEEPEST - depth)
            leaves[dotted] = value


@lru_cache(maxsize=10_000)  # thousands of runs have the same sections
def _dotted(at: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    _check_keys(keys)
    return tuple(intern(f"{at}{key}") for key in keys)


def _check_keys(keys: Iterable[Any]) -> None:
    """YAML has keys of other kinds, and of a number with thousands of digits Python makes no text."""
    if any(kind is not str for kind in set(map(type, keys))):
        raise Unreadable("its configuration has a key that is no text")


def _check_value(value: Any, levels: int, where: str = "its configuration") -> None:
    """Raises Unreadable for what no experiment has, and what would cost dearly to show or to compare."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise Unreadable(f"{where} has a number of more than {MOST_BITS} bits")
    if isinstance(value, (dict, list)):
        if levels <= 0:
            raise Unreadable(f"{where} is nested deeper than {DEEPEST} levels")
        if isinstance(value, dict):
            _check_keys(value)
        for part in value.values() if isinstance(value, dict) else value:
            if type(part) not in HARMLESS:
                _check_value(part, levels - 1, where)


def _check_version(record: Mapping[str, Any]) -> None:
    version = whole_number(record.get("record_version"))
    if version is None:
        raise Unreadable("record.json has no record_version: it is not ganzoo's")
    if version > RECORD_VERSION:
        newer = f"record_version {shorten(version)}; this one reads {RECORD_VERSION}"
        raise Unreadable(f"record.json was written by a newer ganzoo ({newer})")


def _status(record: Mapping[str, Any]) -> Status:
    kept: tuple[Status, ...] = (*ENDED, "stopped")
    for status in kept:
        if record.get("status") == status:
            return status
    raise Unreadable(f"record.json: status is {shorten(record.get('status'))}, which ganzoo does not write")


def _of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a Run has of its configuration. Raises Unreadable where it is no complete experiment."""
    for key in NAMES:
        if not isinstance(config.get(key), str):
            raise Unreadable(f"its configuration is no complete experiment of ganzoo: {_wrong(config, key)}")
    for key in ("seed", "budget.generator_updates"):
        if _count(config.get(key)) is None:
            raise Unreadable(f"its configuration is no complete experiment of ganzoo: {_wrong(config, key)}")
    protocol = _text(config.get("evaluation.protocol"))
    return {
        "name": config["name"],
        "seed": config["seed"],
        "config": config,
        "protocol": Path(protocol).stem if protocol and protocol.endswith(".yaml") else protocol,
        "asked_updates": config["budget.generator_updates"],
    }


def _wrong(config: Mapping[str, Any], key: str) -> str:
    return f"{key} is {shorten(config[key])}" if key in config else f"{key} is missing"


def _of_evaluation(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """What a Run has of its scores. Raises Unreadable."""
    if not evaluation:
        return {}
    scoring = _scoring(evaluation)
    last, best = _section(evaluation, "last"), _section(evaluation, "best")
    digest = _text(_section(evaluation, "extractor").get("weights_sha256"))
    return {
        "scoring": scoring,
        "extractor": digest or "",
        "reference": _text(_section(evaluation, "reference").get("sha256")) or "",
        "first": _scores(evaluation.get("first")),
        "last": _scores(last.get("scores")),
        "best": _scores(best.get("scores")),
        "best_at": _count(best.get("generator_updates")),
        "floor": _scores(evaluation.get("floor")),
    }


def _scoring(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The protocol. Raises Unreadable where it has no name or no score that ranks, as every protocol has."""
    scoring = _section(evaluation, "protocol", needed=True)
    for key in ("name", "primary"):
        if not isinstance(scoring.get(key), str):
            raise Unreadable(f"record.json: in evaluation.protocol, {_wrong(scoring, key)}")
    _check_value(scoring, DEEPEST, "record.json: evaluation.protocol")
    return scoring


def _section(values: Mapping[str, Any], key: str, needed: bool = False) -> Mapping[str, Any]:
    """A section; empty where it is null or missing and need not be there."""
    section = values.get(key)
    if isinstance(section, dict):
        return section
    if section is None and not needed:
        return {}
    raise Unreadable(f"record.json: {key} is {shorten(section)}" if key in values else f"record.json has no {key}")


def _scores(scores: Any) -> dict[str, float]:
    """Those that are numbers: a score that is NaN is none."""
    named = scores if isinstance(scores, dict) else {}
    values = zip(_dotted("", tuple(named)), map(number, named.values()), strict=True)
    return {name: value for name, value in values if value is not None}


def number(value: Any) -> float | None:
    """A finite number, and no larger than that one can compute with it; None for all else.

    >>> number(3), number(-1e200), number("nan")
    (3.0, None, None)
    """
    found = value if type(value) is float else finite(value)
    return found if found is not None and -LARGEST_SCORE <= found <= LARGEST_SCORE else None


def _counts(named: Any) -> dict[str, int]:
    parts = named if isinstance(named, dict) else {}
    return {name: count for name in ("generator", "discriminator") if (count := _count(parts.get(name))) is not None}


def _count(value: Any) -> int | None:
    count = whole_number(value)
    return None if count is None or count > LARGEST else count


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _processes(ranks: Any, updates: int) -> float:
    """How many trained it: where a resumed run had another number, the mean over its generator updates.

    >>> _processes([{"from_generator_update": 0, "ranks": 8}, {"from_generator_update": 900, "ranks": 1}], 1000)
    7.3
    """
    parts = [part for part in ranks if isinstance(part, dict)] if isinstance(ranks, list) else []
    told = [(_count(part.get("from_generator_update")) or 0, _count(part.get("ranks")) or 1) for part in parts]
    if len(told) < 2:
        return told[0][1] if told else 1
    spent, until = 0, updates
    for start, processes in reversed(told):  # from the last: a run may have gone on from before where it was
        spent += processes * max(until - start, 0)
        until = min(until, start)
    return spent / (updates - until) if updates > until else told[-1][1]


def _on_gpu(config: Mapping[str, Any], hardware: Mapping[str, Any]) -> bool:
    """auto takes a GPU where there is one."""
    asked = config.get("trainer.accelerator", "auto")
    return asked in ("gpu", "cuda") or (asked == "auto" and bool(hardware.get("gpus")))


def _hardware(hardware: Mapping[str, Any]) -> str:
    """A line such as "NVIDIA H100; AMD EPYC, 16 cores"."""
    gpus = hardware.get("gpus")
    names = tuple(gpu for gpu in gpus if isinstance(gpu, str)) if isinstance(gpus, list) else ()
    return _line(names, _text(hardware.get("processor")), _count(hardware.get("cpu_count")))


@cache  # there are few machines and many runs
def _line(gpus: tuple[str, ...], processor: str | None, cores: int | None) -> str:
    several = [name if gpus.count(name) == 1 else f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)]
    parts = [processor, f"{cores} cores" if cores else None]
    return "; ".join(part for part in (*several, ", ".join(part for part in parts if part)) if part)


CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def canonical(value: Any) -> str:
    """A text that is the same for equal plain values and for no others."""
    return CANONICAL.encode(value)
