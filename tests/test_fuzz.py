"""Two thousand broken experiments: each is either an experiment after all, or one paragraph that names the mistake."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DIGITS, RING, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ganzoo.errors import InputError
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.values import read_values

SHIPPED = sorted(ROOT.glob("experiments/**/*.yaml"))
fuzz = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


def told(path: Path, overrides: list[str]) -> InputError | None:
    """The InputError that the experiment gets, its message checked; None if it is right; anything else fails."""
    try:
        experiment = load_experiment(path, overrides)
    except InputError as error:
        message = str(error)
        assert error.problems and all(problem.text for problem in error.problems), message
        assert "Traceback" not in message and "\n\n" not in message
        assert message.count("\n") == (len(error.problems) if len(error.problems) > 1 else 0), message
        assert all(len(str(problem)) < 2000 for problem in error.problems), message
        assert message.isprintable() or all(line.isprintable() for line in message.split("\n")), repr(message)
        return error
    assert isinstance(experiment, Experiment)
    return None


# (a) overrides: known mistakes


@dataclass(frozen=True)
class Mistake:
    """An override that is wrong, and the keys of which one must be named."""

    override: str
    keys: tuple[str, ...]


SECTIONS = (
    "data variant generator discriminator optimizer optimizer.generator optimizer.discriminator budget ema evaluation "
    "samples checkpoint tracking trainer"
).split()
WHOLE = (
    "seed data.batch_size data.num_workers variant.latent_dim variant.n_critic generator.width discriminator.width "
    "budget.generator_updates evaluation.every_generator_updates samples.count checkpoint.every_generator_updates "
    "tracking.every_generator_updates trainer.devices trainer.num_nodes optimizer.generator.warmup_updates "
    "optimizer.generator.decay_start_updates"
).split()
REAL = (
    "optimizer.generator.lr optimizer.discriminator.lr optimizer.generator.weight_decay optimizer.generator.eps "
    "optimizer.discriminator.clip_norm ema.halflife_images"
).split()
TRUTH = ["trainer.deterministic", "trainer.progress"]
WORDS = (
    "variant.latent_distribution generator.norm discriminator.norm optimizer.generator.schedule tracking.wandb "
    "trainer.accelerator trainer.precision"
).split()
TEXT = ["name", "tracking.project"]
PAIRS = ["optimizer.generator.betas", "optimizer.discriminator.betas"]
NAMES = ["data.name", "variant.name", "generator.name", "discriminator.name", "optimizer.generator.name"]
LEAVES = [*WHOLE, *REAL, *TRUTH, *WORDS, *TEXT, *PAIRS]

NEITHER_NUMBER_NOR_WORD = ["{}", "{a: 1}", "{a: {b: [1, {c: 2}]}}", "[[1]]", "[{}]", "[1, [2, {a: 3}]]", "{1: 2}"]
NO_NUMBERS = [
    *NEITHER_NUMBER_NOR_WORD,
    "wide",
    "[]",
    "[1]",
    "''",
    "'1 2'",
    "0x",
    "1..2",
    "é",
    "1e",
    "--1",
    "2026-01-01",
]
NO_WHOLE = [*NO_NUMBERS, "null", "", "~", "1.5", "nan", ".inf", "-.inf", "1e400", "true", "???", "1e-4", "12:30:45.5"]
NO_TRUTH = [*NEITHER_NUMBER_NOR_WORD, "perhaps", "2.5", "null", "", "[true]", "nan"]
NO_WORDS = [
    *NEITHER_NUMBER_NOR_WORD,
    "no-such-word",
    "null",
    "",
    "-1",
    "3.25",
    "nan",
    "[]",
    "[batch]",
    "ＮＯＮＥ",
    "\u202e",
]
NO_TEXT = [*NEITHER_NUMBER_NOR_WORD, "null", "", "[]", "[a, b]"]
NO_PAIRS = [
    "0.5",
    "[0.5]",
    "[0.5, 0.9, 0.9]",
    "[]",
    "{}",
    "null",
    "[a, b]",
    "[0.5, null]",
    "[[0.5, 0.9]]",
    "[nan, 0.5]",
]
NO_SECTIONS = ["3", "dcgan", "null", "", "[]", "[1, 2]", "true", "nan", "''", "'{}'", "2026-01-01"]
NO_NAMES = [
    "",
    "null",
    "3",
    "[]",
    "{}",
    "no-such-name",
    "../../etc",
    "__init__",
    "base",
    "dcgan.py",
    "os",
    "DCGAN ",
    "ᴅᴄɢᴀɴ",
]
TOO_LOW = ["-1", "-0.5", "-1e300", "-99999999999999999999999999999999999", "-1e-320"]
TOO_HIGH = ["1" + "0" * 30, "9" * 400, "1_000_000_000_000_000_000_000"]
UNREADABLE = [
    "[1,", "{a", "{a: ", "'open", '"open', "[1, }", "*nobody", "!!python/object:os.system x", "!!python/name:os.system",
    "!!python/object/apply:os.system [ls]", "!no-such-tag 3", "!!binary %%%", "&", "a: b: c", "@x", "`x`",
    "{a: 1, a: 2}", "\x00", "\x07", "\x1b[31m", "[&a [*a]]", "!!timestamp x", "!!int x", "!!float x",
    "&a [*a, *a]", "- - -: -: [", "\ud800", "{? [a]: b}", "!!map 3", "!!seq x", "!!omap [a]", "%TAG ! x", "\x85\x9f",
]  # fmt: skip
REFERENCES = [
    "${", "${}", "${ }", "${no.such}", "${oc.env:HOME}", "${oc.env:HOME,x}", "${oc.decode:'1'}", "${oc.create:{}}",
    "${{seed}}", "${${seed}}", "${seed", "a${", "${seed}}${", "${.seed}", "${..seed}", "${seed.}", "${seed.x}",
    "${data.name.x}", "${seed[0]}", "${data['name']}", "${seed:1}", "${a b}", "${é}", "${1}", "x${no_such}y", "$${", "\\${",
    "[${no.such}]", "{a: ${no.such}}", "${seed} ${", "${\n}", "${self}", "${optimizer..generator}", "${env:HOME}",
]  # fmt: skip
ODD_KEYS = [
    "a[0]", "data[name]", "['data']", "data.['name']", '"data"', "data.'name'", "seed ", " seed", "seed\t", "sé", "seed\u200b",
    "data.name.x.y", "a.b.c.d.e", "__class__", "data.__init__", "0", "1.2", "null", "true", "~", "data.name.x", "SEED", "ѕeed",
    "seed\x00", "seed\n", "${seed}", "{a}", "*", "&a", "!!str", "#", "data.#", "-", "?", ":", "seed:", "x" * 300, "\u202eseed",
]  # fmt: skip
NO_KEYS = ["", ".", "..", "seed.", ".seed", "data..name", "data. .name", " ", "data.", "\t.a"]


def misspelt(key: str) -> SearchStrategy[str]:
    """The key with one character of its last part left out, doubled, swapped or replaced: never another key."""
    section, dot, last = key.rpartition(".")

    def spell(place: int, how: int) -> str:
        at = place % len(last)
        middle = ["", last[at] * 2, last[at].upper(), "_", "é", "-"][how]
        return f"{section}{dot}{last[:at]}{middle}{last[at + 1 :]}"

    made = st.builds(spell, st.integers(0, 30), st.integers(0, 5))
    return made.filter(lambda word: word.rpartition(".")[2] not in (last, ""))


def wrong(keys: list[str], values: list[str]) -> SearchStrategy[Mistake]:
    return st.builds(
        lambda key, value: Mistake(f"{key}={value}", (key,)), st.sampled_from(keys), st.sampled_from(values)
    )


MISTAKES: dict[str, SearchStrategy[Mistake]] = {
    "unknown key": st.sampled_from(LEAVES)
    .flatmap(lambda key: st.tuples(misspelt(key), st.sampled_from(["1", "null", "", "[]", "{a: {b: 1}}", "nan", "x"])))
    .map(lambda pair: Mistake("=".join(pair), (pair[0],))),
    "odd key": st.sampled_from(ODD_KEYS).map(lambda key: Mistake(f"{key}=1", (key, key.partition(".")[0], "data.name"))),
    "no key": st.sampled_from(NO_KEYS).map(lambda key: Mistake(f"{key}=1", (f"{key}=1",))),
    "no value": st.sampled_from(LEAVES + SECTIONS).map(lambda key: Mistake(key, (key,))),
    "whole number": wrong(WHOLE, NO_WHOLE),
    "number": wrong(REAL, NO_NUMBERS),
    "truth": wrong(TRUTH, NO_TRUTH),
    "word": wrong(WORDS, NO_WORDS),
    "text": wrong(TEXT, NO_TEXT),
    "pair": wrong(PAIRS, NO_PAIRS),
    "section": wrong(SECTIONS, NO_SECTIONS),
    "name": wrong(NAMES, NO_NAMES),
    "too low": wrong(WHOLE + REAL + PAIRS, TOO_LOW),
    "too high": wrong([key for key in WHOLE if "every" not in key and "_updates" not in key], TOO_HIGH),
    "no finite number": wrong(REAL, ["nan", ".nan", ".inf", "-.inf", "inf", "1e400", "-1e400", "NaN"]),
    "zero": wrong(["optimizer.generator.lr", "ema.halflife_images", "data.batch_size"], ["0", "-0", "-0.0", "0e0"]),
    "reference": wrong(LEAVES + NAMES, REFERENCES),
    "circle": st.sampled_from(LEAVES).map(lambda key: Mistake(f"{key}=${{{key}}}", (key,))),
    "unreadable": wrong(LEAVES + SECTIONS + NAMES, UNREADABLE),
    "plugin": wrong(["plugins"], ["[no_such]", "[../x]", "['']", "[os.path.]", "[1]", "[null]", "[.]", "[[a]]", "[é.ï]", "3"]),
    "protocol": wrong(["evaluation.protocol"], ["no-such", "/", "a\\b", "/no/such.yaml", ".yaml", "[]", "{}", "../x", "-1"]),
}  # fmt: skip


def names_one_of(keys: tuple[str, ...], error: InputError) -> bool:
    """Whether a problem's key is one of them, or a section around or a key inside it; odd ones are shown quoted."""
    return any(
        problem.key == key
        or problem.key.startswith(f"{key}.")
        or key.startswith(f"{problem.key}.")
        or problem.key == repr(key)
        for problem in error.problems
        for key in keys
    )


@pytest.mark.parametrize("kind", MISTAKES)
def test_an_override_that_is_wrong_is_named(kind):
    @fuzz(max_examples=36)
    @given(path=st.sampled_from([DIGITS, RING]), mistake=MISTAKES[kind])
    def check(path: Path, mistake: Mistake) -> None:
        error = told(path, [mistake.override])
        assert error is not None, mistake
        assert names_one_of(mistake.keys, error), (mistake, str(error))

    check()
