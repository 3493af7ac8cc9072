"""The page of a board: what it says, holds and draws is of these runs, and nothing of a run is taken for HTML."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from html_page import Page
from made_boards import EVIL, LONG, left_behind, made_run, usual_board, usual_runs

from ganzoo.errors import GanzooError
from ganzoo.leaderboard.board import Board, Footnote
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.page import Section, write_page
from ganzoo.leaderboard.rows import differences


def page_of(board: Board, folder: Path, **more) -> Page:
    write_page(board, folder / "board" / "index.html", **more)
    return Page((folder / "board" / "index.html").read_text())


def tables_of(page: Page) -> list[dict]:
    return [data for data in page.data if "columns" in data]


def column(table: dict, name: str) -> list:
    at = [column["name"] for column in table["columns"]].index(name)
    return [row["cells"][at] for row in table["rows"]]


def test_the_page_loads_nothing(tmp_path):
    page = page_of(usual_board(tmp_path / "runs"), tmp_path)
    assert {"link", "iframe", "object", "base"}.isdisjoint(page.tags)
    assert len(page.loads) == 5 and all(each.startswith("data:image/png;base64,") for each in page.loads)
    written = (tmp_path / "board" / "index.html").read_text()
    style = written[written.index("<style>") : written.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert page.tags.count("script") == 3 + len(page.data)  # the page's own, plotly's, and the one that draws


def test_it_begins_with_the_answer(tmp_path):
    text = page_of(usual_board(tmp_path / "runs"), tmp_path).text
    lines = [line for line in text.splitlines() if line.strip()]
    at = lines.index("Best by fid (lower is better): wgan_gp, 11.0 ± 2.5 (3 seeds).")
    assert lines[at - 1] == "Leaderboard"
    assert lines[at + 1] == "Not distinguishable from it: hinge (12.0 ± 3.3, p = 0.36)."
    assert lines[at + 2] == "Distinguishably worse: dcgan (41.3 ± 3.8, p < 0.0001)."


def test_a_table_has_its_groups_and_their_runs(tmp_path):
    page = page_of(usual_board(tmp_path / "runs"), tmp_path)
    (table,) = tables_of(page)
    assert column(table, "group") == ["wgan_gp", "hinge", "dcgan", "lsgan", "wgan"]
    assert [cell[:2] for cell in column(table, "fid")][:2] == [["11.0 ± 2.5", 11.0], ["12.0 ± 3.3", 12.0]]
    assert column(table, "fid")[3:] == [["90", 90.0, "one seed: no interval, n = 1"], ["", None]]
    assert [cell[0] for cell in column(table, "differs")] == [
        "best",
        "no (p = 0.36)",
        "yes (p < 0.0001)",
        "no test",
        "",
    ]
    assert column(table, "runs") == ["3 done", "3 done, 1 diverged", "3 done", "1 done", "2 diverged"]
    assert [row["statuses"] for row in table["rows"]][1:2] == [["done", "diverged"]]
    (broken,) = [run for run in table["rows"][1]["runs"] if run["kind"] == "diverged"]
    assert (
        broken["cells"][:3] == [["3", 3], "diverged", ["", None]] and "the generator's loss is NaN" in broken["cells"]
    )
    assert "GPU hours" not in [column["name"] for column in table["columns"]]  # no run was on a GPU


def test_scores_of_which_more_is_better_sort_the_other_way(tmp_path):
    (table,) = tables_of(page_of(usual_board(tmp_path), tmp_path))
    down = {column["name"]: column["down"] for column in table["columns"]}
    assert down["precision"] and not down["fid"] and not down["rank"]


@pytest.mark.parametrize("name", ["plain", "javascript:alert(1)", "a b#c?d%e", "ä\n<i>"])
def test_links_lead_from_the_page_to_the_runs(tmp_path, name):
    run = made_run(tmp_path / name / name)
    (table,) = tables_of(page_of(board_of([run]), tmp_path))
    (href,) = [cell["href"] for cell in table["rows"][0]["runs"][0]["cells"] if isinstance(cell, dict)]
    assert re.fullmatch(r"[\w./%-]+", href, re.ASCII)
    assert (tmp_path / "board" / unquote(href)).resolve() == (tmp_path / name / name).resolve()


def test_samples_are_the_last_of_the_seed_that_most_groups_have(tmp_path):
    board = usual_board(tmp_path / "runs")
    page = page_of(board, tmp_path)
    embedded = [base64.b64decode(each.partition(",")[2]) for each in page.loads]
    folders = [tmp_path / "runs" / name / "0" for name in ("wgan_gp", "hinge", "dcgan", "lsgan", "wgan")]
    assert embedded == [(folder / "samples" / "00000400.png").read_bytes() for folder in folders]
    assert "seed 0, 400 generator updates, diverged" in page.text and "Left out" not in page.text


def test_several_tables_each_have_an_answer_and_the_page_begins_with_all(tmp_path):
    runs = usual_runs(tmp_path / "runs")
    more = {"asked_updates": 900, "generator_updates": 900, "budget.generator_updates": 900}
    longer = [made_run(tmp_path / str(seed), "r1gan", seed, 5.0 + seed, **more) for seed in range(2)]
    board = board_of([*runs, *longer])
    page = page_of(board, tmp_path)
    assert len(tables_of(page)) == 2 and page.tags.count("ol") == 1
    assert board.notes and board.notes[0] in page.text
    assert page.text.count("Best by fid (lower is better): wgan_gp, 11.0 ± 2.5 (3 seeds).") == 2
    assert [each for each in page.loads if each.startswith("#")] == ["#table-0", "#table-1"]


def test_what_differs_between_groups(tmp_path):
    runs = [
        made_run(tmp_path / "a", "dcgan", 0),
        made_run(tmp_path / "b", "hinge", 0, **{"variant.latent_dim": 8, "optimizer.betas": [0.5, 0.9]}),
    ]
    board = board_of(runs)
    found = differences(board)
    assert found is not None
    one, other = (dict(zip(found["keys"], values, strict=True)) for values in found["values"])
    if "hinge" in found["labels"][0]:
        one, other = other, one
    assert one == {"variant.name": "dcgan", "variant.latent_dim": "64", "optimizer.betas": "(not set)"}
    assert other == {"variant.name": "hinge", "variant.latent_dim": "8", "optimizer.betas": "[0.5, 0.9]"}


def test_groups_of_several_tables_are_told_by_their_table_and_budget(tmp_path):
    longer = {"asked_updates": 900, "generator_updates": 900, "budget.generator_updates": 900}
    runs = [made_run(tmp_path / str(seed), seed=seed) for seed in range(2)]
    found = differences(board_of([*runs, made_run(tmp_path / "x", **longer)]))
    assert found is not None and found["labels"] == ["dcgan", "dcgan"]
    assert found["tables"] == [
        {"title": "digits, 400 generator updates, digits-v1", "groups": 1},
        {"title": "digits, 900 generator updates, digits-v1", "groups": 1},
    ]
    assert (found["keys"], found["values"]) == (["budget.generator_updates"], [["400"], ["900"]])


def test_long_settings_are_compared_whole(tmp_path):
    long = [LONG + end for end in "ab"]
    runs = [made_run(tmp_path / end[-1], **{"x.note": end, "x.notes": [end], "x.same": LONG}) for end in long]
    found = differences(board_of(runs))
    assert found is not None and found["keys"] == ["x.note", "x.notes"]
    assert found["values"] == [[end, f'["{end}"]'] for end in long]


def test_the_best_of_another_score_than_the_primary_is_named_for_what_it_is(tmp_path):
    board = board_of([made_run(tmp_path / str(seed), seed=seed) for seed in range(2)], metrics=["precision"])
    (table,) = tables_of(page_of(board, tmp_path))
    about = {column["name"]: column["about"] for column in table["columns"]}
    assert about["precision at best fid"] == "mean over seeds at the checkpoint with the best fid of each run"
    (table,) = tables_of(page_of(usual_board(tmp_path / "usual"), tmp_path))
    assert "best fid" in [column["name"] for column in table["columns"]]


def test_a_directory_whose_name_is_no_utf8(tmp_path):
    name = os.fsdecode(b"bad\xff")
    folder = tmp_path / "runs" / name
    run = left_behind(made_run(folder))
    (table,) = tables_of(page_of(board_of([run], [Footnote(source=str(folder), problem="x")]), tmp_path))
    (link,) = [cell for cell in table["rows"][0]["runs"][0]["cells"] if isinstance(cell, dict)]
    assert link["href"].endswith("/bad%FF") and "bad\\udcff: x" in (tmp_path / "board" / "index.html").read_text()


def test_what_differs_within_a_group_is_said_so(tmp_path):
    runs = [made_run(tmp_path / str(dim), "dcgan", dim, **{"variant.latent_dim": dim}) for dim in (1, 2)]
    board = board_of([*runs, made_run(tmp_path / "x", "hinge")], group_by=["variant.name"])
    found = differences(board)
    assert found is not None
    at = found["keys"].index("variant.latent_dim")
    assert sorted(values[at] for values in found["values"]) == ["(varies in the group)", "64"]


def test_one_group_has_nothing_to_be_compared_with(tmp_path):
    assert differences(board_of([made_run(tmp_path / "a")])) is None


def test_footnotes_are_named_and_of_many_only_the_first(tmp_path):
    notes = [Footnote(source=f"runs/odd{number}", problem="record.json is cut short") for number in range(250)]
    text = page_of(board_of([made_run(tmp_path / "a")], notes), tmp_path).text
    assert "runs/odd199: record.json is cut short" in text and "runs/odd200" not in text and "And 50 more." in text


def page_with(folder: Path, text: str) -> Page:
    """A page that has the text wherever something of a run may stand."""
    run = made_run(folder / "a", text, 0, name=text, source=text, reason=text, hardware=text, **{f"x.{text}": text})
    other = made_run(folder / "b", LONG, 0, status="failed", reason=LONG, last={}, best={})
    section = Section(heading=text, about=[text], head=[text, "b"], rows=[[text, LONG]])
    board = board_of([left_behind(run), other], [Footnote(source=text, problem=LONG)])
    return page_of(board, folder, title=text, sections=[section])


def test_nothing_of_a_run_becomes_a_tag(tmp_path):
    harmless, page = (page_with(tmp_path / name, text) for name, text in (("harmless", "harmless"), ("evil", EVIL)))
    assert page.tags == harmless.tags and len(page.loads) == len(harmless.loads)
    assert not [each for each in page.loads if "evil.example" in each] and page.tags.count("img") == 1
    extra, table = tables_of(page)
    assert "\\ud800" in page.text and extra["rows"][0]["cells"] == [EVIL, LONG]  # whole: the script cuts what it shows
    assert EVIL in [cell["text"] for cell in table["rows"][0]["runs"][0]["cells"] if isinstance(cell, dict)]
    assert LONG not in page.text


def test_sections_come_first_and_sort_by_their_numbers(tmp_path):
    rows = [["PacGAN2", "7.9 ± 0.1", "1,000", "reproduced"], ["GAN", "-6.3", "", "direction only"]]
    section = Section(heading="Table 1", about=["of a paper"], head=["row", "ours", "n", "verdict"], rows=rows)
    page = page_of(usual_board(tmp_path / "runs"), tmp_path, title="PacGAN", sections=[section])
    table = tables_of(page)[0]
    assert table["name"] == "Table 1"
    assert table["rows"][0]["cells"] == ["PacGAN2", ["7.9 ± 0.1", 7.9], ["1,000", 1000.0], "reproduced"]
    assert table["rows"][1]["cells"][1:3] == [["-6.3", -6.3], ["", None]]
    assert page.text.index("of a paper") < page.text.index("Best by fid")


def test_a_board_of_nothing(tmp_path):
    page = page_of(Board(tables=[]), tmp_path)
    assert "There is no run to compare." in page.text and page.data == []


def test_runs_that_are_gone_or_were_never_here(tmp_path):
    """Their directories are not needed for the table."""
    online = "wandb://me/ganzoo/ab12"
    runs = [made_run(tmp_path / "gone", "dcgan"), made_run(tmp_path, "hinge", path=None, source=online)]
    page = page_of(board_of(runs), tmp_path)
    (table,) = tables_of(page)
    assert sum(online in run["cells"] for row in table["rows"] for run in row["runs"]) == 1
    assert "there is nothing to plot" in page.text and "no samples in their run directories" in page.text


def test_where_it_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GanzooError, match="cannot be written"):
        write_page(Board(tables=[]), tmp_path / "file" / "index.html")


def test_it_takes_no_torch():
    """10,000 runs are to be shown in seconds, of which torch would take three."""
    code = "import sys, ganzoo.leaderboard.page; sys.exit('torch' in sys.modules or 'plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=100).returncode == 0
