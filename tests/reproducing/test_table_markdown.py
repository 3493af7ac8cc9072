"""A report in words: floors, where numbers are from, whose the claims are."""

from collections.abc import Mapping, Sequence
from typing import Any

from table_texts import opened, tiny_ring

from ganzoo.leaderboard.board import Run
from ganzoo.reproducing.markdown import as_markdown
from ganzoo.reproducing.outcomes import Outcome
from ganzoo.reproducing.report import Report
from ganzoo.reproducing.table_file import TableFile
from ganzoo.reproducing.verdicts import judge


def run(seed: int, floor: Mapping[str, float]) -> Run:
    return Run(path=None, source="made up", name="x", status="done", seed=seed, config={}, floor=floor)


def text_of(table: TableFile, runs: Mapping[str, Sequence[Run]]) -> str:
    scale = table.scale("cpu")
    outcomes = [
        Outcome(row=row, values={"modes": [7.0, 8.0]}, counts={"done": 2}, runs=runs.get(row.label, ()))
        for row in table.rows
    ]
    return as_markdown(Report(table=table, scale=scale, outcomes=outcomes, judgement=judge(table, scale, outcomes)))


def floors_of(text: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if line[0].startswith("(held-out")]


def test_every_data_set_has_its_own_floor(tmp_path):
    table = opened(tmp_path, tiny_ring())
    ring, grid = {"modes": 8.0, "reverse_kl": 0.01}, {"modes": 25.0, "reverse_kl": 0.02}
    (one,) = floors_of(text_of(table, {"GAN": [run(0, ring), run(1, ring)], "wide": [run(0, ring)]}))
    assert one[0] == "(held-out real samples)" and "8" in one and "0.01" in one
    two = floors_of(text_of(table, {"GAN": [run(0, ring), run(1, ring)], "wide": [run(0, grid), run(1, {})]}))
    assert [floor[0] for floor in two] == ["(held-out real samples of: GAN)", "(held-out real samples of: wide)"]
    assert "8" in two[0] and "25" not in two[0] and "25" in two[1] and "0.02" in two[1]
    assert floors_of(text_of(table, {})) == []


def test_a_number_that_is_less_sure_than_the_rest_says_so(tmp_path):
    values = tiny_ring()
    values["rows"][0]["published"] = {
        "modes": {"mean": 6.3, "sure": "memory"},
        "reverse_kl": {"mean": 1, "sure": "derived"},
    }
    text = text_of(opened(tmp_path, values), {})
    assert "6.3 (memory)" in text and "(derived)" not in text  # the table's own
    values["sure"] = "memory"
    text = text_of(opened(tmp_path, values), {})
    assert "(memory)" not in text and "1 (derived)" in text


def test_where_nothing_is_published_nothing_is_said_of_it(tmp_path):
    values: dict[str, Any] = tiny_ring()
    text = text_of(opened(tmp_path, values), {})
    assert "The published numbers are values of formulas. Their ± is: standard error of 10 trials." in text
    del values["rows"][0]["published"]
    text = text_of(opened(tmp_path, values), {})
    assert "published numbers are" not in text and "Their ±" not in text and "Source: made up." in text


def test_a_claim_of_ours_is_not_the_papers(tmp_path):
    values = tiny_ring()
    values["claims"][1] |= {"of": "ours"}
    text = text_of(opened(tmp_path, values), {})
    assert "| claim | which is |" in text and "the paper says" not in text
    lines = {line.split(" | ")[0].strip("| ") for line in text.splitlines()}
    assert {"wide reaches more modes", "wide reaches one at least (our claim, not the paper's)"} <= lines
