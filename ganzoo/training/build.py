"""From an experiment to its modules: networks, variant, data."""

from pathlib import Path

from torch import nn

from ganzoo.components import implementation
from ganzoo.data.loading import GANData, mixed_seed
from ganzoo.errors import InputError
from ganzoo.experiment import Experiment
from ganzoo.networks.base import NetworkConfig
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.callbacks.checkpoint import misfit, read_checkpoint
from ganzoo.training.gan import GAN
from ganzoo.training.layout import lay_channels_last
from ganzoo.training.randomness import random_states, seed_everything, untouched_randomness


def begin_gan(experiment: Experiment) -> GAN:
    """The experiment's variant as it begins training: the seed decides the weights and the random streams."""
    seed_everything(mixed_seed(experiment.seed, 0))
    gan = build_gan(experiment)
    if experiment.trainer.channels_last:
        lay_channels_last(gan)
    seed_everything(mixed_seed(experiment.seed, 1))  # a stream of its own: a network more or less does not shift it
    gan.random_states_to_begin_with = [random_states()]
    return gan


def build_gan(experiment: Experiment) -> GAN:
    """The experiment's variant around its networks, freshly initialised from the current random state."""
    module, config = implementation(experiment.variant)
    variants = [cls for cls in vars(module).values() if isinstance(cls, type) and issubclass(cls, GAN)]
    own = [cls for cls in variants if cls.__module__ == module.__name__]
    if len(own) != 1:
        raise InputError(module.__name__, f"a variant's file must define one GAN, and this one defines {len(own)}")
    generator = build_generator(experiment)
    networks, discriminator_config = implementation(experiment.discriminator)
    discriminator = networks.Discriminator(
        discriminator_config,
        shape=_packed_shape(experiment),
        num_classes=_classes_for(discriminator_config, experiment),
    )
    return own[0](
        generator,
        discriminator,
        config,
        optimizers=experiment.optimizer,
        ema=experiment.ema,
        accumulate=experiment.trainer.accumulate,
        joint=experiment.trainer.joint_batches,
    )


def build_generator(experiment: Experiment) -> nn.Module:
    networks, config = implementation(experiment.generator)
    data, latent_dim = experiment.data, experiment.variant.latent_dim
    classes = _classes_for(config, experiment)
    return networks.Generator(config, shape=data.shape, latent_dim=latent_dim, num_classes=classes)


def _classes_for(config: NetworkConfig, experiment: Experiment) -> int:
    """Those of the data, for a network that asks: a folder must be there to be counted, and old runs outlive theirs."""
    return experiment.data.num_classes if config.conditional or config.classifies else 0


def _packed_shape(experiment: Experiment) -> tuple[int, ...]:
    """What the discriminator judges at a time: `pack` samples along the first dimension."""
    first, *rest = experiment.data.shape
    return (first * experiment.variant.pack, *rest)


def build_data(experiment: Experiment) -> GANData:
    data, variant = experiment.data, experiment.variant

    def batch_size_at(images_seen: int) -> int:
        return variant.batch_size_at(images_seen, data.batch_size, data.shape)

    networks = (experiment.generator, experiment.discriminator)
    labelled = variant.needs_labels or any(network.conditional or network.classifies for network in networks)
    return GANData(data, seed=experiment.seed, batch_size_at=batch_size_at, labelled=labelled)


def load_generator(run_dir: str | Path, *, best: bool = False) -> GAN:
    """The trained model of a run; `.sample(16, seed=0)` are 16 images in [-1, 1] of its averaged generator.

    Args:
        run_dir: a run directory; its checkpoint is loaded weights-only, so it can run no code.
        best: the checkpoint with the best score instead of the last one.

    Raises:
        InputError: there is no run or no checkpoint, or the checkpoint is broken.
    """
    run = RunDirectory.open(run_dir)
    path = run.best_checkpoint if best else run.last_checkpoint
    with untouched_randomness():
        gan = build_gan(run.experiment())
    checkpoint = read_checkpoint(path)
    try:
        gan.load_state_dict(checkpoint["state_dict"])
        gan.on_load_checkpoint(checkpoint)
    except (KeyError, RuntimeError, TypeError) as error:
        raise misfit(path, error) from None
    return gan.eval()
