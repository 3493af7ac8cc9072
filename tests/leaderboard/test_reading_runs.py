"""Whatever a directory holds, it is a run or a footnote: never an exception, and never in the way of the others."""

import json
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from made_runs import config_of, record_of, write_config, write_run

from ganzoo.errors import InputError
from ganzoo.leaderboard.board import Footnote, Run
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.data_files import csv_text, json_text
from ganzoo.leaderboard.page import write_page
from ganzoo.leaderboard.runs import read_run, read_runs
from ganzoo.leaderboard.text import latex, markdown
from ganzoo.records.claim import Claim


def test_a_record_is_read_whole(tmp_path):
    run = read_run(write_run(tmp_path / "run", record_of(3, {"variant.n_critic": 2}, {"fid": 12.5})))
    assert isinstance(run, Run)
    assert (run.name, run.seed, run.status, run.protocol) == ("digits-dcgan", 3, "done", "digits-v1")
    assert run.config["variant.n_critic"] == 2 and run.config["optimizer.generator.betas"] == [0.5, 0.999]
    assert (run.last["fid"], run.best["fid"], run.first["fid"], run.best_at) == (12.5, 11.25, 62.5, 500)
    assert (run.asked_updates, run.generator_updates, run.images_seen) == (1000, 1000, 64_000)
    assert (run.seconds, run.images_per_second, run.git_commit) == (36.0, 1000.0, "74644a5")


@pytest.mark.slow
def test_what_training_writes_is_read(tmp_path):
    from conftest import DIGITS, TINY

    from ganzoo.training.run import train

    words = [*TINY, "evaluation.protocol=digits-v1", "evaluation.every_generator_updates=1"]
    train(DIGITS, [*words, "budget.generator_updates=2"], run_dir=tmp_path / "runs" / "one")
    (run,), footnotes = read_runs([tmp_path])
    told = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())
    assert not footnotes and run.last == told["evaluation"]["last"]["scores"]
    assert run.finished and run.images_seen == told["budget"]["images_seen"] and run.parameters == told["parameters"]


def test_runs_are_found_below_once_and_those_of_sweeps_too(tmp_path):
    write_run(tmp_path / "a" / "deep" / "run", record_of(0))
    sweep = tmp_path / "sweep-12345678"
    write_run(sweep / "12345678-0000", record_of(1))
    for name in ("sweep.yaml", "experiment.yaml"):
        (sweep / name).write_text("")
    write_run(tmp_path / "a" / "deep" / "run" / "wandb" / "x", record_of(2))  # not looked at
    runs, footnotes = read_runs([tmp_path, tmp_path / "a"])
    assert sorted(run.seed for run in runs) == [0, 1] and not footnotes


@pytest.mark.parametrize(
    "below, told", [("nowhere", "no such folder"), ("", "no run directory"), ("x" * 9999, "no such")]
)
def test_folders_without_runs_are_told(tmp_path, below, told):
    with pytest.raises(InputError, match=told):
        read_runs([tmp_path / below])


def test_runs_without_a_record_are_as_their_directory_tells(tmp_path):
    write_config(tmp_path / "waiting", config_of({}, 0))
    interrupted = write_config(tmp_path / "interrupted", config_of({}, 1))
    (interrupted / "metrics.jsonl").write_text('{"generator_updates": 5, "seconds": 1.0}\n')
    running = write_config(tmp_path / "running", config_of({}, 2))
    write_run(tmp_path / "done", record_of(3))
    claim = Claim.take(running)
    try:
        runs, footnotes = read_runs([tmp_path])
    finally:
        claim.release()
    assert {run.seed: run.status for run in runs} == {0: "waiting", 1: "interrupted", 2: "running", 3: "done"}
    (table,) = board_of(runs, footnotes).tables
    (group,) = table.groups
    assert group.counts == {"waiting": 1, "running": 1, "interrupted": 1, "done": 1} and group.seeds == 1


def test_a_stopped_run_that_has_gone_on_is_interrupted(tmp_path):
    folder = write_run(tmp_path / "run", record_of(0, status="stopped", budget={"generator_updates": 10}))
    write_config(tmp_path / "same", config_of({}, 0))
    (tmp_path / "same" / "config.yaml").rename(folder / "config.yaml")
    assert read_run(folder).status == "stopped"
    (folder / "metrics.jsonl").write_text('{"generator_updates": 50, "seconds": 1.0}\n')
    assert read_run(folder).status == "interrupted"


def changed(**keys):
    return json.dumps(record_of(0, **keys)).encode()


def in_config(**keys):
    record = record_of(0)
    record["config"] |= keys
    return json.dumps(record).encode()


NAMED = {"name": "digits-v1", "primary": "fid"}


def in_evaluation(**keys):
    record = record_of(0)
    record["evaluation"] |= keys
    return json.dumps(record).encode()


def nested(levels: int):
    inner: dict = {}
    for _ in range(levels):
        inner = {"a": inner}
    return {**NAMED, "z": inner}


NESTED = b'{"record_version": 1, "status": "done", "config": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}"
WRONG = {
    "nothing": (b"", "cut short"),
    "half": (changed()[:700], "cut short"),
    "binary": (bytes(range(256)) * 10, "cut short"),
    "a list": (b"[1, 2]", "no JSON object"),
    "null": (b"null", "no JSON object"),
    "a number": (b"12", "no JSON object"),
    "huge number": (b'{"record_version": ' + b"9" * 5000 + b"}", "no JSON object"),
    "nested without end": (b"[" * 100_000, "no JSON object"),
    "deep configuration": (NESTED, "nested deeper"),
    "foreign": (b'{"loss": 1.0}', "no record_version"),
    "version of text": (changed(record_version="1"), "no record_version"),
    "future": (changed(record_version=2), "newer ganzoo .record_version 2; this one reads 1"),
    "status": (changed(status="finished"), "status is 'finished'"),
    "status is a list": (changed(status=["done"]), "status is"),
    "no configuration": (changed(config=None), "config is None"),
    "configuration is a text": (changed(config="x"), "config is 'x'"),
    "failed without configuration": (changed(config=None, status="failed"), "failed before .* 'because'"),
    "no variant": (in_config(variant=None), "variant.name is missing"),
    "variant's name": (in_config(variant={"name": 3}), "variant.name is 3"),
    "seed": (in_config(seed="zero"), "seed is 'zero'"),
    "huge seed": (in_config(seed=10**30), "seed is 1000"),
    "huge value": (in_config(ema={"x": 10**4000}), "more than 1024 bits"),
    "budget": (changed(budget=None), "budget.generator_updates is missing"),
    "budget is a list": (changed(budget=[3]), "budget is"),
    "evaluation": (changed(evaluation=[1]), "evaluation is"),
    "evaluation without protocol": (changed(evaluation={"last": {}}), "has no protocol"),
    "last": (in_evaluation(last=3), "last is 3"),
    "protocol's name": (in_evaluation(protocol={"name": ["x"], "primary": "fid"}), r"protocol, name is \['x'\]"),
    "protocol's primary": (in_evaluation(protocol={"name": "x"}), "protocol, primary is missing"),
    "protocol in protocol": (in_evaluation(protocol=nested(900)), "protocol is nested deeper than 20 levels"),
    "number in protocol": (in_evaluation(protocol={**NAMED, "seed": 10**4000}), "protocol has a number of more than"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_damaged_record_is_a_footnote_and_the_rest_is_shown(tmp_path, name):
    content, told = WRONG[name]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "record.json").write_bytes(content)
    write_run(tmp_path / "good", record_of(0))
    (run,), (footnote,) = read_runs([tmp_path])
    assert run.source.endswith("good") and footnote.source.endswith("bad")
    assert re.search(told, footnote.problem), footnote.problem
    assert f"bad: {footnote.problem[:20]}" in markdown(board_of([run], [footnote])).replace("&gt;", ">")


CONFIGS = {
    "empty": b"",
    "foreign": b"model: resnet\nlr: 0.1\n",
    "a list": b"- 1\n",
    "no YAML": b"a: [1, 2\n",
    "tag": b"a: !!python/object/apply:os.system [ls]\n",
    "aliases": b"a: &a [x, x]\nb: &b [*a, *a]\n" + b"".join(b"k%d: [*b, *b, *b]\n" % k for k in range(20)),
    "nested": b"a: " + b"[" * 5000,
    "nested lines": b"- " * 20_000,
    "binary": bytes(range(256)),
    "huge": b"x" * 200_000,
    "date": b"seed: 2026-13-45\n",
    "hexadecimal": b"seed: 0x" + b"f" * 5000 + b"\n",
    "huge key": b"0x" + b"f" * 5000 + b": 1\n",
    "huge key below": b"a: {b: [{0x" + b"f" * 5000 + b": 1}]}\n",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_damaged_configuration_is_a_footnote(tmp_path, name):
    (tmp_path / "config.yaml").write_bytes(CONFIGS[name])
    found = read_run(tmp_path)
    assert isinstance(found, Footnote) and "config" in found.problem


def test_directories_in_the_place_of_files_and_pipes_are_footnotes(tmp_path):
    for name, file in (("a", "record.json"), ("b", "config.yaml")):
        (tmp_path / name / file).mkdir(parents=True)
        (tmp_path / name / "metrics.jsonl").write_text("")
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / "record.json")
    runs, footnotes = read_runs([tmp_path])
    assert not runs and [note.problem for note in footnotes] == [
        "record.json is no file",
        "config.yaml is no file",
        "record.json is no file",
    ]


def test_files_that_may_not_be_read_are_footnotes(tmp_path):
    folder = write_run(tmp_path / "run", record_of(0))
    assert isinstance(read_run(folder), Run)
    with as_nobody(tmp_path):
        footnote = read_run(folder)
    assert footnote.problem == "cannot be read: Permission denied"


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Root may read everything, so root becomes somebody else; others take the right from themselves."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
        return
    for file in folder.rglob("record.json"):
        file.chmod(0)
    yield


def test_links_that_lead_nowhere_are_footnotes(tmp_path):
    for name, target in (("circle", "record.json"), ("nowhere", "missing")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").symlink_to(target)
    runs, footnotes = read_runs([tmp_path])
    assert not runs and len(footnotes) == 2


VALUES = (None, True, -1, 10**400, 1.5, 1e200, float("nan"), float("inf"))
VALUES += ("", "x" * 10_000, "\ud800", [], [[[]]], {}, {"": 0})


def damaged(draw: random.Random, record):
    """A record in which up to three places, anywhere, are another value, or are gone, or have a further one.

    Half of them are in the evaluation, from where most of a table comes.
    """
    for _ in range(draw.randint(1, 3)):
        scored = isinstance(record.get("evaluation"), dict) and record["evaluation"]
        at = record["evaluation"] if scored and draw.random() < 0.5 else record
        while True:
            key = draw.choice(list(at))
            if isinstance(at[key], dict) and at[key] and draw.random() < 0.7:
                at = at[key]
                continue
            if draw.random() < 0.2:
                del at[key]
            else:
                at[key if draw.random() < 0.9 else draw.choice(["name", "|", "<b>", "\x1b[31m"])] = draw.choice(VALUES)
            break
        if not record:
            break
    return record


def test_hundreds_of_damaged_records_never_raise(tmp_path):
    draw = random.Random(7)
    for number in range(250):
        folder = tmp_path / f"run{number:03d}"
        folder.mkdir()
        changes = {"variant.n_critic": number % 4, "budget.generator_updates": 1000 + number % 5}
        content = json.dumps(damaged(draw, record_of(number % 3, changes))).encode()
        if number % 5 == 0:  # in the bytes, too
            at = draw.randrange(len(content))
            content = content[:at] + bytes([draw.randrange(256)]) + content[at + draw.randint(0, 20) :]
        (folder / "record.json").write_bytes(content)
    runs, footnotes = read_runs([tmp_path])
    assert len(runs) + len(footnotes) == 250 and len(runs) > 100 and len(footnotes) > 30
    board_of(runs, footnotes, group_by=["seed", "variant.n_critic"], metrics=["kid"])
    board = board_of(runs, footnotes)
    assert len(board.tables) > 10 and len({table.title for table in board.tables}) == len(board.tables)
    assert sum(len(group.runs) for table in board.tables for group in table.groups) == len(runs)
    for write in (markdown, csv_text, json_text, latex):
        write(board).encode()
    json.loads(json_text(board), parse_constant=pytest.fail)
    write_page(board, tmp_path / "index.html")
