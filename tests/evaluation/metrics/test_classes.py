"""The inception score from one to the number of classes, and against torchmetrics."""

import pytest
import torch
from drawn import Features, normal
from torchmetrics.image.inception import InceptionScore

from ganzoo.evaluation.metrics import classes

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


def test_inception_score_deviation_is_that_of_the_population():
    """Two splits with scores 1 and 4: mean 2.5, deviation 1.5 (with n - 1 it would be 2.12)."""
    logits = torch.cat([torch.zeros(4, 4), 200 * torch.eye(4)])
    assert classes.inception_score(logits, splits=2) == pytest.approx((2.5, 1.5), abs=1e-9)
    with pytest.raises(ValueError, match="8 samples cannot be split 9 times"):
        classes.inception_score(logits, splits=9)
