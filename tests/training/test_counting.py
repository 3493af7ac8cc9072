"""Budgets and intervals are in generator updates, exactly, whatever n_critic and the length of an epoch."""

import pytest
from conftest import DIGITS, TINY, checkpoint_of, metrics_of

from ganzoo.training.callbacks.checkpoint import AtomicCheckpointIO
from ganzoo.training.run import resume, train

FOUR_BATCHES = "data.batch_size=324"  # of the 1,297 digits in a pass
EVERY = [
    "evaluation.protocol=digits-v1",
    "evaluation.every_generator_updates=3",
    "samples.every_generator_updates=4",
    "checkpoint.every_generator_updates=2",
    "tracking.every_generator_updates=5",
]


@pytest.fixture
def written(monkeypatch) -> list[int]:
    """The generator updates at which checkpoints are written."""
    updates: list[int] = []
    save = AtomicCheckpointIO.save_checkpoint

    def spy(self, checkpoint, path, storage_options=None):
        updates.append(checkpoint["ganzoo"]["counters"]["generator_updates"])
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", spy)
    return updates


@pytest.mark.parametrize("n_critic", [1, 5])
@pytest.mark.parametrize("parts", [(7,), (4, 7)], ids=["at once", "resumed"])
def test_everything_happens_at_its_generator_update(tmp_path, written, n_critic, parts):
    overrides = [*TINY, *EVERY, FOUR_BATCHES, f"variant.n_critic={n_critic}"]
    run = train(DIGITS, [*overrides, f"budget.generator_updates={parts[0]}"], run_dir=tmp_path / "run")
    for updates in parts[1:]:
        resume(run.path, [f"budget.generator_updates={updates}"])

    ends = set(parts)
    lines = metrics_of(run.path)
    scored = [line["generator_updates"] for line in lines if "evaluation/fid" in line]
    assert scored == sorted({0, 3, 6} | ends)
    assert [line["generator_updates"] for line in lines if "generator/loss" in line] == [5]
    assert sorted(int(path.stem) for path in run.samples.glob("*.png")) == sorted({0, 4} | ends)
    assert {0, 2, 4, 6} | ends <= set(written) <= {0, 2, 4, 6} | ends | set(scored)  # the best is written when scored
    assert written == sorted(set(written))

    counters = checkpoint_of(run.path)["ganzoo"]["counters"]
    assert counters["generator_updates"] == 7 and counters["discriminator_updates"] == 7 * n_critic
    assert counters["images_seen"] == 324 * 7 * n_critic == checkpoint_of(run.path)["GANData"]["position"]
    assert all(line["images_seen"] == 324 * n_critic * line["generator_updates"] for line in lines)
