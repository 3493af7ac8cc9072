"""Real samples are looked at once, and again where anything differs that their features depend on."""

import pytest
import torch

from ganzoo.data import digits
from ganzoo.evaluation import stored
from ganzoo.evaluation.cache import FeatureCache
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.extraction import Sight
from ganzoo.evaluation.extractors.classifier import Card, Classifier, load_extractor, save_extractor
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.evaluation.sources import HeldSource
from ganzoo.evaluation.stored import StoredView

VALUES = torch.randint(256, (12, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
ALL = torch.arange(12)


@pytest.fixture
def looks(monkeypatch) -> list[str]:
    """The names of the sources that were looked at."""
    seen, see = [], Sight.see

    def counted(self, source, indices, tell=None):
        seen.append(source.name)
        return see(self, source, indices, tell)

    monkeypatch.setattr(Sight, "see", counted)
    return seen


def classifier(path, seed: int) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Classifier(resolution=16, channels=1, num_classes=3)
    about = {"data": "toys", "data_sha256": "0" * 64, "version": "0", "heldout_accuracy": 0.5}
    save_extractor(path, made, Card(resolution=16, channels=1, class_names=("a", "b", "c"), **about))
    return load_extractor(path)[0]


def view(tmp_path, extractor, values=VALUES, indices=ALL, **sight) -> StoredView:
    source = HeldSource("reals", values, torch.arange(len(values)) % 3)
    return StoredView(source, indices, Sight(extractor, torch.device("cpu"), 5, **sight), FeatureCache(tmp_path / "c"))


def test_the_second_time_nothing_is_looked_at(tmp_path, looks):
    extractor = classifier(tmp_path / "a", 1)
    first, again = (view(tmp_path, extractor).see() for _ in range(2))
    assert looks == ["reals"]
    assert torch.equal(first.features, again.features) and torch.equal(first.logits, again.logits)
    assert torch.equal(first.features, extractor(VALUES).features)
    assert again.labels.tolist() == (ALL % 3).tolist()


def test_whatever_features_depend_on_is_looked_at_again(tmp_path, looks):
    extractor, other = classifier(tmp_path / "a", 1), classifier(tmp_path / "b", 2)
    reference = view(tmp_path, extractor).see()
    changed = VALUES.clone()
    changed[3, 0, 2, 2] ^= 1
    others = [
        view(tmp_path, other),
        view(tmp_path, extractor, changed),
        view(tmp_path, extractor, indices=ALL[1:]),
        view(tmp_path, extractor, indices=ALL.flip(0)),
        view(tmp_path, extractor, quantise=False),
    ]
    found = [each.see().features for each in others]
    assert len(looks) == 1 + len(others)
    assert not any(torch.equal(reference.features, features) for features in found[:4])


def test_pixels_are_read_beside_kept_features(tmp_path, looks):
    extractor = classifier(tmp_path / "a", 1)
    view(tmp_path, extractor).see()
    seen = view(tmp_path, extractor, keep_pixels=True).see()
    assert torch.equal(seen.pixels, VALUES) and torch.equal(seen.features, extractor(VALUES).features)


def test_kept_statistics_spare_the_samples(tmp_path, looks, monkeypatch):
    """FID alone: once mean and covariance are known, the reals are neither looked at nor read from the cache."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(stored, "WORTH_KEEPING", 0)
    protocol, fakes = (
        load_protocol("digits-v1").replace(metrics=("fid",)),
        digits.load(digits.Config(), "heldout").values,
    )
    first, again = (Evaluator(protocol, digits.Config()) for _ in range(2))
    assert first.score_samples(fakes) == again.score_samples(fakes)
    assert looks.count("digits, train") == 1
    assert first.reference.seen is not None and again.reference.seen is None
