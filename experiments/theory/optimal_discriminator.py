"""The best discriminator: a small network trained by the logistic loss against p / (p + q), known in closed form.

    python experiments/theory/optimal_discriminator.py --out runs/theory

Goodfellow et al. 2014, arXiv:1406.2661, proposition 1 and theorem 1, for p = N(-1, 0.5^2), q = N(1, 1.5^2). Writes
optimal_discriminator.json and optimal_discriminator.png: the two discriminators, their difference, and the loss against
2 ln 2 - 2 JS(p, q).
"""

import math
from typing import TYPE_CHECKING, Any

import report

if TYPE_CHECKING:
    from torch import Tensor

MASS = 0.01  # the error counts where (p + q) / 2 is at least this part of its maximum

WORDS = {
    "max_error": "largest error where there is mass",
    "mean_error": "mean error under (p + q) / 2",
    "mass": "part of the mass that the largest is over",
    "js": "JS(p, q)",
    "least_loss": "2 ln 2 - 2 JS(p, q)",
    "loss_of_the_best": "expected loss of ln p - ln q",
    "loss_of_the_network": "expected loss of the network",
}


def main() -> None:
    parser = report.command(__doc__)
    parser.add_argument("--updates", type=int, default=1500, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=1024, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    pyplot = report.pyplot()
    import torch
    import two_gaussians as two

    network, losses = two.trained(updates=options.updates, batch_size=options.batch_size, seed=options.seed)
    x = torch.linspace(-6, 7, 1301, dtype=torch.float64)
    with torch.no_grad():
        learnt = network(x.unsqueeze(1)).sigmoid()
    best = two.best_logit(x).sigmoid()
    p, q = two.REAL.log_density(x).exp(), two.FAKE.log_density(x).exp()
    results = errors(learnt - best, (p + q) / 2) | {
        "js": two.jensen_shannon(),
        "least_loss": 2 * math.log(2) - 2 * two.jensen_shannon(),
        "loss_of_the_best": two.expected_loss(two.best_logit),
        "loss_of_the_network": two.expected_loss(lambda points: network(points.unsqueeze(1))),
    }
    report.print_table(("what", "value"), [(WORDS[name], f"{value:.4f}") for name, value in results.items()])
    settings = {name: value for name, value in vars(options).items() if name != "out"}
    curves = {"x": x, "p": p, "q": q, "best": best, "learnt": learnt}
    figure = draw(pyplot, curves, losses, results)
    report.write(options.out, "optimal_discriminator", settings, results, {"optimal_discriminator": figure})


def errors(difference: "Tensor", middle: "Tensor") -> dict[str, float]:
    """Largest where there is mass, mean under (p + q) / 2, and how much of the mass the former is over."""
    where = middle >= MASS * middle.max()
    return {
        "max_error": difference[where].abs().max().item(),
        "mean_error": ((difference.abs() * middle).sum() / middle.sum()).item(),
        "mass": (middle[where].sum() / middle.sum()).item(),
    }


def draw(pyplot: Any, curves: "dict[str, Tensor]", losses: list[float], results: dict[str, float]) -> Any:
    figure, panels = pyplot.subplots(1, 3, figsize=(7.2, 2.9), width_ratios=(1.3, 1, 1))
    draw_discriminators(panels[0], curves)
    draw_error(panels[1], curves, results["mean_error"])
    panels[2].plot(losses, color=report.BLUE, lw=0.5, alpha=0.8, label="each batch")
    panels[2].axhline(results["least_loss"], color="black", ls="--", lw=1, label="$2 \\ln 2 - 2\\,$JS$(p, q)$")
    panels[2].axhline(2 * math.log(2), color=report.GREY, ls=":", lw=1, label="$2 \\ln 2$")
    panels[2].set(title="loss", xlabel="updates", ylim=(0.4, 1.5))
    panels[2].legend(loc="upper right", handlelength=1.4, bbox_to_anchor=(1, 0.88))
    report.mark_panels(panels)
    return figure


def draw_discriminators(panel: Any, curves: "dict[str, Tensor]") -> None:
    x = curves["x"].numpy()
    for name, colour in (("p", report.GREEN), ("q", report.ORANGE)):
        panel.fill_between(x, curves[name].numpy(), color=colour, alpha=0.25, lw=0)
        peak = curves[name].argmax().item()
        panel.text(x[peak], curves[name][peak].item() / 2, f"${name}$", ha="center", va="center", color=colour)
    panel.plot(x, curves["best"], color="black", lw=2.6, alpha=0.3, label="$p / (p + q)$")
    panel.plot(x, curves["learnt"], color=report.BLUE, lw=1.1, label="$\\sigma(D)$, learnt")
    panel.set(title="discriminators", xlabel="$x$", xlim=(-5, 6), ylim=(0, 1.05), yticks=(0, 0.5, 1))
    panel.legend(loc="upper right", handlelength=1.4)


def draw_error(panel: Any, curves: "dict[str, Tensor]", mean: float) -> None:
    middle = (curves["p"] + curves["q"]) / 2
    where = middle >= MASS * middle.max()
    difference = curves["learnt"] - curves["best"]
    panel.axhspan(-mean, mean, color=report.BLUE, alpha=0.2, lw=0, label="$\\pm$ mean error")
    panel.plot(curves["x"], difference, color=report.GREY, lw=0.8, label="little mass")
    panel.plot(curves["x"][where], difference[where], color=report.BLUE, label="mass")
    panel.set(title="error", xlabel="$x$", ylabel="$\\sigma(D) - p / (p + q)$", xlim=(-5, 6))
    panel.margins(y=0.25)
    panel.legend(loc="lower right", handlelength=1.4)


if __name__ == "__main__":
    main()
