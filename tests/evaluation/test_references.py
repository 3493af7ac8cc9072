"""The real side: splits, mirrored images, and what counts as the floor."""

import pytest
import torch

from ganzoo.data import digits, ring8
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.extractors.classifier import DIGITS, load_extractor
from ganzoo.evaluation.metrics.frechet import frechet_distance, gaussian_statistics
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.evaluation.references import Mirrored, Reals, fitting, reals_of
from ganzoo.evaluation.sources import HeldSource

PROTOCOL = load_protocol("digits-v1").replace(metrics=("fid",))


def pixels(split: str) -> torch.Tensor:
    return digits.load(digits.Config(resolution=32), split).values


def test_mirrored_samples_are_the_samples_and_then_their_mirror_images():
    values = torch.randint(256, (5, 3, 2, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Mirrored(HeldSource("some", values, torch.arange(5)))
    assert source.count == 10 and source.labels.tolist() == [*range(5), *range(5)] and source.shape == (3, 2, 4)
    groups = [torch.tensor([0, 4, 5]), torch.tensor([9, 1])]
    first, second = source.batches(groups)
    assert torch.equal(first, torch.stack([values[0], values[4], values[0].flip(-1)]))
    assert torch.equal(second, torch.stack([values[4].flip(-1), values[1]]))
    hashes = {source.sha256(torch.tensor(some)) for some in ([0, 5], [0, 6], [5, 0, 1], [0, 1])}
    assert len(hashes) == 4


def test_flips_double_the_reference():
    fakes, reals = pixels("heldout"), pixels("train")
    extractor = load_extractor(DIGITS)[0]
    both = extractor(torch.cat([reals, reals.flip(-1)])).features
    wanted = frechet_distance(gaussian_statistics(both), gaussian_statistics(extractor(fakes).features))
    flipped = Evaluator(PROTOCOL.replace(flips=True), digits.Config())
    assert flipped.score_samples(fakes)["fid"] == pytest.approx(wanted, rel=1e-6)
    assert wanted > 5 * Evaluator(PROTOCOL, digits.Config()).score_samples(fakes)["fid"]


def test_the_floor_is_of_the_other_split():
    """The held-out digits as the reference: the floor is that of the train digits, and the other way round."""
    held = Evaluator(PROTOCOL.replace(split="heldout", num_fake=500), digits.Config())
    assert held.score_samples(pixels("heldout"))["fid"] < 1e-6  # the same images
    some = Evaluator(PROTOCOL, digits.Config())
    assert some.score_samples(pixels("heldout")) == some.floor() != held.floor()
    assert 0.01 < held.floor()["fid"] < 1


def test_a_reference_of_ones_own_has_no_floor():
    reals = Reals("mine", {"path": "mine"}, lambda: HeldSource("mine", pixels("train")))
    evaluator = Evaluator(PROTOCOL, reals)
    expected = Evaluator(PROTOCOL, digits.Config()).score_samples(pixels("heldout"))
    assert evaluator.score_samples(pixels("heldout")) == expected
    with pytest.raises(InputError, match="mine: has no other real samples"):
        evaluator.floor()


def test_what_a_record_says_of_the_reference():
    evaluator = Evaluator(PROTOCOL.replace(num_real=100), digits.Config())
    assert "sha256" not in evaluator.about()["reference"]  # nothing was read yet
    evaluator.floor()
    reference = evaluator.about()["reference"]
    assert (reference["name"], reference["count"], len(reference["sha256"])) == ("digits", 100, 64)
    assert evaluator.about()["extractor"]["weights_sha256"] == load_extractor(DIGITS)[0].weights_sha256


def test_points_and_images_are_not_compared():
    points = HeldSource("points", torch.zeros(3, 2))
    with pytest.raises(InputError, match="points: holds points, and images holds images"):
        fitting(points, HeldSource("images", torch.zeros(3, 1, 4, 4, dtype=torch.uint8)), PROTOCOL)
    assert reals_of(ring8.Config(), load_protocol("toy2d-v1")).modes == ring8.Config().modes
