"""The page of a sweep: nothing is loaded, nothing of a trial is taken for HTML, and the plots are of these trials."""

from collections.abc import Callable
from typing import Any

import pytest
from hand_written import FID, RATES, line, sweep_in, write_run
from html_page import Page
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ganzoo.errors import GanzooError
from ganzoo.sweeping.page import write_page
from ganzoo.sweeping.plots import Point, axes_of, plots_of
from ganzoo.sweeping.states import States
from ganzoo.sweeping.trials import Sweep, Trial

EVIL = "</script><script>alert('x')</script><img src=http://evil.example/x>"


def page_of(sweep: Sweep) -> Page:
    path = sweep.runs / "deep" / "sweep.html"
    write_page(States(sweep), path)
    return Page(path.read_text())


def fill(sweep: Sweep, value_of: Callable[[Trial], float], status: str = "done") -> None:
    for trial in sweep:
        write_run(trial, status, (50.0, value_of(trial)))


def rate(trial: Trial) -> float:
    return trial.parameters["optimizer.generator.lr"]


@pytest.fixture
def sweep(tmp_path):
    """Nine done trials, of which the learning rate decides, and one that failed in an ugly way."""
    sweep = sweep_in(tmp_path, run_cap=10)
    for trial in list(sweep)[:9]:
        write_run(trial, "done", (50.0, 5 + 100 * rate(trial)))
    write_run(sweep[9], "failed", (7.0,), reason=EVIL)
    return sweep


def test_the_page_loads_nothing(sweep, capfd):
    page = page_of(sweep)
    assert page.loads == []
    assert "link" not in page.tags and "img" not in page.tags and "iframe" not in page.tags
    written = (sweep.runs / "deep" / "sweep.html").read_text()
    style = written[written.index("<style>") : written.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert written.count("<script") == written.count("</script>") == page.tags.count("script")
    assert capfd.readouterr() == ("", "")  # Optuna has much to say


def test_every_trial_is_in_the_table(sweep):
    rows = page_of(sweep).rows[1:]
    assert [row[0] for row in rows] == [f"{number:04d}" for number in range(10)]
    assert rows[2][1:6] == ["done", f"{5 + 100 * rate(sweep[2]):.5g}", "20/100", "2.0 s", str(rate(sweep[2]))]
    assert rows[9][1] == "failed" and rows[9][-2] == EVIL and rows[9][-1] == str(sweep[9].directory)


def test_the_plots_are_of_these_trials(sweep):
    titles = [plot.title for plot in shown_plots(sweep)]
    assert titles == [
        "Parallel coordinates",
        "Parameter importance",
        "Each parameter by itself",
        f"{FID} during training",
    ]
    figures = page_of(sweep).figures
    assert len(figures) == 4
    (lr,) = [trace for trace in figures[2].data if trace.name == "lr" or trace.xaxis == "x2"]
    assert set(zip(lr.x, lr.y, strict=True)) == {(rate(trial), 5 + 100 * rate(trial)) for trial in list(sweep)[:9]}
    assert figures[2].layout.xaxis2.type == "log"
    assert len(figures[3].data) == 9  # the failed one has no curve


def shown_plots(sweep: Sweep) -> list[Any]:
    states = States(sweep)
    states.refresh()
    return plots_of(states)


@pytest.mark.parametrize("key", ["optimizer.generator.lr", "variant.latent_dim"])
def test_what_matters_is_what_the_trials_differ_in(tmp_path, key):
    parameters = {"optimizer.generator.lr": {"min": 0.1, "max": 1.0}, "variant.latent_dim": {"values": [2, 4, 8, 16]}}
    sweep = sweep_in(tmp_path, run_cap=30, parameters=parameters)
    fill(sweep, lambda trial: 5.0 + trial.parameters[key])
    (importance,) = [plot for plot in shown_plots(sweep) if plot.title == "Parameter importance"]
    shares = dict(zip(importance.figure.data[0].y, importance.figure.data[0].x, strict=True))
    assert shares.pop(key.rpartition(".")[2]) > 0.9 and len(shares) == 1


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_the_best_line_has_the_colour_of_the_best(tmp_path, goal):
    sweep = sweep_in(tmp_path, metric={"name": FID, "goal": goal})
    fill(sweep, lambda trial: 5.0 + trial.number)
    lines = [trace for trace in shown_plots(sweep)[0].figure.data if trace.mode == "lines"]
    best = (min if goal == "minimize" else max)(lines, key=lambda trace: trace.y[0])
    assert best.line.color == "rgb(22, 115, 200)"
    assert len({trace.line.color for trace in lines}) == 10


def test_values_far_apart_are_drawn_by_their_logarithms(tmp_path):
    sweep = sweep_in(tmp_path)
    fill(sweep, lambda trial: 10.0 ** (trial.number / 3))
    plots = shown_plots(sweep)
    assert f"log10 {FID}" in plots[1].about
    assert plots[2].figure.layout.yaxis.type == "log"
    assert "log10" not in page_of(sweep_near(tmp_path / "near")).text


def sweep_near(folder):
    folder.mkdir()
    sweep = sweep_in(folder)
    fill(sweep, lambda trial: 10.0 + trial.number)
    return sweep


def test_the_seed_is_no_axis(tmp_path):
    parameters = {"optimizer.generator.lr": {"values": [0.1, 0.2]}, "seeds": {"value": 3}}
    sweep = sweep_in(tmp_path, method="grid", parameters=parameters, run_cap=None)
    fill(sweep, lambda trial: 5.0 + trial.number)
    coordinates, importance, slices, _ = shown_plots(sweep)
    assert len(coordinates.figure.layout.xaxis.ticktext) == 2 and len(slices.figure.data[0].x) == 6
    assert importance.figure is None and importance.about.startswith("Only lr varies")
    assert {row[6] for row in page_of(sweep).rows[1:]} == {"0", "1", "2"}  # and in the table


def test_axes(tmp_path):
    parameters = {
        "rate": RATES,
        "level": {"min": 0.0, "max": 1.0},
        "width": {"values": [1, 4, 64]},
        "depth": {"values": [1, 2, 3]},
        "norm": {"values": ["none", None, "batch"]},
        "flag": {"values": [True, False]},
        "mixed": {"values": [1, "two"]},
        "betas": {"values": [[0.0, 0.9], {"name": "x"}]},
        "same": {"values": ["a", "b"]},
        "quantised": {"distribution": "q_log_uniform_values", "min": 0.001, "max": 5.0, "q": 1.0},
    }
    sweep = sweep_in(tmp_path, method="bayes", parameters=parameters, run_cap=None)
    given = [
        {"rate": 1e-4, "level": 0.5, "width": 64, "depth": 1, "norm": "none", "flag": True, "mixed": 1, "same": "a"},
        {"rate": 1e-2, "level": 0.1, "width": 1, "depth": 3, "norm": None, "flag": False, "mixed": "two", "same": "a"},
    ]
    given[0] |= {"betas": [0.0, 0.9], "quantised": 0.0}
    given[1] |= {"betas": {"name": "x"}, "quantised": 3.0}
    for number, values in enumerate(given):
        write_run(sweep.trial(number, values), "done", (3.0 + number,))
    states = States(sweep)
    points = [Point(state, states.varied(state.trial)) for state in states.refresh()]
    assert axes_of(points, {path[0]: each for path, each in sweep.file.parameters.items()}) == {
        "rate": FloatDistribution(1e-4, 1e-2, log=True),
        "level": FloatDistribution(0.1, 0.5),
        "width": IntDistribution(1, 64, log=True),
        "depth": IntDistribution(1, 3),
        "norm": CategoricalDistribution(("none", "None")),
        "flag": CategoricalDistribution(("True", "False")),
        "mixed": CategoricalDistribution(("1", "two")),
        "betas": CategoricalDistribution(("[0.0, 0.9]", "{name: x}")),
        "quantised": FloatDistribution(0.0, 3.0),  # 0 has no logarithm
    }
    assert len([plot for plot in plots_of(states) if plot.figure]) == 5


def test_a_search_shows_how_it_went_and_trials_keep_their_numbers(tmp_path):
    sweep = sweep_in(tmp_path, method="bayes", run_cap=20)
    for number in (2, 5, 11):
        trial = sweep.trial(number, {"optimizer.generator.lr": number / 100, "variant.latent_dim": 2})
        write_run(trial, "done", (30.0, 4.0 + number))
    (history,) = [plot for plot in shown_plots(sweep) if plot.title == "The search"]
    points = history.figure.data[0]
    assert list(zip(points.x, points.y, strict=True)) == [(2, 6.0), (5, 9.0), (11, 15.0)]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], "At least two trials"),
        ([3.0], "At least two trials"),
        ([3.0, 3.0, 3.0], "All trials have the same evaluation/fid"),
        ([-1.0, 0.0, 1.0], "So few trials tell little"),
        ([1e300, 1e-300, 1.0], "So few trials tell little"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path, values, says):
    sweep = sweep_in(tmp_path)
    for number, value in enumerate(values):
        write_run(sweep[number], "done", (value,))
    write_run(sweep[len(values)], "diverged", ())
    page = page_of(sweep)
    assert says in page.text and len(page.rows) == 11


def test_a_sweep_without_a_metric(tmp_path):
    sweep = sweep_in(tmp_path, metric=None)
    write_run(sweep[0], "done")
    page = page_of(sweep)
    assert "names no metric" in page.text and page.figures == [] and page.rows[1][1] == "done"


def test_no_value_becomes_a_tag(tmp_path):
    parameters = {"name": {"values": [EVIL, "b"]}, "seed": {"values": [1, 2]}}
    metric = {"name": EVIL}
    sweep = sweep_in(tmp_path, method="grid", parameters=parameters, run_cap=None, name=EVIL, metric=metric)
    for trial in sweep:
        write_run(trial, "done")
        trial.run.metrics.write_text(line(10, 1.0 + trial.number, name=EVIL))
    page = page_of(sweep)
    assert page.loads == [] and "img" not in page.tags and len(page.figures) == 3
    assert EVIL in page.rows[1]


def test_where_it_cannot_be_written(sweep):
    (sweep.runs / "file").write_text("")
    with pytest.raises(GanzooError, match="cannot be written"):
        write_page(States(sweep), sweep.runs / "file" / "sweep.html")
