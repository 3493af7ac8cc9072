"""What makes two sweeps the same, and the file that a sweep keeps of itself."""

from conftest import RING
from sweep_texts import read_with

from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.sweep_file import folder_name, words_of


def test_identity_is_of_what_the_trials_depend_on(tmp_path):
    plain = read_with(tmp_path)
    assert read_with(tmp_path, "run_cap: 1", "description: a", "project: b", "name: other").identity == plain.identity
    assert (
        read_with(tmp_path, "metric: {name: evaluation/fid}").identity == plain.identity
    )  # trials of a grid do not depend on it
    two = "parameters: {seed: {values: [1, 2]}, variant.n_critic: {values: [1, 2]}}"
    swapped = "parameters: {variant.n_critic: {values: [1, 2]}, seed: {values: [1, 2]}}"
    others = [
        read_with(tmp_path, "parameters: {variant.n_critic: {values: [1, 3]}}"),
        read_with(tmp_path, "parameters: {variant.n_critic: {values: [1, 2]}, seeds: {value: 2}}"),
        read_with(tmp_path, two),
        read_with(tmp_path, swapped),  # its grid is counted in another order
        read_with(tmp_path, "method: random"),
        read_with(tmp_path, "method: bayes", "metric: {name: evaluation/fid}"),
        read_with(tmp_path, "method: bayes", "metric: {name: evaluation/fid, goal: maximize}"),
        read_with(tmp_path, "command: [ganzoo, train, '${program}', seed=1, '${args_no_hyphens}']"),
        read_with(tmp_path, "metric: {name: evaluation/fid}", "early_terminate: {type: hyperband, min_iter: 2}"),
    ]
    identities = [file.identity for file in (plain, *others)]
    assert len(set(identities)) == len(identities)
    assert all(len(identity) == 8 for identity in identities)


def test_identity_is_of_the_experiment_and_not_of_its_path_or_layout(tmp_path):
    copy = tmp_path / "copy.yaml"
    lines = RING.read_text().splitlines()
    copy.write_text("\n".join(["# the same", *lines[1:], lines[0]]))
    assert read_with(tmp_path, f"program: {copy}").identity == read_with(tmp_path).identity
    copy.write_text(f"{RING.read_text()}\nseed: 12\n".replace("seed: 0\n", ""))
    assert read_with(tmp_path, f"program: {copy}").identity != read_with(tmp_path).identity


def test_the_written_file_is_the_sweep_again(tmp_path):
    odd = "[1e-4, '1e-4', 0.1, 'no', false, null, '???', '${seed}', '${', {x: [1, {}]}]"
    file = read_with(
        tmp_path,
        "name: 'a b: #c'",
        "command: [ganzoo, train, '${program}', 'generator.width=${discriminator.width}', '${args_no_hyphens}']",
        f"parameters: {{a: {{values: {odd}}}, seeds: {{value: 2}}}}",
    )  # fmt: skip
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "sweep.yaml").write_text(file.to_yaml(program=RING))
    again = read_sweep(folder / "sweep.yaml")
    assert (again.identity, again.name, again.fixed, again.seeds) == (file.identity, file.name, file.fixed, file.seeds)
    assert again.parameters == file.parameters
    assert [type(value) for value in again.parameters[("a",)].values] == [
        type(value) for value in file.parameters[("a",)].values
    ]


def test_words_are_written_as_wandb_writes_them():
    parameters = {"lr": 1e-05, "b": True, "c": None, "optimizer": {"generator": {"betas": [0.5, 0.9]}}, "d": "x y"}
    assert words_of(parameters) == (
        "lr=1e-05",
        "b=True",
        "c=None",
        "optimizer={'generator': {'betas': [0.5, 0.9]}}",
        "d=x y",
    )


def test_folders_are_named_after_sweeps():
    names = {
        "a b": "a-b",
        "../x": "x",
        "": "sweep",
        "é" * 9: "sweep",
        "a" * 200: "a" * 80,
        "lr/n_critic.2": "lr-n_critic.2",
    }
    assert {name: folder_name(name) for name in names} == names
