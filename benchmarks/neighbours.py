"""Seconds and memory of precision, recall, density and coverage, each case in a process of its own.

python benchmarks/neighbours.py [--samples 20000] [--features 512] [--threads 2]
"""

import argparse
import platform
import resource
import subprocess
import sys
import time

import torch

from ganzoo.evaluation.metrics.neighbours import neighbour_scores

CASES = ("ganzoo: all four", "ganzoo: all four, collapsed fakes", "torch-fidelity: precision and recall")


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def scored(case: str, real: torch.Tensor, fake: torch.Tensor) -> list[float]:
    if case.startswith("torch-fidelity"):
        from torch_fidelity.metric_prc import calculate_precision_recall_part

        return list(calculate_precision_recall_part(fake.double(), real.double(), neighborhood=3))
    found = neighbour_scores(real, fake, precision_recall_k=3, density_coverage_k=5)
    return [estimate.value for pair in found if pair is not None for estimate in pair]


def measure(case: str, samples: int, features: int) -> None:
    """Prints a row of the table."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(samples, features, generator=generator)
    fake = torch.randn(1 if "collapsed" in case else samples, features, generator=generator).expand(samples, -1)
    scored(case, real[:10], fake[:10])  # imports, and starts the threads
    before, started = peak_bytes(), time.perf_counter()
    scores = ", ".join(f"{score:.4f}" for score in scored(case, real, fake))
    seconds, extra = time.perf_counter() - started, (peak_bytes() - before) / 1e9
    print(f"| {case} | {samples:,} | {features} | {seconds:.1f} | {extra:.2f} | {scores} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        torch.set_num_threads(given.threads)
        return measure(given.case, given.samples, given.features)
    print(f"{platform.processor() or platform.machine()}, {given.threads} threads, torch {torch.__version__}\n")
    print("| case | samples each | features | seconds | extra GB | scores |\n|---|---|---|---|---|---|", flush=True)
    for case in CASES:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--case", case], check=True)


if __name__ == "__main__":
    main()
