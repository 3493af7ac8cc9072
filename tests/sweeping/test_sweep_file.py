"""Sweep files: W&B's schema, whole; every mistake named, all together."""

import pytest
from conftest import RING
from sweep_texts import read_with, refused

from ganzoo.errors import InputError
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.sweep_file import Hyperband, Metric


def test_a_file_with_everything(tmp_path):
    file = read_with(
        tmp_path,
        "apiVersion: v1",
        "kind: sweep",
        "controller: {type: cloud}",
        "description: of n_critic",
        "entity: somebody",
        "project: gans",
        "name: Learning rate / n_critic",
        "method: bayes",
        "run_cap: 7",
        "metric: {name: evaluation/coverage, goal: maximize, target: 0.9, impute: best, impute_while_running: worst}",
        "early_terminate: {type: hyperband, min_iter: 2, eta: 2, strict: false}",
        "command: ['${env}', python3, -m, ganzoo, train, '${program}', seed=5, data.flip=no, '${args_no_hyphens}']",
        "parameters: {optimizer.generator.lr: {min: 1e-4, max: 0.1}, seeds: {value: 3}}",
    )  # fmt: skip
    assert (file.name, file.method, file.experiment) == ("Learning-rate-n_critic", "bayes", RING)
    assert (file.fixed, file.seeds, file.first_seed, file.run_cap) == (("seed=5", "data.flip=no"), 3, 5, 7)
    assert file.metric == Metric("evaluation/coverage", "maximize", 0.9)
    assert file.early_terminate.bands[:4] == (2, 4, 8, 16)
    assert (file.early_terminate.eta, file.early_terminate.strict) == (2.0, False)
    assert list(file.parameters) == [("optimizer.generator.lr",)]
    assert file.parameters[("optimizer.generator.lr",)].min == 1e-4  # a number, as in an experiment
    assert file.settled["seed"] == 5 and file.settled["data"]["flip"] is False


def test_a_file_with_the_least(tmp_path):
    file = read_with(tmp_path, name="of n_critic.yaml")
    assert (file.name, file.fixed, file.metric, file.early_terminate) == ("of-n_critic", (), None, None)
    assert (file.seeds, file.first_seed, file.run_cap, file.grid_size) == (1, 0, None, 2)


@pytest.mark.parametrize(
    ("section", "bands"),
    [
        ("min_iter: 3", (3, 9, 27, 81)),
        ("min_iter: 1, eta: 1.5", (1, 1, 2, 3)),
        ("max_iter: 27, s: 2", (3, 9)),
        ("max_iter: 27, s: 9", (1, 3, 9)),
        ("max_iter: 100, s: 3, eta: 4", (1, 6, 25)),
        ("max_iter: 27, s: 2, min_iter: 5", (3, 9)),  # W&B looks at max_iter then
    ],
)
def test_bands_are_those_of_wandb(tmp_path, section, bands):
    """Golden: what wandb/sweeps 0.3.0, sweeps/hyperband_stopping.py, makes of them."""
    file = read_with(tmp_path, "metric: {name: evaluation/fid}", f"early_terminate: {{type: hyperband, {section}}}")
    assert isinstance(file.early_terminate, Hyperband)
    assert file.early_terminate.bands[:4] == bands and file.early_terminate.strict


COMMANDS = [
    "[ganzoo, train, '${program}', '${args_no_hyphens}']",
    "[/usr/bin/env, /opt/venv/bin/ganzoo, train, '${program}', '${args_no_hyphens}', budget.generator_updates=3]",
    "['${env}', '${interpreter}', -m, ganzoo, train, '${program}', '${args_no_hyphens}']",
    "[python3.12, -m, ganzoo, train, '${program}', 'generator.width=${discriminator.width}', '${args_no_hyphens}']",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_train(tmp_path, command):
    fixed = read_with(tmp_path, f"command: {command}").fixed
    assert all(word in command and "=" in word for word in fixed)
    assert len(fixed) == command.count("=")


MISTAKES = [
    ("methods: grid", "methods", "did you mean 'method'"),
    ("method: grids", "method", "one of: grid, random, bayes"),
    ("method: custom", "method", "schedulers of W&B's"),
    ("method: [grid]", "method", "one of"),
    ("method: absent", "method", "required"),
    ("program: absent", "program", "required"),
    ("parameters: absent", "parameters", "required"),
    ("program: train.py", "program", "the .yaml file of an experiment"),
    (f"program: {RING.with_name('dcgn.yaml')}", "program", "did you mean"),
    ("program: [a]", "program", "must be text"),
    ("metrics: [{name: a}, {name: b}]", "metrics", "one metric"),
    ("scheduler: {engine: optuna}", "scheduler", "leave it out"),
    ("job: a", "job", "W&B Launch"),
    ("image_uri: a", "image_uri", "W&B Launch"),
    ("seeds: 3", "seeds", "parameters: {seeds: {value: 3}}"),
    ("run_cap: 0", "run_cap", "from 1"),
    ("run_cap: '5'", "run_cap", "a whole number"),
    ("run_cap: true", "run_cap", "a whole number"),
    ("name: 3", "name", "text"),
    ("kind: swep", "kind", "one of: sweep"),
    ("controller: {type: local}", "controller", "type: cloud"),
    ("metric: evaluation/fid", "metric", "a section"),
    ("metric: {goal: minimize}", "metric.name", "required"),
    ("metric: {name: evaluation/fid, goal: minimise}", "metric.goal", "one of: minimize, maximize"),
    ("metric: {name: evaluation/fid, gaol: minimize}", "metric.gaol", "did you mean 'goal'"),
    ("metric: {name: evaluation/fid, target: low}", "metric.target", "a finite number"),
    ("metric: {name: evaluation/fid, target: .nan}", "metric.target", "a finite number"),
    ("metric: {name: evaluation/fid, impute: mean}", "metric.impute", "one of: latest, best, worst"),
    ("metric: {name: evaluation/fid, impute_while_running: false}", "metric.impute_while_running", "in quotes"),
    ("early_terminate: {type: hyperband, min_iter: 3}", "metric", "early_terminate judges runs by it"),
    ("early_terminate: {type: median, min_iter: 3}", "early_terminate.type", "one of: hyperband"),
    ("early_terminate: {min_iter: 3}", "early_terminate.type", "required"),
    ("early_terminate: {type: hyperband}", "early_terminate", "min_iter, or max_iter and s"),
    ("early_terminate: {type: hyperband, max_iter: 3}", "early_terminate", "min_iter, or max_iter and s"),
    ("early_terminate: {type: hyperband, max_iter: 2, s: 2}", "early_terminate.max_iter", "at least eta, 3"),
    ("early_terminate: {type: hyperband, min_iter: 0}", "early_terminate.min_iter", "from 1"),
    ("early_terminate: {type: hyperband, min_iter: 3, eta: 1}", "early_terminate.eta", "above 1"),
    ("early_terminate: {type: hyperband, min_iter: 3, strict: 'yes'}", "early_terminate.strict", "true or false"),
    ("early_terminate: [hyperband]", "early_terminate", "a section"),
    ("command: ganzoo train", "command", "a list"),
    ("command: [ganzoo, train, x.yaml, '${args_no_hyphens}']", "command", "must begin as"),
    ("command: [python, train.py, '${args}']", "command", "write ${args_no_hyphens}"),
    ("command: [ganzoo, evaluate, '${program}', '${args_no_hyphens}']", "command", "must begin as"),
    ("command: [ganzoo, train, '${program}']", "command", "all runs were the same"),
    ("command: [ganzoo, train, '${program}', '${args_json}']", "command", "key=value"),
    ("command: [ganzoo, train, '${program}', '${arg_no_hyphens}']", "command", "did you mean '${args_no_hyphens}'"),
    ("command: [ganzoo, train, '${program}', 'seed=${envvar:SEED}', '${args_no_hyphens}']", "command", "machine"),
    ("command: [ganzoo, train, '${program}', --run-dir=x, '${args_no_hyphens}']", "command", "an option"),
    ("command: [ganzoo, train, '${program}', verbose, '${args_no_hyphens}']", "command", "key=value"),
    ("command: [ganzoo, train, '${program}', seeds=3, '${args_no_hyphens}']", "command", "{seeds: {value: 3}}"),
    ("command: [ganzoo, train, '${program}', '${args_no_hyphens}', 'variant={name: gan}']", "command", "would undo"),
    ("command: [ganzoo, train, '${program}', 'a..b=1', '${args_no_hyphens}']", "program", "a..b"),
    ("command: [[ganzoo]]", "command", "a list of words"),
    ("name: !!binary aGVsbG8=", "name", "must be a number, text"),
    ("name: !!python/object/apply:os.system [ls]", "", "not valid YAML"),
    ("name: [", "", "not valid YAML"),
]


@pytest.mark.parametrize(("line", "key", "says"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_of_the_file_is_told_by_its_key(tmp_path, line, key, says):
    told = refused(tmp_path, line)
    assert any(problem.startswith(f"{key}: " if key else "") and says in problem for problem in told), told


def test_what_bayes_must_have(tmp_path):
    metric = "metric: {name: evaluation/fid}"
    assert any("bayes searches for its best" in problem for problem in refused(tmp_path, "method: bayes"))
    told = refused(tmp_path, "method: bayes", metric, "parameters: {seed: {value: 1}}")
    assert any("nothing to search" in problem for problem in told)
    assert read_with(tmp_path, "method: bayes", metric).metric == Metric("evaluation/fid")


def test_all_mistakes_are_told_together(tmp_path):
    told = refused(
        tmp_path,
        "methods: grid", "method: grids", "run_cap: -1", "metric: {goal: up}", "program: x.py", "seeds: 2",
        "command: [x]", "parameters: {a: 3, b: {min: 2, max: 1}, c: {values: []}}", "early_terminate: {type: x}",
    )  # fmt: skip
    assert {line.partition(": ")[0] for line in told} == {
        "methods", "method", "run_cap", "metric.name", "metric.goal", "program", "seeds", "command", "parameters.a",
        "parameters.b.min", "parameters.c.values", "early_terminate.type",
    }  # fmt: skip


def test_broken_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_sweep(tmp_path / "no.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(InputError) as caught:
        read_sweep(tmp_path / "empty.yaml")
    assert {problem.key for problem in caught.value.problems} == {"program", "method", "parameters"}
