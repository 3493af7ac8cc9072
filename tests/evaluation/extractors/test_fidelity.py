"""Published networks against torch-fidelity's own extractors, to the last bit, with random weights in their format."""

import hashlib
from zipfile import ZipFile

import pytest
import torch
from random_weights import random_weights
from torch import Tensor, nn
from torch_fidelity import feature_extractor_clip
from torch_fidelity.feature_extractor_clip import CLIPVisual, FeatureExtractorCLIP
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.extractors import fidelity, weights
from ganzoo.evaluation.extractors.fidelity import load_fidelity
from ganzoo.evaluation.extractors.resizing import resized

# FeatureExtractorCLIP opens its file so; goes with torch.jit
TORCHSCRIPT = pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::torch.jit.TracerWarning")


def pixels(channels: int = 3, size: int = 32, n: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    coarse = torch.randint(256, (n, channels, 4, 4), generator=generator).float()  # like a picture: smooth in parts
    return nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def inception(inception_file):
    return load_fidelity("inception-v3-compat", file=inception_file)


@pytest.fixture(scope="module")
def their_inception(inception_file):
    layers = ["2048", "logits_unbiased"]
    return FeatureExtractorInceptionV3("inception-v3-compat", layers, feature_extractor_weights_path=inception_file)


# Inception


@pytest.mark.parametrize("size", [32, 299, 301])
def test_inception_is_torch_fidelitys_to_the_last_bit(size, inception, their_inception):
    images = pixels(size=size)
    features, logits = inception(images)
    expected_features, expected_logits = their_inception(images)
    assert features.shape == (3, 2048) and logits.shape == (3, 1008)
    assert features.std(dim=0).mean() > 1e-3  # the images differ, so that equality says something
    assert torch.equal(features, expected_features) and torch.equal(logits, expected_logits)
    assert features.dtype == logits.dtype == torch.float32


def test_grey_images_are_the_same_grey_in_every_channel(inception, their_inception):
    grey = pixels(channels=1, n=2)
    assert torch.equal(inception(grey).features, their_inception(grey.repeat(1, 3, 1, 1))[0])


def test_floats_are_the_same_images_and_are_not_quantised(inception):
    images = pixels(n=2)
    as_pixels, as_floats = inception(images).features, inception(to_network_range(images)).features
    assert torch.allclose(as_pixels, as_floats, rtol=1e-4, atol=1e-5)
    assert not torch.equal(inception(to_network_range(images) * 0.999).features, as_floats)


def test_clean_fids_resize_comes_before_the_network(inception_file, inception):
    clean, images = load_fidelity("inception-v3-compat", file=inception_file, resize="pil-bicubic"), pixels(n=2)
    found = clean(images).features
    ready = resized(images.float(), 299, "pil-bicubic") / 127.5 - 1
    assert torch.allclose(found, inception(ready).features, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, inception(images).features, rtol=1e-2)
    assert clean.identity == inception.identity.replace("tf1-bilinear", "pil-bicubic")


def test_an_extractor_is_known_by_its_weights_and_frozen(inception_file, inception):
    digest = hashlib.sha256(inception_file.read_bytes()).hexdigest()
    assert inception.weights_sha256 == digest
    assert inception.identity == f"inception-v3-compat {digest[:16]} tf1-bilinear"
    assert not inception.training and not any(parameter.requires_grad for parameter in inception.parameters())
    assert {tensor.dtype for tensor in inception.state_dict().values()} <= {torch.float32, torch.int64}
    assert inception.batch_size == 64


def test_loading_leaves_the_global_generator_alone(inception_file):
    before = torch.get_rng_state()
    load_fidelity("inception-v3-compat", file=inception_file)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_shapes_are_refused(inception):
    for shape in [(2, 2, 32, 32), (2, 32, 32), (2, 2)]:
        with pytest.raises(ValueError, match=r"must be \(n, 1 or 3, h, w\)"):
            inception(torch.zeros(shape))


@pytest.mark.parametrize("name", ["inception-v3-compat", "vgg16", "clip-vit-b-32", "clip-rn50"])
def test_other_weights_are_refused(name, tmp_path):
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=f"holds other weights than those of {name}: ") as raised:
        load_fidelity(name, file=tmp_path / "a.pth")
    assert len(str(raised.value)) < 500 and "\n" not in str(raised.value)


def test_no_weights_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "answers", refuses)
    with pytest.raises(InputError) as raised:
        load_fidelity("inception-v3-compat")
    for part in ("weights-inception-2015-12-05-6726825d.pth", "https://github.com/toshas/torch-fidelity/", tmp_path):
        assert str(part) in str(raised.value)


def refuses(url: str) -> None:
    raise OSError(f"no network for {url}")


# VGG16


@pytest.mark.slow  # 528 MB of weights
def test_vgg16_is_torch_fidelitys_to_the_last_bit(tmp_path):
    from torchvision.models import vgg16

    with torch.device("meta"):
        like = vgg16().state_dict()
    path, images = tmp_path / "vgg16.pth", pixels()
    torch.save(random_weights(like), path, _use_new_zipfile_serialization=False)  # as torchvision's file is
    before = torch.get_rng_state()
    features, logits = load_fidelity("vgg16", file=path)(images)
    assert torch.equal(torch.get_rng_state(), before)
    (expected,) = FeatureExtractorVGG16("vgg16", ["fc2_relu"], feature_extractor_weights_path=path)(images)
    path.unlink()
    assert features.shape == (3, 4096) and logits is None
    assert features.std(dim=0).mean() > 1e-3 and torch.equal(features, expected)


# CLIP

VISUALS = {
    "clip-vit-b-32": {"image_resolution": 64, "vision_layers": 2, "vision_width": 64, "vision_patch_size": 32},
    "clip-rn50": {
        "image_resolution": 64,
        "vision_layers": (1, 1, 1, 1),
        "vision_width": 8,
        "vision_patch_size": None,
    },
}


class WholeCLIP(nn.Module):
    """As OpenAI's archives: the image network `visual`, and a projection of texts."""

    def __init__(self, **sizes):
        super().__init__()
        self.visual = CLIPVisual(24, **sizes).visual
        self.text_projection = nn.Parameter(torch.zeros(16, 24))
        self.load_state_dict(random_weights(self.state_dict()))

    def forward(self, images):
        return self.visual(images) @ self.text_projection.T


@pytest.fixture(params=VISUALS)
def clip(request, tmp_path):
    """Its name, weights in a small network of that kind, and the same as a TorchScript archive, as it is published."""
    whole = WholeCLIP(**VISUALS[request.param]).eval()
    torch.save(whole.state_dict(), tmp_path / "state.pth")
    torch.jit.trace(whole, torch.zeros(1, 3, 64, 64), check_trace=False).save(tmp_path / "archive.pt")
    return request.param, tmp_path / "state.pth", tmp_path / "archive.pt"


@TORCHSCRIPT
def test_clip_is_torch_fidelitys_to_the_last_bit(clip, monkeypatch):
    name, state, archive = clip
    (expected,) = FeatureExtractorCLIP(name, ["clip"], feature_extractor_weights_path=str(archive))(pixels())
    features, logits = load_fidelity(name, file=state)(pixels())
    assert features.shape == (3, 24) and logits is None
    assert features.std(dim=0).mean() > 1e-3 and torch.equal(features, expected)

    with pytest.raises(InputError, match=r"is no file of weights: .*TorchScript"):  # opening it would run it
        load_fidelity(name, file=archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(feature_extractor_clip.MODEL_METADATA[name], "hash", digest)  # were it the published one
    assert torch.equal(load_fidelity(name, file=archive)(pixels()).features, expected)


# DINOv2

HUBCONF = """
import torch, warnings
def dinov2_vits14(*, pretrained=True):
    warnings.warn("xFormers is not available (here)")
    assert not pretrained  # its own loader unpickles
    return torch.nn.Sequential(torch.nn.Conv2d(3, 5, 14, 14), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
"""


@pytest.fixture
def dinov2_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("XFORMERS_DISABLED", "1")  # so that it is put back
    torch.save({"0.weight": torch.randn(5, 3, 14, 14), "0.bias": torch.randn(5)}, tmp_path / "a.pth")
    return tmp_path / "a.pth"


def test_dinov2_is_the_hubs_network_with_checked_weights(dinov2_file, tmp_path, monkeypatch):
    folder = tmp_path / "hub" / "facebookresearch_dinov2_main"
    folder.mkdir(parents=True)
    (folder / "hubconf.py").write_text(HUBCONF)
    features, logits = load_fidelity("dinov2-vit-s-14", file=dinov2_file)(pixels())
    local = torch.hub.load

    def pretrained(repository: str, model: str) -> nn.Module:
        network = local(str(folder), model, source="local", pretrained=False)
        network.load_state_dict(torch.load(dinov2_file, weights_only=True))
        return network

    monkeypatch.setattr(torch.hub, "load", pretrained)
    (expected,) = FeatureExtractorDinoV2("dinov2-vit-s-14", ["dinov2"])(pixels())
    assert features.shape == (3, 5) and logits is None
    assert torch.equal(features, expected)


def test_dinov2s_code_is_fetched_once_and_stdout_is_left_alone(dinov2_file, tmp_path, monkeypatch, capsys):
    with ZipFile(tmp_path / "main.zip", "w") as archive:
        archive.writestr("dinov2-main/", "")
        archive.writestr("dinov2-main/hubconf.py", HUBCONF)
    monkeypatch.setattr(fidelity, "answers", lambda _: None)
    monkeypatch.setattr(torch.hub, "_git_archive_link", lambda *_: (tmp_path / "main.zip").as_uri())
    once = load_fidelity("dinov2-vit-s-14", file=dinov2_file)(pixels()).features
    monkeypatch.setattr(fidelity, "answers", refuses)
    again = load_fidelity("dinov2-vit-s-14", file=dinov2_file)(pixels()).features
    assert torch.equal(once, again) and capsys.readouterr().out == ""


def test_dinov2_without_its_code(dinov2_file, monkeypatch):
    monkeypatch.setattr(fidelity, "answers", refuses)
    with pytest.raises(
        InputError, match=r"needs the code of github.com/facebookresearch/dinov2, which is not in .*_main"
    ):
        load_fidelity("dinov2-vit-s-14", file=dinov2_file)
