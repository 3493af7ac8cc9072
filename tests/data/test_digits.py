"""Digits: the whole data set, since it is small and always there."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganzoo.data.digits import Config, _ink_and_labels, load


@pytest.fixture(scope="module")
def splits():
    """Both splits as they were drawn: 8x8 grey, 0..255."""
    native = Config(resolution=8)
    return {split: load(native, split) for split in ("train", "heldout")}


def test_the_file_is_read_as_scikit_learn_reads_it():
    ink, labels = _ink_and_labels()
    theirs = load_digits()
    assert np.array_equal(ink, theirs.images) and np.array_equal(labels, theirs.target)
    assert (ink.dtype, labels.dtype) == (theirs.images.dtype, theirs.target.dtype)


def test_splits_have_the_declared_sizes(splits):
    assert (len(splits["train"]), len(splits["heldout"])) == (Config().num_train, Config().num_heldout) == (1297, 500)


def test_splits_together_are_the_data_set_and_share_no_image(splits):
    levels = np.rint(np.concatenate([samples.values.flatten(1) for samples in splits.values()]) / (255 / 16))
    labels = np.concatenate([samples.labels for samples in splits.values()])
    ours, original = np.column_stack([levels, labels]), load_digits()
    theirs = np.column_stack([original.data, original.target])
    assert len(np.unique(ours, axis=0)) == 1797
    assert np.array_equal(np.unique(ours, axis=0), np.unique(theirs, axis=0))


def test_splits_are_stratified(splits):
    for samples in splits.values():
        shares = samples.labels.bincount(minlength=10) / len(samples)
        whole = torch.tensor([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]) / 1797
        assert (shares - whole).abs().max() * len(samples) < 1.0


def test_grey_levels_use_the_whole_range(splits):
    levels = splits["train"].values.unique().tolist()
    assert levels == [round(level * 255 / 16) for level in range(17)]


def test_every_load_is_the_same(splits):
    again = load(Config(resolution=8), "heldout")
    assert torch.equal(again.values, splits["heldout"].values)
    assert torch.equal(again.labels, splits["heldout"].labels)


@pytest.mark.parametrize("channels", [1, 3])
def test_resolution_and_channels(channels):
    samples = load(Config(channels=channels), "heldout")
    assert samples.values.shape == (500, channels, 32, 32)
    assert samples.values.dtype == torch.uint8
    assert samples.class_names == tuple("0123456789")
