"""Training: the base class of every GAN and its run. Names load on first use, so configuration stays torch-free."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo.training.config import GANConfig

if TYPE_CHECKING:
    from ganzoo.training.bound import BoundDiscriminator
    from ganzoo.training.gan import GAN

__all__ = ["GAN", "BoundDiscriminator", "GANConfig"]


def __getattr__(name: str) -> Any:
    if name in ("GAN", "BoundDiscriminator"):
        return getattr(import_module("ganzoo.training.gan"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
