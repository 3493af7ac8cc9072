"""The Fréchet distance in 2,048 dimensions, ours and others', on the same statistics: medians of interleaved repeats.

python benchmarks/frechet.py [--repeats 3] [--dimensions 2048] [--samples 8192 1000]

"With statistics" is the time from features to distance, for the two that make both. More samples than dimensions make
full covariances, as the usual 50,000 do; fewer make singular ones.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from ganzoo.evaluation.metrics.frechet import Gaussian, frechet_distance, gaussian_statistics

OURS = "ganzoo"


def features(n: int, d: int, seed: int) -> Tensor:
    """Correlated, all above zero, and of decreasing size, like those of a network; in float32."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(99)))[0]
    mixed = torch.randn(n, d, generator=generator) * torch.arange(1, d + 1).pow(-0.5) @ axes
    return ((1 + 0.1 * seed) * mixed + 0.1).relu()


def torch_fidelity(x: Gaussian, y: Gaussian) -> float:
    both = ({"mu": g.mean.numpy(), "sigma": g.covariance.numpy()} for g in (x, y))
    return fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"]


def torch_fidelity_of_features(real: Tensor, fake: Tensor) -> float:
    both = (fid_features_to_statistics(some) for some in (real, fake))
    return fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"]


def scipy_sqrtm(x: Gaussian, y: Gaussian) -> float:
    a, b, shift = x.covariance.numpy(), y.covariance.numpy(), (x.mean - y.mean).numpy()
    with warnings.catch_warnings(action="ignore", category=scipy.linalg.LinAlgWarning):  # of singular ones
        root = scipy.linalg.sqrtm(a @ b)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * np.trace(root).real)


def cases(n: int, d: int) -> dict[str, Callable[[], float]]:
    real, fake = features(n, d, 1), features(n, d, 2)
    x, y = gaussian_statistics(real), gaussian_statistics(fake)
    return {
        OURS: lambda: frechet_distance(x, y),
        "torch-fidelity": lambda: torch_fidelity(x, y),
        "torchmetrics": lambda: _compute_fid(x.mean, x.covariance, y.mean, y.covariance).item(),
        "scipy's sqrtm": lambda: scipy_sqrtm(x, y),
        f"{OURS}, with statistics": lambda: frechet_distance(gaussian_statistics(real), gaussian_statistics(fake)),
        "torch-fidelity, with statistics": lambda: torch_fidelity_of_features(real, fake),
    }


def table(n: int, d: int, repeats: int) -> None:
    taken: dict[str, list[float]] = {}
    found: dict[str, float] = {}
    timed = cases(n, d)
    for _ in range(repeats):
        for name, compute in timed.items():
            time.sleep(0.5)  # threads of the one before go on spinning for a while
            started = time.perf_counter()
            found[name] = compute()
            taken.setdefault(name, []).append(time.perf_counter() - started)
    print(f"\n{n:,} samples each, d = {d:,}\n")
    print("| distance | median s | slowest s | times ours | FID |\n|---|---|---|---|---|")
    for name, times in taken.items():
        ours = OURS + name[name.index(",") :] if "," in name else OURS
        ratio = statistics.median(times) / statistics.median(taken[ours])
        print(f"| {name} | {statistics.median(times):.2f} | {max(times):.2f} | {ratio:.1f} | {found[name]:.9g} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--samples", type=int, nargs="+", default=[8192, 1000])
    chosen = parser.parse_args()
    cpu = platform.processor() or platform.machine()
    print(f"{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for compute in cases(100, 64).values():  # warms the libraries up
        compute()
    for n in chosen.samples:
        table(n, chosen.dimensions, chosen.repeats)


if __name__ == "__main__":
    main()
