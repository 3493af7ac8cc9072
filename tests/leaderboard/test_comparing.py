"""What is compared with what, and that the numbers are scipy's and statsmodels'."""

import numpy as np
import pytest
from made_runs import only, record_of, runs_of
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ganzoo.errors import InputError
from ganzoo.leaderboard.comparing import board_of
from ganzoo.leaderboard.filters import matching

FIDS = {"gan": [31.0, 33.5, 30.2], "wgan": [21.0, 20.1, 22.7, 21.9], "wgan_gp": [20.4, 21.5, 19.8]}


def three_variants():
    return runs_of(
        *(
            record_of(seed, {"variant.name": variant}, {"fid": fid, "inception_score": 100 - fid})
            for variant, fids in FIDS.items()
            for seed, fid in enumerate(fids)
        )
    )


def by_label(table):
    return {group.label: group for group in table.groups}


def test_runs_that_differ_in_the_seed_are_a_group_and_the_best_is_first():
    table = only(board_of(three_variants()))
    assert [group.label for group in table.groups] == ["wgan_gp", "wgan", "gan"]
    assert [group.seeds for group in table.groups] == [3, 4, 3]
    assert (table.primary, table.sorted_by, table.generator_updates) == ("fid", "rank", 1000)
    assert [metric.name for metric in table.metrics] == list(table.groups[0].standings)
    assert {metric.name: metric.lower_is_better for metric in table.metrics}["inception_score"] is False
    group = table.groups[0]
    assert (group.cpu_hours, group.gpu_hours, group.seconds, group.images_seen) == (0.01, None, 36.0, 64_000)
    assert group.parameters == {"generator": 8409, "discriminator": 337} and group.hardware == ("AMD EPYC, 2 cores",)


@pytest.mark.parametrize("metric, best", [("fid", "wgan_gp"), ("inception_score", "wgan_gp")])
def test_means_and_tests_are_those_of_scipy_and_statsmodels(metric, best):
    groups = by_label(only(board_of(three_variants())))
    values = {name: fids if metric == "fid" else [100 - fid for fid in fids] for name, fids in FIDS.items()}
    others = [name for name in values if name != best]
    raw = [stats.ttest_ind(values[name], values[best], equal_var=False).pvalue for name in others]
    corrected = dict(zip(others, multipletests(raw, method="holm")[1], strict=True))
    for name, group in groups.items():
        standing = group.standings[metric]
        low, high = stats.t.interval(
            0.95, len(values[name]) - 1, loc=np.mean(values[name]), scale=stats.sem(values[name])
        )
        assert (standing.last.mean, standing.last.low, standing.last.high) == pytest.approx(
            (np.mean(values[name]), low, high)
        )
        assert standing.best.mean == pytest.approx(0.9 * np.mean(values[name]))
        assert standing.p_value == (None if name == best else pytest.approx(corrected[name]))
        assert standing.distinguishable == (None if name == best else bool(corrected[name] < 0.05))
    assert groups["gan"].standings[metric].distinguishable is True
    assert groups["wgan"].standings[metric].distinguishable is False


def test_ranks_have_intervals_that_hold_them():
    groups = by_label(only(board_of(three_variants())))
    ranks = {label: group.standings["fid"] for label, group in groups.items()}
    assert {label: each.rank for label, each in ranks.items()} == {"gan": 3, "wgan": 2, "wgan_gp": 1}
    assert (ranks["gan"].rank_low, ranks["gan"].rank_high) == (3, 3)
    assert (ranks["wgan"].rank_low, ranks["wgan"].rank_high) == (1, 2)


def test_a_single_seed_has_no_interval_and_no_test_and_the_table_says_so():
    runs = runs_of(*(record_of(0, {"variant.name": variant}) for variant in ("gan", "wgan")))
    table = only(board_of(runs))
    for group in table.groups:
        standing = group.standings["fid"]
        assert (standing.last.half, standing.rank_low, standing.p_value, standing.distinguishable) == (None,) * 4
        assert standing.rank == 1  # the same score
    assert "Every group has one seed: no interval and no test." in table.notes


MIXED = [
    ({"evaluation.protocol": "digits-v2"}, "protocol (digits-v1; digits-v2)"),
    ({"budget.generator_updates": 4000}, "generator updates (1,000; 4,000)"),
    ({"data.resolution": 16}, "data.resolution (32; 16)"),
    ({"data.flip": True}, "data.flip (False; True)"),
]


@pytest.mark.parametrize("changes, why", MIXED)
def test_what_cannot_be_compared_has_a_table_of_its_own(changes, why):
    board = board_of(runs_of(record_of(0), record_of(1), record_of(0, changes)))
    assert [len(table.groups[0].runs) for table in board.tables] == [2, 1]
    assert why in board.notes[0]
    assert not board_of(runs_of(record_of(0), record_of(1))).notes


def test_the_whole_protocol_the_extractor_and_the_reference_count_not_just_their_names():
    records = [record_of(seed) for seed in range(4)]
    records[1]["evaluation"]["protocol"]["num_fake"] = 501
    records[2]["evaluation"]["extractor"]["weights_sha256"] = "f" * 64
    records[3]["evaluation"]["reference"]["sha256"] = "e" * 64
    assert len(board_of(runs_of(*records)).tables) == 4


MACHINE = [
    {"data.num_workers": 4},
    {"data.root": "/elsewhere"},
    {"trainer.devices": 2},
    {"trainer.accelerator": "cuda"},
    {"tracking.wandb": "disabled"},
    {"checkpoint.every_generator_updates": 7},
    {"samples.count": 4},
    {"name": "another-name"},
]


@pytest.mark.parametrize("changes", MACHINE, ids=str)
def test_what_the_machine_decides_makes_no_other_group(changes):
    table = only(board_of(runs_of(record_of(0), record_of(1, changes))))
    assert [group.seeds for group in table.groups] == [2]


OTHER_GROUP = [{"variant.n_critic": 2}, {"data.batch_size": 32}, {"trainer.precision": "bf16-mixed"}, {"ema": {}}]


@pytest.mark.parametrize("changes", OTHER_GROUP, ids=str)
def test_what_changes_the_training_makes_another_group_of_the_same_table(changes):
    table = only(board_of(runs_of(record_of(0), record_of(1, changes))))
    assert [group.seeds for group in table.groups] == [1, 1]
    assert len({group.label for group in table.groups}) == 2


def test_of_the_same_seed_the_latest_counts_and_a_note_says_so():
    early = record_of(0, scores={"fid": 99.0}, ended="2026-01-01T00:00:00+00:00")
    late = record_of(0, scores={"fid": 5.0}, ended="2026-02-01T00:00:00+00:00")
    for records in ([early, late], [late, early]):
        table = only(board_of(runs_of(*records)))
        (group,) = table.groups
        assert (group.seeds, group.counts, group.standings["fid"].last.mean) == (1, {"done": 2}, 5.0)
        assert any(note.startswith("Runs that repeat a seed") for note in table.notes)


def test_diverged_and_failed_runs_are_counted_and_in_no_mean():
    runs = runs_of(
        record_of(0, scores={"fid": 10.0}),
        record_of(1, scores={"fid": 1000.0}, status="diverged"),
        record_of(2, status="failed", evaluation=None),
        record_of(0, {"variant.name": "gan"}, status="diverged", evaluation=None),
    )
    table = only(board_of(runs))
    assert [group.label for group in table.groups] == ["dcgan", "gan"]
    assert table.groups[0].counts == {"done": 1, "diverged": 1, "failed": 1}
    assert table.groups[0].standings["fid"].last.mean == 10.0
    assert (table.groups[1].seeds, table.groups[1].counts, table.groups[1].standings) == (0, {"diverged": 1}, {})


def test_a_run_that_ended_at_another_budget_is_in_no_mean():
    short = record_of(1, scores={"fid": 1000.0}, budget={"generator_updates": 1500, "images_seen": 1})
    table = only(board_of(runs_of(record_of(0, scores={"fid": 10.0}), short)))
    assert table.groups[0].standings["fid"].last.mean == 10.0
    assert "Runs that ended before or after their budget are not in the means: of dcgan." in table.notes


def test_a_score_that_is_no_number_is_in_no_mean_and_a_note_says_so():
    table = only(board_of(runs_of(record_of(0, scores={"fid": float("nan")}), record_of(1, scores={"fid": 3.0}))))
    assert table.groups[0].standings["fid"].last.n == 1 and table.groups[0].standings["kid"].last.n == 2
    assert "Finished runs without a finite score are not in its mean: fid of dcgan (1)." in table.notes


def test_images_seen_are_a_column_and_a_note():
    record = record_of(0, {"variant.n_critic": 5})
    record["budget"]["images_seen"] *= 5
    table = only(board_of(runs_of(record_of(0), record)))
    assert table.images_seen == (64_000, 320_000)
    assert any("64,000 to 320,000 real images" in note for note in table.notes)


def test_hours_of_gpus_and_of_processes_are_apart():
    on_gpu = {"processor": "x", "cpu_count": 16, "gpus": ["NVIDIA H100", "NVIDIA H100"]}
    records = [record_of(0), record_of(1, hardware=on_gpu, ranks=[{"from_generator_update": 0, "ranks": 2}])]
    (group,) = only(board_of(runs_of(*records))).groups
    assert (group.cpu_hours, group.gpu_hours) == (0.01, 0.02)
    assert group.hardware == ("AMD EPYC, 2 cores", "2 x NVIDIA H100; x, 16 cores")


def test_group_by_puts_together_what_else_differs_and_says_so():
    runs = runs_of(*(record_of(seed, {"variant.n_critic": n}) for n in (1, 5) for seed in (0, 1)))
    table = only(board_of(runs, group_by=["variant.name"]))
    assert [group.label for group in table.groups] == ["dcgan"] and table.groups[0].seeds == 4
    assert any("differ in more than the seed" in note for note in table.notes)
    apart = only(board_of(runs, group_by=["variant.n_critic"]))
    assert {group.label for group in apart.groups} == {"n_critic=1", "n_critic=5"}
    assert not any("differ in more than the seed" in note for note in apart.notes)


@pytest.mark.parametrize(
    "sort, order",
    [
        (None, ["wgan_gp", "wgan", "gan"]),
        ("label", ["gan", "wgan", "wgan_gp"]),
        ("seeds", ["wgan", "wgan_gp", "gan"]),
        ("inception_score", ["wgan_gp", "wgan", "gan"]),
        ("best.inception_score", ["wgan_gp", "wgan", "gan"]),
        ("best.fid", ["wgan_gp", "wgan", "gan"]),
    ],
)
def test_sort(sort, order):
    table = only(board_of(three_variants(), sort=sort))
    assert [group.label for group in table.groups] == order and table.sorted_by == (sort or "rank")


def test_the_floor_is_that_of_a_run_that_has_one():
    without = record_of(0, status="diverged")
    without["evaluation"]["floor"] = {}
    other = record_of(1, status="diverged")
    other["evaluation"]["floor"] = {"fid": 77.0}
    table = only(board_of(runs_of(without, other, record_of(2))))
    assert table.floor["fid"] == 1.0  # of the finished one
    assert only(board_of(runs_of(without, other))).floor == {"fid": 77.0}
    assert only(board_of(runs_of(without))).floor == {}


def test_a_table_without_the_metric_that_was_asked_for_says_so():
    without = record_of(0, {"budget.generator_updates": 4000})
    del without["evaluation"]["last"]["scores"]["kid"]
    runs = runs_of(record_of(0), record_of(1), without)
    having, lacking = board_of(runs, metrics=["kid"]).tables
    assert ([metric.name for metric in having.metrics], having.primary) == (["kid"], "kid")
    assert (list(lacking.metrics), lacking.primary) == ([], None)
    assert "No finished run here has kid." in lacking.notes and not any("here has" in note for note in having.notes)
    _, lacking = board_of(runs, metrics=["kid", "fid"]).tables
    assert ([metric.name for metric in lacking.metrics], lacking.primary) == (["fid"], "fid")
    assert "No finished run here has kid." in lacking.notes


def test_means_that_only_rounding_tells_apart_share_a_rank():
    assert np.mean([0.1, 0.2]) != 0.15
    fids = {"gan": (0.1, 0.2), "wgan": (0.15, 0.15), "wgan_gp": (0.15, 0.150001)}
    records = [
        record_of(seed, {"variant.name": name}, {"fid": fid}) for name in fids for seed, fid in enumerate(fids[name])
    ]
    groups = by_label(only(board_of(runs_of(*records))))
    assert {label: group.standings["fid"].rank for label, group in groups.items()} == {
        "gan": 1,
        "wgan": 1,
        "wgan_gp": 3,
    }


def test_metric_chooses_the_columns_and_what_ranks():
    runs = runs_of(
        record_of(0, {"variant.name": "gan"}, {"fid": 1.0, "kid": 9.0}),
        record_of(0, {"variant.name": "wgan"}, {"fid": 2.0, "kid": 8.0}),
    )
    table = only(board_of(runs, metrics=["kid", "fid"]))
    assert [metric.name for metric in table.metrics] == ["kid", "fid"] and table.primary == "kid"
    assert [group.label for group in table.groups] == ["wgan", "gan"]


def test_where():
    runs = three_variants()
    assert len(matching(runs, ["variant.name=wgan"])) == 4
    assert len(matching(runs, ["variant.name=wgan", "seed=3"])) == 1
    assert len(matching(runs, ["optimizer.generator.lr=2e-4", "status=done"])) == 10
    assert len(matching(runs, ["optimizer.generator.betas=[0.5, 0.999]"])) == 10
    assert len(matching(runs, ["data.flip=false"])) == 10  # and not 0
    with pytest.raises(InputError, match=r"no run is left; there data\.flip is False"):
        matching(runs, ["data.flip=0"])
    long = runs_of(record_of(0, {"variant.note": "x" * 10_000}))
    with pytest.raises(InputError) as raised:
        matching(long, ["variant.note=y"])
    assert "there variant.note is xxx" in str(raised.value) and len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"group_by": ["variant.nme"]}, "'variant.nme'; did you mean 'variant.name'"),
        ({"metrics": ["fidd"]}, "'fidd'; did you mean 'fid'"),
        ({"metrics": ["inception_score_std"]}, "There are: fid, kid"),
        ({"sort": "seconsd"}, "'seconsd'; did you mean 'seconds'"),
    ],
)
def test_what_there_is_not_is_told(wrong, told):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        board_of(three_variants(), **wrong)


@pytest.mark.parametrize("condition, told", [("variant.nme=1", "did you mean 'variant.name'"), ("seed", "key=value")])
def test_conditions_that_are_wrong_are_told(condition, told):
    with pytest.raises(InputError, match=told):
        matching(three_variants(), [condition])


def test_no_run_is_an_empty_board():
    board = board_of([])
    assert (board.tables, board.notes) == ([], [])


def test_runs_without_a_protocol_are_shown_without_scores():
    table = only(board_of(runs_of(record_of(0, {"evaluation.protocol": None}, evaluation=None))))
    assert (table.primary, table.metrics, table.groups[0].counts) == (None, [], {"done": 1})
    assert table.title == "digits at 32 x 32, 1,000 generator updates, no protocol"
