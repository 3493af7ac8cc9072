"""Every variant trains data-parallel: two processes, each with its part of every batch, do what one process does."""

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anybody
import pytest
import torch
from conftest import ROOT, differences
from filelock import FileLock
from test_conformance import ROWS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]
TESTS = ROOT / "tests"
UNASKED = 8 * anybody.CLASSES + anybody.CLASSES  # weights of the part that names classes, which few variants ask
Found = dict[str, dict[str, Any]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(rank: int, ranks: int, port: int, file: Path) -> subprocess.Popen[str]:
    shared = {**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if ranks > 1:
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": str(rank)}
    words = [sys.executable, str(TESTS / "variants" / "on_ranks.py"), str(rank), str(ranks), str(file)]
    return subprocess.Popen(words, env=shared, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found, Found]:
    """What the ranks of two processes, and a single process, end with, by variant: one start for all of them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "two-processes"  # of all workers
    folder.mkdir(exist_ok=True)
    files = [folder / name for name in ("0.pt", "1.pt", "alone.pt")]
    with FileLock(folder / "lock"):
        if not files[-1].exists():
            train_all(files)
    first, second, alone = (torch.load(file, weights_only=True) for file in files)
    return first, second, alone


def train_all(files: list[Path]) -> None:
    port, new = free_port(), [file.with_suffix(".new") for file in files]
    processes = [start(0, 2, port, new[0]), start(1, 2, port, new[1]), start(0, 1, port, new[2])]
    errors = [process.communicate(timeout=280)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    for one, file in zip(new, files, strict=True):
        one.rename(file)


each_variant = pytest.mark.parametrize("name", [*(row.name for row in ROWS), "synchronised"])


@each_variant
def test_both_ranks_end_with_the_same_weights(name, found):
    one, other, _ = (ranks[name] for ranks in found)
    assert differences(one, other) == []
    assert all(torch.isfinite(weight).all() for weight in one["weights"].values())
    discriminator_updates, generator_updates, images_seen = one["counts"]
    assert discriminator_updates == 24 and generator_updates >= 1 and images_seen == 24 * 8  # over both ranks


@each_variant
def test_they_do_what_one_process_does_with_the_whole_batch(name, found):
    """The losses of 24 updates; with BatchNorm where it is synchronised."""
    two, _, alone = (ranks[name] for ranks in found)
    assert two["counts"] == alone["counts"]
    for ours, theirs in zip(two["losses"], alone["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)
    for key, weight in alone["weights"].items():
        torch.testing.assert_close(two["weights"][key], weight, rtol=1e-5, atol=2e-6, msg=key)


@pytest.mark.parametrize("name", ["dcgan", "wgan_gp", "rpgan", "acgan"])
def test_an_update_sends_the_gradients_of_the_network_that_steps_and_no_others(name, found):
    """With the vote to stop; what is larger than a few losses is counted."""
    two, _, alone = (ranks[name] for ranks in found)
    sizes = {
        network: sum(weight.numel() for key, weight in two["weights"].items() if key.startswith(f"{network}."))
        for network in ("generator", "discriminator")
    }
    discriminator_updates, generator_updates, _ = two["counts"]
    judged = sizes["discriminator"] if name == "acgan" else sizes["discriminator"] - UNASKED
    expected = Counter({judged + 1: discriminator_updates, sizes["generator"] + 1: generator_updates})
    assert Counter(size for size in two["messages"]["all_reduce"] if size > 5) == expected
    assert len(two["messages"]["broadcast"]) == len(two["weights"])  # at the start; Lightning would send one a batch
    assert alone["messages"] == {"all_reduce": [], "broadcast": []}


def test_batch_norm_per_rank_is_another_one_with_the_same_weights_on_all(found):
    one, other, _ = (ranks.get("per_rank") for ranks in found)
    trained = {key: weight for key, weight in one["weights"].items() if "running" not in key}
    assert differences(trained, {key: other["weights"][key] for key in trained}) == []
    apart = differences(one["weights"], other["weights"])
    assert any(key.endswith("running_mean") for key in apart)
    synchronised = found[0]["synchronised"]["losses"]
    assert one["losses"][-1] != pytest.approx(synchronised[-1], rel=1e-5)
