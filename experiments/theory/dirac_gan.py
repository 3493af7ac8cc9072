"""Dirac-GAN: which losses bring two numbers to their equilibrium, and what the eigenvalues there foretell.

    python experiments/theory/dirac_gan.py --out runs/theory

Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406. Writes dirac_gan.json, dirac_gan.png (the nine games of the authors'
notebook, each by simultaneous and alternating gradient descent) and dirac_gan_rates.png (distances from the
equilibrium, and the eigenvalues of the game with R1 as its weight gamma grows).
"""

from typing import TYPE_CHECKING, Any

import report

if TYPE_CHECKING:
    from dirac_games import Game
    from torch import Tensor

SCHEMES = {0: "simultaneous", 1: "alternating", 5: "alternating, 5 steps of $\\psi$"}
COLOURS = {0: report.BLUE, 1: report.RED, 5: report.GREEN}
EDGE = 3.3  # of the drawn part of the plane
GAMMAS = [step / 20 for step in range(41)]  # in units of the critical one, which is 1


def main() -> None:
    parser = report.command(__doc__)
    parser.add_argument("--rate", type=float, default=0.2, help="step size h (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="(default: %(default)s)")
    options = parser.parse_args()
    pyplot = report.pyplot()
    from dirac_games import games, jacobian_eigenvalues, r1_game, trajectories

    all_games = games()
    paths = {
        name: dict(zip(SCHEMES, trajectories(game, SCHEMES, rate=options.rate, steps=options.steps), strict=True))
        for name, game in all_games.items()
    }
    spectrum = {gamma: (jacobian_eigenvalues(r1_game(gamma)), list(r1_game(gamma).eigenvalues)) for gamma in GAMMAS}
    results = {name: result(game, paths[name], options.rate) for name, game in all_games.items()}
    report.print_table(*table(all_games, results))
    by_gamma = [{"gamma": gamma, "autograd": a, "closed_form": b} for gamma, (a, b) in spectrum.items()]
    report.write(
        options.out,
        "dirac_gan",
        {"rate": options.rate, "steps": options.steps, "start": [1.0, 1.0]},
        {"games": results, "r1_eigenvalues": by_gamma},
        {
            "dirac_gan": draw_planes(pyplot, all_games, paths),
            "dirac_gan_rates": draw_rates(pyplot, all_games, paths, spectrum, options.rate),
        },
    )


def result(game: "Game", paths: "dict[int, Tensor]", rate: float) -> dict[str, Any]:
    from dirac_games import jacobian_eigenvalues

    return {
        "final_norm": {steps: path[-1].norm().item() for steps, path in paths.items()},
        "eigenvalues": game.eigenvalues and jacobian_eigenvalues(game),
        "eigenvalues_closed_form": game.eigenvalues,
        "spectral_radius": game.eigenvalues and spectral_radius(game, rate),
    }


def spectral_radius(game: "Game", rate: float) -> float:
    """What one simultaneous step near the equilibrium multiplies the distance by: max |1 + h lambda|."""
    assert game.eigenvalues is not None
    return max(abs(1 + rate * value) for value in game.eigenvalues)


def table(games: "dict[str, Game]", results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["game", "simultaneous", "alternating", "alternating, 5 steps", "eigenvalues at (0, 0)"]
    rows = []
    for name, game in games.items():
        norms = [f"{norm:.1e}" if norm < 0.01 else f"{norm:.2f}" for norm in results[name]["final_norm"].values()]
        rows.append([game.title, *norms, in_words(game.eigenvalues)])
    return header, rows


def in_words(eigenvalues: tuple[complex, complex] | None) -> str:
    if eigenvalues is None:
        return "none: no derivative"
    first, second = eigenvalues
    if first.imag:
        return f"{first.real:.3g} ± {first.imag:.3g}i" if first.real else f"± {first.imag:.3g}i"
    return f"{first.real:.3g}, {second.real:.3g}"


def draw_planes(pyplot: Any, games: "dict[str, Game]", paths: "dict[str, dict[int, Tensor]]") -> Any:
    figure, panels = pyplot.subplots(3, 3, figsize=(7.2, 7.5), sharex=True, sharey=True)
    for panel, (name, game) in zip(panels.flat, games.items(), strict=True):
        draw_field(panel, game)
        for steps, path in paths[name].items():
            panel.plot(*path.T, color=COLOURS[steps], lw=0.9, label=SCHEMES[steps])
        panel.plot(1, 1, "o", ms=4.5, mfc="white", mec="black", mew=0.9, zorder=5)
        panel.plot(0, 0, "+", ms=7, color="black", mew=1.1, zorder=5)
        panel.set(title=game.title, aspect="equal", xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xticks=range(-3, 4, 3))
        panel.set(yticks=range(-3, 4, 3))
    for panel in panels[-1]:
        panel.set_xlabel("$\\theta$ (generator)")
    for panel in panels[:, 0]:
        panel.set_ylabel("$\\psi$ (discriminator)")
    report.mark_panels(panels.flat)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_field(panel: Any, game: "Game") -> None:
    import torch
    from dirac_games import field

    ticks = torch.linspace(-EDGE, EDGE, 34, dtype=torch.float64)
    psi, theta = torch.meshgrid(ticks, ticks, indexing="ij")
    towards = field(game, torch.stack((theta.flatten(), psi.flatten()), dim=1)).unflatten(0, theta.shape)
    lines = {"color": "#c4c4c4", "linewidth": 0.6, "arrowsize": 0.6, "density": 0.65}
    panel.streamplot(ticks.numpy(), ticks.numpy(), *towards.permute(2, 0, 1).numpy(), **lines)
    if game.clip < EDGE:
        for sign in (-1, 1):
            panel.axhspan(sign * game.clip, sign * EDGE, color="#dddddd", alpha=0.8, lw=0, zorder=2)


def draw_rates(pyplot: Any, games: "dict[str, Game]", paths: Any, spectrum: Any, rate: float) -> Any:
    figure, panels = pyplot.subplots(1, 3, figsize=(7.2, 3.0), width_ratios=(1, 1, 1.05))
    colours = [*pyplot.get_cmap("tab10").colors[:8], "black"]
    for panel, steps in zip(panels, (0, 1), strict=False):
        for (name, game), colour in zip(games.items(), colours, strict=True):
            panel.semilogy(paths[name][steps].norm(dim=1), color=colour, lw=1.1, label=game.title)
        panel.set(title=SCHEMES[steps], xlabel="steps", ylim=(1e-8, 10))
    for name in ("gan_noise", "gan_r1_0_3", "gan_consensus"):
        radius, steps = spectral_radius(games[name], rate), len(paths[name][0])
        panels[0].semilogy([0, steps], [1.9, 1.9 * radius**steps], ":", color="black", lw=0.9, zorder=5)
    panels[0].set_ylabel("$|(\\theta, \\psi)|$")
    draw_spectrum(panels[2], spectrum)
    report.mark_panels(panels)
    dotted = pyplot.Line2D([], [], ls=":", color="black", label="$|1 + h \\lambda|^t$")
    figure.legend(handles=[*panels[1].lines, dotted], loc="outside lower center", ncols=5, fontsize=7.5)
    return figure


def draw_spectrum(panel: Any, spectrum: Any) -> None:
    """As gamma grows two eigenvalues leave +-i/2, meet at -1/2 and part along the real line."""
    for index, colour in ((0, report.RED), (1, report.BLUE)):
        computed, wanted = ([pair[which][index] for pair in spectrum.values()] for which in (0, 1))
        panel.plot([it.real for it in wanted], [it.imag for it in wanted], color=colour)
        computed = computed[::4]
        panel.plot([it.real for it in computed], [it.imag for it in computed], ".", color="black", ms=5)
    panel.plot([], [], color=report.GREY, label="closed form")
    panel.plot([], [], ".", color="black", ms=5, label="autograd")
    panel.legend(loc="lower left", handlelength=1.2)
    for gamma, at, align in ((0, (-0.14, 0.53), "right"), (1, (-0.56, -0.09), "right"), (2, (-1.87, 0.07), "left")):
        panel.text(*at, f"$\\gamma = {gamma}$" + (" (critical)" if gamma == 1 else ""), ha=align, va="center")
    panel.set(title="eigenvalues with R1", xlabel="real part", ylabel="imaginary part", xlim=(-2, 0.1))
    panel.set(ylim=(-0.62, 0.62), yticks=(-0.5, 0, 0.5))


if __name__ == "__main__":
    main()
