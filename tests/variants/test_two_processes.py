"""Every variant trains data-parallel: two processes, each with its part of every batch, end with the same weights."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, differences
from test_conformance import ROWS

WORKER = """
import sys, warnings
warnings.simplefilter("ignore")
import lightning, torch
from torch.utils.data import DataLoader, DistributedSampler
sys.path[:0] = [{tests!r}, {variants!r}]
import anybody
from test_conformance import ROWS, plain_gan
from ganzoo.training.strategy import AlternatingDDP

rank, found = int(sys.argv[1]), {{}}
quiet = dict(enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, logger=False)
for row in ROWS:
    torch.manual_seed(rank)  # other weights on each rank: the strategy must begin with rank 0's
    gan = plain_gan(row)
    torch.manual_seed(100 + rank)  # and other latents
    data = anybody.loader(row.shape).dataset
    loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data, 2, rank, shuffle=False))
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=2, strategy=AlternatingDDP(), use_distributed_sampler=False, **quiet
    )
    trainer.fit(gan, loader)
    weights = {{name: value.detach().clone() for name, value in gan.named_parameters()}}
    counts = (gan.discriminator_updates, gan.generator_updates, gan.images_seen)
    found[row.name] = {{"weights": weights, "counts": counts}}
torch.save(found, sys.argv[2])
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What each of the two processes ended with, by variant: one start of two processes for all of them."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = WORKER.format(tests=str(ROOT / "tests"), variants=str(ROOT / "tests" / "variants"))
    shared = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(rank), str(folder / f"{rank}.pt")],
            env={**shared, "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], errors
    return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_both_ranks_end_with_the_same_weights(row, found):
    one, other = (ranks[row.name] for ranks in found)
    assert differences(one["weights"], other["weights"]) == []
    assert all(torch.isfinite(weight).all() for weight in one["weights"].values())
    assert one["counts"] == other["counts"]
    discriminator_updates, generator_updates, images_seen = one["counts"]
    assert discriminator_updates == 8 and generator_updates >= 1 and images_seen == 64  # over both ranks
