"""Perceptual path length against closed forms, LPIPS against torch-fidelity's own (with random weights: no network)."""

import math
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from drawn import normal, random
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.noise import batch_slerp_any
from torch_fidelity.sample_similarity_lpips import SampleSimilarityLPIPS
from torchvision.models import vgg16

from ganzoo.errors import InputError
from ganzoo.evaluation.extractors import weights
from ganzoo.evaluation.metrics import perceptual
from ganzoo.evaluation.metrics.perceptual import lerp, load_lpips, lpips_diversity, perceptual_path_length, slerp


def squared(x, y):
    """The squared Euclidean distance, in place of a network."""
    return (x - y).square().flatten(1).sum(dim=1)


def identity(latents, labels):
    """The latents themselves as images of one row."""
    return latents[:, None, None, :]


def ppl(start, end, images_of=identity, distance=squared, seed=0, batch_size=7, **options):
    return perceptual_path_length(
        distance, images_of, start, end, generator=random(seed), batch_size=batch_size, **options
    )


# Between two latents


def test_slerp_is_torch_fidelitys():
    start, end, t = normal(50, 5, 0), 2 * normal(50, 5, 1), torch.rand(50, 1, generator=random(2)).double()
    assert torch.allclose(slerp(start, end, t), batch_slerp_any(start, end, t), rtol=1e-10, atol=1e-12)


@given(st.integers(2, 20), st.integers(0, 1000))
def test_slerp_keeps_the_length_and_goes_at_one_speed(d, seed):
    start, end, t = normal(8, d, seed), normal(8, d, seed + 1), torch.rand(8, 1, generator=random(seed)).double()
    end *= start.norm(dim=1, keepdim=True) / end.norm(dim=1, keepdim=True)
    between = slerp(start, end, t)
    assert torch.allclose(between.norm(dim=1), start.norm(dim=1), rtol=1e-6)
    whole, part = (torch.cosine_similarity(start, other, dim=1).acos() for other in (end, between))
    assert torch.allclose(part, t[:, 0] * whole, atol=1e-5)
    for place, expected in ((0.0, start), (1.0, end)):
        assert torch.allclose(slerp(start, end, torch.full((8, 1), place).double()), expected, atol=1e-6)


def test_slerp_between_vectors_without_an_arc_is_a_line():
    start = torch.tensor([[1.0, 2.0], [1.0, 0.0], [0.0, 0.0], [3.0, 3.0]])
    end = torch.tensor([[2.0, 4.0], [-1.0, 0.0], [1.0, 1.0], [3.0, 3.0]])
    t = torch.full((4, 1), 0.25)
    assert torch.equal(slerp(start, end, t), lerp(start, end, t))


# The path length


def test_a_linear_generator_on_lines_has_its_closed_form():
    """G(z) = A z moves by epsilon A (end - start): |A (end - start)|^2 for every path, wherever it is; units 127.5."""
    start, end, matrix = normal(30, 4, 0), normal(30, 4, 1), normal(6, 4, 2)
    found = ppl(start, end, lambda z, _: identity(z @ matrix.T, _), interpolation="lerp", discard=(0, 1))
    expected = ((end - start) @ matrix.T * 127.5).square().sum(dim=1)
    assert found.value == pytest.approx(expected.mean().item(), rel=1e-6)
    reach = 1.959964 * expected.std().item() / math.sqrt(30)
    assert found.interval.high - found.value == pytest.approx(reach, rel=1e-5)
    assert found.interval.low + found.interval.high == pytest.approx(2 * found.value)
    assert "over 30 paths" in found.interval.how


@pytest.mark.parametrize("epsilon", [1e-4, 0.1])
def test_a_rotation_on_arcs_has_its_closed_form(epsilon):
    """On a circle of radius r through an angle w the chord of epsilon w is 2 r sin(epsilon w / 2)."""
    radius, angle = 3.0, 1.2
    start = torch.tensor([[radius, 0.0]]).double().expand(20, 2)
    end = radius * torch.tensor([[math.cos(angle), math.sin(angle)]]).double().expand(20, 2)
    expected = (2 * 127.5 * radius * math.sin(epsilon * angle / 2) / epsilon) ** 2
    found = ppl(start, end, epsilon=epsilon)
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_float32_latents_and_images_are_enough():
    start, end = normal(200, 64, 0), normal(200, 64, 1)
    exact = ppl(start, end).value
    assert ppl(start.float(), end.float()).value == pytest.approx(exact, rel=0.02)


def test_quantised_images_would_measure_the_quantisation():
    """Why images stay floats: at 1e-4 the round trip through uint8 makes something else of it."""

    def quantised(x, y):
        return squared(x.round(), y.round())

    start, end = normal(200, 8, 0) / 4, normal(200, 8, 1) / 4
    exact, rounded = (ppl(start, end, distance=by, discard=(0, 1)).value for by in (squared, quantised))
    assert rounded > 5 * exact


def test_the_extremes_are_discarded_as_in_numpy():
    values = torch.cat([normal(1000, 1, 0)[:, 0].exp(), torch.tensor([1e6, 1e-9]).double()])
    found = perceptual._trimmed_mean(values, 0.01, 0.99)
    low = np.percentile(values.numpy(), 1, method="lower")
    high = np.percentile(values.numpy(), 99, method="higher")
    kept = values[(values >= low) & (values <= high)]
    assert found.value == pytest.approx(kept.mean().item(), rel=1e-12) and len(kept) < 990
    everything = perceptual._trimmed_mean(values, 0, 1)
    assert everything.value == pytest.approx(values.mean().item(), rel=1e-12)


def test_the_interval_of_a_trimmed_mean_has_its_coverage():
    """400 sets of 300 log-normal values: about 380 hold what 10^6 values have; 4 standard deviations are 17."""
    expected = perceptual._trimmed_mean(normal(1_000_000, 1, 9)[:, 0].exp(), 0.01, 0.99).value
    found = [perceptual._trimmed_mean(normal(300, 1, seed)[:, 0].exp(), 0.01, 0.99) for seed in range(400)]
    hits = sum(interval.low < expected < interval.high for _, interval in found)
    assert 360 <= hits <= 397


def test_paths_keep_their_labels():
    seen = []

    def images_of(latents, labels):
        seen.append(labels)
        return identity(latents, labels)

    labels = torch.arange(10)
    ppl(normal(10, 2, 0), normal(10, 2, 1), images_of, labels=labels, batch_size=4)
    assert torch.equal(torch.cat(seen[::2]), labels) and torch.equal(torch.cat(seen[1::2]), labels)


def test_path_length_is_a_function_of_the_generator_and_not_of_the_batches():
    def curved(latents, labels):
        return identity(latents**3, labels)

    start, end, before = normal(40, 3, 0), normal(40, 3, 1), torch.get_rng_state()
    values = [ppl(start, end, curved, seed=seed, batch_size=size).value for seed, size in ((0, 1), (0, 40), (1, 40))]
    assert values[0] == pytest.approx(values[1], rel=1e-9) and values[0] != pytest.approx(values[2], rel=1e-3)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_path_has_no_interval_and_broken_images_are_said():
    assert ppl(normal(1, 2, 0), normal(1, 2, 1)).interval is None
    with pytest.raises(ValueError, match="3 of 3 distances"):
        ppl(normal(3, 2, 0), normal(3, 2, 1), lambda z, _: identity(z * math.nan, _))


# Diversity


def test_diversity_is_the_mean_distance_of_pairs():
    """Of normal images with deviation s: E |x - y|^2 = 2 d s^2, here in units of 127.5."""
    images = 0.1 * normal(4000, 12, 0).view(-1, 3, 2, 2)
    found = lpips_diversity(squared, images, pairs=2000, generator=random(0))
    expected = 2 * 12 * (0.1 * 127.5) ** 2
    assert found.interval.low < expected < found.interval.high
    assert found.interval.high - found.interval.low < 0.1 * expected
    collapsed = lpips_diversity(squared, images[:1].expand(20, -1, -1, -1), pairs=10, generator=random(0))
    assert collapsed.value == 0


def test_pixels_are_taken_as_they_are():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    assert lpips_diversity(squared, pixels, pairs=1, generator=random(0)) == (255.0**2, None)
    with pytest.raises(ValueError, match="1 to 1 pairs"):
        lpips_diversity(squared, pixels, pairs=2, generator=random(0))


# LPIPS


def write_weights(folder):
    """Random weights under the published names. VGG16's linear layers, which LPIPS leaves out, are one number each."""
    with torch.random.fork_rng(), torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in vgg16().state_dict().items()}
    generator = random(0)
    vgg = {
        name: torch.zeros(1).expand(shape)
        if name.startswith("classifier")
        else torch.randn(shape, generator=generator) * (2 / max(1, math.prod(shape[1:]))) ** 0.5
        for name, shape in shapes.items()
    }
    linear = {
        f"lin{k}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator)
        for k, channels in enumerate((64, 128, 256, 512, 512))
    }
    folder.mkdir(parents=True)
    torch.save(vgg, folder / "vgg16-397923af.pth")
    torch.save(linear, folder / "weights-vgg16-lpips.pth")


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("torch")
    write_weights(home / "hub" / "checkpoints")
    return home


@pytest.fixture
def files(torch_home, monkeypatch):
    """The folder of weights, in which those of VGG16 pass for the published ones."""
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    real = weights.published("vgg16")
    monkeypatch.setattr(perceptual, "published", lambda name: weights.Weights(real.file, real.url, ""))
    return torch_home / "hub" / "checkpoints"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(weights, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def test_lpips_is_torch_fidelitys(files):
    before = torch.get_rng_state()
    lpips = load_lpips()
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(parameter.requires_grad for parameter in lpips.parameters()) and not lpips.network.training
    x, y = (torch.rand(3, 3, 32, 32, generator=random(seed)) * 255 for seed in (0, 1))
    theirs = SampleSimilarityLPIPS("theirs")
    assert torch.equal(lpips(x, y), theirs(x, y)) and lpips(x, y).min() > 0
    assert (lpips(x, x) == 0).all()
    assert torch.equal(lpips(x[:, :1], y[:, :1]), theirs(x[:, :1].repeat(1, 3, 1, 1), y[:, :1].repeat(1, 3, 1, 1)))
    digests = [weights.sha256_of(files / name)[:16] for name in ("weights-vgg16-lpips.pth", "vgg16-397923af.pth")]
    assert lpips.identity == f"lpips-vgg16 {digests[0]} {digests[1]}"
    with pytest.raises(ValueError, match="16x16 pixels, got 15x32"):
        lpips(x[:, :, :15], y[:, :, :15])
    found = lpips_diversity(lpips, torch.stack([x, y]).flatten(0, 1) / 127.5 - 1, pairs=3, generator=random(0))
    assert 0 < found.interval.low < found.value


def test_missing_weights_without_a_network_name_both_files_and_the_folder(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load_lpips()
    message = str(caught.value)
    for part in (
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-vgg16-lpips.pth",
        str(tmp_path / "hub" / "checkpoints"),
        "no route to host",
    ):
        assert part in message
    assert message.startswith("LPIPS: needs weights-vgg16-lpips.pth (") and caught.value.exit_code == 2


class Exploit:
    """What a pickle can do: call anything when it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("code ran",))


@pytest.mark.parametrize("content", [Exploit(), {"lin0.model.1.weight": Exploit()}, SimpleNamespace()])
def test_files_that_would_run_code_are_refused(content, files, tmp_path, monkeypatch):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "vgg16-397923af.pth").symlink_to(files / "vgg16-397923af.pth")
    torch.save(content, folder / "weights-vgg16-lpips.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"weights-vgg16-lpips\.pth: is no file of weights"):
        load_lpips()


def test_other_weights_are_refused(files, tmp_path, monkeypatch):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "vgg16-397923af.pth").symlink_to(files / "vgg16-397923af.pth")
    torch.save({"lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}, folder / "weights-vgg16-lpips.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="holds other weights"):
        load_lpips()
