"""Scores of classes: from one to the number of classes, against other implementations, and of perfect generators."""

import math

import numpy as np
import pytest
import torch
from drawn import Features, normal, random
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.image.inception import InceptionScore

from ganzoo.evaluation.metrics import classes
from ganzoo.evaluation.metrics.estimate import interval_of_splits

keeps_features = pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features")  # torchmetrics warns


def test_inception_score_goes_from_one_to_the_number_of_classes():
    certain = 200 * torch.eye(10)  # saturated: torchmetrics gives NaN here
    assert classes.inception_score(certain.repeat(5, 1), splits=5) == pytest.approx((10, 0), abs=1e-9)
    assert classes.inception_score(certain[:1].expand(50, 10), splits=5) == pytest.approx((1, 0), abs=1e-9)
    assert classes.inception_score(torch.zeros(50, 10), splits=1) == pytest.approx((1, 0), abs=1e-9)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_inception_score_of_saturated_logits_is_finite(size):
    mean, deviation = classes.inception_score(size * normal(40, 5, 0), splits=4)
    assert 1 <= mean <= 5 and 0 <= deviation < 5


@keeps_features
@pytest.mark.filterwarnings("ignore:std")  # of its one split
def test_inception_score_equals_torchmetrics():
    logits = 3 * normal(100, 8, 0)
    theirs = InceptionScore(feature=Features(), splits=1).set_dtype(torch.float64)
    theirs.update(logits)
    assert classes.inception_score(logits, splits=1)[0] == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


@pytest.mark.parametrize(("n", "k"), [(100, 10), (103, 10), (109, 10), (1000, 1008)])
def test_inception_score_equals_torch_fidelity(n, k):
    """Also where the samples do not divide into the splits: which sample is in which split is part of the score."""
    logits = 3 * normal(n, k, 0)
    theirs = isc_features_to_metric(logits, splits=10, shuffle=False)
    expected = theirs["inception_score_mean"], theirs["inception_score_std"]
    assert classes.inception_score(logits, splits=10) == pytest.approx(expected, rel=1e-6)


def test_inception_score_of_single_precision_logits_is_computed_in_double():
    logits = 3 * normal(100, 10, 0).float()
    assert classes.inception_score(logits, splits=10) == classes.inception_score(logits.double(), splits=10)


def test_inception_score_deviation_is_that_of_the_population():
    """Two splits with scores 1 and 4: mean 2.5, deviation 1.5 (with n - 1 it would be 2.12)."""
    logits = torch.cat([torch.zeros(4, 4), 200 * torch.eye(4)])
    assert classes.inception_scores(logits, splits=2).tolist() == pytest.approx([1, 4], abs=1e-9)
    assert classes.inception_score(logits, splits=2) == pytest.approx((2.5, 1.5), abs=1e-9)


def test_inception_interval_is_students_t_over_the_splits():
    logits = torch.cat([torch.zeros(4, 4), 200 * torch.eye(4)])
    found, expected = classes.inception_interval(logits, splits=2), interval_of_splits([1.0, 4.0])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.how == "Student t over 2 splits"
    assert classes.inception_interval(logits, splits=1) is None


def test_logits_that_cannot_be_scored_are_refused():
    logits = normal(8, 4, 0)
    with pytest.raises(ValueError, match="8 samples cannot be split 9 times"):
        classes.inception_score(logits, splits=9)
    with pytest.raises(ValueError, match="no samples"):
        classes.stacked_modes(torch.zeros(0, 30))
    with pytest.raises(ValueError, match="4 logits do not divide into those of 3 digits"):
        classes.stacked_modes(logits)
    logits[[2, 7], 1] = torch.tensor([math.nan, math.inf], dtype=torch.float64)
    for score in (
        lambda: classes.inception_score(logits, splits=2),
        lambda: classes.class_accuracy(logits, torch.zeros(8, dtype=torch.long)),
        lambda: classes.stacked_modes(logits, digits=2),
    ):
        with pytest.raises(ValueError, match="2 of 8 samples"):
            score()


def stacked(numbers, k: int = 10) -> torch.Tensor:
    """Logits of a certain classifier for the three digits, in base k, of every number."""
    numbers = torch.as_tensor(numbers)
    digits = torch.stack([numbers // k**2, numbers // k % k, numbers % k], dim=1)
    return 20 * torch.nn.functional.one_hot(digits, k).flatten(1).float()


def test_stacked_modes_by_hand():
    """Four samples in modes 000, 000, 909 and 990: shares 1/2, 1/4 and 1/4 of 1,000."""
    modes, reverse_kl = classes.stacked_modes(stacked([0, 0, 909, 990]))
    assert modes == 3
    assert reverse_kl == pytest.approx(0.5 * math.log(500) + 0.5 * math.log(250), abs=1e-12)


def test_stacked_modes_extremes():
    assert classes.stacked_modes(stacked(range(1000))) == (1000, pytest.approx(0, abs=1e-12))
    assert classes.stacked_modes(stacked([123] * 50)) == (1, pytest.approx(3 * math.log(10), abs=1e-12))


@given(st.lists(st.integers(0, 26), min_size=1, max_size=60))
def test_stacked_modes_tell_all_combinations_apart(numbers):
    """Of three classes: as many modes as there are numbers, and the KL of their histogram."""
    shares = np.unique(numbers, return_counts=True)[1] / len(numbers)
    modes, reverse_kl = classes.stacked_modes(stacked(numbers, k=3))
    assert modes == len(set(numbers))
    assert reverse_kl == pytest.approx(np.sum(shares * np.log(27 * shares)), abs=1e-12)


@pytest.mark.parametrize(("n", "kl"), [(2500, 0.222), (25_600, 0.0195)])
def test_stacked_modes_of_a_perfect_generator(n, kl):
    """Its floor: a mode is missed with probability 0.999^n, and KL is about 999 / 2n (more where n is small)."""
    modes, reverse_kl = classes.stacked_modes(stacked(torch.randint(1000, (n,), generator=random(0))))
    missed = 0.999**n
    assert abs(modes - 1000 * (1 - missed)) <= 4 * math.sqrt(1000 * missed)
    assert reverse_kl == pytest.approx(kl, rel=0.12)
