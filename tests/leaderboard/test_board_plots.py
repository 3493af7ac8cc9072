"""Scores during training are those of the runs' metrics.jsonl, with Student's intervals; grids are the runs' own."""

import base64
import io
import json
import random

import numpy as np
import pytest
from made_boards import EVIL, left_behind, made_run, usual_board
from PIL import Image
from scipy import stats

from ganzoo.leaderboard.board import Run
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.plots import MOST_POINTS, line_of, plots_of, read_scores
from ganzoo.leaderboard.sample_grids import MOST_GRIDS, SIDE, grids_of


def logged(run: Run, fids: dict[int, object], images: int = 64, seconds: float = 0.1) -> Run:
    """The run's directory with these scores by generator updates."""
    run.path.mkdir(parents=True, exist_ok=True)
    lines = [
        {"generator_updates": at, "images_seen": images * at, "seconds": seconds * at, "evaluation/fid": fid}
        for at, fid in fids.items()
    ]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def test_the_line_is_the_mean_and_the_band_the_interval(tmp_path):
    values = [{0: 400.0, 50: 30.0, 100: 9.0}, {0: 410.0, 50: 20.0, 100: 11.0}, {0: 405.0, 50: 25.0, 100: 10.0}]
    runs = [
        logged(made_run(tmp_path / str(seed), seed=seed), fids, seconds=0.1 * (1 + seed))
        for seed, fids in enumerate(values)
    ]
    (table,) = board_of(runs).tables
    updates, seconds = plots_of(table)["fid"]
    band, line = updates.figure.data
    assert list(line.x) == [0, 50, 100] and list(line.y) == pytest.approx([405, 25, 10])
    half = [stats.t.ppf(0.975, 2) * np.std([run[at] for run in values], ddof=1) / 3**0.5 for at in (0, 50, 100)]
    highs, lows = np.array(band.y[:3]), np.array(band.y[3:])[::-1]
    assert highs == pytest.approx(np.array(line.y) + half, rel=1e-5)
    assert lows == pytest.approx(np.maximum(np.array(line.y) - half, np.array(line.y) / 10), rel=1e-5)
    assert updates.figure.layout.yaxis.type == "log"  # from 10 to 405
    assert list(seconds.figure.data[1].x) == pytest.approx([0, 10, 20])  # the mean of 0.1, 0.2 and 0.3 s an update


def test_near_values_have_a_linear_axis_and_one_seed_has_no_band(tmp_path):
    (table,) = board_of([logged(made_run(tmp_path / "a"), {0: 20.0, 10: 10.0})]).tables
    figure = plots_of(table)["fid"][0].figure
    assert len(figure.data) == 1 and figure.layout.yaxis.type is None


def test_images_have_an_axis_where_they_differ(tmp_path):
    runs = [
        logged(made_run(tmp_path / "a"), {0: 9.0, 10: 8.0}),
        logged(made_run(tmp_path / "b", "hinge"), {0: 9.0, 10: 8.0}),
    ]
    (table,) = board_of(runs).tables
    assert [plot.title for plot in plots_of(table)["fid"]] == [
        "fid over generator updates",
        "fid over the time of training",
    ]
    logged(runs[1], {0: 9.0, 10: 8.0}, images=320)
    assert plots_of(table)["fid"][1].title == "fid over images seen"


def test_only_what_every_seed_has_is_drawn(tmp_path):
    """Of a mean over other seeds at each place nobody could say what it shows."""
    runs = [
        logged(made_run(tmp_path / "0", seed=0), {0: 9.0, 10: 8.0, 20: 7.0}),
        logged(made_run(tmp_path / "1", seed=1), {0: 9.0, 20: 5.0, 30: 4.0}),
        made_run(tmp_path / "2", seed=2),  # it has no file
    ]
    (group,) = board_of(runs).tables[0].groups
    assert [(point.generator_updates, point.scores["fid"].mean) for point in line_of(group).points] == [
        (0, 9.0),
        (20, 6.0),
    ]


def test_of_how_many_seeds_a_line_is_the_plot_tells(tmp_path):
    fids = {0: 9.0, 10: 8.0}
    full = [logged(made_run(tmp_path / f"a{seed}", "a", seed, 1.0), fids) for seed in range(3)]
    some = [logged(made_run(tmp_path / f"b{seed}", "b", seed, 2.0), fids) for seed in range(2)]
    some.append(made_run(tmp_path / "b2", "b", 2, 2.0))  # it has no file
    single = [logged(made_run(tmp_path / "c", "c", 0, 3.0), fids)]
    switch = " A click on a name in the legend shows or hides its line."

    def about(*runs):
        return plots_of(board_of(runs).tables[0])["fid"][0].about

    assert about(*full) == "Mean over seeds with its 95 % interval."
    assert about(*full, *some, *single) == (
        f"Mean over seeds with its 95 % interval. Of fewer: b (2 of 3 seeds), c (1 seed).{switch}"
    )
    assert about(*single) == "One seed a line: no mean and no interval."
    few = [logged(made_run(tmp_path / "d0", "d", 0), fids), made_run(tmp_path / "d1", "d", 1)]
    assert about(*few) == "One seed a line: no mean and no interval. Of fewer: dcgan (1 of 2 seeds).".replace(
        "dcgan", "d"
    )


def test_long_lines_are_thinned_from_the_first_to_the_last(tmp_path):
    run = logged(made_run(tmp_path / "a"), {at: 1.0 + at for at in range(0, 10_000, 7)})
    (group,) = board_of([run]).tables[0].groups
    places = [point.generator_updates for point in line_of(group).points]
    assert len(places) == MOST_POINTS and places[0] == 0 and places[-1] == 9996 and places == sorted(places)


def test_what_cannot_be_read_is_passed_over(tmp_path):
    path = tmp_path / "metrics.jsonl"
    good = '{"generator_updates": 5, "images_seen": 10, "seconds": 1, "evaluation/fid": %s}\n'
    broken = (
        b'{"generator_updates": 6, "evaluation/fid": \xff}\n[1, "evaluation/"]\n{"generator_updates": 7, "evaluation/f'
    )
    path.write_bytes((good % 3.5 + good % '"nan"' + good % 4.5).encode() + broken)
    assert read_scores(path) == {5: {"generator_updates": 5.0, "images_seen": 10.0, "seconds": 1.0, "fid": 4.5}}
    assert read_scores(tmp_path / "gone") == read_scores(tmp_path) == {}


def test_of_many_groups_the_first_fifty_are_drawn(tmp_path):
    runs = [logged(made_run(tmp_path / str(at), f"v{at}", 0, 1.0 + at), {0: 99.0, 9: 1.0 + at}) for at in range(60)]
    plot = plots_of(board_of(runs).tables[0])["fid"][0]
    assert [trace.name for trace in plot.figure.data] == [f"v{at}" for at in range(50)]
    assert "The first 50 of 60 groups." in plot.about
    assert [trace.visible for trace in plot.figure.data] == [True] * 8 + ["legendonly"] * 42


def test_plotly_takes_no_name_for_its_tags(tmp_path):
    runs = [
        logged(made_run(tmp_path / name, tag), {0: 9.0, 9: 8.0}) for name, tag in (("a", EVIL), ("b", "<b>bold</b>"))
    ]
    names = {trace.name for trace in plots_of(board_of(runs).tables[0])["fid"][0].figure.data}
    assert "&lt;b&gt;bold&lt;/b&gt;" in names and not any("<" in name for name in names)


def test_grids_without_a_common_seed(tmp_path):
    runs = [
        left_behind(made_run(tmp_path / f"{name}{seed}", name, seed))
        for name, seed in (("a", 3), ("b", 5), ("c", 5), ("b", 1))
    ]
    grids, left_out = grids_of(board_of(runs).tables[0].groups)
    assert {grid.group.label: grid.run.seed for grid in grids} == {"a": 3, "b": 5, "c": 5} and left_out == ""


def test_large_grids_become_smaller(tmp_path):
    run = left_behind(made_run(tmp_path / "a"))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1000, 3), np.uint8))
    noise.save(run.path / "samples" / "00000500.png")
    ((grid,), _) = grids_of(board_of([run]).tables[0].groups)
    kind, _, content = grid.uri.partition(",")
    assert kind == "data:image/jpeg;base64" and grid.generator_updates == 500
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (round(SIDE * 2 / 3), SIDE)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_pictures_that_are_none(tmp_path, content):
    runs = [left_behind(made_run(tmp_path / name, name)) for name in "ab"]
    (runs[0].path / "samples" / "00000400.png").write_bytes(content)
    grids, left_out = grids_of(board_of(runs).tables[0].groups)
    assert [grid.group.label for grid in grids] == ["b"]
    assert left_out == "Left out of 2 groups (1: pictures that cannot be read)."


def test_of_many_grids_the_first_are_shown(tmp_path):
    runs = [left_behind(made_run(tmp_path / str(at), f"v{at}", 0, 1.0 + at)) for at in range(MOST_GRIDS + 6)]
    grids, left_out = grids_of(board_of(runs).tables[0].groups)
    assert len(grids) == MOST_GRIDS and left_out == "Left out of 70 groups (6: only the first 64 groups are shown)."


def test_grids_that_would_be_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.leaderboard.sample_grids.MOST_BYTES", 1000)
    grids, left_out = grids_of(usual_board(tmp_path).tables[0].groups)
    assert 0 < sum(len(grid.uri) for grid in grids) <= 1000 and "the page would be larger" in left_out


def test_the_order_of_reading_does_not_matter(tmp_path):
    """The same runs give the same page."""
    values = list(range(0, 50, 10))
    run = made_run(tmp_path / "a")
    before = line_of(board_of([logged(run, {at: 1.0 + at for at in values})]).tables[0].groups[0])
    random.Random(0).shuffle(values)
    assert line_of(board_of([logged(run, {at: 1.0 + at for at in values})]).tables[0].groups[0]) == before
