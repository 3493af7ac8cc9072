"""TTUR's saddle: two learning rates, one for each player, on a noisy game of two numbers.

    python experiments/theory/saddle.py --out runs/theory

Heusel et al. 2017, arXiv:1706.08500; settings of bioinf-jku/TTUR, Toy_Data_Example/ttur_example_saddle.ipynb:
f(x, y) = (1 + x^2) (100 - y^2), x descends, y ascends, both with noise N(0, 1) on their gradients, from (0.5, -0.4).
The notebook has one run of each pair of rates, here each has many. Writes saddle.json and saddle.png.
"""

import math
from typing import TYPE_CHECKING, Any

import report

if TYPE_CHECKING:
    from numpy import ndarray

RATES = {
    "equal, fast": (1e-2, 1e-2),
    "equal, slow": (1e-3, 1e-3),
    "TTUR: x slow, y fast": (1e-4, 1e-2),
    "reversed: x fast, y slow": (1e-2, 1e-4),
}
NEAR = 0.1


def main() -> None:
    parser = report.command(__doc__)
    parser.add_argument("--steps", type=int, default=5000, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=256, help="of each pair of rates (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    pyplot = report.pyplot()
    settings = {name: value for name, value in vars(options).items() if name != "out"}
    paths = {name: simulate(*rates, **settings) for name, rates in RATES.items()}
    results = {name: result(path, *RATES[name]) for name, path in paths.items()}
    header = ("rates", "x", "y", f"first step within {NEAR}", "distance at the end", "its floor by formula")
    rows = [
        (name, *(f"{rate:g}" for rate in RATES[name]), it["near"] or "never", f"{it['final']:.3f}", floor_in_words(it))
        for name, it in results.items()
    ]
    report.print_table(header, rows)
    report.write(options.out, "saddle", settings, results, {"saddle": draw(pyplot, paths, results)})


def simulate(rate_x: float, rate_y: float, *, steps: int, runs: int, seed: int) -> "ndarray":
    """(steps + 1, 2, runs). As in the notebook, y moves after x and sees its new value."""
    import numpy as np

    stream = np.random.default_rng(seed)
    path = np.empty((steps + 1, 2, runs))
    path[0] = [[0.5], [-0.4]]
    x, y = path[0]
    for step in range(steps):
        noise = stream.standard_normal((2, runs))
        x = x - rate_x * (2 * x * (100 - y * y) + noise[0])
        y = y + rate_y * (-2 * y * (1 + x * x) + noise[1])
        path[step + 1] = x, y
    return path


def root_mean_square(path: "ndarray") -> "ndarray":
    """Over the runs, of the distance from the saddle, at each step."""
    return (path**2).sum(axis=1).mean(axis=1) ** 0.5


def floor(rate_x: float, rate_y: float) -> float | None:
    """The root mean square distance that noise keeps up near (0, 0); none where x does not contract.

    There each number is multiplied by r = 1 - rate * curvature and moved by rate * N(0, 1) at each step, so that its
    variance tends to rate^2 / (1 - r^2). The curvatures are 200 and 2; rate 0.01 makes x's r -1.
    """
    factors = (1 - 200 * rate_x, 1 - 2 * rate_y)
    if max(map(abs, factors)) >= 1 - 1e-9:
        return None
    return math.sqrt(sum(rate**2 / (1 - r**2) for rate, r in zip((rate_x, rate_y), factors, strict=True)))


def result(path: "ndarray", rate_x: float, rate_y: float) -> dict[str, Any]:
    norms = root_mean_square(path)
    near = int((norms < NEAR).argmax()) or None
    last = norms[-max(1, len(norms) // 10) :]
    return {"near": near, "final": float((last**2).mean() ** 0.5), "floor": floor(rate_x, rate_y)}


def floor_in_words(it: dict[str, Any]) -> str:
    return "none" if it["floor"] is None else f"{it['floor']:.3f}"


def draw(pyplot: Any, paths: "dict[str, ndarray]", results: dict[str, Any]) -> Any:
    colours = dict(zip(paths, (report.RED, report.BLUE, report.GREEN, report.ORANGE), strict=True))
    figure = pyplot.figure(figsize=(7.2, 3.5))
    left, right = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    panel = left.subplots()
    for name, path in paths.items():
        norms = root_mean_square(path)
        panel.loglog(range(1, len(norms)), norms[1:], color=colours[name], label=name)
        if results[name]["floor"]:
            panel.axhline(results[name]["floor"], color=colours[name], ls=":", lw=1)
    panel.plot([], [], ":", color=report.GREY, label="floor by formula")
    panel.set(title="distance from the saddle", xlabel="steps", ylabel="root mean square", ylim=(0.01, 1))
    panel.legend(loc="center left", handlelength=1.4, bbox_to_anchor=(0, 0.52))
    small = right.subplots(2, 2, sharex=True, sharey=True)
    for each, (name, path) in zip(small.flat, paths.items(), strict=True):
        steps = range(0, len(path), max(1, len(path) // 1000))
        dots = each.scatter(*path[steps, :, 0].T, c=steps, s=2, cmap="viridis", lw=0, rasterized=True)
        each.plot(0, 0, "+", ms=8, color=report.RED, mew=1.2)
        each.set_title(name.split(":")[0], color=colours[name], fontsize=8)
    for each in small[-1]:
        each.set_xlabel("$x$")
    for each in small[:, 0]:
        each.set_ylabel("$y$")
    right.colorbar(dots, ax=small, label="step of one run", shrink=0.8)
    right.suptitle("(b) one run of each", x=0.02, ha="left", fontsize=9, weight="bold")
    report.mark_panels([panel])
    return figure


if __name__ == "__main__":
    main()
