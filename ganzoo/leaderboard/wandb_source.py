"""A W&B project as a source of runs: wandb://ENTITY/PROJECT. For who has the mirror and not the run directories.

The mirror has a run's configuration and what it logged, and no record: which weights the extractor had, which real
images were the reference and how long training took, nobody can tell from it. So its runs have tables of their own.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ganzoo.config import to_plain
from ganzoo.errors import InputError, told_in_a_line
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.evaluation.scores import SCORES
from ganzoo.leaderboard.board import Footnote, Run
from ganzoo.leaderboard.recorded import Unreadable, number, run_without_record
from ganzoo.leaderboard.runs import Found
from ganzoo.records.run_files import whole_number
from ganzoo.records.run_state import Status
from ganzoo.records.tracking import logged_in

SCHEME = "wandb://"
STATES: Mapping[str, Status] = {"running": "running", "failed": "failed", "crashed": "interrupted", "killed": "stopped"}
LOGGED = "evaluation/"  # before a score's name, as training logs it
UNTOLD = "W&B"  # in the place of hashes that it does not have: no record's begins like this


def read_project(source: str) -> Found:
    """The runs of a W&B project.

    Raises:
        InputError: `source` names none, nobody is logged in, or W&B does not answer.
    """
    named = re.fullmatch(rf"{SCHEME}([^/]+)/([^/]+)/?", source)
    if not named:
        raise InputError(source, "a W&B project is written wandb://ENTITY/PROJECT")
    if not logged_in():
        raise InputError(source, "nobody is logged in to W&B on this machine: `wandb login`, or set WANDB_API_KEY")
    runs: list[Run] = []
    footnotes: list[Footnote] = []
    for told in _asked(source, f"{named[1]}/{named[2]}"):
        found = _run(told, f"{source.rstrip('/')}/{told.id}")
        if isinstance(found, Run):
            runs.append(found)
        else:
            footnotes.append(found)
    return runs, footnotes


def _asked(source: str, project: str) -> list[Any]:
    try:
        import wandb

        return list(wandb.Api().runs(project, per_page=200, lazy=False))
    except ImportError:
        raise InputError(source, "wandb is not installed: pip install wandb") from None
    except Exception as error:  # of W&B's many classes, not all are wandb.Error
        raise InputError(source, f"W&B does not answer: {told_in_a_line(error)}") from None


def _run(told: Any, source: str) -> Run | Footnote:
    summary = dict(told.summary)
    updates = whole_number(summary.get("generator_updates"))
    try:
        run = run_without_record(dict(told.config), path=None, source=source, status="waiting")
    except Unreadable as error:
        return Footnote(source=source, problem=str(error))
    ended = told.state == "finished" and updates is not None and updates >= (run.asked_updates or 0)
    return replace(
        run,
        status="done" if ended else STATES.get(told.state, "stopped"),
        generator_updates=updates,
        images_seen=whole_number(summary.get("images_seen")),
        scoring=_scoring(run.protocol),
        extractor=UNTOLD,
        reference=f"{UNTOLD} {run.config.get('data.path') or ''}".strip(),
        last={name: value for name in SCORES if (value := number(summary.get(f"{LOGGED}{name}"))) is not None},
    )


def _scoring(protocol: str | None) -> Mapping[str, Any]:
    """The protocol as this ganzoo has it; of one that does not ship with it, its name."""
    if protocol is None:
        return {}
    try:
        return to_plain(load_protocol(protocol))
    except (LookupError, InputError):
        return {"name": protocol}
