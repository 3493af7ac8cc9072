"""What every network tells about itself before it is built (no torch here: see `ganzoo.components`).

A network family is a module with `GeneratorConfig` and `Generator(config, *, shape, latent_dim)`,
`DiscriminatorConfig` and `Discriminator(config, *, shape)`; either pair may be missing.
"""

from dataclasses import dataclass

from ganzoo.config import Settings


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """A network's settings; what follows from the data (shapes, classes) comes as arguments of the network."""

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        """Why this network cannot make or judge samples of that shape, with what it can; None if it can."""
        return None

    @property
    def mixes_samples(self) -> bool:
        """Whether one sample's output depends on the others in its batch (BatchNorm): no per-sample gradients then."""
        return False
