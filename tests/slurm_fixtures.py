"""A SLURM of two nodes. Test files that want it say: pytest_plugins = ["slurm_fixtures"].

No conftest.py beside them: the tests' own is imported by that name.
"""

import os
from collections.abc import Iterator

import pytest
from mini_cluster import MiniCluster, missing_programs


@pytest.fixture(scope="session")
def slurm() -> None:
    """Skips the test where there is no SLURM; on the servers that test each change, there must be one."""
    missing = missing_programs()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI has to install SLURM: there is no {', '.join(missing)}")
    if missing:
        pytest.skip(f"SLURM is not installed: there is no {', '.join(missing)}")


@pytest.fixture(scope="session")
def cluster(slurm: None) -> Iterator[MiniCluster]:
    """Nodes of four processors and two GPUs, which have nothing behind them. Tests leave it as they found it."""
    with MiniCluster(nodes=2, cpus=4, gpus=2) as cluster:
        yield cluster
