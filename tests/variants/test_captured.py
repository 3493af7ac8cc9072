"""Every variant whose updates may be CUDA graphs: replayed, they do what they do operation by operation."""

import pytest
import torch
from conftest import DIGITS, checkpoint_of, differences, metrics_of
from tape import train_taped
from test_conformance import ROWS, tiny

from ganzoo.components import VARIANTS
from ganzoo.experiment import load_experiment
from ganzoo.training.run import train

CAPTURED = [row for row in ROWS if VARIANTS.find(row.name).never_captured is None]

each_captured = pytest.mark.parametrize("row", CAPTURED, ids=[row.name for row in CAPTURED])


@each_captured
def test_replayed_updates_are_the_same_to_the_last_bit(row, tmp_path):
    words = tiny(row, 7)
    train(DIGITS, words, run_dir=tmp_path / "eager")
    replays = train_taped(load_experiment(DIGITS, words), tmp_path / "taped")
    assert replays["generator"] == 4 and replays["discriminator"] >= 4
    assert differences(checkpoint_of(tmp_path / "eager"), checkpoint_of(tmp_path / "taped")) == []
    assert metrics_of(tmp_path / "eager") == metrics_of(tmp_path / "taped")


if torch.cuda.is_available():  # a skipped test fails the gate

    @pytest.mark.gpu
    @each_captured
    def test_a_gpu_replays_the_same_updates(row, tmp_path):
        words = [*tiny(row, 7), "trainer.accelerator=gpu"]
        train(DIGITS, [*words, "trainer.cuda_graphs=false"], run_dir=tmp_path / "eager")
        train(DIGITS, words, run_dir=tmp_path / "graphs")
        assert differences(checkpoint_of(tmp_path / "eager"), checkpoint_of(tmp_path / "graphs")) == []
        assert metrics_of(tmp_path / "eager") == metrics_of(tmp_path / "graphs")


def test_there_are_such_variants_and_others():
    assert {row.name for row in ROWS} - {row.name for row in CAPTURED} == {"progressive", "unrolled"}
