"""The Dirac-GAN: its fields, eigenvalues and distances against closed forms and the authors' notebook.

Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406. The fields are worked out by hand from the losses
L(theta, psi) = f(psi theta) + f(0), f(t) = -log(1 + exp(-t)), f'(t) = sigmoid(-t).
"""

import math
from functools import cache

import dirac_games as dirac
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

GAMES = dirac.games()
coordinates = st.floats(-2, 2).filter(lambda x: abs(x) > 1e-3)


def slope(t):
    return 1 / (1 + np.exp(t))


def curvature(t):
    return -slope(t) * slope(-t)


def minimax_field(theta, psi):
    return -psi * slope(psi * theta), theta * slope(psi * theta)


def nonsaturating_field(theta, psi):
    return -psi * slope(-psi * theta), theta * slope(psi * theta)


def wgan_gp_field(theta, psi):
    return -psi, theta - 0.7 * (abs(psi) - 1) * np.sign(psi)


def damped(field, gamma):
    def with_penalty(theta, psi):
        to_theta, to_psi = field(theta, psi)
        return to_theta, to_psi - gamma * psi

    return with_penalty


def noisy_field(theta, psi, sigma=0.7):
    def expected(function):
        return quad(lambda e: function(sigma * e) * math.exp(-e * e / 2) / math.sqrt(2 * math.pi), -8, 8)[0]

    to_psi = expected(lambda e: (theta + e) * slope(psi * (theta + e)) - e * slope(-psi * e))
    return -psi * expected(lambda e: slope(psi * (theta + e))), to_psi


def consensus_field(theta, psi, part=1.0):
    """The minimax field v less the gradient of |v|^2 / 2 = (theta^2 + psi^2) f'(psi theta)^2 / 2.

    In the authors' notebook the part of the term with f'' is a half.
    """
    to_theta, to_psi = minimax_field(theta, psi)
    first, second, square = slope(psi * theta), part * curvature(psi * theta), theta**2 + psi**2
    return (
        to_theta - theta * first**2 - square * first * second * psi,
        to_psi - psi * first**2 - square * first * second * theta,
    )


FIELDS = {
    "gan": minimax_field,
    "nsgan": nonsaturating_field,
    "wgan": lambda theta, psi: (-psi, theta),
    "wgan_gp": wgan_gp_field,
    "gan_noise": noisy_field,
    "gan_r1_0_3": damped(minimax_field, 0.3),
    "gan_r1_1_0": damped(minimax_field, 1.0),
    "gan_consensus": consensus_field,
    "nsgan_r1_0_3": damped(nonsaturating_field, 0.3),
}


@pytest.mark.parametrize("name", GAMES)
@settings(max_examples=25)
@given(points=st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=3))
def test_the_losses_give_the_papers_field(name, points):
    wanted = np.array([FIELDS[name](*point) for point in points])
    found = dirac.field(GAMES[name], torch.tensor(points, dtype=torch.float64)).numpy()
    accuracy = 2e-4 if name == "gan_noise" else 1e-9  # a thousand quantiles stand for the normal distribution
    np.testing.assert_allclose(found, wanted, atol=accuracy, rtol=accuracy)


@pytest.mark.parametrize("name", [name for name, game in GAMES.items() if game.eigenvalues])
def test_eigenvalues_at_the_equilibrium_are_the_closed_forms(name):
    assert dirac.jacobian_eigenvalues(GAMES[name]) == pytest.approx(GAMES[name].eigenvalues, abs=1e-7)


@given(st.floats(0, 3))
def test_eigenvalues_with_r1(gamma):
    root = (complex(gamma**2 / 4 - 1 / 4)) ** 0.5
    computed = dirac.jacobian_eigenvalues(dirac.r1_game(gamma))
    # Where the two meet, at gamma = 1, rounding of 1e-16 in the matrix is 1e-8 in its eigenvalues.
    assert computed == pytest.approx([-gamma / 2 + root, -gamma / 2 - root], abs=1e-7)


def test_the_critical_gamma_is_1():
    circling = [dirac.jacobian_eigenvalues(dirac.r1_game(gamma))[0].imag for gamma in (0.98, 0.999, 1.001, 1.02)]
    assert circling == pytest.approx([math.sqrt(1 - 0.98**2) / 2, math.sqrt(1 - 0.999**2) / 2, 0, 0], abs=1e-9)


@cache
def ends(name):
    """Distances from the equilibrium after 500 steps of 0.2: simultaneous, alternating."""
    return dirac.trajectories(GAMES[name], (0, 1), rate=0.2, steps=500).norm(dim=2)


@pytest.mark.parametrize(
    ("name", "wanted"),  # of an independent replica of the authors' notebook, in NumPy, to the digits that were kept
    [
        ("gan", (3.10, 1.42)),
        ("nsgan", (0.64, 0.284)),
        ("wgan", (1.00, 1.02)),
        ("gan_r1_0_3", (2.64e-6, 2.3e-7)),
        ("nsgan_r1_0_3", (2.2e-6, 1.5e-7)),
    ],
)
def test_distances_after_the_notebooks_500_steps(name, wanted):
    assert ends(name)[:, -1].tolist() == pytest.approx(wanted, rel=0.01)


def test_distances_at_the_critical_gamma():
    simultaneous, alternating = ends("gan_r1_1_0")[:, -1].tolist()
    assert 1e-22 < simultaneous < 1e-20 and 1e-17 < alternating < 1e-15


@pytest.mark.parametrize("name", ["gan_r1_0_3", "nsgan_r1_0_3"])
def test_the_distance_shrinks_as_the_eigenvalues_foretell(name):
    radius = abs(1 + 0.2 * GAMES[name].eigenvalues[0])
    distances = ends(name)[0]
    assert (distances[500] / distances[100]).item() ** (1 / 400) == pytest.approx(radius, abs=1e-3)


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "gan_consensus"])
@pytest.mark.parametrize("discriminator_steps", [0, 1, 5])
def test_the_order_of_the_steps_is_the_notebooks(name, discriminator_steps):
    theta = psi = 1.0
    wanted = []
    for _ in range(30):
        to_theta, to_psi = FIELDS[name](theta, psi)
        theta += 0.2 * to_theta
        for _ in range(discriminator_steps):
            psi = np.clip(psi + 0.2 * FIELDS[name](theta, psi)[1], -GAMES[name].clip, GAMES[name].clip)
        if not discriminator_steps:
            psi = np.clip(psi + 0.2 * to_psi, -GAMES[name].clip, GAMES[name].clip)
        wanted.append((theta, psi))
    (found,) = dirac.trajectories(GAMES[name], (discriminator_steps,), rate=0.2, steps=30)
    np.testing.assert_allclose(found[1:], wanted, atol=1e-9)


@pytest.mark.parametrize(("part", "wanted"), [(1.0, 10.97), (0.5, 4.6e-33)])
def test_consensus_with_five_steps_of_the_discriminator(part, wanted):
    """It runs away, unless half of a term is missing from its gradient as in the notebook: docs/theory.md."""
    theta = psi = 1.0
    for _ in range(500):
        theta += 0.2 * consensus_field(theta, psi, part)[0]
        for _ in range(5):
            psi += 0.2 * consensus_field(theta, psi, part)[1]
    assert math.hypot(theta, psi) == pytest.approx(wanted, rel=0.02)
