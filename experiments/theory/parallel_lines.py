"""Parallel lines: distances between two distributions that do not overlap, and what networks make of them.

    python experiments/theory/parallel_lines.py --out runs/theory

Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875, example 1. Writes parallel_lines.json and parallel_lines.png:
W1, JS, KL and TV over the distance theta, by formula and from samples, and what networks trained with WGAN-GP's loss
and with the logistic loss estimate.
"""

import math
from typing import Any

import report

Distances = dict[float, dict[str, float]]


def main() -> None:
    parser = report.command(__doc__)
    parser.add_argument("--samples", type=int, default=1000, help="points of each line (default: %(default)s)")
    parser.add_argument("--updates", type=int, default=400, help="of each network (default: %(default)s)")
    parser.add_argument("--networks", type=int, default=9, help="distances that have one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    pyplot = report.pyplot()
    import numpy as np
    from line_distances import closed_form, from_samples, line, told_by_networks

    stream = np.random.default_rng(options.seed)
    sampled = {
        theta: from_samples(line(0.0, options.samples, stream), line(theta, options.samples, stream))
        for theta in (step / 10 for step in range(-10, 11))
    }
    thetas = np.linspace(-1, 1, options.networks).round(6).tolist()
    learnt = told_by_networks(thetas, updates=options.updates, seed=options.seed)
    formula = {theta: closed_form(theta) for theta in sampled | learnt}
    rows = side_by_side(formula, sampled, learnt)
    report.print_table(*table(rows))
    report.write(
        options.out,
        "parallel_lines",
        {name: value for name, value in vars(options).items() if name != "out"},
        {"closed_form": formula, "samples": sampled, "networks": learnt, "rows": rows},
        {"parallel_lines": draw(pyplot, formula, sampled, learnt)},
    )


def side_by_side(formula: Distances, sampled: Distances, learnt: Distances) -> list[dict[str, float]]:
    """Distances that have samples and networks, in rising order."""
    return [
        {
            "theta": theta,
            "w1_formula": formula[theta]["w1"],
            "w1_samples": sampled[theta]["w1"],
            "w1_critic": learnt[theta]["w1"],
            "js_formula": formula[theta]["js"],
            "js_samples": sampled[theta]["js"],
            "js_discriminator": learnt[theta]["js"],
            "w1_gradient": learnt[theta]["w1_gradient"],
            "js_gradient": learnt[theta]["js_gradient"],
        }
        for theta in sorted(sampled.keys() & learnt.keys())
    ]


def table(rows: list[dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    header = ["theta", "W1: formula", "samples", "critic", "JS: formula", "samples", "discriminator"]
    columns = ("w1_formula", "w1_samples", "w1_critic", "js_formula", "js_samples", "js_discriminator")
    return header, [[f"{row['theta']:.2f}", *(f"{row[column]:z.3f}" for column in columns)] for row in rows]


def draw(pyplot: Any, formula: Distances, sampled: Distances, learnt: Distances) -> Any:
    figure, panels = pyplot.subplots(1, 3, figsize=(7.2, 2.9))
    draw_w1(panels[0], sampled, learnt)
    draw_saturated(panels[1], sampled, learnt)
    draw_gradients(panels[2], learnt)
    for panel in panels:
        panel.set(xlabel="$\\theta$", xlim=(-1.08, 1.08), xticks=(-1, -0.5, 0, 0.5, 1))
    report.mark_panels(panels)
    return figure


def column(distances: Distances, name: str) -> tuple[list[float], list[float]]:
    return list(distances), [values[name] for values in distances.values()]


def draw_w1(panel: Any, sampled: Distances, learnt: Distances) -> None:
    panel.plot([-1, 0, 1], [1, 0, 1], color=report.GREY, lw=1, label="$|\\theta|$")
    half = [step / 50 for step in range(51)]
    longer = [theta + theta**2 / 20 for theta in half]  # 2 * GP_WEIGHT
    for sign in (-1, 1):
        label = "$|\\theta| + \\theta^2 / 2\\lambda$" if sign > 0 else None
        panel.plot([sign * theta for theta in half], longer, ":", color=report.BLUE, lw=1, label=label)
    panel.plot(*column(sampled, "w1"), ".", color="black", ms=4, label="samples")
    panel.plot(*column(learnt, "w1"), "x", color=report.BLUE, ms=6, mew=1.4, label="critic (WGAN-GP)")
    panel.set(title="Wasserstein distance", ylabel="$W_1$", ylim=(-0.05, 1.5))
    panel.legend(loc="upper center", handlelength=1.2, labelspacing=0.3)


def draw_saturated(panel: Any, sampled: Distances, learnt: Distances) -> None:
    for height in (math.log(2), 1):
        panel.plot([-1, 1], [height, height], color=report.GREY, lw=1)
        panel.plot([0], [height], "o", ms=5, mfc="white", mec=report.GREY)  # not at theta = 0
    infinite = [theta for theta, values in sampled.items() if math.isinf(values["kl"])]
    panel.plot(infinite, [1.4] * len(infinite), "^", color=report.ORANGE, ms=3.5, label="KL: infinite")
    panel.plot(*column(sampled, "tv"), ".", color=report.GREEN, ms=4, label="TV")
    panel.plot(*column(sampled, "js"), ".", color="black", ms=4, label="JS")
    panel.plot(*column(learnt, "js"), "x", color=report.RED, ms=6, mew=1.4, label="JS, discriminator")
    panel.text(1.06, math.log(2) - 0.03, "$\\ln 2$", ha="right", va="top")
    panel.set(title="f-divergences", ylabel="nats (TV: 1 at most)", ylim=(-0.05, 1.5))
    panel.legend(loc="lower left", handlelength=0.8, bbox_to_anchor=(0, 0.08), labelspacing=0.3)


def draw_gradients(panel: Any, learnt: Distances) -> None:
    panel.plot([-1, 0, 0, 1], [-1, -1, 1, 1], color=report.GREY, lw=1, label="sign $\\theta$")
    panel.plot(*column(learnt, "w1_gradient"), "x", color=report.BLUE, ms=6, mew=1.4, label="WGAN-GP")
    panel.plot(*column(learnt, "js_gradient"), "+", color=report.RED, ms=7, mew=1.4, label="minimax")
    panel.set(title="generator's gradient", ylabel="d loss / d$\\theta$", ylim=(-1.35, 1.35))
    panel.legend(loc="lower right", handlelength=1.2)


if __name__ == "__main__":
    main()
