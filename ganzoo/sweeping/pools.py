"""Which processes work on a sweep with workers of their own, so that `ganzoo cancel` can tell them to stop.

Each has a claim to a folder of its own, SWEEP/pools/HOST-PROCESS: one that was killed is seen to be dead.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganzoo.records.claim import Claim
from ganzoo.records.run_files import names_in


@contextmanager
def at_work(sweep: Path) -> Iterator[None]:
    """This process is one of those in the body.

    Raises:
        GanzooError: the sweep's folder cannot be written to.
    """
    ours = sweep / "pools" / f"{platform.node()}-{os.getpid()}"
    claim = Claim.take(ours)  # None: a container of the same name has a process of the same number
    try:
        yield
    finally:
        if claim is not None:
            claim.release()
            shutil.rmtree(ours, ignore_errors=True)


def pools_of(sweep: Path) -> list[Path]:
    """The folders of the processes that work on a sweep, or were killed when they did; `holder` tells which."""
    return sorted(sweep / "pools" / name for name in names_in(sweep / "pools"))
