"""Two thousand broken experiments: each is either an experiment after all, or one paragraph that names the mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest
from conftest import DIGITS, RING, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganzoo.errors import SHOWN, InputError
from ganzoo.evaluation import protocol
from ganzoo.experiment import Experiment, load_experiment

SHIPPED = sorted(path for path in ROOT.glob("experiments/**/*.yaml") if path.parent.name != "tables")
CHECKS_OFF = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
fuzz = partial(settings, deadline=None, derandomize=True, database=None, suppress_health_check=CHECKS_OFF)


@pytest.fixture(autouse=True, scope="module")
def what_never_changes_is_read_once() -> Iterator[None]:
    """The shipped protocols and the installed packages: half of the time of reading an experiment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "load_protocol", cache(protocol.load_protocol))
        yield


def told(path: Path, overrides: list[str]) -> InputError | None:
    """The InputError that the experiment gets, its message checked; None if it is right; anything else fails."""
    try:
        experiment = load_experiment(path, overrides)
    except InputError as error:
        message = str(error)
        assert error.problems and all(problem.text for problem in error.problems), message
        assert "Traceback" not in message
        lines = min(len(error.problems), SHOWN + 1)  # the last says how many more there are
        assert message.count("\n") == (lines if lines > 1 else 0), message
        assert all(line.isprintable() for line in message.split("\n")), repr(message)
        assert all(len(str(problem)) < 2000 for problem in error.problems), message
        return error
    assert isinstance(experiment, Experiment)
    return None


# (a) overrides: known mistakes


@dataclass(frozen=True)
class Mistake:
    """An override that is wrong, and the key that must be named."""

    override: str
    key: str


SECTIONS = [
    "data", "variant", "generator", "discriminator", "optimizer", "optimizer.generator", "optimizer.discriminator",
    "budget", "ema", "evaluation", "samples", "checkpoint", "tracking", "trainer",
]  # fmt: skip
WHOLE = [
    "seed", "data.batch_size", "data.num_workers", "variant.latent_dim", "variant.n_critic", "generator.width",
    "discriminator.width", "budget.generator_updates", "evaluation.every_generator_updates", "samples.count",
    "checkpoint.every_generator_updates", "tracking.every_generator_updates", "trainer.devices", "trainer.num_nodes",
    "optimizer.generator.warmup_updates", "optimizer.generator.decay_start_updates",
]  # fmt: skip
REAL = [
    "optimizer.generator.lr", "optimizer.discriminator.lr", "optimizer.generator.weight_decay",
    "optimizer.generator.eps", "optimizer.discriminator.clip_norm", "ema.halflife_images",
]  # fmt: skip
TRUTH = ["trainer.deterministic", "trainer.progress"]
WORDS = [
    "variant.latent_distribution", "generator.norm", "discriminator.norm", "optimizer.generator.schedule",
    "tracking.wandb", "trainer.accelerator", "trainer.precision",
]  # fmt: skip
TEXT = ["name", "tracking.project"]
PAIRS = ["optimizer.generator.betas", "optimizer.discriminator.betas"]
NAMES = ["data.name", "variant.name", "generator.name", "discriminator.name", "optimizer.generator.name"]
LEAVES = [*WHOLE, *REAL, *TRUTH, *WORDS, *TEXT, *PAIRS]
AT_MOST = [key for key in WHOLE if "every" not in key and "optimizer" not in key]  # the whole numbers that have a limit

NESTED = ["{}", "{a: 1}", "{a: {b: [1, {c: 2}]}}", "[[1]]", "[{}]", "[1, [2, {a: 3}]]", "{1: 2}"]
NO_NUMBERS = [*NESTED, "wide", "[]", "[1]", "''", "'1 2'", "0x", "1..2", "é", "1e", "--1", "2026-01-01"]
NO_WHOLE = [*NO_NUMBERS, "null", "", "~", "1.5", "nan", ".inf", "-.inf", "1e400", "true", "???", "1e-4", "12:30:45.5"]
NO_TRUTH = [*NESTED, "perhaps", "2.5", "null", "", "[true]", "nan"]
NO_WORDS = [*NESTED, "no-such", "null", "", "-1", "3.25", "nan", "[]", "[batch]", "ＮＯＮＥ", "\u202e"]
NO_TEXT = [*NESTED, "null", "", "[]", "[a, b]"]
NO_PAIRS = ["0.5", "[.5]", "[.5, .9, .9]", "[]", "{}", "null", "[a, b]", "[.5, null]", "[[.5, .9]]", "[nan, .5]"]
NO_SECTIONS = ["3", "dcgan", "null", "", "[]", "[1, 2]", "true", "nan", "''", "'{}'", "2026-01-01"]
NO_NAMES = ["", "null", "3", "[]", "{}", "no-such", "../../etc", "__init__", "base", "dcgan.py", "DCGAN", "ᴅᴄɢᴀɴ"]
NO_PLUGINS = ["[no_such]", "[../x]", "['']", "[os.path.]", "[1]", "[null]", "[.]", "[[a]]", "[é.ï]", "3"]
NO_PROTOCOLS = ["no-such", "/", "a\\b", "/no/such.yaml", ".yaml", "[]", "{}", "../x", "-1", '"\\0.yaml"']
NOT_FINITE = ["nan", ".nan", ".inf", "-.inf", "inf", "1e400", "-1e400", "NaN"]
TOO_LOW = ["-1", "-0.5", "-1e300", "-99999999999999999999999999999999999", "-1e-320"]
TOO_HIGH = ["1" + "0" * 30, "9" * 300, "9" * 400, "1_000_000_000_000_000_000_000"]
UNREADABLE = [
    "[1,", "{a", "{a: ", "'open", '"open', "[1, }", "*nobody", "!!python/object:os.system x", "!!python/name:os.system",
    "!!python/object/apply:os.system [ls]", "!no-such-tag 3", "!!binary %%%", "&", "a: b: c", "@x", "`x`", "- - -: [",
    "{a: 1, a: 2}", "\x00", "\x07", "\x1b[31m", "[&a [*a]]", "!!timestamp x", "!!int x", "!!float x", "&a [*a, *a]",
    "\ud800", "{? [a]: b}", "!!map 3", "!!seq x", "!!omap [a]", "%TAG ! x", "\x85\x9f", "[" * 40 + "]" * 40, "[" * 3000,
    "{a: " * 40 + "1" + "}" * 40, "0x" + "9" * 5000, "1" * 5000, "1:" + "59:" * 999,
]  # fmt: skip
REFERENCES = [
    "${", "${}", "${ }", "${no.such}", "${oc.env:HOME}", "${oc.env:HOME,x}", "${oc.decode:'1'}", "${oc.create:{}}",
    "${{seed}}", "${${seed}}", "${seed", "a${", "${seed}}${", "${.seed}", "${..seed}", "${seed.}", "${seed.x}", "$${",
    "${data.resolution.x}", "${seed[0]}", "${data['name']}", "${seed:1}", "${a b}", "${é}", "${1}", "x${no_such}y",
    "\\${", "[${no.such}]", "{a: ${no.such}}", "${seed} ${", "${\n}", "${self}", "${optimizer..generator}",
]  # fmt: skip
ODD_KEYS = [
    "a[0]", "data[name]", "['data']", "data.['name']", '"data"', "data.'name'", "seed ", " seed", "seed\t", "sé",
    "\x1b[1m", "seed\u200b", "data.name.x.y", "a.b.c.d.e", "__class__", "data.__init__", "0", "1.2", "null", "true",
    "~", "SEED", "*", "data.name.x", "ѕeed", "seed\x00", "seed\n", "${seed}", "{a}", "&a", "!!str", "#", "data.#", "-",
    "?", ":", "seed:", "x" * 300, "\u202eseed", "\ud800", "\ue000{seed}",
]  # fmt: skip
NO_KEYS = ["", ".", "..", "seed.", ".seed", "data..name", "data. .name", " ", "data.", "\t.a"]


def misspelt(key: str) -> SearchStrategy[str]:
    """The key with one character of its last part left out, doubled, in the wrong case or replaced."""
    section, dot, last = key.rpartition(".")

    def spell(place: int, how: int) -> str:
        at = place % len(last)
        middle = ["", last[at] * 2, last[at].upper(), "é", "-"][how]
        return f"{section}{dot}{last[:at]}{middle}{last[at + 1 :]}"

    return st.builds(spell, st.integers(0, 30), st.integers(0, 4)).filter(lambda word: word != key)


def wrong(keys: list[str], values: list[str]) -> SearchStrategy[Mistake]:
    return st.builds(lambda key, value: Mistake(f"{key}={value}", key), st.sampled_from(keys), st.sampled_from(values))


MISTAKES: dict[str, SearchStrategy[Mistake]] = {
    "unknown key": st.sampled_from(LEAVES).flatmap(misspelt).flatmap(lambda key: wrong([key], NESTED + NO_SECTIONS)),
    "odd key": wrong(ODD_KEYS, ["1", "x", "[]", "null"]),
    "no key": st.sampled_from(NO_KEYS).map(lambda key: Mistake(f"{key}=1", f"{key}=1")),
    "deep key": st.integers(20, 3000).map(lambda deep: Mistake(f"data{'.a' * deep}=1", f"data{'.a' * deep}")),
    "no value": st.sampled_from(LEAVES + SECTIONS).map(lambda key: Mistake(key, key)),
    "whole number": wrong(WHOLE, NO_WHOLE),
    "number": wrong(REAL, NO_NUMBERS),
    "truth": wrong(TRUTH, NO_TRUTH),
    "word": wrong(WORDS, NO_WORDS),
    "text": wrong(TEXT, NO_TEXT),
    "pair": wrong(PAIRS, NO_PAIRS),
    "section": wrong(SECTIONS, NO_SECTIONS),
    "name": wrong(NAMES, NO_NAMES),
    "too low": wrong(WHOLE + REAL + PAIRS, TOO_LOW),
    "too high": wrong(AT_MOST, TOO_HIGH),
    "no finite number": wrong(REAL, NOT_FINITE),
    "zero": wrong(["optimizer.generator.lr", "ema.halflife_images", "data.batch_size"], ["0", "-0", "-0.0", "0e0"]),
    "reference": wrong(LEAVES + NAMES, REFERENCES),
    "circle": st.sampled_from(LEAVES).map(lambda key: Mistake(f"{key}=${{{key}}}", key)),
    "unreadable": wrong(LEAVES + SECTIONS + NAMES, UNREADABLE),
    "plugin": wrong(["plugins"], NO_PLUGINS),
    "protocol": wrong(["evaluation.protocol"], NO_PROTOCOLS),
}


def names(error: InputError, key: str) -> bool:
    """Whether a problem is at the key, or at a section around it or a key inside it."""
    named = {problem.key for problem in error.problems}
    return any(name in (key, repr(key)) or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in named)


@pytest.mark.parametrize("kind", MISTAKES)
def test_an_override_that_is_wrong_is_named(kind):
    @fuzz(max_examples=30)
    @given(path=st.sampled_from([DIGITS, RING]), mistake=MISTAKES[kind])
    def check(path: Path, mistake: Mistake) -> None:
        error = told(path, [mistake.override])
        assert error is not None and names(error, mistake.key), (mistake, error)

    check()


several_mistakes = st.lists(
    st.sampled_from(list(MISTAKES)).flatmap(MISTAKES.__getitem__),
    min_size=2,
    max_size=5,
    unique_by=lambda mistake: mistake.key.partition(".")[0].partition("=")[0],  # in one section the last one counts
)


@fuzz(max_examples=120)
@given(path=st.sampled_from([DIGITS, RING]), mistakes=several_mistakes)
def test_every_one_of_several_mistakes_is_named(path, mistakes):
    error = told(path, [mistake.override for mistake in mistakes])
    assert error is not None
    assert [mistake for mistake in mistakes if not names(error, mistake.key)] == [], error


any_value = st.one_of(
    st.text(max_size=20),
    st.text("[]{}:,&*!|>'\"%@`#-?~.0123456789eaxn${} \n\t", max_size=20),
    st.sampled_from([*UNREADABLE, *REFERENCES, *NO_WHOLE, *NO_TEXT, *NO_PAIRS, *NO_NAMES, *TOO_LOW, *TOO_HIGH]),
    st.integers().map(str),
    st.floats().map(str),
)
any_key = st.one_of(st.sampled_from([*LEAVES, *SECTIONS, *NAMES, *ODD_KEYS, "plugins"]), st.text(max_size=8))
any_override = st.one_of(st.text(max_size=20), st.builds("{}={}".format, any_key, any_value))


@fuzz(max_examples=120)
@given(path=st.sampled_from(SHIPPED), overrides=st.lists(any_override, min_size=1, max_size=4))
def test_any_overrides_make_an_experiment_or_an_input_error(path, overrides):
    told(path, overrides)


# (b) files


def written(factory: pytest.TempPathFactory, content: str | bytes) -> Path:
    path = factory.getbasetemp() / "broken.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))
    return path


@fuzz(max_examples=150)
@given(
    source=st.sampled_from([DIGITS, RING]),
    key=st.sampled_from([key for key in LEAVES if key.count(".") < 2]).flatmap(misspelt),
    value=st.sampled_from(["1", "null", "''", "[1, [2]]", "{a: {b: 1}}", ".nan", "é", '"\\e[31m"', "2026-01-01"]),
)
def test_an_unknown_key_in_a_file_is_named(tmp_path_factory, source, key, value):
    section, _, last = key.rpartition(".")
    text = source.read_text()
    if f"\n{section}: {{" in text:
        text = text.replace(f"\n{section}: {{", f"\n{section}: {{{last}: {value}, ")
    else:
        text += f"{section}: {{{last}: {value}}}\n" if section else f"{last}: {value}\n"
    error = told(written(tmp_path_factory, text), [])
    assert error is not None and names(error, key), error


def mutated(parts: list, place: int, how: str, other) -> list:
    """The list with one part left out, doubled, moved to the front, or another put before it or in its place."""
    at = place % (len(parts) + 1)
    head, here, tail = parts[:at], parts[at : at + 1], parts[at + 1 :]
    after = {"delete": [], "double": here * 2, "insert": [other, *here], "replace": [other]}
    return here + head + tail if how == "move" else head + after[how] + tail


HOW = ["delete", "double", "insert", "replace", "move"]
mutation = st.tuples(st.integers(0, 2000), st.sampled_from(HOW), st.integers(0, 2**16))
mutations = st.lists(mutation, min_size=1, max_size=4)
LINES = [
    "", "---", "...", "- a", "a", "seed: 1", "data: {}", "data:", "  name: x", "\tname: x", "<<: *a", "<<: {seed: 3}",
    "&a b: *a", "a: &a [*a]", "? [a]: b", "? a", ": b", "1: 2", "null: 3", "%YAML 9.9", "!!python/object:os.system x",
    "name: |", "name: >", "'", '"', "{", "}", "data: {name: digits", "seed: ${seed}", "seed: ${oc.env:HOME}", "b: *b",
    "data.name: digits", "# ?", "\ufeff", "???: ???", "variant: &v {name: dcgan, x: *v}", "generator: ${discriminator}",
    "optimizer: ${no}", "plugins: [os]", "budget: !!set {a}", "2020-01-01: 2020-01-01", "!!binary aGk=: 1", "=: 1",
    "~: ~", "seed: !!binary aGk=", "seed: .nan", "data: ${data}", "generator: ${optimizer}", "ema: ${ema.x}",
]  # fmt: skip
CHARACTERS = [*"{}[]:,&*!|>'\"%@`#-?~.0123456789eE_ \n\t\r$\\/\0\x1b\x7f\x85\u2028\u202e\ufeffé\ue000𝒳"]


@fuzz(max_examples=150)
@given(source=st.sampled_from(SHIPPED), changes=mutations)
def test_a_file_with_changed_lines(tmp_path_factory, source, changes):
    lines = source.read_text().splitlines()
    for place, how, other in changes:
        lines = mutated(lines, place, how, LINES[other % len(LINES)])
    told(written(tmp_path_factory, "\n".join(lines)), [])


@fuzz(max_examples=150)
@given(source=st.sampled_from(SHIPPED), changes=mutations)
def test_a_file_with_changed_characters(tmp_path_factory, source, changes):
    characters = list(source.read_text())
    for place, how, other in changes:
        characters = mutated(characters, place, how, CHARACTERS[other % len(CHARACTERS)])
    told(written(tmp_path_factory, "".join(characters)), [])


@fuzz(max_examples=100)
@given(source=st.sampled_from(SHIPPED), changes=mutations)
def test_a_file_with_changed_bytes(tmp_path_factory, source, changes):
    content = list(source.read_bytes())
    for place, how, other in changes:
        content = mutated(content, place, how, other % 256)
    told(written(tmp_path_factory, bytes(content)), [])


@fuzz(max_examples=150)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=100), any_value, any_value.map("seed: {}".format)))
def test_a_file_of_anything_is_refused(tmp_path_factory, content):
    assert told(written(tmp_path_factory, content), []) is not None


@pytest.mark.parametrize("twice", ["${X}${X}", '["${X}", "${X}"]', '{a: "${X}", b: "${X}"}'])
def test_references_that_multiply_are_refused_soon(tmp_path, twice):
    chain = [f"r{place}: {twice.replace('X', f'r{place + 1}')}" for place in range(19)]
    (tmp_path / "broken.yaml").write_text("\n".join([DIGITS.read_text(), *chain, "r19: x"]))
    error = told(tmp_path / "broken.yaml", [])
    assert error is not None
    assert any(problem.key.startswith("r0") and "multiply" in problem.text for problem in error.problems)


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/dev/null", "", "\0", "x" * 5000, "~", "/proc/self/mem", "a\nb", "\ud800.yaml"], ids=repr
)
def test_a_path_of_anything_is_refused(path):
    assert told(Path(path), []) is not None


@pytest.mark.parametrize("path", ["\\0", "x" * 5000, "", "~no-such-user/x", "/proc/self/mem", "a\\nb", "\\e[31m"])
@pytest.mark.parametrize("name", ["folder", "zip"])
def test_a_data_path_of_anything_is_refused(name, path):
    error = told(DIGITS, [f'data={{name: {name}, path: "{path}"}}', "evaluation.protocol=null"])
    assert error is None or names(error, "data")


# (c) the command


COMMANDS = [
    ("variant.n_critc=5", "variant.n_critc"),
    ("seed\x1b[31m=5", r"seed\x1b[31m"),
    ("seed={a: [1, {b: 2}]}", "seed"),
    (f"generator.width={'9' * 400}", "generator.width"),
    ("optimizer.generator.lr=nan", "optimizer.generator.lr"),
    ("data=???", "data"),
    ("name=\u202eevil", "name"),
    ("seed=${oc.env:HOME}", "seed"),
    ("seed=!!python/object/apply:os.system [ls]", "seed"),
    ("discriminator.norm=\udcff", "discriminator.norm"),
    ("--budget.generator_updates=5", "--budget.generator_updates"),
]


@pytest.mark.parametrize(("override", "key"), COMMANDS, ids=[key for _, key in COMMANDS])
def test_the_command_names_the_key_and_exits_with_2(command, override, key):
    done = command("train", DIGITS, override)
    assert (done.returncode, done.stdout) == (2, "")
    assert key in done.stderr and "Traceback" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())
