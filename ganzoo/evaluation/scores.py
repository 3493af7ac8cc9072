"""The metrics and the scores they give (no torch here: the command lists them)."""

from dataclasses import dataclass
from typing import Literal

Metric = Literal[
    "fid",
    "fid_infinity",
    "class_fid",
    "kid",
    "inception_score",
    "precision_recall",
    "density_coverage",
    "authenticity",
    "class_accuracy",
    "modes",
    "ms_ssim",
    "sliced_wasserstein",
    "lpips",
    "ppl",
]
Need = Literal["features", "reals", "logits", "labels", "pixels", "generator", "perception"]

# What a metric looks at: features of the fakes, of each real sample too ("reals": saved statistics do not do), class
# logits, labels, uint8 pixels, the generator itself, a perceptual distance (LPIPS).
NEEDS: dict[Metric, frozenset[Need]] = {
    "fid": frozenset(("features",)),
    "fid_infinity": frozenset(("features",)),
    "class_fid": frozenset(("features", "reals", "labels")),
    "kid": frozenset(("features", "reals")),
    "inception_score": frozenset(("features", "logits")),
    "precision_recall": frozenset(("features", "reals")),
    "density_coverage": frozenset(("features", "reals")),
    "authenticity": frozenset(("features", "reals")),
    "class_accuracy": frozenset(("features", "logits", "labels")),
    "modes": frozenset(("features",)),
    "ms_ssim": frozenset(("pixels",)),
    "sliced_wasserstein": frozenset(("pixels", "reals")),
    "lpips": frozenset(("pixels", "perception")),
    "ppl": frozenset(("generator", "perception")),
}


@dataclass(frozen=True)
class Score:
    """One number that a metric gives: the metric, which way is better, and what it is, with its paper."""

    metric: Metric
    better: Literal["lower", "higher", "neither"]
    summary: str


SCORES = {
    "fid": Score("fid", "lower", "Fréchet distance of features, >= 0 (Heusel et al. 2017, arXiv:1706.08500)"),
    "fid_infinity": Score("fid_infinity", "lower", "FID extrapolated to endless samples (Chong & Forsyth, 1911.07023)"),
    "class_fid": Score("class_fid", "lower", "mean of the FIDs of every class (Miyato & Koyama 2018, 1802.05637)"),
    "kid": Score("kid", "lower", "kernel distance of features, unbiased around 0 (Bińkowski et al. 2018, 1801.01401)"),
    "inception_score": Score("inception_score", "higher", "sharp and diverse classes, 1 to K (Salimans et al. 2016)"),
    "inception_score_std": Score("inception_score", "neither", "standard deviation of the score over the splits"),
    "precision": Score("precision_recall", "higher", "share of fakes among the reals, 0 to 1 (arXiv:1904.06991)"),
    "recall": Score("precision_recall", "higher", "share of reals among the fakes, 0 to 1 (arXiv:1904.06991)"),
    "density": Score("density_coverage", "higher", "how densely reals surround fakes, about 1 (arXiv:2002.09797)"),
    "coverage": Score("density_coverage", "higher", "share of reals with a fake nearby, 0 to 1 (arXiv:2002.09797)"),
    "authenticity": Score("authenticity", "higher", "share of fakes that are no copy of a real (arXiv:2102.08921)"),
    "class_accuracy": Score("class_accuracy", "higher", "share of samples of the class that was asked for, 0 to 1"),
    "modes": Score("modes", "higher", "modes that samples reach (Lin et al. 2017, arXiv:1712.04086)"),
    "high_quality": Score("modes", "higher", "share of points within 3 sigma of a mode; a perfect 2-D sampler: 0.9889"),
    "reverse_kl": Score("modes", "lower", "KL of the samples' modes from uniform, nats, >= 0 (arXiv:1712.04086)"),
    "ms_ssim": Score("ms_ssim", "lower", "mean similarity of two fakes, of one class if there are any (1610.09585)"),
    "sliced_wasserstein": Score(
        "sliced_wasserstein", "lower", "distance of patches, x 1000, mean over the pyramid (PGGAN, arXiv:1710.10196)"
    ),
    "lpips": Score("lpips", "higher", "mean perceptual distance of two fakes (Zhang et al. 2018, arXiv:1801.03924)"),
    "ppl": Score("ppl", "lower", "perceptual path length in the latent space (StyleGAN, arXiv:1812.04948)"),
}
