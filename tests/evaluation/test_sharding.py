"""Evaluation on two and three processes: the scores of one, whatever is left over when samples are dealt."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.usefixtures("warm")
WORKER = """
import json, sys
import torch
from torch import distributed
from ganzoo.data import digits, ring8
from ganzoo.errors import GanzooError
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.training.callbacks.evaluation import of_first_rank

rank, world = int(sys.argv[1]), int(sys.argv[2])
if world > 1:
    distributed.init_process_group("gloo", rank=rank, world_size=world)
torch.set_num_threads(1)


class Generator:
    "Blobs of a class: images that are a function of their latents."

    def draw_inputs(self, n, generator):
        labels = torch.randint(10, (n,), generator=generator)
        return torch.randn(n, 4, generator=generator), labels

    def images_of(self, latents, labels):
        waves = torch.outer(torch.arange(32.0), torch.arange(32.0)).view(1, 1, 32, 32) / 99
        return torch.sin(waves * latents.sum(1).view(-1, 1, 1, 1) + labels.view(-1, 1, 1, 1))


def noise(n, generator):
    return torch.rand(n, 1, 32, 32, generator=generator) * 2 - 1


def broken(n, generator):
    return noise(n, generator) * torch.nan


small = load_protocol("digits-v1").replace(
    num_fake=211, kid_subsets=3, metrics=("fid", "kid", "precision_recall", "class_accuracy", "class_fid", "ms_ssim"),
    ms_ssim_pairs=20,
)
evaluator = Evaluator(small, digits.Config(), batch_size=20)
points = Evaluator(load_protocol("toy2d-v1").replace(num_fake=100, num_real=100), ring8.Config(), batch_size=99)
found = {
    "generator": evaluator.score(Generator()),
    "function": evaluator.score(noise),
    "floor": evaluator.floor(),
    "points": points.floor(),  # two groups: with three processes, one has none
}
try:
    evaluator.score(broken)
except GanzooError as error:
    found["error"] = type(error).__name__
norm = torch.nn.BatchNorm1d(1)
norm.running_mean.fill_(rank + 1)
with of_first_rank(norm):
    found["of first rank"] = norm.running_mean.item()
found["own again"] = norm.running_mean.item()
print(json.dumps(found))
if world > 1:
    distributed.destroy_process_group()
"""


def scores_on(world: int, cache: Path) -> list[dict]:
    """What each of `world` processes says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GANZOO_CACHE": str(cache)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(rank), str(world)],
            env=shared,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    said = [process.communicate(timeout=240) for process in ranks]
    assert [process.returncode for process in ranks] == [0] * world, [error for _, error in said]
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return scores_on(1, tmp_path_factory.mktemp("cache"))[0]


@pytest.mark.parametrize("world", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_every_process_has_the_scores_of_one(world, alone, tmp_path):
    for rank, said in enumerate(scores_on(world, tmp_path)):
        assert (said["of first rank"], said["own again"]) == (1, rank + 1)
        assert said.keys() == alone.keys() and said["error"] == "BrokenSamples"
        for kind in ("generator", "function", "floor", "points"):
            assert said[kind] == pytest.approx(alone[kind], rel=1e-9, abs=1e-12)
    assert {"class_accuracy", "class_fid", "ms_ssim"} <= alone["generator"].keys()
