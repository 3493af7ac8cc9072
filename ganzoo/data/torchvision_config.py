"""What the data sets that torchvision reads have in common, before anything is loaded (no torch here)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.data.base import ImageConfig

ROOT_VARIABLE = "GANZOO_DATA"
IDX_FILES = (  # of MNIST and of whatever imitates it
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class Facts:
    """What a data set is known to be."""

    title: str
    files: tuple[str, ...]  # below the root, in torchvision's layout
    num_train: int  # the official train and test images
    num_heldout: int
    num_classes: int


@dataclass(frozen=True, kw_only=True)
class TorchvisionConfig(ImageConfig):
    """The official test images are the held-out split."""

    facts: ClassVar[Facts]

    root: str | None = setting(None, f"folder of torchvision's data sets; null: ${ROOT_VARIABLE}, else ./data")
    download: bool = setting(False, "fetch the files from the internet where they are not there yet")

    @property
    def num_classes(self) -> int:
        return self.facts.num_classes

    @property
    def num_train(self) -> int:
        return self.facts.num_train

    @property
    def num_heldout(self) -> int:
        return self.facts.num_heldout

    @property
    def folder(self) -> Path:
        return Path(self.root or os.environ.get(ROOT_VARIABLE) or "data").expanduser()

    def missing(self) -> str | None:
        absent = [name for name in self.facts.files if not (self.folder / name).is_file()]
        if self.download or not absent:
            return None
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        return (
            f"{self.facts.title} is not there: {absent[0]}{more} not found in {self.folder.absolute()}; "
            f"set data.download=true to fetch it, or name the folder that has it by data.root or ${ROOT_VARIABLE}"
        )
