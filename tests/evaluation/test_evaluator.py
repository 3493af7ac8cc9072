"""The evaluator: what its scores mean, and that it leaves no trace in the process."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from ganzoo.data import digits, ring8, swiss_roll
from ganzoo.data.base import PointsConfig
from ganzoo.data.samples import Samples, to_network_range
from ganzoo.errors import Diverged, InputError
from ganzoo.evaluation.evaluator import Evaluator, TooFewSamples, some_of
from ganzoo.evaluation.extraction import BrokenSamples
from ganzoo.evaluation.extractors.classifier import DIGITS
from ganzoo.evaluation.protocol import load_protocol

PROTOCOL = load_protocol("digits-v1")
SMALL = PROTOCOL.replace(num_real=300, num_fake=300, kid_subsets=5)  # two groups of samples through the extractor


@dataclass(frozen=True, kw_only=True)
class Config(PointsConfig):
    """This module is a data set of very few points."""

    @property
    def num_train(self) -> None:
        return None


def load(config: Config, split: str) -> Samples:
    n = {"train": config.num_points, "heldout": 3}[split]
    return Samples(torch.arange(2.0 * n).view(n, 2), torch.zeros(n, dtype=torch.int64))


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(PROTOCOL, digits.Config())


@pytest.fixture(scope="module")
def heldout() -> Tensor:
    return to_network_range(digits.load(digits.Config(), "heldout").values)


@pytest.fixture(scope="module")
def floor(evaluator) -> dict[str, float]:
    return evaluator.floor()


def noise(n: int, generator: torch.Generator) -> Tensor:
    """Uniform noise: the same numbers however they are split into batches, which torch.randn's are not."""
    return torch.rand(n, 1, 32, 32, generator=generator) * 2 - 1


# What the scores mean


def test_the_floor_is_near_perfect_and_far_below_noise(evaluator, floor):
    scores = evaluator.score(noise)
    assert list(floor) == list(PROTOCOL.scores)
    assert list(scores) == [name for name in PROTOCOL.scores if name != "class_accuracy"]  # noise is of no class
    assert floor["class_accuracy"] > 0.97
    assert floor["fid"] < 0.02 * scores["fid"]
    assert abs(floor["kid"]) < 0.01 * scores["kid"]
    assert floor["inception_score"] > 9.5 and scores["inception_score"] < 2
    assert 0.85 < floor["precision"] < 1 and 0.85 < floor["recall"] < 1
    assert floor["density"] == pytest.approx(1, abs=0.1)
    assert floor["coverage"] == pytest.approx(1 - (1297 / 1797) ** 5, abs=0.03)  # 500 fakes for 1,297 reals
    assert scores["precision"] == scores["recall"] == scores["density"] == scores["coverage"] == 0


def test_fid_rises_with_noise(evaluator, heldout, floor):
    grain = torch.randn(heldout.shape, generator=torch.Generator().manual_seed(0))
    found = [evaluator.score_samples((heldout + size * grain).clamp(-1, 1))["fid"] for size in (0.1, 0.2, 0.4, 0.8)]
    assert [floor["fid"], *found] == sorted([floor["fid"], *found])
    assert found[-1] > 10 * floor["fid"]


def test_fid_rises_with_blur(evaluator, heldout, floor):
    found = [evaluator.score_samples(gaussian_blur(heldout, 13, sigma))["fid"] for sigma in (0.6, 1.0, 2.0, 4.0)]
    assert [floor["fid"], *found] == sorted([floor["fid"], *found])
    assert found[-1] > 10 * floor["fid"]


def test_a_collapsed_generator_has_scores(evaluator, heldout):
    scores = evaluator.score(lambda n, generator: heldout[:1].expand(n, 1, 32, 32))
    assert all(np.isfinite(list(scores.values())))
    assert scores["inception_score"] == pytest.approx(1, abs=1e-6)
    assert scores["recall"] < 0.01 and scores["coverage"] < 0.05


def test_floats_are_rounded_as_files_are(evaluator, heldout, floor):
    """uint8, the same in [-1, 1], and both with a thousandth added are the same images."""
    pixels = digits.load(digits.Config(), "heldout").values
    wanted = {name: score for name, score in floor.items() if name != "class_accuracy"}
    assert evaluator.score_samples(pixels) == evaluator.score_samples(heldout) == wanted
    assert evaluator.score_samples(heldout.clamp(-0.99, 0.99)) != wanted
    assert evaluator.score_samples(heldout + 0.001) == wanted


def test_the_reference_does_not_depend_on_the_experiments_images(floor):
    other = Evaluator(PROTOCOL, digits.Config(resolution=16, channels=3, batch_size=7)).floor()
    assert other == pytest.approx(floor, rel=1e-4)


def test_points_have_modes_where_the_data_have():
    protocol = load_protocol("toy2d-v1")
    ring = Evaluator(protocol, ring8.Config()).floor()
    assert ring["modes"] == 8
    assert ring["high_quality"] == pytest.approx(0.9889, abs=0.008)
    assert ring["coverage"] == pytest.approx(1 - 2**-5, abs=0.02)
    assert ring["reverse_kl"] < 0.01
    roll = Evaluator(protocol, swiss_roll.Config()).floor()
    assert set(ring) - set(roll) == {"modes", "high_quality", "reverse_kl"}


def test_a_generator_of_one_mode():
    centre = torch.tensor(ring8.Config().modes[0][0])

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return centre + 0.0141 * torch.randn(n, 2, generator=generator)

    scores = Evaluator(load_protocol("toy2d-v1"), ring8.Config()).score(draw)
    assert scores["modes"] == 1
    assert scores["reverse_kl"] == pytest.approx(np.log(8))
    assert scores["coverage"] == pytest.approx(1 / 8, abs=0.03)


# That it is repeatable and leaves no trace


def test_scores_do_not_depend_on_the_batch_size():
    whole, *others = (
        Evaluator(SMALL.replace(batch_size=size), digits.Config()).score(noise) for size in (300, 1, 7, 64)
    )
    assert all(other == pytest.approx(whole, rel=1e-9) for other in others)


def test_scores_are_repeatable_and_a_function_of_the_protocols_seed():
    small = Evaluator(SMALL, digits.Config())
    assert small.score(noise) == small.score(noise)
    assert Evaluator(SMALL.replace(seed=1), digits.Config()).score(noise) != small.score(noise)


def states() -> list:
    return [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()]


def test_the_process_is_as_it_was():
    network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm2d(1)).train()
    before = states(), torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()

    def draw(n: int, generator: torch.Generator) -> Tensor:
        assert not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        return noise(n, generator)

    evaluator = Evaluator(SMALL, digits.Config())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = evaluator.score(draw)
        assert torch.is_autocast_enabled("cpu")
    evaluator.floor()
    assert (states(), torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()) == before
    assert network.training and all(module.training for module in network)
    assert under_autocast == evaluator.score(draw)


def test_pythons_generator_is_as_it_was():
    """In a process of its own: here, beartype draws from that generator to check what is in a container."""
    code = (
        "import random; from ganzoo.data import digits; from ganzoo.evaluation.evaluator import Evaluator\n"
        "from ganzoo.evaluation.protocol import load_protocol\n"
        "before = random.getstate()\n"
        "Evaluator(load_protocol('digits-v1'), digits.Config()).floor()\n"
        "assert random.getstate() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_an_inference_tensor():
    """Made inside a validation loop under inference mode, and used outside."""
    with torch.inference_mode():
        evaluator = Evaluator(SMALL, digits.Config())
        first = evaluator.score(noise)
    assert not evaluator.reference.features.is_inference()
    assert evaluator.score(noise) == first


def test_the_default_dtype_does_not_matter():
    expected = Evaluator(SMALL, digits.Config()).floor()
    torch.set_default_dtype(torch.float64)
    try:
        assert Evaluator(SMALL, digits.Config()).floor() == pytest.approx(expected, rel=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)


# What it refuses


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_generator_is_said_to_be_one(value, evaluator):
    def draw(n: int, generator: torch.Generator) -> Tensor:
        return noise(n, generator).index_fill(0, torch.tensor([0, 2]), value)

    with pytest.raises(BrokenSamples, match="4 of 500 samples of generator") as caught:
        evaluator.score(draw)
    assert isinstance(caught.value, Diverged) and caught.value.exit_code == 3


def test_a_generator_that_gives_another_number_of_samples(evaluator):
    with pytest.raises(ValueError, match="asked for 250 samples, the generator gave 249"):
        evaluator.score(lambda n, generator: noise(n - 1, generator))


def test_huge_samples_are_scored_not_crashed_on(evaluator):
    assert np.isfinite(evaluator.score(lambda n, generator: 1e30 * noise(n, generator))["fid"])
    points = Evaluator(load_protocol("toy2d-v1"), ring8.Config())
    huge = points.score(lambda n, generator: 1e30 * torch.rand(n, 2, generator=generator))
    assert all(np.isfinite(list(huge.values())))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (torch.zeros(499, 1, 32, 32), "scores 500 samples, and there are 499"),
        (torch.zeros(500, 2, 32, 32), r"must be \(n, 1 or 3, h, w\)"),
        (torch.zeros(500, 2), r"must be \(n, 1 or 3, h, w\)"),
        (torch.full((500, 1, 32, 32), 255.0), r"floats must be in \[-1, 1\]; these reach 255"),
        (torch.full((500, 1, 32, 32), float("nan")), "NaN or infinite"),
    ],
)
def test_given_samples_that_cannot_be_scored(values, reason, evaluator):
    with pytest.raises(InputError, match=reason):
        evaluator.score_samples(values)


def test_given_points_must_be_in_the_plane():
    with pytest.raises(InputError, match=r"must be \(n, 2\)"):
        Evaluator(load_protocol("toy2d-v1"), ring8.Config()).score_samples(torch.zeros(2500, 3))


def test_too_few_real_samples():
    few = Evaluator(load_protocol("toy2d-v1"), Config(num_points=2499))
    with pytest.raises(TooFewSamples, match="needs 2500, and there are 2499"):
        few.score(lambda n, generator: torch.rand(n, 2, generator=generator))
    with pytest.raises(TooFewSamples, match="needs 10 of them, and there are 3"):
        few.floor()


def test_a_protocol_that_does_not_fit():
    with pytest.raises(InputError, match="is for images, and data set ring8 has points"):
        Evaluator(PROTOCOL, ring8.Config())
    with pytest.raises(InputError, match="has its own extractor"):
        Evaluator(PROTOCOL, digits.Config(), extractor_file=DIGITS)


def test_a_classifier_of_ones_own(floor):
    """The shipped digits extractor, given as a file, with the digits protocol's numbers, gives its scores."""
    protocol = PROTOCOL.replace(extractor="classifier", data=())
    assert Evaluator(protocol, digits.Config(), extractor_file=DIGITS).floor() == floor


# Its parts


def test_more_samples_than_asked_for_are_chosen_at_random_and_kept_in_order():
    some = [some_of(100, 10, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(some[0], some[1]) and not torch.equal(some[0], some[2])
    assert some[0].tolist() == sorted(set(some[0].tolist())) and len(some[0]) == 10
    assert some_of(100, 100, torch.Generator()).tolist() == list(range(100))
    more = some_of(100, 20, torch.Generator().manual_seed(0))
    assert set(some[0].tolist()) < set(more.tolist())  # so that several protocols can share what was seen
