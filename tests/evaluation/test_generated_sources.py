"""Samples of generators: any groups of them, the same whoever asks, and drawn in order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import ALL, everything
from torch import Tensor

from ganzoo.evaluation.sources import DrawnSource, GeneratedSource

GROUPS = [torch.tensor(group, dtype=torch.int64) for group in ([3, 1, 4], [1], [], [9, 0, 0, 5])]


class Doubling:
    """A generator whose sample is twice its latents; its classes are the tenths of the first latent."""

    def __init__(self, labelled: bool = True):
        self.labelled = labelled

    def draw_inputs(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        latents = torch.rand(n, 2, generator=generator)
        return latents, (latents[:, 0] * 10).long() if self.labelled else None

    def images_of(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        assert (labels is None) != self.labelled
        assert labels is None or torch.equal(labels, (latents[:, 0] * 10).long())
        return latents.view(-1, 1, 1, 2) * 2 - 1

    def draw(self, n: int, generator: torch.Generator) -> Tensor | tuple[Tensor, Tensor]:
        latents, labels = self.draw_inputs(n, generator)
        images = self.images_of(latents, labels)
        return images if labels is None else (images, labels)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def both(count: int, block: int, labelled: bool = True):
    made = GeneratedSource(Doubling(labelled), count, block=block, generator=random())
    drawn = DrawnSource(Doubling(labelled).draw, count, block=block, generator=random())
    return made, drawn


@settings(max_examples=60)
@given(count=st.integers(1, 40), block=st.integers(1, 45), data=st.data())
def test_any_groups_of_a_generator_have_the_samples_of_those_numbers(count, block, data):
    whole = torch.rand(count, 2, generator=random()).view(-1, 1, 1, 2) * 2 - 1  # torch.rand is the same in any blocks
    numbers = sorted(data.draw(st.sets(st.integers(0, count - 1))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=4)))
    edges = zip([0, *cuts], [*cuts, len(numbers)], strict=True)
    groups = [torch.tensor(numbers[start:end], dtype=torch.int64) for start, end in edges]
    for source in both(count, block):
        for _ in range(2):  # a second pass has the same samples
            found = list(source.batches(groups))
            assert len(found) == len(groups)
            assert all(torch.equal(part, whole[group]) for part, group in zip(found, groups, strict=True))
            assert torch.equal(source.labels, ((whole[:, 0, 0, 0] + 1) * 5).long())
        assert source.shape == (1, 1, 2)


def test_a_sample_depends_on_the_seed_and_the_block_and_not_on_the_count():
    class Normal(Doubling):
        def draw_inputs(self, n, generator):
            return torch.randn(n, 2, generator=generator), None  # which torch draws otherwise for fewer than 16 numbers

    def samples(count: int, block: int) -> Tensor:
        return everything(GeneratedSource(Normal(False), count, block=block, generator=random()))

    assert torch.equal(samples(30, 10)[:21], samples(21, 10))
    assert not torch.equal(samples(21, 10)[20:], samples(21, 7)[20:])


@pytest.mark.parametrize("labelled", [True, False])
def test_classes_of_generated_samples(labelled):
    made, drawn = both(10, 4, labelled)
    assert (made.labels is not None) == labelled
    assert drawn.labels is None
    batches = drawn.batches([ALL[2:4]])
    next(batches)
    assert drawn.labels is None  # while they are not all drawn
    assert next(batches, None) is None
    assert (drawn.labels is not None and len(drawn.labels) == 10) == labelled


def test_the_generator_that_was_given_stays_as_it_was_and_may_be_used():
    generator = random()
    source = DrawnSource(Doubling().draw, 10, block=4, generator=generator)
    before = everything(source)
    assert torch.equal(generator.get_state(), random().get_state())
    torch.rand(7, generator=generator)
    assert torch.equal(everything(source), before)


def test_blocks_are_asked_for_in_order_and_the_last_is_smaller():
    asked = []

    def draw(n: int, generator: torch.Generator) -> Tensor:
        asked.append(n)
        return torch.zeros(n, 2)

    list(DrawnSource(draw, 10, block=4, generator=random()).batches([ALL[:1]]))
    assert asked == [4, 4, 2]


@pytest.mark.parametrize("change", [-1, 1])
def test_another_number_of_samples_than_asked_for(change):
    source = DrawnSource(lambda n, generator: torch.zeros(n + change, 2), 4, block=3, generator=random())
    with pytest.raises(ValueError, match=f"asked for 3 samples, the generator gave {3 + change}"):
        list(source.batches([torch.arange(4)]))


@pytest.mark.parametrize("groups", [[[1, 0]], [[0, 2], [2]], [[3], [1]], [[0, 10]], [[-1, 0]]], ids=str)
def test_drawn_samples_are_asked_for_in_order(groups):
    source = DrawnSource(Doubling().draw, 10, block=4, generator=random())
    with pytest.raises(ValueError, match="ascending numbers from 0 to 9"):
        list(source.batches([torch.tensor(group) for group in groups]))
