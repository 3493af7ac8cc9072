"""What groups and tables are called, so that nobody takes one for another; and which run is of which."""

import pytest
from made_runs import only, record_of, runs_of

from ganzoo.leaderboard.comparing import board_of

NO_SETTING = [
    (["seed"], {"seed=0", "seed=1"}),
    (["name"], {"name=digits-dcgan", "name=another"}),
    (["trainer.devices"], {"devices=1", "devices=2"}),
    (["variant.gp_weight"], {"gp_weight=(not set)", "gp_weight=10.0"}),
    (["variant.gp_weight", "seed"], {"gp_weight=(not set), seed=0", "gp_weight=10.0, seed=1"}),
    (["data.num_workers"], {"num_workers=0"}),
]


@pytest.mark.parametrize("keys, labels", NO_SETTING)
def test_group_by_names_every_row_by_its_keys(keys, labels):
    """Also by such as make no difference otherwise, and such as not every run has."""
    changes = {"name": "another", "trainer.devices": 2, "variant.gp_weight": 10.0}
    table = only(board_of(runs_of(record_of(0), record_of(1, changes)), group_by=keys))
    assert {group.label for group in table.groups} == labels
    for group in table.groups:
        assert group.key == {key: group.runs[0].config[key] for key in keys if key in group.runs[0].config}


def test_runs_of_other_settings_are_told_also_where_their_seeds_differ():
    runs = runs_of(*(record_of(seed, {"variant.n_critic": seed + 1}) for seed in (0, 1)))
    table = only(board_of(runs, group_by=["variant.name"]))
    assert any(note.startswith("These groups hold runs that differ in more than the seed") for note in table.notes)
    alike = only(board_of(runs_of(record_of(0), record_of(1, {"name": "x"})), group_by=["variant.name"]))
    assert not any("more than the seed" in note for note in alike.notes)


def of_folder(path, sha, seed, **others):
    record = record_of(seed, {"data.name": "folder", "data.path": path}, **others)
    if record["evaluation"] is not None:
        record["evaluation"]["reference"]["sha256"] = sha * 64
    return record


def two_folders():
    cats, dogs = (("/data/cats", "0"), ("/data/dogs", "1"))
    records = [of_folder(*folder, seed) for folder in (cats, dogs) for seed in (0, 1)]
    return [*records, of_folder("/elsewhere/dogs", "1", 2)]


def test_what_was_never_scored_is_counted_with_its_own_folder():
    """Whether it had the same images nobody knows of another folder."""
    unscored = [
        of_folder(path, "", 9, status="failed", evaluation=None)
        for path in ("/data/cats", "/data/dogs", "/elsewhere/dogs", "/data/birds")
    ]
    board = board_of(runs_of(*two_folders(), *unscored))
    counts = {table.title.partition("digits-v1")[2]: table.groups[0].counts for table in board.tables}
    assert counts == {
        "": {"done": 3, "failed": 2},  # of two folders with the same images
        ", data.path /data/cats": {"done": 2, "failed": 1},
        ", data.path /data/birds": {"failed": 1},
    }


ALIKE = [
    ({"data.flip": True}, {}, ["data.flip False", "data.flip True"]),
    ({}, {"reference": {"sha256": "e" * 64}}, ["real images 382bc9f1", "real images eeeeeeee"]),
    ({}, {"extractor": {"weights_sha256": "f" * 64}}, ["extractor 3550980c", "extractor ffffffff"]),
    ({}, {"protocol": {"num_fake": 501}}, ["protocol.num_fake 500", "protocol.num_fake 501"]),
]


@pytest.mark.parametrize("changes, evaluation, told", ALIKE, ids=str)
def test_tables_that_would_be_called_the_same_are_told_apart(changes, evaluation, told):
    records = [record_of(0), record_of(1), record_of(2, changes), record_of(3, {"budget.generator_updates": 7})]
    for section, values in evaluation.items():
        records[2]["evaluation"][section] |= values
    one, other, third = board_of(runs_of(*records)).tables
    usual = "digits at 32 x 32, 1,000 generator updates, digits-v1"
    assert [one.title, other.title] == [f"{usual}, {words}" for words in told]
    assert third.title == "digits at 32 x 32, 7 generator updates, digits-v1"  # no other is called so
    what = {"reference": "real images", "extractor": "weights of the extractor"}
    board = board_of(runs_of(*records[1:3]))
    assert what.get(next(iter(evaluation), ""), told[0].split()[0]) in board.notes[0]


def test_a_label_names_what_differs_and_no_more():
    runs = runs_of(
        record_of(0, {"variant.name": "gan", "variant.latent_dim": 8}),
        record_of(0, {"variant.name": "wgan_gp", "variant.gp_weight": 10.0}),
        record_of(0, {"variant.name": "wgan_gp", "variant.gp_weight": 1.0}),
    )
    labels = {group.label for group in only(board_of(runs)).groups}
    assert labels == {"gan", "wgan_gp, gp_weight=10.0", "wgan_gp, gp_weight=1.0"}


def test_labels_are_unique_where_very_long_values_look_alike():
    runs = runs_of(*(record_of(0, {"variant.note": "x" * 500 + end}) for end in "ab"))
    labels = [group.label for group in only(board_of(runs)).groups]
    assert len(set(labels)) == 2 and max(map(len, labels)) < 200
