"""Protocols: those that ship, and what is said about wrong ones."""

import subprocess
import sys
from dataclasses import dataclass
from typing import get_args

import pytest

from ganzoo.data.base import ImageConfig, PointsConfig
from ganzoo.errors import InputError
from ganzoo.evaluation.protocol import Protocol, load_protocol, protocol_names
from ganzoo.evaluation.scores import NEEDS, SCORES, Metric

LITERATURE = [
    "ada-v1",
    "class-fid-v1",
    "classifier-v1",
    "cleanfid-v1",
    "digits-v1",
    "dinov2-v1",
    "fid-infinity-v1",
    "lucic-v1",
    "mimicry-v1",
    "pggan-v1",
    "ppl-v1",
    "precision-recall-v1",
    "sngan-v1",
    "stacked-mnist-v1",
    "toy2d-v1",
    "ttur-v1",
]


@dataclass(frozen=True, kw_only=True)
class Pictures(ImageConfig):
    @property
    def num_train(self) -> int:
        return 100


def test_the_protocols_that_ship():
    assert protocol_names() == LITERATURE


@pytest.mark.parametrize("name", protocol_names())
def test_a_shipped_protocol_loads_and_says_what_it_gives(name):
    protocol = load_protocol(name)
    assert protocol.name == name
    assert protocol.primary in protocol.scores
    assert set(protocol.scores) <= set(SCORES)


FID = {  # protocol: reference split, real images, fakes that FID is of; papers cited in the files
    "ttur-v1": ("train", None, 50_000),
    "sngan-v1": ("heldout", 10_000, 5_000),
    "ada-v1": ("train", None, 50_000),
    "mimicry-v1": ("train", 50_000, 50_000),
    "cleanfid-v1": ("train", None, 50_000),
    "lucic-v1": ("heldout", 10_000, 10_000),
}


@pytest.mark.parametrize("name", FID)
def test_the_literatures_fid(name):
    protocol = load_protocol(name)
    assert (protocol.split, protocol.num_real, protocol.fid_num_fake or protocol.num_fake) == FID[name]
    assert protocol.extractor == "inception-v3-compat" and protocol.weights == "6726825d0af5f729"
    assert protocol.resize == ("pil-bicubic" if name == "cleanfid-v1" else "tf1-bilinear") and protocol.quantise
    assert (protocol.max_real, protocol.flips) == (None, False)


def test_every_metric_says_what_it_needs_and_gives():
    assert {score.metric for score in SCORES.values()} == set(NEEDS) == set(get_args(Metric))


def test_digits_protocol():
    protocol = load_protocol("digits-v1")
    assert (protocol.num_real, protocol.num_fake, protocol.quantise) == (None, 500, True)
    assert protocol.primary == "fid" and protocol.lower_is_better


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(LookupError, match="there is no protocol 'digit-v1'; did you mean 'digits-v1'"):
        load_protocol("digit-v1")


def write(path, text: str) -> str:
    path.write_text(text)
    return str(path)


GOOD = "samples: images\nnum_fake: 20\nextractor: classifier\n"


def test_a_protocol_of_ones_own(tmp_path):
    protocol = load_protocol(write(tmp_path / "mine-v2.yaml", GOOD + "metrics: [kid]\nprimary: kid\n"))
    assert (protocol.name, protocol.scores) == ("mine-v2", ("kid",))
    assert load_protocol(tmp_path / "mine-v2.yaml") == protocol


def test_all_mistakes_at_once(tmp_path):
    text = "samples: image\nnum_fake: 1\nextractor: digits\nmetric: [fid]\nseed: x\n"
    with pytest.raises(InputError) as caught:
        load_protocol(write(tmp_path / "bad-v1.yaml", text))
    assert [problem.key for problem in caught.value.problems] == ["samples", "num_fake", "metric", "seed"]
    assert "did you mean 'metrics'?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("metrics: [kid]\n", "primary"),
        ("metrics: [inception_score]\nprimary: inception_score_std\n", "primary"),
        ("metrics: [fid, modes]\n", "metrics"),
        ("metrics: [fid, fud]\n", "metrics"),
        ("precision_recall_k: 20\n", "precision_recall_k"),
        ("inception_splits: 21\n", "inception_splits"),
        ("num_real: 10\nmax_real: 20\ninception_splits: 1\n", "max_real"),
        ("name: other-v1\n", "name"),
        ("weights: hello\n", "weights"),
        ("resize: tf1-bilinear\n", "resize"),
        ("fid_num_fake: 21\n", "fid_num_fake"),
        ("metrics: [fid, fid_infinity]\nfid_infinity_smallest: 21\n", "fid_infinity_smallest"),
        ("metrics: [fid, ms_ssim]\nms_ssim_pairs: 11\n", "ms_ssim_pairs"),
        ("ppl_epsilon: 0\n", "ppl_epsilon"),
    ],
)
def test_a_mistake_is_named(text, key, tmp_path):
    with pytest.raises(InputError) as caught:
        load_protocol(write(tmp_path / "mine-v1.yaml", GOOD + text))
    assert [problem.key for problem in caught.value.problems] == [key]


@pytest.mark.parametrize(
    ("extractor", "metric"),
    [
        ("vgg16", "modes"),
        ("inception-v3-compat", "class_accuracy"),
        ("vgg16", "inception_score"),
        ("none", "fid"),
        ("stacked-classifier", "class_accuracy"),
    ],
)
def test_a_metric_that_the_extractor_does_not_allow(extractor, metric, tmp_path):
    text = f"samples: images\nnum_fake: 20\nextractor: {extractor}\nmetrics: [{metric}]\nprimary: {metric}\n"
    with pytest.raises(InputError) as caught:
        load_protocol(write(tmp_path / "mine-v1.yaml", text + "inception_splits: 1\n"))
    assert [problem.key for problem in caught.value.problems] == ["metrics"]


def test_points_have_no_classifier_and_no_resolution(tmp_path):
    text = "samples: points\nnum_fake: 20\nextractor: digits\nresolution: 32\nmetrics: [fid, inception_score]\n"
    with pytest.raises(InputError) as caught:
        load_protocol(write(tmp_path / "mine-v1.yaml", text))
    assert {problem.key for problem in caught.value.problems} == {"extractor", "resolution", "metrics"}


def test_a_name_without_a_version(tmp_path):
    with pytest.raises(InputError, match="ending in a version"):
        load_protocol(write(tmp_path / "mine.yaml", GOOD))


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "a: 1\na: 2\n", "x: !!python/name:os.system\n", "1: 2\n", ""])
def test_a_file_that_is_no_protocol(text, tmp_path):
    with pytest.raises(InputError, match=r"mine-v1\.yaml"):
        load_protocol(write(tmp_path / "mine-v1.yaml", text))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "bytes-v1.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none-v1.yaml", tmp_path / "bytes-v1.yaml"):
        with pytest.raises(InputError, match="cannot be read as a protocol"):
            load_protocol(path)


def protocol(**changes) -> Protocol:
    return Protocol(**{"name": "mine-v1", "samples": "images", "num_fake": 20, "extractor": "digits", **changes})


def test_what_a_protocol_refuses(tmp_path):
    pictures, points = Pictures(), PointsConfig()
    assert protocol().refuses(pictures, "pictures") is None
    assert "is for images, and data set ring8 has points" in str(protocol().refuses(points, "ring8"))
    assert "not pictures" in str(protocol(data=("digits",)).refuses(pictures, "pictures"))
    assert "needs 101 real samples" in str(protocol(num_real=101).refuses(pictures, "pictures"))
    assert protocol(num_real=100).refuses(pictures, "pictures") is None
    assert protocol(max_real=101).refuses(pictures, "pictures") is None
    assert "has its own extractor" in str(protocol().refuses(pictures, "pictures", "file"))
    file = tmp_path / "file"
    classifier = protocol(extractor="classifier")
    assert "needs evaluation.extractor" in str(classifier.refuses(pictures, "pictures"))
    assert "there is no extractor file" in str(classifier.refuses(pictures, "pictures", file))
    file.touch()
    assert classifier.refuses(pictures, "pictures", str(file)) is None


def test_protocols_need_no_torch():
    code = (
        "import sys; from ganzoo.evaluation.protocol import load_protocol; load_protocol('digits-v1')\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'a heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
