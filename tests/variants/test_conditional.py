"""Conditional variants: their objectives by hand, which networks they ask for, and labels from the data to a sample."""

import json
import math
import zipfile

import numpy as np
import pytest
import torch
from anybody import CLASSES, Discriminator, Generator
from conftest import DIGITS, TINY
from torch.nn.functional import cross_entropy, softplus

from ganzoo.errors import InputError
from ganzoo.evaluation.metrics.classes import class_accuracy
from ganzoo.experiment import build_experiment, load_experiment
from ganzoo.sampling import sample_to_file
from ganzoo.training.bound import BoundDiscriminator
from ganzoo.training.build import build_gan, load_generator
from ganzoo.training.run import train
from ganzoo.values import read_values
from ganzoo.variants import acgan

BOTH = ("generator.conditioning=concat", "discriminator.conditioning=concat")


@pytest.mark.parametrize("classify_fakes", [True, False])
def test_acgan_is_the_papers_sum_of_likelihoods(classify_fakes):
    """Section 3: D ascends L_S + L_C, G ascends L_C - L_S; L_C of reals and fakes, or of reals alone in D."""
    torch.manual_seed(0)
    generator, network = Generator(2, CLASSES), Discriminator()
    config = acgan.Config(latent_dim=2, class_weight=0.7, generator_class_weight=0.1, classify_fakes=classify_fakes)
    gan = acgan.ACGAN(generator, network, config)
    real, fake, labels = torch.randn(6, 2), torch.randn(6, 2), torch.randint(CLASSES, (6,))
    bound = BoundDiscriminator(network, labels)
    (real_logits, real_classes), (fake_logits, fake_classes) = network.classify(real), network.classify(fake)
    likelihood_fake = fake_classes.log_softmax(1)[range(6), labels].mean()
    likelihood = real_classes.log_softmax(1)[range(6), labels].mean() + classify_fakes * likelihood_fake
    source = -softplus(-real_logits).mean() - softplus(fake_logits).mean()
    torch.testing.assert_close(gan.discriminator_objective(bound, real, fake), -(source + 0.7 * likelihood))
    wanted = softplus(-fake_logits).mean() - 0.1 * likelihood_fake
    torch.testing.assert_close(gan.generator_objective(bound, real, fake), wanted)
    sure = cross_entropy(100.0 * torch.eye(CLASSES)[labels], labels)
    assert sure.item() == pytest.approx(0, abs=1e-6)


def test_class_accuracy_counts_the_classes_asked_for():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 0.0, 9.0], [5.0, 4.0, 0.0]])
    assert class_accuracy(logits, torch.tensor([0, 1, 2, 1])) == 0.75
    assert math.isclose(class_accuracy(logits, torch.tensor([1, 0, 0, 2])), 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["variant.name=cgan"], "generator.conditioning"),
        (["variant.name=cgan", *BOTH[:1]], "discriminator.conditioning"),
        (["variant.name=acgan", *BOTH], r"discriminator\.conditioning.*auxiliary"),
        (["variant.name=projection", *BOTH], r"discriminator\.conditioning.*projection"),
        (
            ["variant.name=unrolled", "optimizer.discriminator={name: sgd, lr: 0.1}"],
            r"optimizer\.discriminator.*plain adam",
        ),
        (["variant.name=sngan"], r"discriminator\.spectral_norm"),
        ([BOTH[1]], r"generator\.conditioning.*judges images with labels"),
        ([BOTH[0]], r"discriminator\.conditioning.*nothing tells the generator"),
        ([*BOTH, "variant.pack=2"], r"variant\.pack.*no one class"),
        (["variant.pack=5"], r"data\.batch_size.*multiple of 5 in a pack"),
        (
            ["generator.conditioning=batch_norm", "generator.norm=none", BOTH[1]],
            r"generator\.conditioning.*norm: batch",
        ),
        (["data={name: swiss_roll}", "generator.name=mlp", "discriminator.name=mlp", *BOTH], "has none"),
    ],
)
def test_what_does_not_go_together_is_said(settings, message):
    keys = [name for name in ("generator.width", "discriminator.width") if any("mlp" in line for line in settings)]
    off = ["evaluation={}", *(f"{key}=8" for key in keys)]
    with pytest.raises(InputError, match=message):
        load_experiment(DIGITS, [*settings, *off])


def test_networks_that_take_no_labels_are_built_without_the_data(tmp_path):
    """Samples of an old run need its checkpoint, not the archive that it was trained on."""
    values = read_values(DIGITS, [*TINY, f"data={{name: zip, path: {tmp_path}/gone.zip, resolution: 8}}"], [])
    gan = build_gan(build_experiment(values, source="an old run"))
    assert gan.num_classes == 0 and gan.sample(2).shape == (2, 3, 8, 8)


def test_every_variant_can_be_conditional(tmp_path):
    """Here WGAN-GP's penalty, at points between a real and a fake of the same class."""
    tiny = [*TINY, *BOTH, "variant={name: wgan_gp, latent_dim: 4, n_critic: 1}", "discriminator.norm=none"]
    run = train(DIGITS, [*tiny, "budget.generator_updates=2"], run_dir=tmp_path / "run")
    assert load_generator(run.path).num_classes == 10


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A conditional run of a few updates, scored by digits-v1."""
    path = tmp_path_factory.mktemp("conditional") / "run"
    torch.set_num_threads(1)
    scored = ["evaluation.protocol=digits-v1", "samples.every_generator_updates=2", "variant.name=cgan", *BOTH]
    train(DIGITS, [*TINY, *scored, "budget.generator_updates=2"], run_dir=path)
    return path


def test_its_record_has_the_class_accuracy_and_that_of_real_digits(run_dir):
    evaluation = json.loads((run_dir / "record.json").read_text())["evaluation"]
    assert 0 <= evaluation["last"]["scores"]["class_accuracy"] <= 0.5  # it has learnt nothing yet
    assert evaluation["floor"]["class_accuracy"] > 0.97
    assert (run_dir / "samples" / "00000002.png").exists()


def test_samples_are_of_the_class_asked_for(run_dir, tmp_path):
    gan = load_generator(run_dir)
    sample_to_file(run_dir, tmp_path / "threes.npz", number=4, seed=5, label=3)
    with np.load(tmp_path / "threes.npz") as arrays:
        assert arrays["arr_1"].tolist() == [3, 3, 3, 3]
        wanted = gan.sample(4, seed=5, labels=torch.full((4,), 3))
        pixels = ((wanted + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        assert np.array_equal(arrays["arr_0"], pixels)
    assert not torch.equal(wanted, gan.sample(4, seed=5, labels=torch.full((4,), 4)))


def test_samples_of_random_classes_carry_them(run_dir, tmp_path):
    sample_to_file(run_dir, tmp_path / "all.zip", number=30)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        labels = json.loads(archive.read("dataset.json"))["labels"]
    assert len(labels) == 30 and {label for _, label in labels} <= set(range(10)) and len({*map(str, labels)}) == 30


@pytest.mark.parametrize("label", [10, 99])
def test_a_class_that_is_not_there_is_refused(run_dir, tmp_path, label):
    with pytest.raises(InputError, match=rf"--class.*no class {label}.*0 to 9"):
        sample_to_file(run_dir, tmp_path / "none.png", number=1, label=label)


def test_an_unconditional_run_has_no_classes(tmp_path):
    run = train(DIGITS, [*TINY, "budget.generator_updates=1"], run_dir=tmp_path / "run")
    with pytest.raises(InputError, match="not conditional"):
        sample_to_file(run.path, tmp_path / "none.png", number=1, label=0)
