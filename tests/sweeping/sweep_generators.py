"""Generated sweep files: right ones, ones with a mistake, and ones with anything in them."""

import json
from typing import Any

from conftest import DIGITS, RING
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# Right ones: keys that every experiment here has, in intervals that it takes.

WHOLE = {
    "seed": (0, 1000), "variant.n_critic": (1, 9), "variant.latent_dim": (1, 64), "generator.width": (4, 64),
    "discriminator.width": (4, 64), "data.batch_size": (2, 128), "checkpoint.every_generator_updates": (1, 500),
}  # fmt: skip
REAL = {
    "optimizer.generator.lr": (1e-6, 0.5), "optimizer.discriminator.lr": (1e-6, 0.5),
    "variant.instance_noise": (0.001, 2.0), "ema.halflife_images": (1.0, 1e5), "ema.rampup_ratio": (0.01, 0.9),
}  # fmt: skip
OTHERS: dict[str, list[Any]] = {
    "variant.latent_distribution": ["normal", "uniform"],
    "variant.name": ["gan", "nsgan", "lsgan", "hinge"],
    "trainer.deterministic": [True, False],
    "evaluation.protocol": [None],
    "name": ["a", "b-1", "x.y"],
    "optimizer.generator.betas": [[0.0, 0.9], [0.5, 0.999]],
    "samples": [{"count": 4}, {"count": 8, "every_generator_updates": 10}],
    "_both": [{"checkpoint.every_generator_updates": 3, "samples.count": 2}, {"samples": {"count": 3}}],
}


def spread(low: float, high: float) -> SearchStrategy[tuple[float, float]]:
    whole = isinstance(low, int)
    number = st.integers(int(low), int(high)) if whole else st.floats(low, high).map(lambda it: float(f"{it:.4g}"))
    return st.tuples(number, number).map(sorted).filter(lambda pair: pair[1] > pair[0] * 1.01)


def whole_number(low: int, high: int) -> SearchStrategy[dict[str, Any]]:
    several = st.lists(st.integers(low, high), min_size=1, max_size=2, unique=True)
    return st.one_of(
        several.map(lambda values: {"values": values}),
        several.map(lambda values: {"values": values, "probabilities": [1 / len(values)] * len(values)}),
        st.integers(low, high).map(lambda value: {"value": value}),
        spread(low, high).map(lambda ends: {"min": ends[0], "max": min(ends[1], ends[0] + 2)}),
        spread(low, high).map(lambda ends: {"distribution": "q_uniform", "min": ends[0], "max": ends[1], "q": 1}),
    )


def real_number(low: float, high: float) -> SearchStrategy[dict[str, Any]]:
    kind, ends = st.sampled_from(["uniform", "log_uniform_values", "inv_log_uniform_values"]), spread(low, high)
    return st.one_of(
        ends.map(lambda pair: {"values": pair}),
        ends.map(lambda pair: {"value": pair[0]}),
        st.builds(lambda kind, pair: {"distribution": kind, "min": pair[0], "max": pair[1]}, kind, ends),
        st.just({"distribution": "log_normal", "mu": -5, "sigma": 0.3}),
        st.just({"distribution": "inv_log_uniform", "min": 1, "max": 3}),
    )  # fmt: skip


def parameter(key: str) -> SearchStrategy[tuple[str, dict[str, Any]]]:
    if key in WHOLE:
        sections = whole_number(*WHOLE[key])
    elif key in REAL:
        sections = real_number(*REAL[key])
    else:
        sections = st.lists(st.sampled_from(OTHERS[key]), min_size=1, max_size=2).map(
            lambda values: {"values": values if len(values) == 1 or values[0] != values[1] else values[:1]}
        )
    return sections.map(lambda section: (key, section))


def in_sections(parameters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Dotted keys nested, as W&B nests them."""
    made: dict[str, Any] = {}
    for key, section in parameters.items():
        *path, last = key.split(".")
        inner = made
        for part in path:
            inner = inner.setdefault(part, {"parameters": {}})["parameters"]
        inner[last] = section
    return made


PRINTABLE = st.characters(categories=["L", "N", "P", "S"])  # what YAML takes
ENDLESS = ("uniform", "log_uniform_values", "inv_log_uniform_values", "inv_log_uniform", "log_normal")
COMMANDS = [
    ["${env}", "ganzoo", "train", "${program}", "${args_no_hyphens}"],
    ["${env}", "${interpreter}", "-m", "ganzoo", "train", "${program}", "trainer.progress=false", "${args_no_hyphens}"],
    ["python3", "-m", "ganzoo", "train", "${program}", "${args_no_hyphens}", "tracking.wandb=disabled"],
]
BANDS = [{"min_iter": 1}, {"min_iter": 4, "eta": 2}, {"max_iter": 27, "s": 2}, {"max_iter": 9, "s": 3, "strict": False}]
LOSSES = [{"name": "generator/loss", "goal": "maximize", "target": 0.5}, {"name": "discriminator/loss"}]


@st.composite
def right(draw: st.DrawFn) -> dict[str, Any]:
    """A sweep file's contents that are right."""
    method = draw(st.sampled_from(["grid", "random", "bayes"]))
    keys = draw(st.lists(st.sampled_from([*WHOLE, *REAL, *OTHERS]), min_size=1, max_size=3, unique=True))
    keys = [key for key in keys if not (key == "samples" and "_both" in keys)]
    keys = [key for key in keys if not (key == "checkpoint.every_generator_updates" and "_both" in keys)]
    parameters = dict(draw(parameter(key)) for key in keys)
    if method == "grid":
        parameters = {key: finite(section) for key, section in parameters.items()}
    if method == "bayes":
        parameters["generator.width"] = {"min": 4, "max": 8}
    if draw(st.booleans()):
        parameters = in_sections(parameters)
    if "seed" not in parameters and draw(st.booleans()):
        parameters["seeds"] = {"value": draw(st.integers(1, 4))}
    scored = "evaluation.protocol" not in keys
    metrics = [*LOSSES, *([{"name": "evaluation/fid"}, {"name": "evaluation/coverage", "goal": "maximize"}] * scored)]
    file = {
        "program": str(draw(st.sampled_from([RING, DIGITS]))),
        "method": method,
        "metric": draw(st.sampled_from(metrics)),
        "parameters": parameters,
        "command": draw(st.sampled_from(COMMANDS)),
        "early_terminate": {"type": "hyperband", **draw(st.sampled_from(BANDS))},
        "run_cap": draw(st.integers(1, 100)),
        "name": draw(st.text(PRINTABLE, max_size=20).map(lambda text: f"n{text}")),
        "description": "any text: {}",
        "controller": {"type": "cloud"},
    }
    left_out = {"command", "early_terminate", "run_cap", "name", "description", "controller", "metric"}
    for key in draw(st.sets(st.sampled_from(sorted(left_out)))):
        if key != "metric" or (method != "bayes" and "early_terminate" not in file):
            del file[key]
    return dict(draw(st.permutations(list(file.items()))))


def finite(section: dict[str, Any]) -> dict[str, Any]:
    """A parameter that a grid can have, with few values, out of any."""
    kind = section.get("distribution")
    if "probabilities" in section:
        return {"values": section["values"]}
    if kind == "q_uniform":
        return {**section, "max": section["min"] + 2}
    return {"value": section.get("min", 0.01)} if kind in ENDLESS else section


# Broken ones: a right one with a mistake, whose key must be named.

PLACES: dict[str, list[Any]] = {
    "method": ["grids", "", None, 3, ["grid"], {}, "custom", "Grid", True],
    "program": ["no/such.yaml", "", None, 3, [], "train.py", "/", "\0", "x" * 5000 + ".yaml", "."],
    "parameters": [None, {}, [], 3, "lr", {"lr": None}, {"lr": [1]}, {"lr": {"x": 1}}, {"": {"value": 1}}],
    "metric": [None, [], "loss", {}, {"name": ""}, {"name": 3}, {"name": "x", "goal": "down"}, {"name": "x", "y": 1}],
    "early_terminate": [{}, [], "hyperband", {"type": "hyperband"}, {"type": "x", "min_iter": 1}, None],
    "run_cap": [0, -1, 1.5, "3", True, None, 10**30],
    "command": ["ganzoo train", [], [[]], ["ls"], ["${args}"], [None], {}, ["ganzoo", "train", "${program}"]],
    "name": [3, None, [], "", {}],
    "controller": [{"type": "local"}, 3, {"type": None}],
    "scheduler": [{}, None, {"engine": "optuna"}],
    "metrics": [[], [{"name": "a"}]],
    "seeds": [3, None],
    "job": ["x"],
    "kind": ["swep", 3],
    "no_such_key": [1, None, {}],
    "method ": ["grid"],
}  # fmt: skip
SECTIONS: list[Any] = [
    3, None, [], "x", {}, {"values": []}, {"values": None}, {"values": {}}, {"min": 1}, {"max": 1},
    {"min": 2, "max": 1}, {"min": 1, "max": 1}, {"min": "a", "max": "b"}, {"min": None, "max": 2},
    {"min": [1], "max": 2},
    {"min": 1, "max": float("nan")}, {"min": 1.0, "max": float("inf")}, {"min": 0, "max": 10**300}, {"mu": 1},
    {"distribution": "normal", "sigma": 0}, {"distribution": "normal", "sigma": -1}, {"distribution": "normla"},
    {"distribution": 3}, {"distribution": None}, {"distribution": {}}, {"distribution": "constant"}, {"q": 1},
    {"distribution": "uniform", "min": 1, "max": 2, "q": 1}, {"distribution": "q_uniform", "min": 1, "max": 2, "q": 0},
    {"distribution": "log_uniform_values", "min": 0, "max": 1}, {"distribution": "log_uniform", "min": 0, "max": 1e4},
    {"distribution": "log_normal", "sigma": 1e300}, {"distribution": "beta", "a": 0},
    {"distribution": "beta", "b": "x"}, {"values": [1, 2], "probabilities": [1]},
    {"values": [1], "probabilities": [2]}, {"values": [1], "probabilities": []},
    {"values": [1], "probabilities": ["1"]}, {"values": [1], "probabilities": 1}, {"value": 1, "values": [1]},
    {"parameters": None}, {"parameters": {}}, {"parameters": {"a": 1}}, {"parameters": {"a": {"value": 1}}, "x": 1},
    {"parameters": {"a.b": {"value": 1}}}, {"parameters": {"a": {"parameters": {"b": {"vale": 1}}}}},
    {"value": -1}, {"value": "nan"}, {"value": "no-such"}, {"value": {"a": 1}}, {"value": [1, [2]]}, {"values": [-1]},
]  # fmt: skip
KEYS = ["data.batch_size", "variant.n_critic", "generator.width", "budget.generator_updates"]


@st.composite
def broken(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A sweep file's contents with a mistake, and how the mistake's key must begin."""
    contents = draw(right())
    if draw(st.booleans()):
        key = draw(st.sampled_from(sorted(PLACES)))
        contents[key] = draw(st.sampled_from(PLACES[key]))
        return contents, key.strip()
    key = draw(st.sampled_from(KEYS))
    contents["parameters"] = {key: draw(st.sampled_from(SECTIONS))}
    return contents, ""


ANY_TEXT = st.one_of(
    st.text(max_size=20), st.sampled_from(["${", "${a}", "${envvar:X}", "a.b", "_x", "nan", "1e-4", "{a: 1}"])
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@st.composite
def disturbed(draw: st.DrawFn) -> dict[str, Any]:
    """A sweep file's contents with anything at all somewhere in it."""
    contents = json.loads(json.dumps(draw(right())))
    for _ in range(draw(st.integers(1, 3))):
        node: Any = contents
        while True:
            places = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if isinstance(node[place], (dict, list)) and draw(st.booleans()):
                node = node[place]
                continue
            if isinstance(node, dict) and draw(st.booleans()):
                node[draw(ANY_TEXT)] = node.pop(place)
            else:
                node[place] = draw(ANYTHING)
            break
    return contents
