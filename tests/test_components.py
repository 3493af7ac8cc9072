"""Components are found by name, and read without running their files."""

import subprocess
import sys

import pytest

from ganzoo.components import DATASETS, DISCRIMINATORS, GENERATORS, VARIANTS, implementation

ALL = [(choice, name) for choice in (VARIANTS, DATASETS, GENERATORS, DISCRIMINATORS) for name in choice.names()]


@pytest.mark.parametrize(("choice", "name"), ALL, ids=[f"{choice.kind}-{name}" for choice, name in ALL])
def test_every_component_is_declared_without_torch_and_says_what_it_is(choice, name):
    code = (
        "import sys; from ganzoo import components; "
        f"cls = components.Modules({choice.kind!r}, {choice.folder!r}, {choice.class_name!r}).find({name!r}); "
        "heavy = {'torch', 'torchvision', 'lightning', 'numpy', 'PIL', 'sklearn'} & sys.modules.keys(); "
        "assert not heavy, heavy; print(cls.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f".{name}")
    assert len(choice.summary(name)) > 20


def test_a_declared_class_has_the_same_fields_as_the_imported_one():
    code = (
        "from ganzoo.components import VARIANTS; from dataclasses import fields; early = VARIANTS.find('dcgan'); "
        "from ganzoo.variants.dcgan import Config; assert early is not Config; "
        "assert [(f.name, f.default, f.metadata) for f in fields(early)] == "
        "[(f.name, f.default, f.metadata) for f in fields(Config)]; assert VARIANTS.find('dcgan') is Config"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plugin_is_laid_out_like_ganzoo(plugin):
    assert "penalised" in VARIANTS.names((plugin,)) and "penalised" not in VARIANTS.names()
    assert DATASETS.find("stripes", (plugin,)).__module__ == "example_plugin.data.stripes"
    module, config = implementation(VARIANTS.find("penalised", (plugin,))(penalty_weight=3.0))
    assert module.__name__ == "example_plugin.variants.penalised" and isinstance(config, module.Config)
    assert config.penalty_weight == 3.0


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(LookupError, match="did you mean 'dcgan'"):
        VARIANTS.find("dcgn")
    with pytest.raises(LookupError, match="There are"):
        VARIANTS.find("../../etc")


def test_an_installed_plugin_needs_no_naming(plugin, monkeypatch, tmp_path):
    from ganzoo.components import _installed_plugins

    package = tmp_path / "example_plugin-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: example-plugin\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[ganzoo.plugins]\nexample = example_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _installed_plugins.cache_clear()
    try:
        assert VARIANTS.find("penalised").__module__ == "example_plugin.variants.penalised"
        assert {"penalised", "dcgan"} <= set(VARIANTS.names())
    finally:
        _installed_plugins.cache_clear()
