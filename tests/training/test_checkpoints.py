"""Checkpoints that are written while training goes on: what is in them, what comes first, and who hears of errors."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ganzoo.errors import Diverged, GanzooError
from ganzoo.experiment import load_experiment
from ganzoo.records.claim import Claim, LostClaim
from ganzoo.records.metrics_log import MetricsLog
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.build import begin_gan
from ganzoo.training.callbacks.background import Background, Copies
from ganzoo.training.callbacks.checkpoint import read_checkpoint
from ganzoo.training.callbacks.evaluation import Evaluation
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.gan import GAN
from ganzoo.training.run import resume, train

EVERY_TWO = [*TINY, "checkpoint.every_generator_updates=2"]
SCORED = ["evaluation.protocol=digits-v1", "evaluation.every_generator_updates=2"]


def budget(updates: int) -> str:
    return f"budget.generator_updates={updates}"


def updates_of(checkpoint: dict[str, Any]) -> int:
    return checkpoint["ganzoo"]["counters"]["generator_updates"]


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def before_saving(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[dict[str, Any]], object]]:
    """What is called with every checkpoint before torch.save, as a disk that is slow, full or somebody else's."""
    calls: list[Callable[[dict[str, Any]], object]] = []
    save = torch.save

    def save_later(checkpoint: Any, file: Any) -> None:
        for call in calls:
            call(checkpoint)
        save(checkpoint, file)

    monkeypatch.setattr(torch, "save", save_later)
    return calls


# The copy


def state(device: str = "cpu") -> dict[str, Any]:
    """With what real ones have: a module's state_dict, two names for one tensor, nested sequences."""
    module = torch.nn.Sequential(torch.nn.utils.spectral_norm(torch.nn.Linear(3, 2)), torch.nn.BatchNorm1d(2))
    weights = module.to(device).state_dict()
    return {
        "state_dict": weights,
        "tied": [weights["0.bias"], torch.arange(6.0).reshape(2, 3).T, torch.tensor(1.5, dtype=torch.bfloat16)],
        "lists": {"a": [1, [2.0, None]], "b": ("x", (True, torch.zeros(0)))},
    }


def test_a_copy_shares_nothing_with_what_training_changes():
    original = state()
    copied = Copies().of(original)
    assert differences(original, copied) == []
    before = Copies().of(original)
    original["state_dict"]["0.bias"].add_(1.0)
    original["lists"]["a"][1].append("later")
    original["state_dict"]["new"] = torch.zeros(1)
    assert differences(before, copied) == []
    assert len(differences(original, copied)) == 4  # the bias by both its names, the list, the new key


def test_a_copy_is_written_like_its_original(tmp_path):
    """Also what a state_dict has beside its keys, and one tensor of two names once."""
    original = state()
    torch.save(original, tmp_path / "original")
    torch.save(Copies().of(original), tmp_path / "copy")
    loaded = torch.load(tmp_path / "copy", weights_only=True)
    assert differences(original, loaded) == []
    assert loaded["state_dict"]._metadata == original["state_dict"]._metadata
    assert loaded["tied"][0].data_ptr() == loaded["state_dict"]["0.bias"].data_ptr()
    assert loaded["tied"][1].stride() == original["tied"][1].stride()


def test_memory_is_kept_from_one_copy_to_the_next():
    copies, weight = Copies(), torch.zeros(1000)
    first = copies.of({"weight": weight, "other": torch.ones(2)})
    where = first["weight"].data_ptr()
    second = copies.of({"moments": torch.ones(3), "weight": weight.add_(1.0), "other": torch.ones(3)})
    assert second["weight"].data_ptr() == where and second["weight"].eq(1.0).all()
    assert second["other"].shape == (3,) and second["other"].data_ptr() != second["moments"].data_ptr()


if torch.cuda.is_available():  # a skipped test fails the gate

    def test_from_a_gpu_into_pinned_memory():
        original = state("cuda")
        copied = Copies().of(original)
        assert copied["state_dict"]["0.bias"].is_pinned()
        assert torch.equal(copied["state_dict"]["0.bias"], original["state_dict"]["0.bias"].cpu())


# The thread


def test_after_a_failure_what_follows_is_left_undone_and_it_is_told_once():
    background, done = Background(), []

    def fail() -> None:
        raise GanzooError("no")

    background.then(lambda: done.append(1))
    background.then(fail)
    background.then(lambda: done.append(2))
    with pytest.raises(GanzooError, match="no"):
        background.wait()
    background.wait()
    background.then(lambda: done.append(3))
    background.wait()
    assert done == [1, 3]


# In training


def test_what_is_written_is_the_state_of_its_update(tmp_path, before_saving):
    """The thread begins to write update 2 when training has logged update 3."""
    train(DIGITS, [*TINY, budget(2)], run_dir=tmp_path / "two")
    run, kept = tmp_path / "run", {}

    def hold(checkpoint: dict[str, Any]) -> None:
        if updates_of(checkpoint) == 2:
            until(lambda: any(line["generator_updates"] == 3 for line in metrics_of(run)))
        if updates_of(checkpoint) == 4:
            kept.update(checkpoint_of(run))

    before_saving.append(hold)
    train(DIGITS, [*EVERY_TWO, budget(5)], run_dir=run)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "ganzoo", "GANData"):
        assert differences(kept[part], checkpoint_of(tmp_path / "two")[part], part) == []


def test_one_is_written_at_a_time_and_none_is_left_out(tmp_path, before_saving):
    begun, ended = [], []

    def slow(checkpoint: dict[str, Any]) -> None:
        assert begun == ended
        begun.append(updates_of(checkpoint))
        time.sleep(0.1)
        ended.append(begun[-1])

    before_saving.append(slow)
    run = train(DIGITS, [*EVERY_TWO, budget(7)], run_dir=tmp_path / "run")
    assert begun == ended == [0, 2, 4, 6, 7] and updates_of(checkpoint_of(run.path)) == 7


def test_the_log_is_on_the_disk_and_the_claim_is_looked_at_before_a_checkpoint_has_its_name(tmp_path, monkeypatch):
    events: list[str] = []

    def told(event: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def calls(*arguments: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                events.append(event)
            return call(*arguments)

        return calls

    monkeypatch.setattr(MetricsLog, "sync", told("log synced", MetricsLog.sync))
    monkeypatch.setattr(Claim, "check", told("claim checked", Claim.check))
    monkeypatch.setattr(os, "fsync", told("file synced", os.fsync))
    monkeypatch.setattr(Path, "replace", told("named", Path.replace))
    train(DIGITS, [*EVERY_TWO, budget(2)], run_dir=tmp_path / "run")
    # The log's own file has lines from the first update on.
    assert events == [
        *("file synced", "log synced", "claim checked", "named", "file synced"),
        *("file synced", "log synced", "file synced", "claim checked", "named", "file synced"),
    ]


@pytest.mark.parametrize("updates", [3, 9], ids=["told at the end", "told at the next one"])
def test_a_run_that_was_taken_over_meanwhile_overwrites_nothing(tmp_path, before_saving, updates):
    run = RunDirectory(tmp_path / "run")

    def take_over(checkpoint: dict[str, Any]) -> None:
        if updates_of(checkpoint) == 2:
            (run.path / "claims" / "000002.json").write_text("{}")
            run.last_checkpoint.write_text("the other one's")

    before_saving.append(take_over)
    with pytest.raises(LostClaim, match="another process has taken this run over"):
        train(DIGITS, [*EVERY_TWO, budget(updates)], run_dir=run.path)
    assert run.last_checkpoint.read_text() == "the other one's" and not run.record.exists()
    assert [path.name for path in run.last_checkpoint.parent.iterdir()] == ["last.ckpt"]
    assert max(line["generator_updates"] for line in metrics_of(run.path)) == min(updates, 4)


@pytest.mark.parametrize("updates", [2, 3, 9])
def test_a_disk_that_refuses_ends_the_run(tmp_path, before_saving, updates):
    """At update 2. It is told at update 4 or at the end; what was written before is kept, and the run may go on."""
    run = RunDirectory(tmp_path / "run")

    def refuse(checkpoint: dict[str, Any]) -> None:
        if updates_of(checkpoint) == 2:
            raise OSError(28, "No space left on device")

    before_saving.append(refuse)
    reason = "last.ckpt: cannot be written: No space left on device. What was there before is unchanged."
    with pytest.raises(GanzooError, match=reason):
        train(DIGITS, [*EVERY_TWO, budget(updates)], run_dir=run.path)
    record = run.read_record()
    assert record is not None and record["status"] == "failed" and reason in record["reason"]
    assert updates_of(checkpoint_of(run.path)) == 0
    assert [path.name for path in run.last_checkpoint.parent.iterdir()] == ["last.ckpt"]
    assert max(line["generator_updates"] for line in metrics_of(run.path)) == min(updates, 4)
    before_saving.clear()
    resume(run.path)
    assert updates_of(checkpoint_of(run.path)) == updates


def test_the_best_one_is_the_one_of_its_update(tmp_path, before_saving):
    before_saving.append(lambda checkpoint: time.sleep(0.1))
    run = train(DIGITS, [*EVERY_TWO, *SCORED, budget(5)], run_dir=tmp_path / "run")
    record = run.read_record()
    assert record is not None
    best = read_checkpoint(run.best_checkpoint)
    assert updates_of(best) == record["evaluation"]["best"]["generator_updates"]


def test_where_the_best_one_cannot_be_written_the_one_before_stays(tmp_path, before_saving, monkeypatch):
    """An older last.ckpt must not pass for the best. Every score is better than the one before."""
    monkeypatch.setattr(Evaluation, "_is_best", lambda self, scores: True)
    run = RunDirectory(tmp_path / "run")

    def refuse(checkpoint: dict[str, Any]) -> None:
        if updates_of(checkpoint) == 4:
            raise OSError(28, "No space left on device")

    before_saving.append(refuse)
    with pytest.raises(GanzooError, match="No space left"):
        train(DIGITS, [*EVERY_TWO, "checkpoint.every_generator_updates=1", *SCORED, budget(9)], run_dir=run.path)
    assert updates_of(read_checkpoint(run.last_checkpoint)) == 3
    assert updates_of(read_checkpoint(run.best_checkpoint)) == 2


def test_a_run_that_fails_waits_for_its_checkpoint(tmp_path, before_saving, monkeypatch):
    update = GAN.update_generator

    def fail(gan: GAN, *arguments: Any) -> None:
        if gan.generator_updates == 3:
            raise LookupError("the coffee machine is empty")
        update(gan, *arguments)

    monkeypatch.setattr(GAN, "update_generator", fail)
    before_saving.append(lambda checkpoint: time.sleep(0.3))
    with pytest.raises(LookupError):
        train(DIGITS, [*EVERY_TWO, budget(9)], run_dir=tmp_path / "run")
    assert updates_of(checkpoint_of(tmp_path / "run")) == 2


def test_of_two_failures_the_first_is_told(tmp_path, before_saving, monkeypatch):
    def diverge(guard: Guard, gan: GAN) -> None:
        if gan.generator_updates == 3:
            raise Diverged("discriminator/loss is nan")

    def refuse(checkpoint: dict[str, Any]) -> None:
        if updates_of(checkpoint) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Guard, "check", diverge)
    before_saving.append(refuse)
    with pytest.raises(Diverged, match="loss is nan"):
        train(DIGITS, [*EVERY_TWO, budget(3)], run_dir=tmp_path / "run")
    assert updates_of(checkpoint_of(tmp_path / "run")) == 0


@pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*in eval mode", "ignore:.*many workers")
def test_under_a_plain_trainer_a_checkpoint_is_there_when_it_has_been_saved(tmp_path):
    gan = begin_gan(load_experiment(DIGITS, TINY))
    data = torch.utils.data.DataLoader(torch.zeros(32, 1, 8, 8), batch_size=16)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, **quiet)
    trainer.fit(gan, data)
    trainer.save_checkpoint(tmp_path / "plain.ckpt")
    assert updates_of(read_checkpoint(tmp_path / "plain.ckpt")) == 2
    assert type(trainer.strategy.checkpoint_io) is TorchCheckpointIO


@pytest.mark.slow
def test_a_full_disk_of_two_processes_is_told_once(tmp_path):
    """No file may be larger than 60 kB, which the second checkpoint, with the optimisers' moments, is."""
    words = [*EVERY_TWO, "generator.width=16", "trainer.devices=2", "trainer.accelerator=cpu", budget(100)]
    command = [sys.executable, "-m", "ganzoo", "train", str(DIGITS), *words, "--run-dir", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    limited = ["prlimit", "--fsize=60000", *command]
    done = subprocess.run(limited, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 1 and done.stderr.count("ganzoo: ") == 1 and "Traceback" not in done.stderr, done.stderr
    assert "last.ckpt: cannot be written: File too large. What was there before is unchanged." in done.stderr
    assert updates_of(checkpoint_of(tmp_path / "run")) == 0
    record = RunDirectory(tmp_path / "run").read_record()
    assert record is not None and record["status"] == "failed"
