"""The options of `ganzoo sweep`: what is no trial's number is told as such."""

import pytest
from click.testing import CliRunner
from conftest import ROOT

from ganzoo.cli import main

FILE = str(ROOT / "sweeps" / "digits_wgan_gp.yaml")


@pytest.mark.parametrize("text", ["x", "²", "7-4", "-1", "1-", "4-²", "1" * 5000, ""])
def test_what_is_no_range_of_trials_is_one_paragraph(text):
    done = CliRunner().invoke(main, ["sweep", FILE, f"--trials={text}", "--dry-run"])
    assert done.exit_code == 2 and "must be a trial's number or a range of them, such as 4-7" in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(("text", "numbers"), [("3", ["3"]), ("4-7", ["4", "5", "6", "7"]), ("11-11", ["11"])])
def test_ranges_of_trials(text, numbers, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(main, ["sweep", FILE, "--trials", text, "--dry-run"])
    assert [line.partition("\t")[0] for line in done.output.splitlines()[1:]] == numbers
