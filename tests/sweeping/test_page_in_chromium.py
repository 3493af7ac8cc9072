"""The page of a sweep in a real browser, from a file: address."""

import time

import pytest
from chromium import Browser
from hand_written import sweep_in, write_run

from ganzoo.sweeping.page import write_page
from ganzoo.sweeping.states import States

pytest_plugins = ["chromium_fixtures"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_its_plots_are_drawn_without_a_request(browser: Browser, tmp_path, width, scheme):
    sweep = sweep_in(tmp_path)
    for trial in sweep:
        write_run(trial, "done", (50.0, 5.0 + trial.number))
    write_page(States(sweep), tmp_path / "sweep.html")
    browser.open(tmp_path / "sweep.html", width, scheme=scheme)
    plots = browser.all(".plot")
    for plot in plots:
        browser.script("arguments[0].scrollIntoView()", plot)
        end = time.monotonic() + 20
        while "js-plotly-plot" not in plot.get_attribute("class") and time.monotonic() < end:
            time.sleep(0.05)
    assert [plot.get_attribute("class") for plot in plots] == ["plot js-plotly-plot"] * 4
    assert browser.said() == [] and {each.partition(":")[0] for each in browser.requests()} == {"file"}
    assert browser.script("return document.documentElement.scrollWidth") <= width
