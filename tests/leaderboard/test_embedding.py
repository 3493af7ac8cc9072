"""Tables between markers in a Markdown file: `--check` and `--update`."""

import json
import re

import pytest
from click.testing import CliRunner
from made_runs import record_of, write_run

from ganzoo.cli import main
from ganzoo.errors import InputError
from ganzoo.leaderboard.embedding import END, sections_of

MARKER = "<!-- ganzoo leaderboard runs --metric fid -->"
TEXT = f"# Results\n\n{MARKER}\n{END}\n\nbelow\n"


def ganzoo(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def page(tmp_path):
    for seed, fid in enumerate((10.0, 11.0, 12.0)):
        write_run(tmp_path / "docs" / "runs" / f"run{seed}", record_of(seed, scores={"fid": fid}))
    path = tmp_path / "docs" / "results.md"
    path.write_text(TEXT)
    return path


def test_update_writes_and_check_agrees_until_a_run_is_new(page):
    stale = ganzoo("leaderboard", "--check", page)
    assert stale.exit_code == 1 and "out of date" in stale.stderr and "runs --metric fid" in stale.stderr
    assert page.read_text() == TEXT
    done = ganzoo("leaderboard", "--update", page)
    assert done.exit_code == 0 and "written anew" in done.stdout
    text = page.read_text()
    assert text.startswith(f"# Results\n\n{MARKER}\n\n") and text.endswith(f"\n\n{END}\n\nbelow\n")
    assert "| 1 | dcgan | 3 | 11.0 ± 2.5 | 9.9 ± 2.2 | best |" in text and "kid" not in text
    assert ganzoo("leaderboard", "--check", page).exit_code == 0
    assert ganzoo("leaderboard", "--update", page).stdout == "" and page.read_text() == text
    write_run(page.parent / "runs" / "new", record_of(3))
    assert ganzoo("leaderboard", "--check", page).exit_code == 1


def test_the_folder_is_relative_to_the_file_and_so_are_footnotes(page, monkeypatch, tmp_path):
    (page.parent / "runs" / "run0" / "record.json").write_text("{")
    ganzoo("leaderboard", "--update", page)
    assert "\n- runs/run0: record.json is cut short" in page.read_text()
    monkeypatch.chdir(page.parent)
    assert ganzoo("leaderboard", "--check", "results.md").exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert ganzoo("leaderboard", "--check", "docs/results.md").exit_code == 0


def test_several_tables_of_which_one_is_out_of_date(page):
    other = "<!-- ganzoo leaderboard runs --metric kid --where 'variant.name=dcgan' -->"
    page.write_text(f"{TEXT}{other}\n{END}\n")
    ganzoo("leaderboard", "--update", page)
    text = page.read_text()
    assert text.count(END) == 2 and "| kid ↓ |" in text
    page.write_text(text.replace("| kid ↓ |", "| kid |"))
    stale = ganzoo("leaderboard", "--check", page)
    assert "--metric kid" in stale.stderr and "--metric fid" not in stale.stderr
    ganzoo("leaderboard", "--update", page)
    assert page.read_text() == text


def test_lines_end_as_in_the_file(page):
    page.write_bytes(TEXT.replace("\n", "\r\n").encode())
    ganzoo("leaderboard", "--update", page)
    content = page.read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") and ganzoo("leaderboard", "--check", page).exit_code == 0


def test_hostile_names_cannot_end_a_table(page):
    write_run(page.parent / "runs" / "evil", record_of(0, {"variant.name": f"x\n{END}\n{MARKER}"}))
    ganzoo("leaderboard", "--update", page)
    assert page.read_text().count(END) == 1 and page.read_text().count(MARKER) == 1
    assert ganzoo("leaderboard", "--check", page).exit_code == 0


def test_what_is_in_a_block_of_code_is_an_example(page):
    page.write_text(f"```html\n{MARKER}\n{END}\n```\n~~~\n{MARKER}\n~~~\n{TEXT}")
    lines = page.read_text().split("\n")
    (section,) = sections_of(lines, page, "leaderboard")
    assert section.words == ["runs", "--metric", "fid"] and lines[section.start - 1] == MARKER
    assert lines[section.stop] == END and section.start > 7


@pytest.mark.parametrize(
    "marker, end",
    [
        (f"   {MARKER}", END),
        ("<!--ganzoo leaderboard runs --metric fid-->", "<!--end-->"),
        ("<!--  ganzoo  leaderboard  runs --metric fid  -->  ", f"  {END}"),
    ],
)
def test_markers_may_be_written_in_other_ways(page, marker, end):
    page.write_text(f"{marker}\n{end}\nbelow\n")
    assert ganzoo("leaderboard", "--check", page).exit_code == 1
    assert ganzoo("leaderboard", "--update", page).exit_code == 0
    text = page.read_text()
    assert text.startswith(f"{marker}\n\n**digits") and text.endswith(f"\n\n{end}\nbelow\n")
    assert ganzoo("leaderboard", "--check", page).exit_code == 0


def test_four_spaces_make_a_marker_code(page):
    assert not list(sections_of([f"    {MARKER}", END], page, "leaderboard"))


def test_another_commands_markers_are_not_ours(page):
    lines = ["<!-- ganzoo reproduce x -->", END, "<!-- ganzoo leaderboards -->", END]
    assert not list(sections_of(lines, page, "leaderboard"))
    assert [section.words for section in sections_of(lines, page, "reproduce")] == [["x"]]


WRONG = {
    "no marker": ("# nothing\n", "there is no line"),
    "no end": (f"{MARKER}\n", "line 1: after .* there is no line"),
    "twice": (f"{MARKER}\n{MARKER}\n{END}\n", "line 2: a table begins, and the one of line 1 has no end"),
    "another command's before the end": (
        f"{MARKER}\nmine\n<!-- ganzoo reproduce x -->\n{END}\n",
        "line 3: a table begins, and the one of line 1 has no end",
    ),
    "quotes": (f"<!-- ganzoo leaderboard 'runs -->\n{END}\n", "line 1: No closing quotation"),
    "option": (f"<!-- ganzoo leaderboard runs --metrik fid -->\n{END}\n", "No such option"),
    "out": (f"<!-- ganzoo leaderboard runs --out x -->\n{END}\n", "takes no --out"),
    "format": (f"<!-- ganzoo leaderboard runs --format csv -->\n{END}\n", "takes no --format"),
    "help": (f"<!-- ganzoo leaderboard --help -->\n{END}\n", "says nothing about runs"),
    "folder": (f"<!-- ganzoo leaderboard nowhere -->\n{END}\n", "nowhere: no such folder"),
    "metric": (f"<!-- ganzoo leaderboard runs --metric fidd -->\n{END}\n", "did you mean 'fid'"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("option", ["--check", "--update"])
def test_what_is_wrong_in_the_file_is_told(page, name, option):
    text, told = WRONG[name]
    page.write_text(text)
    done = ganzoo("leaderboard", option, page)
    assert done.exit_code == 2 and re.search(told, done.stderr), done.stderr
    assert "Traceback" not in done.stderr and page.read_text() == text


@pytest.mark.parametrize("content, told", [(None, "no such file"), (b"\xff\xfe", "not UTF-8")])
def test_files_that_are_no_text(tmp_path, content, told):
    path = tmp_path / "x.md"
    if content is not None:
        path.write_bytes(content)
    done = ganzoo("leaderboard", "--check", path)
    assert done.exit_code == 2 and told in done.stderr


@pytest.mark.parametrize("more", [["runs"], ["--json"], ["--metric", "fid"], ["--out", "x"], ["--update", "y"]])
def test_check_goes_alone(page, more):
    done = ganzoo("leaderboard", "--check", page, *more)
    assert done.exit_code == 2 and "--check: goes alone" in done.stderr


def test_a_folder_in_the_place_of_a_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        from ganzoo.leaderboard.embedding import check

        check(tmp_path, "leaderboard", lambda words: json.dumps(words))
