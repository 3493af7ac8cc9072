"""Training an extractor, on the easy pictures of this very module: bright on the left, or bright on the right."""

from dataclasses import dataclass

import pytest
import torch

from ganzoo.data.base import ImageConfig, PointsConfig
from ganzoo.data.samples import Samples
from ganzoo.errors import InputError
from ganzoo.evaluation.extractors import training
from ganzoo.evaluation.extractors.classifier import load_extractor
from ganzoo.evaluation.extractors.training import augmented, default_epochs, train_extractor

COUNTS = {"train": 100, "heldout": 40}


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    resolution: int = 8
    labelled: bool = True
    measurable: bool = True


@dataclass(frozen=True, kw_only=True)
class Points(PointsConfig):
    pass


def load(config: Config, split: str) -> Samples:
    n = COUNTS[split] if split == "train" or config.measurable else 0
    random = torch.Generator().manual_seed(n)
    labels = torch.randint(2, (n,), generator=random)
    values = torch.randint(100, (n, config.channels, config.resolution, config.resolution), generator=random)
    half = config.resolution // 2
    values[labels == 0, :, :, :half] += 100
    values[labels == 1, :, :, half:] += 100
    return Samples(values.to(torch.uint8), labels, ("left", "right") if config.labelled else ())


def test_training_learns_and_says_so(tmp_path):
    ticks = []
    found = train_extractor(Config(), tmp_path / "a", epochs=12, progress=lambda *tick: ticks.append(tick))
    classifier, card = load_extractor(tmp_path / "a")
    assert found["heldout_accuracy"] == card.heldout_accuracy > 0.95
    assert found["num_parameters"] == sum(parameter.numel() for parameter in classifier.parameters())
    assert found["epochs"] == 12 and found["seconds"] > 0 and found["file"] == str(tmp_path / "a")
    assert ticks == [(update, 24) for update in range(1, 25)]
    assert (card.resolution, card.channels, card.class_names) == (8, 3, ("left", "right"))
    assert card.data == __name__.rpartition(".")[2]


def test_training_is_a_function_of_the_seed_and_leaves_the_global_generator_alone(tmp_path):
    before = torch.get_rng_state()
    for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
        with torch.no_grad():  # as a caller may have it
            train_extractor(Config(), tmp_path / name, epochs=1, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    assert torch.equal(torch.get_rng_state(), before)


def test_small_data_are_seen_for_2400_updates_and_large_data_six_times(tmp_path, monkeypatch):
    assert [default_epochs(n) for n in (64, 1297, 25_600, 60_000, 1_000_000)] == [2400, 119, 6, 6, 6]
    monkeypatch.setattr(training, "default_epochs", lambda num_train: num_train // 50)
    assert train_extractor(Config(), tmp_path / "a")["epochs"] == 2


def test_data_that_cannot_train_an_extractor(tmp_path):
    with pytest.raises(InputError, match="has no labels"):
        train_extractor(Config(labelled=False), tmp_path / "a")
    with pytest.raises(InputError, match="has no held-out images"):
        train_extractor(Config(measurable=False), tmp_path / "a")
    with pytest.raises(InputError, match="has no images"):
        train_extractor(Points(), tmp_path / "a")
    with pytest.raises(InputError, match="is a folder"):
        train_extractor(Config(), tmp_path)


def test_augmentation_moves_a_little_and_stays_in_range():
    spot = torch.full((200, 1, 32, 32), -1.0)
    spot[:, :, 14:18, 14:18] = 1
    moved = augmented(spot, torch.Generator().manual_seed(0))
    assert moved.shape == spot.shape and moved.min() >= -1 and moved.max() <= 1 + 1e-6
    weight = moved + 1
    columns = (weight.sum(dim=(1, 2)) * torch.arange(32)).sum(dim=1) / weight.sum(dim=(1, 2, 3))
    assert columns.std() > 0.5
    assert (columns - 15.5).abs().max() < 0.08 * 32 + 0.5  # 8 % of the width
    again = augmented(spot, torch.Generator().manual_seed(0))
    assert torch.equal(moved, again)
