"""Metrics on samples whose scores are known: what FID, KID, density, coverage and modes give to perfect generators.

    python experiments/theory/metric_identities.py --out runs/theory

Two independent sets of samples of one distribution stand for the data and for a generator as good as the data. Writes
metric_identities.json.
"""

from typing import TYPE_CHECKING

import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    Pair = tuple[Tensor, Tensor]  # real, fake: (n, DIMENSION)

DIMENSION = 64
SHIFT = 2.0  # distance of the means where there is one
MODES = 1000


def main() -> None:
    parser = report.command(__doc__)
    parser.add_argument("--small", type=int, default=1000, help="samples of a small set (default: %(default)s)")
    parser.add_argument("--large", type=int, default=8000, help="samples of a large set (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=10, help="pairs of sets of a mean (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    import torch

    torch.manual_seed(options.seed)
    found = {
        **gaussian_scores(options.small, options.large, options.repeats),
        **neighbour_scores(options.small, options.repeats),
        **mode_scores(options.repeats),
    }
    report.print_table(
        ["identity", "found", "by formula"], [[name, *map(str, it.values())] for name, it in found.items()]
    )
    settings = {name: value for name, value in vars(options).items() if name != "out"}
    report.write(options.out, "metric_identities", settings, found, {})


def beside(found: float, formula: float) -> dict[str, float]:
    return {"found": found, "formula": formula}


def gaussian_scores(small: int, large: int, repeats: int) -> dict[str, dict[str, float]]:
    """FID and KID between sets of N(0, I): FID's bias falls as 1 / n, KID has none; and FID of a shifted mean."""
    import torch

    pairs = [(torch.randn(large, DIMENSION), torch.randn(large, DIMENSION)) for _ in range(repeats)]
    biases = {n: mean_fid([(real[:n], fake[:n]) for real, fake in pairs]) for n in (small, large)}
    shift = torch.full((DIMENSION,), SHIFT / DIMENSION**0.5)
    shifted = mean_fid([(real, fake + shift) for real, fake in pairs])
    return {
        "fid_bias_times_n": beside(large * biases[large] / (small * biases[small]), 1.0),
        "fid_of_shift": beside(shifted - biases[large], SHIFT**2),
        "kid": beside(mean_kid([(real[:small], fake[:small]) for real, fake in pairs]), 0.0),
    }


def mean_fid(pairs: "Sequence[Pair]") -> float:
    from ganzoo.evaluation.metrics.frechet import frechet_distance, gaussian_statistics

    distances = [frechet_distance(gaussian_statistics(real), gaussian_statistics(fake)) for real, fake in pairs]
    return sum(distances) / len(distances)


def mean_kid(pairs: "Sequence[Pair]") -> float:
    import torch

    from ganzoo.evaluation.metrics.kernel import kernel_distance

    stream = torch.Generator().manual_seed(0)  # one subset of all samples: nothing is drawn but their order
    found = [kernel_distance(real, fake, subsets=1, subset_size=len(real), generator=stream) for real, fake in pairs]
    return sum(found) / len(found)


def neighbour_scores(n: int, repeats: int) -> dict[str, dict[str, float]]:
    """Density 1 and coverage 1 - 2^-k of two sets of equal size (Naeem et al. 2020, arXiv:2002.09797)."""
    import torch

    from ganzoo.evaluation.metrics.neighbours import density_coverage

    sums = {"density_5": 0.0, "coverage_5": 0.0, "coverage_3": 0.0}
    for _ in range(repeats):
        real, fake = torch.randn(n, DIMENSION), torch.randn(n, DIMENSION)
        five, three = (density_coverage(real, fake, k=k) for k in (5, 3))
        sums["density_5"] += five.density.value / repeats
        sums["coverage_5"] += five.coverage.value / repeats
        sums["coverage_3"] += three.coverage.value / repeats
    return {name: beside(sums[name], formula) for name, formula in zip(sums, (1.0, 1 - 2**-5, 1 - 2**-3), strict=True)}


def mode_scores(repeats: int) -> dict[str, dict[str, float]]:
    """KL and modes of uniform samples over 1,000 modes: what a perfect generator of as many gets."""
    import torch

    from ganzoo.evaluation.metrics.modes import kl_from_uniform

    def counts(n: int) -> torch.Tensor:
        return torch.randint(MODES, (n,)).bincount(minlength=MODES)

    few, many = ([counts(n) for _ in range(repeats)] for n in (2_500, 26_000))
    reached = {
        n: sum((each > 0).sum().item() for each in several) / repeats for n, several in ((2_500, few), (26_000, many))
    }
    return {
        "kl_26000": beside(sum(map(kl_from_uniform, many)) / repeats, (MODES - 1) / (2 * 26_000)),
        **{f"modes_{n}": beside(found, MODES * (1 - (1 - 1 / MODES) ** n)) for n, found in reached.items()},
    }


if __name__ == "__main__":
    main()
