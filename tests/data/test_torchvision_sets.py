"""MNIST and CIFAR as torchvision lays them out, with tiny files in place of the real ones."""

import struct
from importlib import import_module

import numpy as np
import pytest
import torch

from ganzoo.data import cifar10, fashion_mnist, mnist, torchvision_sets
from ganzoo.data.torchvision_config import IDX_FILES, Facts
from ganzoo.errors import InputError

NAMES = ["mnist", "fashion_mnist", "cifar10", "cifar100"]
PIXELS = {"train": np.random.RandomState(0).randint(0, 256, (12, 28, 28), np.uint8)}
PIXELS["t10k"] = PIXELS["train"][:5] // 2
LABELS = {"train": np.arange(12, dtype=np.uint8) % 10, "t10k": np.arange(5, dtype=np.uint8)}


def write_idx(folder):
    """The four files, in the format of http://yann.lecun.com/exdb/mnist: magic number, sizes, bytes."""
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        images, labels = PIXELS[part], LABELS[part]
        header = struct.pack(">iiii", 2051, *images.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, len(labels)) + labels.tobytes())


@pytest.fixture(params=[mnist, fashion_mnist], ids=["mnist", "fashion_mnist"])
def tiny(request, tmp_path, monkeypatch):
    """The module, and the root folder of a copy of its data set with 12 train and 5 test images."""
    module, name = request.param, "MNIST" if request.param is mnist else "FashionMNIST"
    write_idx(tmp_path / name / "raw")
    facts = Facts(name, tuple(f"{name}/raw/{file}" for file in IDX_FILES), 12, 5, 10)
    monkeypatch.setattr(module.Config, "facts", facts)
    return module, tmp_path


def test_official_splits(tiny):
    module, root = tiny
    for split, part in (("train", "train"), ("heldout", "t10k")):
        samples = module.load(module.Config(root=str(root), resolution=28), split)
        assert torch.equal(samples.values[:, 0], torch.from_numpy(PIXELS[part]))
        assert samples.labels.tolist() == LABELS[part].tolist()
        assert samples.labels.dtype == torch.int64
        assert len(samples.class_names) == 10


def test_resolution_and_channels(tiny):
    module, root = tiny
    samples = module.load(module.Config(root=str(root), channels=3), "train")
    assert samples.values.shape == (12, 3, 32, 32)


def test_the_environment_names_the_root(tiny, monkeypatch):
    module, root = tiny
    assert module.Config().missing() is not None
    monkeypatch.setenv("GANZOO_DATA", str(root))
    assert module.Config().missing() is None


@pytest.mark.parametrize("damage", [b"", b"\0\0\x08\x03\0\0\0\x0c", b"not idx at all, but long enough to be read"])
def test_damaged_files_are_bad_input(tiny, damage):
    module, root = tiny
    next(root.rglob("train-images-idx3-ubyte")).write_bytes(damage)
    with pytest.raises(InputError, match="cannot be read"):
        module.load(module.Config(root=str(root)), "train")


def test_another_data_set_under_the_name_is_bad_input(tiny, monkeypatch):
    module, root = tiny
    monkeypatch.undo()  # the real facts again
    with pytest.raises(InputError, match="12 images and 12 labels in train, not 60000"):
        module.load(module.Config(root=str(root)), "train")


@pytest.mark.parametrize("name", NAMES)
def test_absent_data_say_what_where_and_what_to_do(name, tmp_path, monkeypatch):
    monkeypatch.delenv("GANZOO_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    module = import_module(f"ganzoo.data.{name}")
    for config, place in ((module.Config(), tmp_path / "data"), (module.Config(root="away"), tmp_path / "away")):
        sentence = config.missing()
        assert config.facts.title in sentence
        assert config.facts.files[0] in sentence
        assert str(place) in sentence
        assert "data.download=true" in sentence and "GANZOO_DATA" in sentence
        with pytest.raises(InputError, match="is not there"):
            module.load(config, "train")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_missing_that_may_be_downloaded(name):
    assert import_module(f"ganzoo.data.{name}").Config(root="/nowhere", download=True).missing() is None


@pytest.mark.parametrize("error", [RuntimeError("Error downloading x:\nTried y"), OSError("no route to host")])
def test_a_failed_download_is_bad_input(error, tmp_path):
    def reader(root: str, train: bool, download: bool):
        assert download
        raise error

    config = mnist.Config(root=str(tmp_path), download=True)
    with pytest.raises(InputError, match=f"MNIST cannot be fetched or read: {str(error).split()[0]}"):
        torchvision_sets._read(reader, config, "train")


def test_cifar_files_with_the_wrong_md5_are_never_unpickled(tmp_path):
    config = cifar10.Config(root=str(tmp_path))
    for name in config.facts.files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"cos\nabort\n(tR.")  # as a pickle, this would end the tests
    with pytest.raises(InputError, match="corrupted"):
        cifar10.load(config, "train")


def test_cifar_images_come_channels_first():
    data = np.random.RandomState(0).randint(0, 256, (2, 32, 32, 3), np.uint8)
    pixels = torchvision_sets._channels_first(data)
    assert pixels.shape == (2, 3, 32, 32)
    assert pixels[1, 2, 5, 7] == data[1, 5, 7, 2]
