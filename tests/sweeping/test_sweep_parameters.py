"""Parameters of a sweep file: what W&B's schema takes, and what a grid and the order of several can be."""

import pytest
from sweep_texts import read_with, refused

IN_PARAMETERS = [
    ("3", "parameters", "a section"),
    ("{}", "parameters", "one parameter or more"),
    ("{lr: 0.1}", "parameters.lr", "{value: 0.1}"),
    ("{lr: [1, 2]}", "parameters.lr", "{values: [1, 2]}"),
    ("{lr: {}}", "parameters.lr", "empty"),
    ("{lr: {vales: [1]}}", "parameters.lr.vales", "did you mean 'values'"),
    ("{lr: {values: [1], min: 2}}", "parameters.lr.min", "no key 'min'"),
    ("{lr: {values: []}}", "parameters.lr.values", "something in it"),
    ("{lr: {values: 3}}", "parameters.lr.values", "a list"),
    ("{lr: {min: 1}}", "parameters.lr.max", "required"),
    ("{lr: {min: 2, max: 2}}", "parameters.lr.min", "below max"),
    ("{lr: {min: 3.0, max: 2}}", "parameters.lr.min", "below max"),
    ("{lr: {min: '1', max: 2}}", "parameters.lr.min", "a finite number"),
    ("{lr: {min: .nan, max: 2.0}}", "parameters.lr.min", "a finite number"),
    ("{lr: {min: true, max: 2.0}}", "parameters.lr.min", "a finite number"),
    ("{lr: {distribution: int_uniform, min: 1.0, max: 2}}", "parameters.lr.min", "a whole number"),
    ("{lr: {distribution: int_uniform, min: 0, max: 99999999999999999999}}", "parameters.lr.max", "2^53"),
    ("{lr: {distribution: uniforn, min: 1, max: 2}}", "parameters.lr.distribution", "did you mean 'uniform'"),
    ("{lr: {distribution: [uniform]}}", "parameters.lr.distribution", "no distribution"),
    ("{lr: {mu: 1, sigma: 2}}", "parameters.lr.distribution", "what is drawn by mu, sigma"),
    ("{lr: {min: 0.0, max: 1, q: 0.1}}", "parameters.lr.q", "q_uniform"),
    ("{lr: {distribution: q_uniform, min: 0, max: 1, q: 0}}", "parameters.lr.q", "above 0"),
    ("{lr: {distribution: q_uniform, min: 0, max: 1, q: -1}}", "parameters.lr.q", "above 0"),
    ("{lr: {distribution: normal, sigma: 0}}", "parameters.lr.sigma", "above 0"),
    ("{lr: {distribution: log_normal, mu: 900}}", "parameters.lr.mu", "those of the logarithm"),
    ("{lr: {distribution: log_uniform, min: 1, max: 1000}}", "parameters.lr.max", "log_uniform_values"),
    ("{lr: {distribution: log_uniform_values, min: 0, max: 1}}", "parameters.lr.min", "above 0"),
    ("{lr: {distribution: beta, a: 0}}", "parameters.lr.a", "above 0"),
    ("{lr: {distribution: categorical, values: [1], probabilities: [1]}}", "parameters.lr.probabilities", "no key"),
    ("{lr: {values: [1, 2], probabilities: [0.5, 0.4]}}", "parameters.lr.probabilities", "sum to 1, not to 0.9"),
    ("{lr: {values: [1, 2], probabilities: [1.5, -0.5]}}", "parameters.lr.probabilities", "from 0 to 1"),
    ("{lr: {values: [1, 2], probabilities: [1]}}", "parameters.lr.probabilities", "1 for 2 values"),
    ("{lr: {value: 1, values: [1]}}", "parameters.lr.values", "no key"),
    ("{2lr: {value: 1}}", "parameters.2lr", "begin with a letter"),
    ("{optimizer: {parameters: {}}}", "parameters.optimizer.parameters", "a section of parameters"),
    ("{optimizer: {parameters: {lr: 3}}}", "parameters.optimizer.parameters.lr", "{value: 3}"),
    ("{optimizer: {parameters: {lr: {value: 1}}, value: 2}}", "parameters.optimizer", "nothing else"),
    ("{optimizer: {parameters: {generator.lr: {value: 1}}}}", "parameters.optimizer.parameters.generator.lr", "dotted"),
    ("{ema.x: {value: 1}, ema: {parameters: {x: {value: 2}}}}", "parameters.ema", "varied twice"),
    ("{seeds: {values: [1, 2]}}", "parameters.seeds", "{value: N}"),
    ("{seeds: {value: 0}}", "parameters.seeds", "from 1 to 1,000"),
    ("{seeds: {value: 2.0}}", "parameters.seeds", "a whole number"),
    ("{seeds: {parameters: {a: {value: 2}}}}", "parameters.seeds", "{value: N}"),
    ("{seeds: {value: 2}, seed: {values: [1, 2]}}", "parameters.seeds", "the parameter seed"),
]


@pytest.mark.parametrize(("section", "key", "says"), IN_PARAMETERS, ids=[section for section, _, _ in IN_PARAMETERS])
def test_a_mistake_of_a_parameter_is_told_by_its_key(tmp_path, section, key, says):
    for method in ("grid", "random"):
        told = refused(tmp_path, f"parameters: {section}", f"method: {method}")
        assert any(problem.startswith(f"{key}: ") and says in problem for problem in told), told


def test_what_a_grid_cannot_have(tmp_path):
    for section, says in {
        "{min: 0.0, max: 1.0}": "uniform has no end of values",
        "{distribution: log_normal}": "no end of values",
        "{values: [1, 2], probabilities: [0.5, 0.5]}": "has probabilities",
        "{values: [1, 2, 1.0]}": "1 is there twice",
        "{values: [{a: 1, b: 2}, {b: 2, a: 1}]}": "there twice",
        "{min: 0, max: 1000000}": "1,000,001 points",
        "{distribution: q_uniform, min: 0, max: 1, q: 1.0e-300}": "points",
    }.items():
        assert any(says in problem for problem in refused(tmp_path, f"parameters: {{seed: {section}}}"))
        read_with(tmp_path, "method: random", f"parameters: {{seed: {section}}}")
    assert read_with(
        tmp_path, "parameters: {a: {values: [1, true, '1', 1.5]}, b: {distribution: q_uniform, min: 0, max: 1}}"
    ).grid_size


def test_parameters_whose_order_matters_stand_as_wandb_orders_them(tmp_path):
    """W&B writes a file's keys sorted when it registers a sweep: an engine must not mean something else."""
    told = refused(tmp_path, "parameters: {generator.width: {value: 8}, generator: {values: [{name: mlp, depth: 1}]}}")
    assert told[0].startswith("parameters.generator: stands after generator.width, and both set generator.width.")
    read_with(tmp_path, "parameters: {generator: {values: [{name: mlp, depth: 1}]}, generator.width: {value: 8}}")
    groups = ["_a: {values: [{seed: 1, generator.width: 4}, {}]}", "_b: {values: [{generator.width: 8}, {seed: 2}]}"]
    assert any(
        "write _a before _b" in problem for problem in refused(tmp_path, f"parameters: {{{', '.join(groups[::-1])}}}")
    )
    read_with(tmp_path, f"parameters: {{{', '.join(groups)}}}")
    read_with(
        tmp_path, "parameters: {variant.n_critic: {value: 1}, generator.width: {value: 8}}"
    )  # where it does not matter


def test_a_value_that_is_always_undone_is_told(tmp_path):
    told = refused(
        tmp_path, "parameters: {_net: {values: [{generator: {name: mlp, width: 4}}]}, generator.width: {value: 8}}"
    )
    again = "generator.width is set in it, and always set again by generator.width, which comes after it"
    assert told == [f"parameters._net: {again}"]


def test_seeds_count_from_the_first(tmp_path):
    assert read_with(tmp_path, "parameters: {seeds: {value: 4}}").grid_size == 4
    high = "command: [ganzoo, train, '${program}', seed=2147483647, '${args_no_hyphens}']"
    assert any("go beyond" in problem for problem in refused(tmp_path, high, "parameters: {seeds: {value: 2}}"))
    assert read_with(tmp_path, high, "parameters: {seeds: {value: 1}}").first_seed == 2147483647
