"""The endless batches: a function of the seed and the position, whoever draws them."""

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.data.loading import EndlessBatches, mixed_seed
from ganzoo.data.samples import to_network_range, to_pixels

sizes = st.integers(1, 40)
seeds = st.integers(0, 2**31 - 1)


def first(count: int, *arguments, **settings):
    return list(islice(EndlessBatches(*arguments, **settings), count))


@settings(max_examples=60, deadline=None)
@given(size=sizes, batch_size=st.integers(1, 100), seed=seeds, flip=st.booleans())
def test_every_pass_has_every_sample_once(size, batch_size, seed, flip):
    draws = first(-(-3 * size // batch_size), size, batch_size, seed=seed, flip=flip)
    assert all(len(draw.indices) == len(draw.flips) == batch_size for draw in draws)
    assert [draw.position for draw in draws] == [k * batch_size for k in range(len(draws))]
    assert [draw.end for draw in draws] == [(k + 1) * batch_size for k in range(len(draws))]
    stream = torch.cat([draw.indices for draw in draws])
    for one_pass in stream[: 3 * size].view(3, size):
        assert one_pass.sort().values.tolist() == list(range(size))
    assert flip or not any(draw.flips.any() for draw in draws)


@settings(max_examples=60, deadline=None)
@given(size=sizes, batch_size=st.integers(1, 100), seed=seeds, skipped=st.integers(0, 6))
def test_it_goes_on_from_any_position(size, batch_size, seed, skipped):
    whole = first(skipped + 3, size, batch_size, seed=seed, flip=True)
    rest = first(3, size, batch_size, seed=seed, flip=True, start=skipped * batch_size)
    for one, other in zip(whole[skipped:], rest, strict=True):
        assert torch.equal(one.indices, other.indices) and torch.equal(one.flips, other.flips)
        assert one.position == other.position


@settings(max_examples=40, deadline=None)
@given(size=sizes, share=st.integers(1, 9), ranks=st.integers(1, 5), seed=seeds)
def test_the_ranks_parts_make_the_whole_batch(size, share, ranks, seed):
    whole = first(4, size, share * ranks, seed=seed, flip=True)
    parts = [first(4, size, share * ranks, seed=seed, flip=True, rank=rank, world_size=ranks) for rank in range(ranks)]
    for k, draw in enumerate(whole):
        assert torch.equal(draw.indices, torch.cat([part[k].indices for part in parts]))
        assert torch.equal(draw.flips, torch.cat([part[k].flips for part in parts]))


def changing(position: int) -> int:
    """A batch size for each position: 12, then 6, then 18."""
    return 12 if position < 30 else 6 if position < 60 else 18


@settings(max_examples=40, deadline=None)
@given(size=sizes, ranks=st.sampled_from([1, 2, 3, 6]), seed=seeds, skipped=st.integers(0, 12))
def test_batches_whose_size_depends_on_the_position_are_the_same_stream(size, ranks, seed, skipped):
    draws = first(13, size, changing, seed=seed, flip=True)
    assert [len(draw.indices) for draw in draws] == [12] * 3 + [6] * 4 + [18] * 6
    assert [draw.position for draw in draws] == [0, 12, 24, 36, 42, 48, 54, *range(60, 168, 18)]
    assert [draw.end for draw in draws] == [*(draw.position for draw in draws[1:]), 168]
    (whole,) = first(1, size, 168, seed=seed, flip=True)
    assert torch.equal(torch.cat([draw.indices for draw in draws]), whole.indices)
    assert torch.equal(torch.cat([draw.flips for draw in draws]), whole.flips)
    (later,) = first(1, size, changing, seed=seed, flip=True, start=draws[skipped].position)
    assert torch.equal(later.indices, draws[skipped].indices) and later.end == draws[skipped].end
    parts = [first(13, size, changing, seed=seed, rank=rank, world_size=ranks) for rank in range(ranks)]
    for k, draw in enumerate(draws):
        assert torch.equal(draw.indices, torch.cat([part[k].indices for part in parts]))
        assert {part[k].end for part in parts} == {draw.end}


@pytest.mark.parametrize(("batch_size", "ranks"), [(12, 5), (2, 3)])
def test_a_batch_that_cannot_be_dealt_equally_is_refused(batch_size, ranks):
    with pytest.raises(ValueError, match=f"a batch of {batch_size} .* to {ranks} processes"):
        first(1, 100, batch_size, seed=0, world_size=ranks)


def test_seeds_and_passes_give_other_orders_and_half_are_mirrored():
    draws = first(2, 1000, 1000, seed=0, flip=True)
    other = first(1, 1000, 1000, seed=1, flip=True)[0]
    assert not torch.equal(draws[0].indices, draws[1].indices) and not torch.equal(draws[0].indices, other.indices)
    assert 420 < draws[0].flips.sum() < 580 and not torch.equal(draws[0].flips, draws[1].flips)


def test_mixed_seeds_are_unrelated_and_fit_every_generator():
    seeds_of_pairs = {mixed_seed(a, b) for a in range(50) for b in range(50)}
    assert len(seeds_of_pairs) == 2500 and all(0 <= seed < 2**63 for seed in seeds_of_pairs)
    bits = [bin(mixed_seed(k, 0) ^ mixed_seed(k + 1, 0)).count("1") for k in range(200)]
    assert sum(bits) / len(bits) == pytest.approx(31.5, abs=1.5)


def test_pixels_and_network_range_are_inverses():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    images = to_network_range(pixels)
    assert images.min() == -1 and images.max() == 1 and torch.equal(to_pixels(images), pixels)
    assert to_pixels(torch.tensor([[[[-7.0, 7.0]]]])).flatten().tolist() == [0, 255]
    points = torch.randn(3, 2)
    assert torch.equal(to_network_range(points), points)
