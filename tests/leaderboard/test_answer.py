"""Which is better, in words."""

import pytest
from made_boards import made_run

from ganzoo.leaderboard.answer import answer
from ganzoo.leaderboard.board import Table
from ganzoo.leaderboard.comparing import board_of


def table_of(folder, scores: dict[str, list[float]], **more) -> Table:
    """A table of groups by the scores of their seeds."""
    runs = [
        made_run(folder / name / str(seed), name, seed, fid, **more)
        for name, fids in scores.items()
        for seed, fid in enumerate(fids)
    ]
    (table,) = board_of(runs).tables
    return table


TEST = (
    "Tested by Welch's t-test of the means over seeds against the best, at 5 %, Holm-corrected for {}; ± is the 95 % "
)
TEST += "interval of a mean over seeds."


def test_the_best_what_is_alike_and_what_is_worse(tmp_path):
    scores = {"a": [40.0, 41.0, 43.0], "b": [10.0, 11.0, 12.0], "c": [10.5, 12.5, 13.0]}
    assert answer(table_of(tmp_path, scores)) == [
        "Best by fid (lower is better): b, 11.0 ± 2.5 (3 seeds).",
        "Not distinguishable from it: c (12.0 ± 3.3, p = 0.36).",
        "Distinguishably worse: a (41.3 ± 3.8, p < 0.0001).",
        TEST.format("2 comparisons"),
    ]


def test_more_may_be_better(tmp_path):
    runs = [made_run(tmp_path / f"{fid}", name, seed, fid) for seed in range(2) for name, fid in
            (("a", 9.0 + seed), ("b", 1.0 + seed / 10))]  # fmt: skip
    (table,) = board_of(runs, metrics=["precision"]).tables
    assert answer(table)[0] == "Best by precision (higher is better): b, 0.49 ± 0.15 (2 seeds)."


def test_one_seed_gets_no_test(tmp_path):
    assert answer(table_of(tmp_path, {"a": [2.0], "b": [1.0]})) == [
        "Best by fid (lower is better): b, 1 (1 seed, so no interval).",
        "The others could not be tested: a test needs two seeds of both groups.",
    ]


def test_one_seed_among_others(tmp_path):
    lines = answer(table_of(tmp_path, {"a": [2.0], "b": [1.0, 1.1], "c": [1.1, 1.2]}))
    assert lines[-2:] == [
        TEST.format("1 comparison"),
        "1 other could not be tested: a test needs two seeds of both groups.",
    ]


def test_groups_that_are_level(tmp_path):
    lines = answer(table_of(tmp_path, {"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [50.0, 51.0]}))
    assert lines[0].startswith("Best by fid (lower is better): a, 1.5 ± 6.4 (2 seeds), level with b (1.5 ± 6.4")
    assert not any(line.startswith("Not distinguishable") for line in lines)


def test_of_many_groups_five_are_named(tmp_path):
    scores = {f"v{number}": [10.0 + number, 10.1 + number] for number in range(9)}
    (worse,) = [line for line in answer(table_of(tmp_path, scores)) if line.startswith("Distinguishably worse")]
    assert worse.startswith("Distinguishably worse: v1 (") and "v5 (" in worse and worse.endswith(" and 3 more.")


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({"a": [3.0, 4.0]}, "Only dcgan has a score: fid 3.5 ± 6.4 (2 seeds)."),
        ({}, "No finished run has a score to compare by."),
    ],
)
def test_nothing_to_compare_with(tmp_path, scores, says):
    runs = [made_run(tmp_path / str(seed), "dcgan", seed, fid) for seed, fid in enumerate(scores.get("a", []))]
    broken = made_run(tmp_path / "x", "hinge", 0, status="failed", last={}, best={})
    (table,) = board_of([*runs, broken]).tables
    assert answer(table) == [says, "Not in any mean: 1 run failed."]
