"""The trainings of a table: which there are, which folder each has, what may change and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, checkpoint_of, differences
from table_texts import TINY_RING, opened, tiny_ring

from ganzoo.errors import InputError
from ganzoo.reproducing.outcomes import trained
from ganzoo.reproducing.plan import Plan, lengthen
from ganzoo.reproducing.reading import read_table
from ganzoo.reproducing.running import Training
from ganzoo.sweeping.states import States
from ganzoo.sweeping.trials import Trials, retry_failed
from ganzoo.sweeping.working import Listed, work


def plan_of(folder: Path, values: dict[str, Any] | None = None, scale: str = "cpu") -> Plan:
    table = read_table(TINY_RING) if values is None else opened(folder, values)
    return Plan(table, table.scale(scale), folder / "runs")


def names(plan: Plan) -> list[str]:
    return [trial.directory.name for trial in plan]


def record_of(directory: Path, name: str = "record.json") -> dict[str, Any]:
    return json.loads((directory / name).read_text())


def finished(plan: Plan) -> Plan:
    """In this process, one after the other."""
    lengthen(plan)
    work(plan, Listed(plan))
    return plan


def test_trials_are_rows_and_seeds(tmp_path):
    plan = plan_of(tmp_path)
    assert isinstance(plan, Trials) and len(plan) == plan.size == 4
    assert [(trial.row.label, trial.seed) for trial in plan] == [("GAN", 0), ("wide", 0), ("GAN", 1), ("wide", 1)]
    assert [trial.number for trial in plan] == [0, 1, 2, 3]
    assert plan.folder == tmp_path / "runs" / "tiny_ring-cpu"
    assert all(trial.directory.parent == plan.folder for trial in plan) and len(set(names(plan))) == 4
    assert names(plan)[0].startswith("GAN-") and names(plan)[0].endswith("-0")
    experiment = plan.experiment_of(plan[3])
    assert experiment.seed == 1 and experiment.budget.generator_updates == 4
    assert experiment.generator.width == 6  # the row's at this scale, after its own
    assert plan.experiment_of(plan[0]).generator.width == 128
    assert plan.metric is not None and (plan.metric.name, plan.metric.goal) == ("evaluation/modes", "maximize")
    assert States(plan).refresh()[0].status == "waiting"


def test_the_folder_is_of_what_the_weights_depend_on(tmp_path):
    before = names(plan_of(tmp_path))
    for key, value, same in (
        ("overrides", ["optimizer.generator.lr=0.5"], False),
        ("overrides", ["data.num_points=3000"], False),
        ("overrides", ["data.path=/some/where"], False),
        ("overrides", ["data.heldout_path=/some/where"], False),
        ("overrides", ["data.path=null"], True),
        ("overrides", ["data.root=/some/where"], True),
        ("overrides", ["budget.generator_updates=9"], True),
        ("overrides", ["checkpoint.every_generator_updates=9"], True),
        ("overrides", ["tracking.wandb=offline"], True),
        ("overrides", ["name=other"], True),
        ("says", "another sentence", True),
        ("seeds", 3, True),
    ):
        values = tiny_ring()
        scale = values["scales"]["cpu"]
        scale[key] = scale[key] + value if isinstance(value, list) else value
        after = names(plan_of(tmp_path, values))
        assert (after[:4] == before) == same, (key, value)
        assert same or not set(before) & set(after)


def test_another_experiment_file_is_another_folder(tmp_path):
    values = tiny_ring()
    text = (ROOT / "experiments" / "ring8" / "dcgan.yaml").read_text()
    copy = tmp_path / "copy.yaml"
    copy.write_text(text)
    values["rows"][0]["experiment"] = str(copy)
    before = names(plan_of(tmp_path, values))
    assert before == names(plan_of(tmp_path))  # the same, under another name
    copy.write_text(f"# a comment\n{text}")
    assert names(plan_of(tmp_path, values)) == before
    copy.write_text(text.replace("latent_dim: 2", "latent_dim: 3"))
    changed = names(plan_of(tmp_path, values))
    assert changed != before and changed[1] == before[1]  # the other row's is the same


def test_mistakes_of_experiments_are_told_with_their_rows(tmp_path):
    values = tiny_ring()
    values["scales"]["cpu"]["overrides"] = ["generator.widht=4", "evaluation.protocol=null"]
    values["rows"][1]["overrides"] = ["variant.name=wgna"]
    with pytest.raises(InputError) as raised:
        plan_of(tmp_path, values).check()
    told = str(raised.value)
    assert "tiny_ring.yaml at scale cpu" in told
    assert "GAN: generator.widht" in told and "did you mean 'width'?" in told
    assert "wide: variant.name: there is no variant 'wgna'; did you mean 'wgan'?" in told
    values["scales"]["cpu"]["overrides"] = ["evaluation.protocol=null"]
    values["rows"][1]["overrides"] = []
    values["rows"][0]["overrides"] = ["trainer.devices=2"]
    with pytest.raises(InputError, match=r"GAN: trainer\.devices: a row of a table is trained on one device"):
        plan_of(tmp_path, values).check()
    with pytest.raises(InputError, match=r"GAN: evaluation\.protocol: None: all rows .* are scored by toy2d-v1"):
        plan_of(tmp_path, values).check()


def test_rows_that_cannot_be_told_apart_are_refused(tmp_path):
    values = tiny_ring()
    values["rows"][1] = {**values["rows"][0], "label": "GAN!"}
    values["claims"] = []
    del values["claims"]
    with pytest.raises(InputError, match="GAN!: is the same run as row 'GAN'"):
        plan_of(tmp_path, values).check()


def test_runs_are_trained_and_read(tmp_path):
    plan = finished(plan_of(tmp_path))
    gan, wide = trained(plan)
    scores = [
        json.loads((trial.directory / "record.json").read_text())["evaluation"]["last"]["scores"] for trial in plan
    ]
    assert gan.values["modes"] == [scores[0]["modes"], scores[2]["modes"]]
    assert wide.values["reverse_kl"] == [scores[1]["reverse_kl"], scores[3]["reverse_kl"]]
    assert gan.counts == {"done": 2} and len(gan.runs) == 2 and len(gan.made) == 2
    assert json.loads((plan[0].directory / "trial.json").read_text())["parameters"] == {"row": "GAN"}


def test_a_larger_budget_goes_on_exactly(tmp_path):
    values = tiny_ring()
    del values["rows"][1], values["claims"]
    values["scales"]["cpu"]["seeds"] = 1
    finished(plan_of(tmp_path, values))
    values["scales"]["cpu"]["overrides"].append("budget.generator_updates=8")
    longer = finished(plan_of(tmp_path, values))
    record = json.loads((longer[0].directory / "record.json").read_text())
    assert record["status"] == "done" and record["budget"]["generator_updates"] == 8
    assert (
        json.loads((longer[0].directory / "record.before_longer.json").read_text())["budget"]["generator_updates"] == 4
    )
    lines = [json.loads(line) for line in (longer[0].directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["generator_updates"] for line in lines if "evaluation/modes" in line] == [0, 4, 8]  # not begun anew
    at_once = finished(Plan(longer.table, longer.scale, tmp_path / "at_once"))
    assert differences(checkpoint_of(at_once[0].directory), checkpoint_of(longer[0].directory)) == []
    values["scales"]["cpu"]["overrides"].append("budget.generator_updates=6")
    with pytest.raises(InputError, match="has a run of 8 generator updates, and 6 are asked for"):
        plan_of(tmp_path, values).check()


def test_runs_that_diverge_are_counted_and_not_in_means(tmp_path):
    values = tiny_ring()
    troubled = "variant={name: troubled, latent_dim: 4, trouble: diverge}"
    values["scales"]["cpu"]["seeds"] = 1
    values["rows"][1]["at"] = {"cpu": ["plugins=[troubled_plugin]", troubled, "budget.generator_updates=40"]}
    gan, wide = trained(finished(plan_of(tmp_path, values)))
    assert gan.counts == {"done": 1} and wide.counts == {"diverged": 1} and wide.broken == 1
    assert wide.values["modes"] == [] and wide.interval("modes") is None
    assert len(wide.troubles) == 1 and wide.troubles[0].startswith("seed 0 diverged: ")
    plan, before = plan_of(tmp_path, values), record_of(gan.runs[0].path)
    finished(plan)
    assert trained(plan)[1].counts == {"diverged": 1}  # it is not tried again
    retry_failed(plan)
    assert trained(plan)[1].counts == {"interrupted": 1} and record_of(gan.runs[0].path) == before


def test_data_that_are_not_there_are_told_once_and_only_where_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "nothing"))
    table = read_table(ROOT / "experiments" / "tables" / "sngan_resnet.yaml")
    plan = Plan(table, table.scale("smoke"), tmp_path / "runs")
    plan.check(to_train=False)
    with pytest.raises(InputError) as raised:
        plan.check()
    assert [problem.key for problem in raised.value.problems] == ["SN-GAN, ResNet and 2 more rows"]
    assert "data.name=cifar10 data.download=true evaluation.protocol=null" in str(raised.value)
    values = tiny_ring()
    values["rows"][0]["overrides"] = ["data.name=cifar10", "data.sigma=1"]
    with pytest.raises(InputError, match=r"GAN: data\.sigma") as raised:  # a mistake of the section is no missing file
        plan_of(tmp_path, values).check(to_train=False)


def test_rows_of_two_data_sets_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "nothing"))
    table = read_table(ROOT / "experiments" / "tables" / "lucic_mnist.yaml")
    with pytest.raises(InputError) as raised:
        Plan(table, table.scale("smoke"), tmp_path / "runs").check()
    keys = [problem.key for problem in raised.value.problems]
    assert keys == ["MM GAN, MNIST and 5 more rows", "MM GAN, Fashion-MNIST and 5 more rows"]


def test_what_was_scored_otherwise_is_left_out_and_named(tmp_path):
    """By another extractor, or by a protocol's file of another content."""
    plan = finished(plan_of(tmp_path))
    gan, wide = trained(plan)
    assert gan.counts == wide.counts == {"done": 2}
    assert plan.left() == [] and {row[2] for row in Training(plan.table, plan.scale, plan.runs).listed()} == {"done"}
    file = gan.runs[1].path / "record.json"
    for section, key, told in (
        ("extractor", "weights_sha256", "extractor (other)"),
        ("protocol", "samples", "protocol's"),
    ):
        before = file.read_text()
        record = json.loads(before)
        record["evaluation"][section] = {**(record["evaluation"][section] or {}), key: "other"}
        file.write_text(json.dumps(record))
        odd, same = trained(plan)
        assert odd.counts == {"done": 1, "scored otherwise": 1} and odd.values["modes"] == gan.values["modes"][:1]
        assert len(odd.troubles) == 1 and f"seed 1 was scored with another {told}" in odd.troubles[0]
        assert same == wide
        file.write_text(before)


def test_a_dry_run_tells_what_is_left(tmp_path):
    plan = plan_of(tmp_path)
    assert plan.left() == list(plan)
    config = plan[1].directory / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("budget:\n  generator_updates: 4\n")
    for status, budget, listed in (
        ("done", 4, "done"),
        ("diverged", 4, "diverged"),
        ("stopped", 4, "to run"),
        ("done", 3, "to run"),
    ):
        config.write_text(f"budget:\n  generator_updates: {budget}\n")
        (config.parent / "record.json").write_text(json.dumps({"status": status}))
        assert [row[2] for row in Training(plan.table, plan.scale, plan.runs).listed()] == [
            "to run",
            listed,
            "to run",
            "to run",
        ]
        assert (plan[1] in plan.left()) == (listed == "to run")


def test_what_has_not_been_run_is_waiting(tmp_path):
    plan = plan_of(tmp_path)
    assert [outcome.counts for outcome in trained(plan)] == [{"waiting": 2}, {"waiting": 2}]
    plan[0].directory.mkdir(parents=True)
    (plan[0].directory / "record.json").write_text("{")
    gan, _ = trained(plan)
    assert gan.counts == {"waiting": 1, "failed": 1} and "record.json" in gan.troubles[0]
