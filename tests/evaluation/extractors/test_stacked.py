"""A classifier of digits that looks at each channel."""

import pytest
import torch

from ganzoo.data.digits import Config, load
from ganzoo.data.samples import to_network_range
from ganzoo.evaluation.extractors.classifier import DIGITS, Classifier, load_extractor
from ganzoo.evaluation.extractors.stacked import Stacked


@pytest.fixture(scope="module")
def digits():
    return load_extractor(DIGITS)[0]


def test_every_channel_is_classified_by_itself(digits):
    heldout = load(Config(), "heldout")
    red, green, blue = (heldout.values[first : first + 100] for first in (0, 100, 200))
    stacked = Stacked(digits)
    features, logits = stacked(torch.cat([red, green, blue], dim=1))
    assert features.shape == (100, 3 * 64) and logits.shape == (100, 3 * 10)
    for index, channel in enumerate((red, green, blue)):
        alone = digits(channel)
        assert torch.allclose(features[:, 64 * index : 64 * (index + 1)], alone.features, rtol=1e-5, atol=1e-6)
        assert torch.allclose(logits[:, 10 * index : 10 * (index + 1)], alone.logits, rtol=1e-5, atol=1e-5)
    found = logits.view(100, 3, 10).argmax(dim=2)
    labels = torch.stack([heldout.labels[first : first + 100] for first in (0, 100, 200)], dim=1)
    assert (found == labels).double().mean() > 0.97


def test_images_of_any_size_go_in_as_pixels_or_floats(digits):
    pixels = torch.randint(0, 256, (2, 3, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    floats = Stacked(digits)(to_network_range(pixels))
    assert torch.equal(Stacked(digits)(pixels).logits, floats.logits)
    assert Stacked(digits)(pixels[:0]).logits.shape == (0, 30)


def test_its_identity_is_that_of_the_classifier_and_its_own(digits):
    stacked = Stacked(digits)
    assert stacked.identity == f"stacked {digits.identity}" != digits.identity
    assert stacked.weights_sha256 == digits.weights_sha256
    assert 3 * stacked.batch_size <= digits.batch_size


def test_other_shapes_are_refused():
    stacked = Stacked(Classifier(resolution=28, channels=1, num_classes=10))
    for shape in [(2, 1, 28, 28), (2, 3, 28), (2, 2)]:
        with pytest.raises(ValueError, match=r"must be \(n, 3, h, w\)"):
            stacked(torch.zeros(shape))
