"""A run that was killed goes on as if nothing had happened, to the last bit; watching it changes nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import DIGITS, RING, ROOT, TINY, checkpoint_of, differences, metrics_of

from ganzoo.errors import InputError
from ganzoo.training.build import load_generator
from ganzoo.training.run import resume, train

pytestmark = pytest.mark.usefixtures("warm")
SETTINGS = {
    "plain": [],
    "n_critic": ["variant.n_critic=5"],
    "schedule": [
        "optimizer.generator.schedule=cosine",
        "optimizer.generator.decay_end_updates=15",
        "optimizer.discriminator.warmup_updates=3",
        "optimizer.discriminator.clip_norm=0.5",
    ],
    "bf16": ["trainer.precision=bf16-mixed"],
    "flips, no average": ["data.flip=true", "ema.halflife_images=null"],
    "evaluated": [
        "evaluation.protocol=digits-v1",
        "evaluation.every_generator_updates=4",
        "samples.every_generator_updates=3",
    ],
}


def budget(updates: int) -> str:
    return f"budget.generator_updates={updates}"


CASES = [(name, workers) for name in SETTINGS for workers in (0, 2) if (name, workers) != ("evaluated", 2)]


@pytest.mark.parametrize(("name", "workers"), CASES)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, name, workers):
    tiny = [*TINY, *SETTINGS[name], "checkpoint.every_generator_updates=4", f"data.num_workers={workers}"]
    train(DIGITS, [*tiny, budget(12)], run_dir=tmp_path / "whole")
    train(DIGITS, [*tiny, budget(8)], run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", [budget(11)])
    resume(tmp_path / "parts", [budget(12)])
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(tmp_path / "parts")) == []
    scheduled = [
        line for line in metrics_of(tmp_path / "parts") if line["generator_updates"] != 11 or "generator/loss" in line
    ]
    assert scheduled == metrics_of(tmp_path / "whole")


def test_points_resume_exactly_too(tmp_path):
    off = ["tracking.wandb=disabled", "evaluation.protocol=null", "samples.every_generator_updates=null"]
    tiny = [*off, "generator.width=8", "discriminator.width=8", "data.num_points=50", "data.batch_size=16"]
    train(RING, [*tiny, budget(9)], run_dir=tmp_path / "whole")
    train(RING, [*tiny, budget(4)], run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", [budget(9)])
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(tmp_path / "parts")) == []


WATCHED = {
    "evaluation": ["evaluation.protocol=digits-v1", "evaluation.every_generator_updates=3"],
    "samples": ["samples.every_generator_updates=2"],
    "no logging": ["tracking.every_generator_updates=1000"],
    "wandb": ["tracking.wandb=offline", "samples.every_generator_updates=5"],
    "checkpoints": ["checkpoint.every_generator_updates=1"],
    "workers": ["data.num_workers=1"],
}


@pytest.fixture(scope="module")
def unwatched(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return train(DIGITS, [*TINY, budget(7)], run_dir=tmp_path_factory.mktemp("unwatched") / "run").path


@pytest.mark.parametrize("watch", WATCHED.values(), ids=WATCHED.keys())
def test_watching_changes_no_weight(tmp_path, watch, unwatched):
    watched = train(DIGITS, [*TINY, *watch, budget(7)], run_dir=tmp_path / "watched").path
    one, other = checkpoint_of(unwatched), checkpoint_of(watched)
    for part in ("state_dict", "optimizer_states", "ganzoo", "GANData"):
        assert differences(one[part], other[part], part) == []


def test_the_seed_decides(tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        train(DIGITS, [*TINY, budget(2), f"seed={seed}"], run_dir=tmp_path / name)
    weights = [checkpoint_of(tmp_path / name)["state_dict"] for name in "abc"]
    assert differences(weights[0], weights[1]) == []
    assert differences(weights[0], weights[2]) != []


def start(*arguments: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ganzoo", "train", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(path: Path, lines: int, process: subprocess.Popen) -> None:
    """Until the file has that many lines."""
    while not path.exists() or path.read_text().count("\n") < lines:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


LONG = [
    *TINY,
    "checkpoint.every_generator_updates=5",
    "evaluation.protocol=digits-v1",
    "evaluation.every_generator_updates=20",
]


def test_killed_twice_it_ends_as_if_never_killed(tmp_path):
    train(DIGITS, [*LONG, budget(60)], run_dir=tmp_path / "whole")
    run = tmp_path / "killed"
    for lines, arguments in ((12, [DIGITS, *LONG, budget(60), "--run-dir", run]), (40, ["--resume", run])):
        process = start(*arguments)
        wait_for(run / "metrics.jsonl", lines, process)
        process.kill()
        process.communicate()
    assert not (run / "record.json").exists()
    resume(run)
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(run)) == []
    assert metrics_of(run) == metrics_of(tmp_path / "whole")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_signal_checkpoints_first(tmp_path, number, code, workers):
    run = tmp_path / "run"
    endless = [budget(10**6), "checkpoint.every_generator_updates=1000000", f"data.num_workers={workers}"]
    process = start(DIGITS, *TINY, *endless, "--run-dir", run)
    wait_for(run / "metrics.jsonl", 20, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    assert "--resume" in err and "Traceback" not in err
    updates = checkpoint_of(run)["ganzoo"]["counters"]["generator_updates"]
    assert updates >= 20 and metrics_of(run)[-1]["generator_updates"] == updates
    resume(run, [budget(updates + 1)])
    assert metrics_of(run)[-1]["generator_updates"] == updates + 1


def test_a_checkpoint_of_other_networks_is_told(tmp_path):
    run = train(DIGITS, [*TINY, budget(2)], run_dir=tmp_path / "run")
    checkpoint = torch.load(run.last_checkpoint, weights_only=True)
    checkpoint["state_dict"]["generator.other"] = checkpoint["state_dict"].pop(next(iter(checkpoint["state_dict"])))
    torch.save(checkpoint, run.last_checkpoint)
    for load in (lambda: resume(run.path, [budget(3)]), lambda: load_generator(run.path)):
        with pytest.raises(
            InputError, match=r"no checkpoint of the run: Missing key\(s\) in state_dict: .generator"
        ) as told:
            load()
        assert "\n" not in str(told.value)
    assert run.read_record()["status"] == "done"


def test_a_broken_checkpoint_is_told(tmp_path):
    run = train(DIGITS, [*TINY, budget(1)], run_dir=tmp_path / "run")
    run.last_checkpoint.write_bytes(run.last_checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match="a broken one"):
        resume(run.path, [budget(2)])
    with pytest.raises(InputError, match="a broken one"):
        load_generator(run.path)


def test_a_finished_run_keeps_its_record(tmp_path):
    run = train(DIGITS, [*TINY, budget(2)], run_dir=tmp_path / "run")
    record, config = run.record.read_text(), run.config.read_text()
    run.last_checkpoint.write_bytes(b"not needed")
    assert resume(run.path).path == run.path and resume(run.path, [budget(1)]).path == run.path
    assert (run.record.read_text(), run.config.read_text()) == (record, config)
