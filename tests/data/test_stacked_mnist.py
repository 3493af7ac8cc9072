"""Stacked MNIST out of a tiny MNIST, in which every image is known by its grey."""

import struct

import pytest
import torch

from ganzoo.data import mnist, stacked_mnist
from ganzoo.data.torchvision_config import Facts
from ganzoo.errors import InputError

TRAIN, HELDOUT = 40, 20


def write_idx(folder, part, count, first_grey):
    """`count` flat images whose grey is first_grey + index, and whose digit is index mod 10."""
    greys = bytes(first_grey + index for index in range(count) for _ in range(28 * 28))
    digits = bytes(index % 10 for index in range(count))
    (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">iiii", 2051, count, 28, 28) + greys)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, count) + digits)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root folder with an MNIST of 40 train images (greys 100 to 139) and 20 test images (200 to 219)."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    write_idx(folder, "train", TRAIN, 100)
    write_idx(folder, "t10k", HELDOUT, 200)
    files = mnist.Config.facts.files
    monkeypatch.setattr(mnist.Config, "facts", Facts("MNIST", files, TRAIN, HELDOUT, 10))
    monkeypatch.setattr(stacked_mnist.Config, "facts", Facts("MNIST", files, 3000, 500, 1000))
    return str(tmp_path)


@pytest.mark.parametrize(("split", "count", "first", "images"), [("train", 3000, 100, 40), ("heldout", 500, 200, 20)])
def test_every_channel_is_a_digit_of_the_split_and_the_label_spells_them(root, split, count, first, images):
    samples = stacked_mnist.load(stacked_mnist.Config(root=root, resolution=28), split)
    assert samples.values.shape == (count, 3, 28, 28) and samples.values.dtype == torch.uint8
    greys = samples.values[:, :, 0, 0]
    assert (samples.values == greys[:, :, None, None]).all()
    index = greys.long() - first
    assert set(index.flatten().tolist()) == set(range(images))
    red, green, blue = (index % 10).unbind(dim=1)
    assert torch.equal(samples.labels, 100 * red + 10 * green + blue)
    names = [samples.class_names[label] for label in samples.labels[:50].tolist()]
    assert names == [f"{r}{g}{b}" for r, g, b in zip(red[:50], green[:50], blue[:50], strict=True)]


def test_the_three_digits_are_independent(root):
    """Chi-square of each pair of channels over 100 cells, 81 degrees of freedom: below the 99.9th percentile, 126."""
    labels = stacked_mnist.load(stacked_mnist.Config(root=root, resolution=28), "train").labels
    digits = torch.stack([labels // 100, labels // 10 % 10, labels % 10])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        counts = (10 * digits[one] + digits[other]).bincount(minlength=100).view(10, 10).double()
        expected = counts.sum(dim=1, keepdim=True) * counts.sum(dim=0) / counts.sum()
        assert 40 < ((counts - expected) ** 2 / expected).sum() < 126


def test_the_data_are_the_same_whatever_was_drawn_before(root):
    config = stacked_mnist.Config(root=root)
    before = torch.get_rng_state()
    first, second = stacked_mnist.load(config, "train"), stacked_mnist.load(config, "train")
    assert torch.equal(first.values, second.values) and torch.equal(first.labels, second.labels)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.values.shape[1:] == config.shape == (3, 32, 32)
    labels = [stacked_mnist.load(stacked_mnist.Config(root=root), split).labels for split in ("train", "heldout")]
    assert not torch.equal(labels[0][:500], labels[1])


def test_the_declared_numbers_are_the_published_ones():
    config = stacked_mnist.Config()
    assert (config.num_train, config.num_heldout, config.num_classes) == (128_000, 26_000, 1000)


def test_absent_data_are_said_to_be_absent(tmp_path):
    config = stacked_mnist.Config(root=str(tmp_path))
    assert "MNIST is not there" in config.missing()
    with pytest.raises(InputError, match="is not there"):
        stacked_mnist.load(config, "train")
