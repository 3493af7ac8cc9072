"""What every network tells about itself before it is built (no torch here: see `ganzoo.components`).

A network family is a module with `GeneratorConfig` and `Generator(config, *, shape, latent_dim, num_classes)`,
`DiscriminatorConfig` and `Discriminator(config, *, shape, num_classes)`; either pair may be missing.
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
    def batch_normalised(self) -> bool:
        """Whether it has BatchNorm, which makes one sample's output depend on the batch: no penalty per sample then."""
        return False

    @property
    def judges_apart(self) -> bool:
        """Whether a discriminator's logit of a sample does not depend on the others of the batch."""
        return not self.batch_normalised

    @property
    def conditional(self) -> bool:
        """Whether its forward takes class labels."""
        return False

    @property
    def classifies(self) -> bool:
        """Whether it is a discriminator that also tells the class: `classify(samples)`."""
        return False

    @property
    def grows(self) -> bool:
        """Whether it can work at lower resolutions than its own: `grow(stage, fade)`."""
        return False
