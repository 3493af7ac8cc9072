"""W&B's distributions: their quantiles are those of W&B's own search."""

import json
import math

import pytest

from ganzoo.errors import Problem
from ganzoo.sweeping.distributions import Distribution
from ganzoo.sweeping.parameters import KINDS, read_parameters

SHARES = (0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999)

# HyperParameter("x", section).ppf(share) of wandb/sweeps 0.3.0, sweeps/params.py, with scipy 1.17, to twelve digits.
GOLDEN = [
    ("min: 0.0, max: 3.0", [0.003, 0.3, 0.75, 1.5, 2.25, 2.7, 2.997]),
    ("distribution: uniform, min: -2, max: 5", [-1.993, -1.3, -0.25, 1.5, 3.25, 4.3, 4.993]),
    ("min: -3, max: 6", [-3, -3, -1, 1, 4, 5, 6]),
    ("distribution: q_uniform, min: 0, max: 10, q: 3", [0, 0, 3, 6, 6, 9, 9]),
    ("distribution: q_uniform, min: 0.3, max: 1.0, q: 0.25", [0.25, 0.25, 0.5, 0.75, 0.75, 1.0, 1.0]),
    (
        "distribution: log_uniform, min: -9.0, max: -2.0",
        [0.000124276703323, 0.000248516827108, 0.000710174388843, 0.00408677143846, 0.023517745856, 0.0672055127397,
         0.134391244245],
    ),
    (
        "distribution: log_uniform_values, min: 1.0e-5, max: 0.1",
        [1.00925288608e-05, 2.51188643151e-05, 0.0001, 0.001, 0.01, 0.0398107170553, 0.0990831944893],
    ),
    (
        "distribution: inv_log_uniform, min: 2.0, max: 9.0",
        [0.000124276703323, 0.000248516827108, 0.000710174388843, 0.00408677143846, 0.023517745856, 0.0672055127397,
         0.134391244245],
    ),
    (
        "distribution: inv_log_uniform_values, min: 1.0e-5, max: 0.1",
        [1.00925288608e-05, 2.51188643151e-05, 0.0001, 0.001, 0.01, 0.0398107170553, 0.0990831944893],
    ),
    ("distribution: q_log_uniform, min: 0.0, max: 6.0, q: 8", [0, 0, 8, 24, 88, 224, 400]),
    (
        "distribution: q_log_uniform_values, min: 1, max: 1000, q: 2.5",
        [0.0, 2.5, 5.0, 32.5, 177.5, 500.0, 992.5],
    ),
    (
        "distribution: normal, mu: 1.0, sigma: 0.5",
        [-0.545116153084, 0.359224217228, 0.662755124902, 1.0, 1.3372448751, 1.64077578277, 2.54511615308],
    ),
    (
        "distribution: normal",
        [-3.09023230617, -1.28155156554, -0.674489750196, 0.0, 0.674489750196, 1.28155156554, 3.09023230617],
    ),
    ("distribution: q_normal, mu: 10, sigma: 4, q: 2", [-2, 4, 8, 10, 12, 16, 22]),
    (
        "distribution: log_normal, mu: -7.0, sigma: 1.5",
        [8.84774034981e-06, 0.000133377467464, 0.000331549106426, 0.000911881965555, 0.00250801073804,
         0.00623440176902, 0.0939820435759],
    ),
    ("distribution: q_log_normal, mu: 3.0, sigma: 1.0, q: 4", [0, 4, 12, 20, 40, 72, 440]),
    (
        "distribution: beta, a: 2, b: 5",
        [0.00825549278775, 0.0925952589131, 0.16116291679, 0.264449983296, 0.389479485201, 0.510316306551,
         0.818613866919],
    ),
    ("distribution: beta", [0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999]),
    ("distribution: q_beta, a: 2, b: 2, q: 0.1", [0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0]),
    ("values: [a, b, c]", ["a", "a", "a", "b", "c", "c", "c"]),
    ("values: [a, b, c], probabilities: [0.2, 0.5, 0.3]", ["a", "a", "b", "b", "c", "c", "c"]),
    ("value: 7", [7, 7, 7, 7, 7, 7, 7]),
]  # fmt: skip


def read(section: str) -> Distribution:
    """The distribution of one parameter's section, which has no mistake."""
    import yaml

    problems: list[Problem] = []
    parameters = read_parameters({"x": yaml.safe_load(f"{{{section}}}")}, problems)
    assert not problems
    return parameters[("x",)]


@pytest.mark.parametrize(("section", "expected"), GOLDEN, ids=[section for section, _ in GOLDEN])
def test_quantiles_are_those_of_wandb(section, expected):
    distribution = read(section)
    found = [distribution.quantile(share) for share in SHARES]
    for value, golden in zip(found, expected, strict=True):
        assert type(value) is type(golden)  # of Python, never of numpy: it is written into words and into JSON
        assert value == golden if not isinstance(golden, float) else math.isclose(value, golden, rel_tol=5.1e-6)
    assert json.loads(json.dumps(found)) == found


def test_every_kind_of_the_schema_is_among_the_golden_ones():
    assert {read(section).kind for section, _ in GOLDEN} == set(KINDS)


def test_without_q_there_are_six_digits_that_stay_within_the_ends():
    assert read("min: 0.0, max: 1.0").quantile(0.123456789) == 0.123457
    assert read("min: 0.0, max: 0.9999998").quantile(1 - 1e-9) == 0.9999998
    assert read("distribution: log_uniform_values, min: 0.0012345612, max: 1").quantile(1e-9) == 0.0012345612
    narrow = read("min: 1000000.0, max: 1000001.0")  # six digits of a million leave no choice
    assert [narrow.quantile(share) for share in (0.25, 0.5, 0.75)] == [1000000.25, 1000000.5, 1000000.75]


def test_a_whole_q_gives_whole_numbers_and_any_other_floats():
    assert [type(read(f"distribution: q_uniform, min: 0, max: 9, q: {q}").quantile(0.5)) for q in ("3", "3.0")] == [
        int,
        float,
    ]
    assert read("distribution: q_uniform, min: 0, max: 9").quantile(0.5) == 4.0  # W&B's own q is 1.0
    assert read("distribution: q_uniform, min: 0.0, max: 1.0, q: 0.1").quantile(0.3) == 0.3  # not 0.30000000000000004


def test_halves_are_rounded_to_even_steps_as_numpy_does():
    steps = read("distribution: q_uniform, min: 0, max: 10, q: 1")
    assert [steps.quantile(share) for share in (0.05, 0.15, 0.25, 0.35)] == [0, 2, 2, 4]


def test_what_a_grid_has():
    assert list(read("min: 2, max: 5").choices) == [2, 3, 4, 5]
    assert list(read("distribution: q_uniform, min: 0, max: 10, q: 4").choices) == [0, 4, 8]
    assert list(read("distribution: q_uniform, min: 0.0, max: 0.3, q: 0.1").choices) == [0.0, 0.1, 0.2]  # without max
    assert list(read("values: [a, {b: 1}]").choices) == ["a", {"b": 1}]
    assert list(read("value: null").choices) == [None]
    for section, _ in GOLDEN:
        endless = read(section).kind not in ("constant", "categorical", "int_uniform", "q_uniform")
        assert (read(section).choices is None) == endless


def test_the_examples_are_the_ends():
    assert read("min: 2, max: 5").examples == (2, 5)
    assert read("distribution: log_uniform_values, min: 1.0e-5, max: 0.1").examples == (1e-5, 0.1)
    assert read("values: [a, b], probabilities: [0, 1]").examples == ("a", "b")
    low, high = read("distribution: normal, mu: 1.0, sigma: 0.1").examples
    assert 0.6 < low < 0.8 and 1.2 < high < 1.4


def test_no_probability_no_draw():
    never = read("values: [a, b, c], probabilities: [0, 1, 0]")
    assert {never.quantile(share) for share in (1e-16, 0.5, 1 - 1e-16)} == {"b"}
    nearly = read("values: [a, b, c], probabilities: [0.5, 0.499995, 0]")
    assert nearly.quantile(0.999999) == "b"
