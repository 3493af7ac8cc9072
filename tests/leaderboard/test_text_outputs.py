"""Markdown, CSV, JSON and LaTeX have the numbers, and whatever a run is called is a text in them and nothing else."""

import csv
import html
import io
import json
import re
import unicodedata

import pytest
from made_runs import record_of

from ganzoo.leaderboard.board import Footnote
from ganzoo.leaderboard.cells import LONGEST, MOST_FOOTNOTES, cells_of, fitting, shown_interval, shown_test
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.data_files import csv_text, json_text
from ganzoo.leaderboard.recorded import run_of_record
from ganzoo.leaderboard.statistics import Interval
from ganzoo.leaderboard.text import latex, latex_text, markdown, markdown_text

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": '<img src="http://evil.example/x" onerror=alert(1)>',
    "pipe": "a | b || c",
    "escaped pipe": "a \\| b \\\\| c",
    "newlines": "one\ntwo\r\nthree\u2028four\x0bfive",
    "marker": "<!-- end -->",
    "latex": r"\input{/etc/passwd} $x$ & # % _ ^ ~ { } \write18{ls}",
    "latex quotes": '`a\' "b" --- ?` !` <<>> [x]',
    "markdown": "*bold* _it_ [link](http://evil.example) `code` ![i](x) ~~s~~ # h",
    "terminal": "\x1b[31mred\x1b[0m \x07 \x9b31m \u202eolleh",
    "formula": '=HYPERLINK("http://evil.example")',
    "formulas": "@SUM(1)",
    "long": "x" * 10_000,
    "surrogate": "a\ud800b",
    "quotes": '"a",\'b\',""c',
    "full-width formula": "＝1+1",
    "formula after a space": " ﹢1",
    "address": "HTTPS://evil.example Www.evil.example mailto:a@evil.example @somebody #12 owner/name#3",
    "heading": "# h",
    "list": "- x",
    "sum": "+ x",
    "number": "12. x",
    "code": "        x",
    "foreign": "生成 générateur ∇",
}


def run(seed=0, changes=None, **others):
    return run_of_record(record_of(seed, changes or {}, **others), path=None, source=f"runs/{seed}")


def hostile_board(text):
    runs = [
        run(0, {"variant.name": text, "name": text}, scores={"fid": 20.25}),
        run(1, {"variant.name": text, "name": text}, scores={"fid": 20.75}),
        run(0, {"variant.name": "gan", "generator.note": text, text: text}),
    ]
    return board_of(runs, [Footnote(source=text, problem=text)])


def markdown_rows(text):
    """The cells of every table's rows, as GitHub splits and unescapes them."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_of_hostile_names(name):
    text = markdown(hostile_board(HOSTILE[name]))
    rows = list(markdown_rows(text))
    assert len(rows) == 2 + 3 and len({len(row) for row in rows}) == 1  # two groups and the floor
    assert not re.search(r"<|(?<!\\)[\[\]*~$]|`|://|(?i:www\.)|@|\x1b|\u202e|\r|\u2028", text)
    assert not re.search(r"(?<!&)#", text.removeprefix("## "))
    lines = [line.removeprefix("- ") for line in text.splitlines() if not line.startswith("| ")]
    assert not [line for line in lines if re.match(r"\s|[-+=]|\d+[.)]|# ", line)]
    assert "20.5 ± 3.2" in text
    assert max(map(len, text.splitlines())) < 10_000
    text.encode()


def test_markdown_is_the_text_again_where_it_is_shown():
    for text in ("a|b <i> & *x* _y_ [z](u) `c` $m$ ~s~ \\ d", "feature_matching", "http://x.example www.x.example"):
        written = markdown_text(text)
        assert html.unescape(re.sub(r"\\([|*_~$\[\]])", r"\1", written)) == text


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_of_hostile_names(name):
    rows = list(csv.reader(io.StringIO(csv_text(hostile_board(HOSTILE[name]))), strict=True))
    assert len(rows) == 3 and len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not unicodedata.normalize("NFKC", cell).strip().startswith(("=", "+", "@")) and cell.isprintable()
    told = dict(zip(rows[0], rows[1], strict=True))
    other = dict(zip(rows[0], rows[2], strict=True))
    numbers = told if told["seeds"] == "2" else other
    assert (float(numbers["fid_mean"]), numbers["fid_rank"], numbers["done"]) == (20.5, "2", "2")
    assert float(numbers["fid_high"]) - 20.5 == pytest.approx(12.706204736 * 0.25)


@pytest.mark.parametrize("name", HOSTILE)
def test_json_of_hostile_names(name):
    text = HOSTILE[name]
    told = json.loads(json_text(hostile_board(text)), parse_constant=pytest.fail)
    (table,) = told["tables"]
    group = next(group for group in table["groups"] if group["seeds"] == 2)
    assert group["config"]["variant.name"] == text and told["footnotes"] == [{"source": text, "problem": text}]
    assert group["standings"]["fid"]["last"]["mean"] == 20.5 and group["standings"]["fid"]["last"]["n"] == 2
    assert [each["counted"] for each in group["runs"]] == [True, True]
    assert group["runs"][0]["last"]["fid"] == 20.25 and table["floor"]["fid"] == 1.0


ALLOWED = {
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "textquotedbl"),
    *("textquotesingle", "textasciigrave", "pm", "downarrow", "uparrow", "ldots", "begin", "end", "centering"),
    *("caption", "toprule", "midrule", "bottomrule"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_of_hostile_names(name):
    text = latex(hostile_board(HOSTILE[name]))
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    body = "\n".join(lines)
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= ALLOWED
    assert set(re.findall(r"\\([^a-zA-Z])", body)) <= set("\\{}$&#%_")
    for special in "#%_^~\"'`|<>":
        assert not re.search(rf"(?<!\\){re.escape(special)}", body), special
    assert re.sub(r"\\[{}\\]", "", body).count("{") == re.sub(r"\\[{}\\]", "", body).count("}")
    rows = [line for line in lines if line.endswith(" \\\\")]
    assert len(rows) == 4 and len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    assert all(line.startswith(("%", "\\")) or line.endswith(" \\\\") for line in text.splitlines())


def test_latex_of_every_special():
    assert latex_text("a_b & 50% #1 $x ^~ {} \\ <>") == (
        "a\\_b \\& 50\\% \\#1 \\$x \\textasciicircum{}\\textasciitilde{} \\{\\} \\textbackslash{} "
        "\\textless{}\\textgreater{}"
    )
    assert latex_text("∇ é") == "{[}U+2207{]} é"


def test_a_whole_table_in_markdown():
    runs = [run(seed, {"variant.name": "wgan"}, scores={"fid": fid}) for seed, fid in enumerate((10.0, 11.0, 12.0))]
    runs += [run(seed, {"variant.name": "gan"}, scores={"fid": fid}) for seed, fid in enumerate((30.0, 31.0, 32.0))]
    runs += [run(5, {"variant.name": "gan"}, status="diverged")]
    text = markdown(board_of(runs, metrics=["fid"]))
    assert text.startswith("## digits at 32 x 32, 1,000 generator updates, digits-v1\n\n| rank | group | seeds |")
    rows = list(markdown_rows(text))
    assert rows[0][:6] == ["rank", "group", "seeds", "fid ↓", "best fid ↓", "differs"]
    assert rows[2][:6] == ["1", "wgan", "3", "11.0 ± 2.5", "9.9 ± 2.2", "best"]
    assert rows[3][:6] == ["2", "gan", "3", "31.0 ± 2.5", "27.9 ± 2.2", "yes (p &lt; 0.0001)"]
    assert rows[3][-1] == "3 done, 1 diverged" and rows[4][1] == "(real samples)"


def test_the_best_of_another_score_than_the_primary_is_named_for_what_it_is():
    """The best checkpoint is that of the best FID, and its KID need not be the best."""
    runs = [run(seed) for seed in range(2)]
    (table,) = board_of(runs, metrics=["kid"]).tables
    assert "kid ↓ at best fid" in cells_of(table).columns and "best kid ↓" not in cells_of(table).columns
    assert "kid ↓ at best fid" in fitting(cells_of(table), 200)[0].columns
    (table,) = board_of(runs, metrics=["fid"]).tables
    assert "best fid ↓" in cells_of(table).columns


def test_texts_of_tests_and_intervals():
    board = board_of([run(seed, {"variant.name": name}) for name in ("gan", "wgan") for seed in (0, 1)])
    (table,) = board.tables
    assert [shown_test(group.standings["fid"]) for group in table.groups] == ["best", "no (p = 1)"]
    assert shown_test(None) == ""
    assert shown_interval(Interval(0.000123456, 0.000122, 0.000124912, 3)) == "0.0001235 ± 0.0000015"
    assert shown_interval(Interval(123456.0, 120000.0, 126912.0, 3)) == "123456 ± 3456"
    assert shown_interval(Interval(2.0, 2.0, 2.0, 3)) == "2 ± 0"
    assert shown_interval(Interval(1e300, -1e300, 3e300, 2)) == "1e+300 ± 2e+300"


def test_columns_without_anything_are_left_out():
    (table,) = board_of([run(0)]).tables
    assert "GPU hours" not in cells_of(table).columns and "CPU hours" in cells_of(table).columns


def test_thousands_of_footnotes_are_told_by_their_number():
    notes = [Footnote(source=f"runs/{number}", problem="x" * 1000) for number in range(2000)]
    board = board_of([], notes)
    text = markdown(board)
    assert text.count("\n- ") == MOST_FOOTNOTES + 1 and f"and {2000 - MOST_FOOTNOTES:,} more" in text
    assert len(json.loads(json_text(board))["footnotes"]) == 2000 and "x" * (LONGEST + 1) not in text


@pytest.mark.parametrize("width", [20, 60, 80, 120, 400])
def test_a_terminal_has_the_columns_that_fit_it(width):
    (table,) = board_of([run(seed, {"variant.name": name}) for name in ("gan", "wgan") for seed in (0, 1)]).tables
    cells = cells_of(table)
    shown, left_out = fitting(cells, width)
    assert sorted([*shown.columns, *left_out]) == sorted(cells.columns)
    wide = sum(2 + max(len(row[place]) for row in (shown.columns, *shown.rows)) for place in range(len(shown.columns)))
    assert wide <= max(width, 2 + len("(real samples)"))
    assert {20: "group", 60: "fid ↓", 80: "status", 120: "best fid ↓", 400: "parameters"}[width] in shown.columns
    assert (left_out == []) == (width == 400)
