"""Importing torch and lightning, which is most of what a short command does, in three quarters of the time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """For imports of what stays as long as the process: hundreds of thousands of objects, hardly one of them garbage.

    The collector is off meanwhile, and leaves them alone ever after: it does not look through them again and again
    while they grow, nor while training runs, nor when the process ends, and a fork shares them.
    """
    if "lightning" in sys.modules:  # nothing to import: what there is now may well be garbage some day
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
