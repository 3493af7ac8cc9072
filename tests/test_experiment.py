"""Experiment files: every shipped one is right, and every kind of mistake is told by its key."""

import pytest
from conftest import DIGITS, RING, ROOT, TINY

from ganzoo.config import to_plain
from ganzoo.errors import InputError
from ganzoo.experiment import build_experiment, load_experiment
from ganzoo.values import read_values

SHIPPED = sorted(path for path in ROOT.glob("experiments/**/*.yaml") if path.parent.name != "tables")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT / "experiments")))
def test_shipped_experiments_are_right(path):
    experiment = build_experiment(read_values(path), source=path)
    assert build_experiment(to_plain(experiment), source="again") == experiment


def test_the_written_file_is_the_experiment_again(tmp_path):
    experiment = load_experiment(DIGITS, TINY)
    (tmp_path / "config.yaml").write_text(experiment.to_yaml())
    assert load_experiment(tmp_path / "config.yaml") == experiment


def test_overrides_and_references():
    experiment = load_experiment(
        DIGITS, ["seed=3", "generator.width=${discriminator.width}", "discriminator.width=8", "name=a-${seed}"]
    )
    assert (experiment.seed, experiment.generator.width, experiment.name) == (3, 8, "a-3")


def test_a_section_as_an_override_changes_its_keys_or_chooses_another_component():
    """W&B's agents hand over nested parameters so."""
    before = load_experiment(DIGITS)
    after = load_experiment(DIGITS, ["optimizer={'generator': {'lr': 0.1}, 'discriminator': {'clip_norm': None}}"])
    assert after.optimizer.generator == before.optimizer.generator.replace(lr=0.1)
    assert after.optimizer.discriminator == before.optimizer.discriminator
    chosen = load_experiment(DIGITS, ["optimizer.generator={name: sgd, lr: 0.3}", "evaluation.protocol=None"])
    assert to_plain(chosen)["optimizer"]["generator"]["name"] == "sgd" and chosen.evaluation.protocol is None
    with pytest.raises(InputError, match="no key 'betas'"):
        load_experiment(DIGITS, ["optimizer.generator={name: sgd, lr: 0.3, betas: [0, 0.9]}"])


def test_without_optimizers_the_papers_are_used(tmp_path):
    text = "\n".join(line for line in DIGITS.read_text().splitlines() if not line.startswith("optimizer"))
    (tmp_path / "a.yaml").write_text(text)
    assert load_experiment(tmp_path / "a.yaml").optimizer.generator.betas == (0.5, 0.999)


MISTAKES = [
    ("variant.n_critc=5", "variant.n_critc", "did you mean 'n_critic'"),
    ("variant.name=dcgn", "variant.name", "did you mean 'dcgan'"),
    ("data.name=digit", "data.name", "did you mean 'digits'"),
    ("generator.name=resnt", "generator.name", "no generator network"),
    ("generator.width=wide", "generator.width", "a whole number"),
    ("generator=dcgan", "generator", "section"),
    ("optimizer.generator.lr=-1", "optimizer.generator.lr", "above 0"),
    ("optimizer.generator.lr=nan", "optimizer.generator.lr", "above 0"),
    ("optimizer.generator.name=adan", "optimizer.generator.name", "did you mean 'adam'"),
    ("optimizer.generator.betas=[0.5]", "optimizer.generator.betas", "a list of 2"),
    ("optimizer.generator.schedule=linear", "optimizer.generator.decay_end_updates", "schedule is linear"),
    ("seed=-1", "seed", "at least 0"),
    ("seed=${oc.env:HOME}", "seed", "${other.key}"),
    ("seed=${no.such}", "seed", "no such key"),
    ("seed=${seed}", "seed", "refers to itself"),
    ("name=a/b", "name", "letters"),
    ("plugins=[no_such_package]", "plugins", "Python path"),
    ("data.resolution=33", "data.resolution", "nearest to 33 are 28 and 32"),
    ("data.batch_size=1", "data.batch_size", "at least 2"),
    ("data.batch_size=0", "data.batch_size", "at least 1"),
    ("trainer.devices=3", "data.batch_size", "multiple of 3 devices"),
    ("evaluation.protocol=digits-v2", "evaluation.protocol", "did you mean 'digits-v1'"),
    ("evaluation.protocol=toy2d-v1", "evaluation.protocol", "points"),
    ("evaluation.protocol=classifier-v1", "evaluation.protocol", "ganzoo extractor train"),
    ("evaluation.extractor=x", "evaluation.protocol", "no extractor file goes with it"),
    ("samples.count=1000000", "samples.count", "at most 4096"),
    ("budget=null", "budget", "section"),
    ("=3", "'=3'", "key=value"),
    ("a..b=3", "'a..b=3'", "key=value"),
    ("seed", "'seed'", "key=value"),
    ("seed=[1,", "seed", "not a value"),
    ("seed=!!python/object:os.system x", "seed", "not a value"),
]


@pytest.mark.parametrize(("override", "key", "says"), MISTAKES, ids=[mistake[0] for mistake in MISTAKES])
def test_a_mistake_is_told_by_its_key(override, key, says):
    with pytest.raises(InputError) as caught:
        load_experiment(DIGITS, [override])
    told = [str(problem) for problem in caught.value.problems]
    assert any(problem.startswith(f"{key}: ") and says in problem for problem in told), told


def test_all_mistakes_of_a_file_are_told_together():
    wrong = [
        "seed=x",
        "variant.n_critc=5",
        "discriminator.name=dcgn",
        "budget.generator_updates=-1",
        "foo=1",
        "generator.norm=no",
    ]
    with pytest.raises(InputError) as caught:
        load_experiment(DIGITS, wrong)
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {
        "seed",
        "variant.n_critc",
        "discriminator.name",
        "budget.generator_updates",
        "foo",
        "generator.norm",
    }
    assert str(caught.value).count("\n") == 6


def test_pairs_that_cannot_be(plugin):
    penalised = [f"plugins=[{plugin}]", "variant.name=penalised"]
    with pytest.raises(InputError, match=r"discriminator.norm: BatchNorm mixes"):
        load_experiment(DIGITS, penalised)
    assert load_experiment(DIGITS, [*penalised, "discriminator.norm=none"]).variant.per_sample_gradients
    with pytest.raises(InputError, match=r"needs labels; swiss_roll has none"):
        load_experiment(RING, [*penalised, "data.name=swiss_roll"])
    with pytest.raises(InputError, match="dcgan networks are for images"):
        load_experiment(RING, ["generator={name: dcgan}"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: [", "not valid YAML (line 2"),
        (b"a: 1\na: 2", "duplicate key a"),
        (b"- 1\n- 2", "key: value"),
        (b"just words", "key: value"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        (b"", "required"),
        (b"x" * 2_000_000, "bytes"),
    ],
)
def test_broken_files(tmp_path, content, says):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_experiment(path)
    assert says in str(caught.value) and "broken.yaml" in str(caught.value)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"did you mean .*dcgan\.yaml"):
        load_experiment(DIGITS.with_name("dcgn.yaml"))
    with pytest.raises(InputError, match="cannot be read"):
        load_experiment(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load_experiment("x" * 5000)


def test_missing_data_is_told_when_loading_but_not_when_reading_an_old_run(tmp_path):
    overrides = [f"data={{name: folder, path: {tmp_path}/pictures, resolution: 32}}", "evaluation.protocol=null"]
    with pytest.raises(InputError, match=r"data: .*pictures"):
        load_experiment(DIGITS, overrides)
    assert build_experiment(read_values(DIGITS, overrides), source="a run").data.path.endswith("pictures")
