"""The page of a board in a real browser, from a file: address: it works, it is quiet, and it asks for nothing."""

import time
from pathlib import Path

import pytest
from chromium import Browser
from made_boards import EVIL, LONG, left_behind, made_run, usual_board
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from ganzoo.leaderboard.board import Board, Footnote
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.page import Section, write_page

pytest_plugins = ["chromium_fixtures"]

GROUPS = ".table tbody tr:not(.below) > td.name"


def written(board: Board, folder: Path, **more) -> Path:
    path = folder / "board" / "index.html"
    write_page(board, path, **more)
    return path


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> Path:
    """Five groups; tests do not change it."""
    folder = tmp_path_factory.mktemp("usual")
    return written(usual_board(folder / "runs"), folder)


@pytest.fixture
def page(browser: Browser, usual: Path) -> Browser:
    browser.open(usual)
    return browser


def groups(browser: Browser) -> list[str]:
    return browser.texts(GROUPS)


def head(browser: Browser, name: str):
    (found,) = [button for button in browser.all(".table thead th button") if button.text == name]
    return found


def sorting(browser: Browser) -> dict[str, str]:
    heads = browser.all(".table > .rows > table > thead th")
    return {each.text.split("\n")[0]: each.get_attribute("aria-sort") for each in heads}


def wait_for(condition, seconds: float = 20.0):
    """What the condition comes to, as soon as it is anything."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    assert found, "it did not happen"
    return found


def traces(plot: WebElement) -> list[WebElement]:
    return plot.find_elements(By.CSS_SELECTOR, ".scatterlayer .trace")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_quiet_and_asks_for_nothing(browser, usual, width, scheme):
    browser.open(usual, width, scheme=scheme)
    for plot in browser.all("div:not([hidden]) > .scrolls > .plot"):
        browser.script("arguments[0].scrollIntoView()", plot)
        wait_for(lambda plot=plot: len(traces(plot)) > 3)
    assert browser.said() == []
    assert {address.partition(":")[0] for address in browser.requests()} == {"file", "data"}
    page_width, window = browser.script("return [document.documentElement.scrollWidth, innerWidth]")
    assert page_width <= window == width
    background = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    paper = browser.script("return document.querySelector('.plot .main-svg').style.background")
    assert paper == background


def test_plots_follow_the_scheme(page):
    plot = page.all(".plot")[0]
    page.script("arguments[0].scrollIntoView()", plot)
    paper = "return document.querySelector('.plot .main-svg')?.style.background"
    wait_for(lambda: page.script(paper) == "rgb(255, 255, 255)")
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    wait_for(lambda: page.script(paper) == "rgb(20, 23, 26)")


def test_a_click_on_a_head_sorts_numbers_as_numbers(page):
    assert groups(page) == ["wgan_gp", "hinge", "dcgan", "lsgan", "wgan"]
    head(page, "fid").click()
    assert groups(page) == ["wgan_gp", "hinge", "dcgan", "lsgan", "wgan"] and sorting(page)["fid"] == "ascending"
    head(page, "fid").click()  # 11.0, 12.0, 41.3 and 90; what has none stays last
    assert groups(page) == ["lsgan", "dcgan", "hinge", "wgan_gp", "wgan"] and sorting(page)["fid"] == "descending"
    head(page, "precision").click()  # more is better: the best first
    assert groups(page) == ["wgan_gp", "hinge", "dcgan", "lsgan", "wgan"] and sorting(page)["precision"] == "descending"
    assert [name for name, order in sorting(page).items() if order != "none"] == ["precision"]
    head(page, "group").click()
    assert groups(page) == ["dcgan", "hinge", "lsgan", "wgan", "wgan_gp"]


def test_the_keyboard_sorts_and_opens(page):
    head(page, "group").send_keys(Keys.ENTER)
    assert groups(page)[0] == "dcgan"
    button = page.all("button.opens")[0]
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-expanded") == "true" and len(page.all("tr.below")) == 1
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-expanded") == "false" and page.all("tr.below") == []


def test_words_and_a_status_filter_the_rows(page):
    search, status = page.all(".table input")[0], Select(page.all(".table select")[0])
    search.send_keys("WGAN")
    assert groups(page) == ["wgan_gp", "wgan"] and page.texts(".table [role=status]") == ["2 of 5 rows"]
    search.send_keys(" 3")  # both words, anywhere in the row
    assert groups(page) == ["wgan_gp"]
    search.clear()
    status.select_by_visible_text("with diverged")
    assert groups(page) == ["hinge", "wgan"]
    head(page, "group").click()
    head(page, "group").click()
    assert groups(page) == ["wgan", "hinge"]
    status.select_by_visible_text("any status")
    assert len(groups(page)) == 5 and page.texts(".table [role=status]") == ["5 rows"]


def test_a_row_opens_to_its_runs(page, usual):
    page.all("button.opens")[1].click()
    rows = page.texts("tr.below tbody tr")
    assert [row.split()[:2] for row in rows] == [["0", "done"], ["1", "done"], ["2", "done"], ["3", "diverged"]]
    assert "the generator's loss is NaN" in rows[3]
    links = [link.get_attribute("href") for link in page.all("tr.below a")]
    assert links == [(usual.parent.parent / "runs" / "hinge" / str(seed)).as_uri() for seed in range(4)]
    head(page, "rank").click()  # it stays open
    assert len(page.all("tr.below")) == 1 and page.texts("button[aria-expanded=true]") == ["hinge"]
    (by_seed,) = [button for button in page.all("tr.below th button") if button.text == "seed"]
    by_seed.click()
    by_seed.click()
    assert [row.split()[0] for row in page.texts("tr.below tbody tr")] == ["3", "2", "1", "0"]


def test_two_configurations_are_compared(page):
    page.script("document.querySelector('.comparison').scrollIntoView()")
    one, other = (Select(select) for select in wait_for(lambda: page.all(".comparison select")))
    assert page.texts(".comparison tbody tr") == ["variant.name wgan_gp hinge"]
    one.select_by_visible_text("lsgan")
    assert page.texts(".comparison tbody tr") == ["variant.name lsgan hinge"]
    other.select_by_visible_text("lsgan")
    assert page.texts(".comparison .rows") == ["Their configurations are the same."]


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A group of 250 runs, 130 of one, and a table of another budget."""
    folder = tmp_path_factory.mktemp("many")
    runs = [made_run(folder / f"a{seed}", "a", seed, 1.0 + seed) for seed in range(250)]
    runs += [made_run(folder / f"v{at}", f"v{at}", 0, 500.0 + at) for at in range(130)]
    longer = {"asked_updates": 900, "generator_updates": 900, "budget.generator_updates": 900}
    return written(board_of([*runs, made_run(folder / "longer", "a", **longer)]), folder)


def test_a_row_of_many_runs_opens_to_the_first_and_a_button_brings_more(browser, many):
    browser.open(many)
    browser.all("button.opens")[0].click()
    assert len(browser.all("tr.below tbody tr")) == 100
    (more,) = browser.all("button.more")
    assert more.text == "100 more of 250 runs"
    more.send_keys(Keys.ENTER)
    assert len(browser.all("tr.below tbody tr")) == 200 and more.text == "50 more of 250 runs"
    more.send_keys(Keys.ENTER)
    seeds = [row.split()[0] for row in browser.texts("tr.below tbody tr")]
    assert seeds == [str(seed) for seed in range(250)] and not more.is_displayed()
    (by_seed,) = [button for button in browser.all("tr.below th button") if button.text == "seed"]
    by_seed.send_keys(Keys.ENTER)
    by_seed.send_keys(Keys.ENTER)
    assert browser.texts("tr.below tbody tr")[0].split()[0] == "249" and more.text == "100 more of 250 runs"


def test_a_tall_window_has_as_many_rows_as_it_has_place_for(browser, many):
    """Without scrolling, for there is nothing to scroll."""
    browser.open(many, height=20_000)
    assert len(groups(browser)) == 131 + 1
    browser.open(many, height=500)
    assert len(groups(browser)) == 100 + 1


def test_groups_of_several_tables_are_chosen_under_their_tables(browser, many):
    browser.open(many)
    browser.script("document.querySelector('.comparison').scrollIntoView()")
    one, other = wait_for(lambda: browser.all(".comparison select"))
    tables = one.find_elements(By.CSS_SELECTOR, "optgroup")
    assert [table.get_attribute("label") for table in tables] == [
        "digits, 400 generator updates, digits-v1",
        "digits, 900 generator updates, digits-v1",
    ]
    counts = [len(table.find_elements(By.CSS_SELECTOR, "option")) for table in tables]
    assert counts == [131, 1]
    Select(other).select_by_index(131)
    assert browser.texts(".comparison tbody tr") == ["budget.generator_updates 400 900"]


def test_plots_of_the_chosen_score(page):
    select = page.all("select.score")[0]
    assert [option.text for option in Select(select).options] == ["fid", "precision"]
    assert [each for each in page.texts("h3") if each] == [
        "fid over generator updates",
        "fid over the time of training",
    ]
    Select(select).select_by_visible_text("precision")
    shown = [each for each in page.texts("h3") if each]
    assert shown == ["precision over generator updates", "precision over the time of training"]
    plot = page.all("div:not([hidden]) > .scrolls > .plot")[0]
    page.script("arguments[0].scrollIntoView()", plot)
    names = wait_for(lambda: [each.text for each in plot.find_elements(By.CSS_SELECTOR, ".legendtext")])
    assert names == ["wgan_gp", "hinge", "dcgan", "lsgan"]


def shown_headings(browser: Browser) -> list[str]:
    return [text for text in browser.texts("h3") if text]


def test_hostile_names_are_text(browser, tmp_path):
    run = made_run(tmp_path / "a", EVIL, 0, name=EVIL, source=EVIL, reason=EVIL, hardware=EVIL, **{f"x.{EVIL}": EVIL})
    other = made_run(tmp_path / "b", LONG, 0, 30.0, reason=LONG, **{"data.name": "digits"})
    section = Section(heading=EVIL, about=[EVIL, LONG], head=[EVIL, "b"], rows=[[EVIL, LONG]])
    board = board_of([left_behind(run), left_behind(other)], [Footnote(source=EVIL, problem=LONG)])
    path = written(board, tmp_path, title=EVIL, sections=[section])
    browser.open(path, 390)
    for plot in browser.all("div:not([hidden]) > .scrolls > .plot"):
        browser.script("arguments[0].scrollIntoView()", plot)
    browser.script("document.querySelector('.comparison').scrollIntoView()")
    wait_for(lambda: browser.all(".comparison select") and browser.all(".legendtext"))
    for button in browser.all("button.opens"):
        button.click()
    assert browser.said() == [] and {each.partition(":")[0] for each in browser.requests()} == {"file", "data"}
    assert len(browser.all("img")) == 2 and browser.driver.title.startswith("</script>")
    legend = browser.script("return document.querySelector('.legendtext').textContent")
    assert legend.startswith("</script><script>")
    cell = browser.all("td[title^=xxxx]")[0]
    assert len(cell.text) == 121 and cell.get_attribute("title") == LONG
    whole = "return [...document.querySelectorAll('tr.below .whole')].some(e => e.innerText === arguments[0])"
    assert browser.script(whole, LONG) and not browser.script(whole, LONG[1:])  # the opened row has all of it
    assert browser.script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_ten_thousand_rows_sort_at_once(browser, tmp_path):
    order = [number * 7919 % 10_000 for number in range(10_000)]
    runs = [made_run(tmp_path / "runs" / str(at), f"v{at}", 0, 1.0 + fid) for at, fid in enumerate(order)]
    browser.open(written(board_of(runs), tmp_path))
    assert browser.texts(".table [role=status]") == ["10000 rows"] and browser.said() == []
    for name, first in (("group", "v0"), ("fid", f"v{order.index(0)}"), ("precision", f"v{order.index(0)}")):
        assert least_milliseconds(browser, name) < 1000
        assert groups(browser)[0] == first
    rows = len(groups(browser))
    browser.script("document.querySelector('.rows').scrollTop = 1e6")
    wait_for(lambda: len(browser.all(GROUPS)) > rows)  # the next ones, as one comes to the end
    browser.all(".table input")[0].send_keys("v77")
    assert browser.texts(".table [role=status]") == ["111 of 10000 rows"]  # v77, v770 to v779, v7700 to v7799


def least_milliseconds(browser: Browser, name: str) -> float:
    """From the click on a head until the rows are laid out: the least of three, since other work is done here too."""
    click = "const begun = performance.now(); arguments[0].click(); document.body.offsetHeight;"
    button = head(browser, name)
    return min(browser.script(f"{click} return performance.now() - begun", button) for _ in range(3))


@pytest.mark.slow
def test_real_runs(browser, command, tmp_path):
    """Two variants, trained for a moment, shown by the command."""
    tiny = ["data.batch_size=16", "generator.width=4", "discriminator.width=4", "tracking.wandb=disabled"]
    short = ["budget.generator_updates=4", "evaluation.every_generator_updates=2", "samples.every_generator_updates=2"]
    root = Path(__file__).parents[2] / "experiments" / "digits"
    for name in ("dcgan", "hinge"):
        assert command("train", root / f"{name}.yaml", *tiny, *short).returncode == 0
    assert command("leaderboard", "runs", "--out", "board").returncode == 0
    browser.open(tmp_path / "board" / "index.html")
    assert sorted(groups(browser)) == ["dcgan", "hinge"]
    assert browser.script("return [...document.querySelectorAll('.grids img')].map(e => e.naturalWidth)") == [274, 274]
    assert browser.said() == []
    browser.all("button.opens")[0].click()
    browser.all("tr.below a")[0].click()
    wait_for(lambda: "record.json" in browser.driver.page_source)  # the run's directory, as Chromium lists it
