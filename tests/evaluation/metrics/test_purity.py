"""What all metrics keep."""

import torch
from drawn import normal, random

from ganzoo.evaluation.metrics.classes import inception_score
from ganzoo.evaluation.metrics.kernel import kernel_distance
from ganzoo.evaluation.metrics.neighbours import precision_recall


def test_no_metric_touches_the_global_generator():
    before = torch.get_rng_state()
    real, fake = normal(50, 4, 1), normal(50, 4, 2)
    kernel_distance(real, fake, subsets=2, subset_size=10, generator=random(0))
    precision_recall(real, fake)
    inception_score(real, splits=2)
    assert torch.equal(torch.get_rng_state(), before)
