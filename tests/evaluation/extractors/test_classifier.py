"""The classifier that images are looked at with: its shapes, its file, and the one that ships."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ganzoo.data.digits import Config, load
from ganzoo.data.samples import to_network_range
from ganzoo.errors import GanzooError, InputError
from ganzoo.evaluation.extractors.base import Coordinates, Extractor
from ganzoo.evaluation.extractors.classifier import (
    CARD,
    DIGITS,
    FEATURES,
    Card,
    Classifier,
    load_extractor,
    save_extractor,
    to_native,
)

ABOUT = Card(
    data="toys",
    data_sha256="0" * 64,
    resolution=16,
    channels=3,
    class_names=("a", "b", "c"),
    heldout_accuracy=0.5,
    version="0",
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "new" / "toys.safetensors"
    save_extractor(path, Classifier(resolution=16, channels=3, num_classes=3), ABOUT)
    return path


# The extractor that ships


def test_the_digits_extractor_is_small_and_right():
    classifier, card = load_extractor(DIGITS)
    heldout = load(Config(), "heldout")
    found = classifier(to_network_range(heldout.values)).logits.argmax(dim=1)
    accuracy = (found == heldout.labels).double().mean().item()
    assert accuracy >= 0.98
    assert accuracy == pytest.approx(card.heldout_accuracy, abs=0.003)  # another machine may round another way
    assert DIGITS.stat().st_size < 500_000
    assert (card.data, card.resolution, card.channels, len(card.class_names)) == ("digits", 32, 1, 10)


def test_the_digits_extractor_has_features_of_mean_square_one():
    features = load_extractor(DIGITS)[0](to_network_range(load(Config(), "train").values)).features
    assert features.square().mean().item() == pytest.approx(1, rel=1e-5)


# What goes in and comes out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 32), (1, 8, 8), (3, 20, 50), (3, 100, 100)])
def test_images_of_any_size_go_in(shape, channels):
    classifier = Classifier(resolution=32, channels=channels, num_classes=7)
    features, logits = classifier(torch.zeros(2, *shape))
    assert features.shape == (2, FEATURES) and logits.shape == (2, 7)


def test_other_shapes_are_refused():
    classifier = Classifier(resolution=32, channels=1, num_classes=7)
    for shape in [(2, 2, 32, 32), (2, 32, 32), (2, 2)]:
        with pytest.raises(ValueError, match=r"must be \(n, 1 or 3, h, w\)"):
            classifier(torch.zeros(shape))


def test_native_images_are_left_alone_and_grey_stays_grey():
    grey = torch.rand(2, 1, 8, 8) * 2 - 1
    assert to_native(grey, 8, 1) is grey
    rgb = to_native(grey, 8, 3)
    assert rgb.shape == (2, 3, 8, 8)
    assert torch.allclose(to_native(rgb, 8, 1), grey, atol=1e-6)  # the weights of R, G and B sum to 1


def test_pixels_are_the_same_images():
    classifier, pixels = load_extractor(DIGITS)[0], torch.randint(256, (3, 1, 20, 20), dtype=torch.uint8)
    assert torch.equal(classifier(pixels).features, classifier(to_network_range(pixels)).features)
    assert classifier.double()(pixels).features.dtype == torch.float64


def test_images_shrink_without_aliasing():
    """A one-pixel chessboard is its mean, 0, when it is a quarter as large."""
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    small = to_native(board.expand(1, 1, 32, 32), 8, 1)
    assert small[..., 1:-1, 1:-1].abs().max() < 1e-6


def test_an_images_features_do_not_depend_on_its_batch():
    classifier, images = load_extractor(DIGITS)[0], torch.rand(9, 1, 32, 32)
    alone = torch.cat([classifier(image[None]).features for image in images])
    assert torch.allclose(classifier(images).features, alone, rtol=1e-5, atol=1e-6)
    assert torch.equal(classifier.train()(images).features, classifier.eval()(images).features)


def test_it_is_an_extractor():
    assert isinstance(Classifier(resolution=8, channels=1, num_classes=2), Extractor)


def test_points_are_their_own_features():
    points = torch.rand(5, 2)
    assert Coordinates()(points) == (points, None)


# The file


def test_a_classifier_is_known_by_the_hash_of_its_file(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    loaded, _ = load_extractor(file)
    assert loaded.identity == f"classifier {digest[:16]}" and loaded.weights_sha256 == digest
    fresh = Classifier(resolution=16, channels=3, num_classes=3)
    assert fresh.identity == "classifier unsaved" and fresh.weights_sha256 is None
    rewrite(file, version="1")
    assert load_extractor(file)[0].identity != loaded.identity


def test_the_layers_are_those_of_the_network(file):
    assert load_extractor(file)[0].layers == (
        "convolution 3x3, stride 2, 3 -> 24, ReLU",
        "convolution 3x3, stride 2, 24 -> 48, ReLU",
        "convolution 3x3, stride 1, 48 -> 64, ReLU",
        "convolution 3x3, stride 2, 64 -> 64, ReLU",
        "mean over positions",
        "linear, 64 -> 3",
    )


def test_the_card_in_the_file_says_what_there_is_to_know(file):
    with safe_open(file, framework="pt") as opened:
        card = json.loads(opened.metadata()[CARD])
    classifier = load_extractor(file)[0]
    assert card["layers"] == list(classifier.layers) == classifier.about["layers"]
    for key in ("data", "data_sha256", "heldout_accuracy"):
        assert card[key] == getattr(ABOUT, key) == classifier.about[key]


def test_a_file_gives_the_same_classifier(file):
    classifier = Classifier(resolution=16, channels=3, num_classes=3)
    save_extractor(file, classifier, ABOUT)
    loaded, card = load_extractor(file)
    images = torch.rand(4, 1, 20, 20)
    assert card == ABOUT
    assert torch.equal(loaded(images).logits, classifier(images).logits)
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    assert list(file.parent.iterdir()) == [file]  # nothing unfinished is left


def test_loading_leaves_the_global_generator_alone(file):
    before = torch.get_rng_state()
    load_extractor(file)
    assert torch.equal(torch.get_rng_state(), before)


def rewrite(path, weights=None, **changes):
    """The file with some of its card's fields and weights changed; None removes a field."""
    import dataclasses

    fields = {**dataclasses.asdict(ABOUT), **changes}
    text = json.dumps({key: value for key, value in fields.items() if value is not None})
    save_file({**load_file(path), **(weights or {})}, path, metadata={CARD: text})


@pytest.mark.parametrize(
    "changes",
    [
        {"resolution": None},
        {"resolution": 0},
        {"resolution": "x"},
        {"channels": 2},
        {"channels": 1},
        {"class_names": None},
        {"class_names": ["a"]},
        {"colour": 1},
        {"weights": {"head.bias": torch.full((3,), float("nan"))}},
        {"weights": {"head.bias": torch.zeros(3, dtype=torch.float16)}},
        {"weights": {"more": torch.zeros(1)}},
    ],
)
def test_a_broken_file_is_refused(changes, file):
    rewrite(file, **changes)
    with pytest.raises(InputError, match="is a broken extractor"):
        load_extractor(file)


def test_files_that_are_no_extractor(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(InputError, match="cannot be read as an extractor"):
        load_extractor(path)
    path.write_bytes(b"no safetensors at all")
    with pytest.raises(InputError, match="cannot be read as an extractor"):
        load_extractor(path)
    path.write_bytes(DIGITS.read_bytes()[:-1000])
    with pytest.raises(InputError, match="cannot be read as an extractor"):
        load_extractor(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="is no extractor"):
        load_extractor(path)
    with pytest.raises(InputError, match="cannot be read as an extractor"):
        load_extractor(tmp_path)


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(GanzooError, match="cannot be written"):
        save_extractor(tmp_path, Classifier(resolution=16, channels=3, num_classes=3), ABOUT)
