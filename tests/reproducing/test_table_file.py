"""A table's file: what is read, and every mistake in one paragraph that says what is allowed."""

from copy import deepcopy
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import ROOT
from table_texts import COMPUTED, TINY_RING, opened, tiny_ring, written

from ganzoo.cli import main
from ganzoo.errors import InputError
from ganzoo.reproducing.reading import read_table
from ganzoo.reproducing.table_file import Claim, Published, find_table, slug


def test_a_table_that_is_trained():
    table = read_table(TINY_RING)
    assert (table.name, table.protocol, table.program) == ("tiny_ring", "toy2d-v1", None)
    assert table.metrics == ("modes", "reverse_kl") and list(table.scales) == ["smoke", "cpu", "paper"]
    gan, wide = table.rows
    assert gan.experiment == ROOT / "experiments" / "ring8" / "dcgan.yaml"
    assert gan.published["modes"] == Published(mean=6.3, standard_error=0.5, trials=10)
    assert gan.published["reverse_kl"] == Published(mean=0.45)
    assert (wide.overrides, wide.at) == (("generator.width=8",), {"cpu": ("generator.width=6",)})
    assert [scale.comparable for scale in table.scales.values()] == [False, False, False]
    assert [scale.reproduces for scale in table.scales.values()] == [False, True, True]
    more, one = table.claims
    assert (more.higher, more.lower, more.rows) == ("wide", "GAN", ("wide", "GAN"))
    assert (one.row, one.at_least, one.at_most) == ("wide", 1, None)


def test_the_better_row_is_the_lower_one_where_lower_is_better(tmp_path):
    values = tiny_ring()
    values["claims"] = [{"says": "it is", "metric": "reverse_kl", "better": "wide", "worse": "GAN"}]
    assert opened(tmp_path, values).claims == (Claim(says="it is", metric="reverse_kl", higher="GAN", lower="wide"),)
    values["claims"] = [{"says": "it is", "metric": "modes", "row": "GAN", "equals": 8, "tolerance": 0.5}]
    assert opened(tmp_path, values).claims[0].at_least == 7.5 and opened(tmp_path, values).claims[0].at_most == 8.5


def test_what_is_comparable_says_so(tmp_path):
    values = tiny_ring()
    values["scales"]["cpu"]["comparable"] = True
    assert [scale.comparable for scale in opened(tmp_path, values).scales.values()] == [False, True, False]


def test_a_claim_that_trainings_fail_and_one_of_ours(tmp_path):
    values = tiny_ring()
    fails = {"says": "it fails", "metric": "modes", "row": "GAN", "fails": True, "at_least": 4}
    values["claims"] = [fails, {**fails, "of": "ours"}]
    paper, ours = opened(tmp_path, values).claims
    assert (paper.fails, paper.row, paper.at_least, paper.at_most, paper.of) == (True, "GAN", 4, None, "paper")
    assert ours.of == "ours"


def test_a_published_spread_of_trials_is_a_standard_error(tmp_path):
    values = tiny_ring()
    values["rows"][0]["published"] = {"modes": {"mean": 6.0, "standard_deviation": 1.5, "trials": 9}}
    published = opened(tmp_path, values).rows[0].published["modes"]
    assert published.standard_error == pytest.approx(0.5)
    assert (published.sample.mean, published.sample.n) == (6.0, 9)
    assert published.sample.spread == pytest.approx(1.5)


def test_a_table_that_is_computed(tmp_path):
    table = opened(tmp_path, COMPUTED)
    assert table.program == tmp_path / "counting.py" and table.protocol is None
    assert table.rows[0].values == {"sum": "results.games.0.5.0", "steps": "results.steps"}
    assert table.scales["cpu"].arguments == ("--steps=2",)


def changed(values: dict[str, Any], path: str, value: Any) -> None:
    """Sets, or with "absent" removes, what is at a path of keys and indexes."""
    *way, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
    for part in way:
        values = values[part]
    if value == "absent":
        del values[last]
    else:
        values[last] = value


CLAIM = {"says": "so", "metric": "modes"}
MISTAKES = [
    ("title", "absent", "title: this key is required and not there"),
    ("titel", "x", "did you mean 'title'?"),
    ("sure", "certain", "'certain' must be one of: seen, memory, derived, measured"),
    ("protocol", "toy3d-v1", "did you mean 'toy2d-v1'?"),
    ("protocol", "absent", "protocol: this key is required and not there: the protocol that scores all rows"),
    ("metrics", ["mode"], "there is no score of protocol toy2d-v1, named 'mode'; did you mean 'modes'?"),
    ("metrics", [1], "must be a list of names"),
    ("overrides", ["seed=3"], "overrides: 'seed=3': a scale says"),
    ("rows", [], "must be a list of sections"),
    ("rows/0/label", "wide", "rows: 'wide' is the label of two rows"),
    ("rows/0/experiment", "absent", "rows[0].experiment: this key is required and not there"),
    ("rows/0/experiment", str(ROOT / "experiments" / "ring8" / "dcgann.yaml"), "did you mean"),
    ("rows/0/values", {"modes": "a.b"}, "rows[0].values: is of a table that has a program"),
    ("rows/0/overrides", ["width"], "rows[0]: 'width' must be written key=value"),
    ("rows/0/overrides", ["seed=1"], "rows[0]: 'seed=1': a scale says how many `seeds` there are"),
    ("rows/1/at", {"cpv": []}, "rows[1].at.cpv: there is no scale of this table, named 'cpv'; did you mean"),
    ("rows/1/at", {"gpu": []}, "rows[1].at.gpu: there is no scale of this table, named 'gpu'; did you mean 'cpu'?"),
    ("metrics", ["modes", "modes", "reverse_kl"], "metrics: 'modes' is there twice"),
    ("rows/1/at", {"cpu": "x=1"}, "rows[1].at.cpu: 'x=1' must be a list of texts"),
    ("rows/0/published", {"mods": 1}, "rows[0].published.mods: there is no metric 'mods'; did you mean 'modes'?"),
    ("rows/0/published", {"modes": "8"}, "rows[0].published.modes: '8' must be a section with keys among: mean"),
    ("rows/0/published", {"modes": {"mean": 8, "standard_error": 1}}, "published.modes.trials: this key is required"),
    ("rows/0/published", {"modes": {"mean": 8, "standard_error": -1, "trials": 3}}, "must be a number of at least 0"),
    ("rows/0/published", {"modes": {"mean": 8, "standard_error": 1, "trials": 1}}, "trials: must be at least 2"),
    (
        "rows/0/published",
        {"modes": {"mean": 8, "standard_error": 1, "standard_deviation": 2, "trials": 3}},
        "must have standard_error or standard_deviation, not both",
    ),
    ("claims", [{**CLAIM, "metric": "mods", "row": "GAN", "at_least": 1}], "claims[0].metric: there is no metric"),
    ("claims", [{**CLAIM, "row": "GNA", "at_least": 1}], "claims[0].row: there is no row 'GNA'; did you mean 'GAN'?"),
    ("claims", [{**CLAIM, "row": "GAN"}], "claims[0]: must have better and worse, or higher and lower, or row with"),
    ("claims", [{**CLAIM, "row": "GAN", "at_least": 2, "at_most": 1}], "at_least 2 is above at_most 1"),
    ("claims", [{**CLAIM, "better": "GAN", "worse": "GAN"}], "claims[0]: compares a row with itself"),
    ("claims", [{**CLAIM, "row": "GAN", "fails": True}], "claims[0]: must have better and worse, or higher and lower"),
    ("claims", [{**CLAIM, "row": "GAN", "fails": True, "at_least": 1, "at_most": 2}], "it has at_least, at_most, f"),
    ("claims", [{**CLAIM, "row": "GAN", "fails": False, "at_least": 1}], "claims[0].fails: False must be true"),
    ("claims", [{**CLAIM, "row": "GAN", "at_least": 1, "of": "us"}], "claims[0].of: 'us' must be one of: paper, ours"),
    ("claims", [{**CLAIM, "better": "GAN", "lower": "wide"}], "it has better, lower"),
    ("scales", {}, "scales: must have at least one of: smoke, cpu, gpu, paper"),
    ("scales/tiny", {"seeds": 1, "says": "x"}, "scales.tiny: there is no scale 'tiny'"),
    ("scales/cpu/seeds", "absent", "scales.cpu.seeds: this key is required and not there"),
    ("scales/cpu/seeds", 0, "scales.cpu.seeds: 0 must be a whole number from 1"),
    ("scales/cpu/says", "absent", "scales.cpu.says: this key is required"),
    ("scales/cpu/minutes", -1, "scales.cpu.minutes: -1 must be a number above 0"),
    ("scales/cpu/arguments", ["--x"], "scales.cpu.arguments: is for a table with a program"),
    ("scales/cpu/overrides", ["seeds=3"], "scales.cpu.overrides: 'seeds=3': a scale says"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "told"), MISTAKES)
def test_a_mistake_is_told(tmp_path, path, value, told):
    values = tiny_ring()
    changed(values, path, value)
    with pytest.raises(InputError) as raised:
        opened(tmp_path, values)
    assert told in str(raised.value) and str(tmp_path / "tiny_ring.yaml") in str(raised.value)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("program", "count.py", "program: there is no such file: count.py"),
        ("protocol", "toy2d-v1", "protocol: is for rows that are trained; this table has a program"),
        ("rows/0/values", {"sums": "a"}, "rows[0].values.sums: there is no metric 'sums'; did you mean 'sum'?"),
        ("rows/0/values", {"sum": 3}, "rows[0].values.sum: 3 must be a dotted path"),
        ("rows/0/experiment", "x.yaml", "rows[0].experiment: is for rows that are trained"),
        ("rows/0/overrides", ["a=1"], "rows[0].overrides: is for rows that are trained"),
        ("scales/cpu/overrides", ["a=1"], "scales.cpu.overrides: is for rows that are trained"),
        ("rows/0/values", {"steps": "results.steps"}, "claims[0].row: row 'A' has no value of sum"),
        ("claims/0", {"says": "so", "metric": "sum", "better": "A", "worse": "B"}, "no direction of sum is known"),
    ],
)
def test_a_mistake_of_a_table_that_is_computed(tmp_path, path, value, told):
    values = deepcopy({**COMPUTED, "claims": [{"says": "so", "metric": "sum", "row": "A", "at_least": 1}]})
    changed(values, path, value)
    with pytest.raises(InputError) as raised:
        opened(tmp_path, values)
    assert told in str(raised.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    values = tiny_ring()
    changed(values, "title", "absent")
    changed(values, "metrics", ["mode"])
    changed(values, "rows/1/overrides", ["x"])
    changed(values, "scales/cpu/seeds", 0)
    with pytest.raises(InputError) as raised:
        opened(tmp_path, values)
    told = [problem.key for problem in raised.value.problems]
    assert {"title", "metrics", "rows[1]", "scales.cpu.seeds"} <= set(told)
    assert "mistakes\n" in str(raised.value)


def test_what_is_no_yaml_and_what_is_no_file(tmp_path):
    (tmp_path / "bad.yaml").write_text("title: a: b\n")
    with pytest.raises(InputError, match="not valid YAML"):
        read_table(tmp_path / "bad.yaml")
    written(tmp_path, tiny_ring())
    with pytest.raises(InputError, match=r"there is no such file; did you mean .*tiny_ring\.yaml"):
        read_table(tmp_path / "tiny_rng.yaml")


def test_tables_are_found_by_name_and_by_path(tmp_path, monkeypatch):
    (tmp_path / "experiments" / "tables").mkdir(parents=True)
    written(tmp_path / "experiments" / "tables", tiny_ring(), "my_ring")
    monkeypatch.chdir(tmp_path)
    assert find_table("my_ring").resolve() == tmp_path / "experiments" / "tables" / "my_ring.yaml"
    assert str(find_table("some/where.yaml")) == "some/where.yaml"
    with pytest.raises(InputError, match="there is no table 'my_rnig'; did you mean 'my_ring'"):
        find_table("my_rnig")
    listed = CliRunner().invoke(main, ["list", "tables"])
    assert "my_ring\tTiny ring, Nobody 2026, table 1" in listed.output


def test_bad_input_is_one_paragraph_with_exit_code_2(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["nothing_of_the_kind"], ["missing.yaml"], [str(TINY_RING), "--scale", "gpu"]):
        done = CliRunner().invoke(main, ["reproduce", *words])
        assert done.exit_code == 2 and done.output.startswith("ganzoo: ") and done.output.count("\n") == 1, done.output
    assert "there is no scale 'gpu'" in done.output and "smoke, cpu, paper" in done.output


def test_labels_make_folders():
    assert slug("GAN, ring (m = 2)") == "GAN-ring-m-2" and slug("…") == "row"
    assert len(slug("x" * 1000)) == 60
