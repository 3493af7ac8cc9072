"""What training settles for the whole process: torch's switches, and what Lightning need not tell."""

import logging
import warnings

import torch

from ganzoo.training.config import TrainerConfig


def prepare_process(settings: TrainerConfig) -> None:
    """Before every training, since the last one in this process may have had other settings."""
    torch.backends.cudnn.allow_tf32 = settings.tf32 != "never"
    torch.backends.cuda.matmul.allow_tf32 = settings.tf32 == "always"
    # What deterministic algorithms set to NaN before it is written, for whoever reads it before: thousands of times
    # in an update of convolutions, and nothing here does.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in DECIDED:
        warnings.filterwarnings("ignore", message=message)


DECIDED = (
    ".*does not have many workers.*",  # the data are in memory: a worker would only copy them
    ".*`srun` command is available.*",  # who starts which processes is settled before
    r".*module\(s\) in eval mode at the start of training.*",  # the averaged generator always is
    r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*",  # Lightning 2.6 on torch >= 2.14
)
