"""BatchNorm over several ranks: the parts of a batch, normalised together, are the batch normalised at once."""

import pytest
import torch
from torch import nn

from ganzoo.errors import InputError
from ganzoo.networks.layers.batch_norm import BatchNorm
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm
from ganzoo.training import synchronised
from ganzoo.training.synchronised import SynchronisedBatchNorm, synchronise_batch_norm

RANKS = 3
SHAPES = [(12, 4, 5, 5), (12, 4), (12, 4, 7)]


@pytest.fixture
def three_ranks(monkeypatch):
    """Plays three ranks in one process: each mean over a rank's part becomes the mean of all parts' means.

    What goes through torch.distributed itself is in tests/variants/test_two_processes.py.
    """
    waiting: list[torch.Tensor] = []
    monkeypatch.setattr(synchronised, "world_size", lambda: RANKS)
    monkeypatch.setattr(synchronised, "mean_of_ranks", lambda value: waiting.pop(0))
    return waiting


def moments(part: torch.Tensor) -> torch.Tensor:
    part = part.transpose(0, 1).flatten(1).double()
    return torch.stack([part.mean(dim=1), part.square().mean(dim=1)])


def norm_for(shape: tuple[int, ...]) -> nn.Module:
    norm = nn.BatchNorm1d(4) if len(shape) == 3 else BatchNorm(4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_three_parts_are_normalised_as_the_whole(shape, offset, three_ranks):
    torch.manual_seed(0)
    whole, x = norm_for(shape), torch.randn(shape) * torch.arange(1.0, 5.0).view(1, 4, *(1 for _ in shape[2:])) + offset
    ours = SynchronisedBatchNorm.around(whole)
    ours.running_mean, ours.running_var = whole.running_mean.clone(), whole.running_var.clone()
    ours.num_batches_tracked = whole.num_batches_tracked.clone()
    expected, parts = whole(x), x.chunk(RANKS)
    three_ranks.append(torch.stack([moments(part) for part in parts]).mean(dim=0))
    close = {"rtol": 1e-4, "atol": 1e-3 if offset else 1e-5}
    torch.testing.assert_close(ours(parts[1]), expected[4:8], **close)
    torch.testing.assert_close(ours.running_mean, whole.running_mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.running_var, whole.running_var, rtol=1e-4, atol=1e-4)
    assert ours.num_batches_tracked == whole.num_batches_tracked == 1


@pytest.mark.parametrize("momentum", [0.1, None])
def test_its_gradients_are_right_to_the_second_order(momentum, monkeypatch):
    """With the ranks' mean for one rank, which is the identity: first and second derivatives by finite differences."""
    monkeypatch.setattr(synchronised, "world_size", lambda: 2)
    torch.manual_seed(1)
    norm = SynchronisedBatchNorm.around(nn.BatchNorm1d(2, momentum=momentum).double())
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # finite differences need the digits
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,)) and torch.autograd.gradgradcheck(norm, (x,))


def test_alone_and_in_evaluation_it_is_torchs_own():
    torch.manual_seed(2)
    norm, x = norm_for((12, 4)), torch.randn(12, 4)
    ours = SynchronisedBatchNorm.around(norm)
    assert torch.equal(ours(x), nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True))
    assert torch.equal(ours.eval()(x), norm.eval()(x))


def test_a_model_keeps_its_tensors_and_their_names():
    model = nn.Sequential(nn.Linear(3, 4), BatchNorm(4), nn.Sequential(ConditionalBatchNorm(4, 2)))
    before = model.state_dict(keep_vars=True)
    synchronise_batch_norm(model)
    after = model.state_dict(keep_vars=True)
    assert list(before) == list(after) and all(before[name] is after[name] for name in before)
    assert sum(isinstance(part, SynchronisedBatchNorm) for part in model.modules()) == 2
    synchronise_batch_norm(model)
    assert sum(isinstance(part, SynchronisedBatchNorm) for part in model.modules()) == 2


def test_a_norm_with_a_forward_of_its_own_is_refused():
    class Own(nn.BatchNorm2d):
        def forward(self, input):
            return input

    with pytest.raises(InputError, match=r"Own has a forward of its own: set trainer\.batch_norm=per_rank"):
        synchronise_batch_norm(nn.Sequential(Own(4)))
