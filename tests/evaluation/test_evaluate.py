"""`evaluate`: samples from anywhere against references from anywhere, by one protocol or several."""

import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo.data import digits
from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluate import evaluate, evaluate_by
from ganzoo.evaluation.extractors.classifier import DIGITS, load_extractor
from ganzoo.evaluation.metrics.frechet import gaussian_statistics
from ganzoo.evaluation.opening import open_source
from ganzoo.sampling import save_samples

OWN = """
samples: images
num_fake: {num_fake}
extractor: classifier
metrics: {metrics}
inception_splits: 1
kid_subsets: 3
primary: fid
"""

MANY = "fid, kid, precision_recall, inception_score"


@pytest.fixture(scope="module")
def heldout() -> torch.Tensor:
    """500 digits at 16 pixels, uint8."""
    return digits.load(digits.Config(resolution=16), "heldout").values


@pytest.fixture(scope="module")
def folder(tmp_path_factory, heldout) -> Path:
    """The digits as a folder, a zip and an .npz, two protocols, and statistics of the train split."""
    place = tmp_path_factory.mktemp("samples")
    for name in ("digits", "digits.zip", "digits.npz"):
        save_samples(to_network_range(heldout), place / name)
    train = digits.load(digits.Config(resolution=16), "train").values
    save_samples(to_network_range(train), place / "train.zip")
    features = load_extractor(DIGITS)[0](train).features
    mean, covariance = gaussian_statistics(features)[:2]
    np.savez(place / "train-statistics.npz", mu=mean.numpy(), sigma=covariance.numpy())
    (place / "all-v1.yaml").write_text(OWN.format(num_fake=500, metrics=f"[{MANY}]"))
    (place / "fid-v1.yaml").write_text(OWN.format(num_fake=200, metrics="[fid]"))
    return place


def scores(folder: Path, source: str, protocol: str = "all-v1", against: str = "train.zip") -> dict:
    where = str(folder / against) if "." in against else against
    return evaluate(folder / source, protocol=str(folder / f"{protocol}.yaml"), against=where, extractors=[str(DIGITS)])


def test_a_folder_a_zip_and_an_npz_of_the_same_images_have_the_same_scores(folder):
    answers = [scores(folder, source) for source in ("digits", "digits.zip", "digits.npz")]
    assert answers[0]["scores"] == answers[1]["scores"] == answers[2]["scores"]
    assert answers[0]["intervals"] == answers[2]["intervals"]
    assert answers[0]["reference"]["count"] == 1297


def test_a_reference_is_the_same_from_a_data_set_a_zip_and_its_statistics(folder):
    by_zip, by_name = (scores(folder, "digits.npz", "fid-v1", against) for against in ("train.zip", "digits"))
    by_statistics = scores(folder, "digits.npz", "fid-v1", "train-statistics.npz")
    assert by_zip["scores"] == by_name["scores"] and by_zip["reference"]["sha256"] != ""
    assert by_statistics["scores"] == pytest.approx(by_name["scores"], rel=1e-9)
    assert by_name["floor"].keys() == by_name["scores"].keys() and not by_zip["floor"] and not by_statistics["floor"]


def test_intervals_hold_the_scores_and_say_what_they_are(folder):
    answer = scores(folder, "digits.npz")
    assert {"fid", "precision", "recall"} <= answer["intervals"].keys()
    for name, interval in answer["intervals"].items():
        assert interval["low"] <= answer["scores"][name] <= interval["high"] and interval["how"]


def test_several_protocols_look_once(folder, monkeypatch):
    """The smaller protocol's samples are among those of the larger one, which were seen already."""
    looks = []
    from ganzoo.evaluation.extraction import Sight

    see = Sight.see

    def counted(self, source, indices, tell=None):
        looks.append((source.name, len(indices)))
        return see(self, source, indices, tell)

    monkeypatch.setattr(Sight, "see", counted)
    protocols = [str(folder / f"{name}-v1.yaml") for name in ("fid", "all")]
    both = evaluate_by(folder / "digits.npz", protocols, against="digits", extractors=[str(DIGITS)], floor=False)
    assert [answer["protocol"]["name"] for answer in both] == ["fid-v1", "all-v1"]
    assert [count for name, count in looks if name.endswith("digits.npz")] == [500]
    alone = [scores(folder, "digits.npz", name, "digits") for name in ("fid-v1", "all-v1")]
    assert [answer["scores"] for answer in both] == [answer["scores"] for answer in alone]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_scores_do_not_depend_on_how_many_are_looked_at_together(folder, size, monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))  # the reference is looked at anew
    options = {"protocol": str(folder / "all-v1.yaml"), "against": "digits", "extractors": [str(DIGITS)]}
    whole, parts = (evaluate(folder / "digits.npz", batch_size=each, **options) for each in (None, size))
    assert parts["scores"] == pytest.approx(whole["scores"], rel=1e-5)
    assert parts["floor"] == pytest.approx(whole["floor"], rel=1e-5)


SOME = """
samples: images
num_fake: 500
fid_num_fake: 100
extractor: classifier
metrics: [fid, inception_score, sliced_wasserstein]
inception_splits: 5
sliced_wasserstein_images: 100
"""


def test_files_that_are_sorted_by_class_are_scored_as_others_are(folder, heldout):
    """Where a metric takes a part of the samples, or of the reals, it is a random one and not the noughts."""
    (folder / "some-v1.yaml").write_text(SOME)
    for name, split in (("sorted.npz", "heldout"), ("sorted-train.npz", "train")):
        samples = digits.load(digits.Config(resolution=16), split)
        save_samples(to_network_range(samples.values[samples.labels.argsort()]), folder / name)
    by_class = scores(folder, "sorted.npz", "some-v1", "sorted-train.npz")["scores"]
    mixed = scores(folder, "digits.npz", "some-v1", "train.zip")["scores"]
    by_class.pop("inception_score_std"), mixed.pop("inception_score_std")
    assert by_class == pytest.approx(mixed, rel=0.4)  # of a hundred images; noughts alone have fifty times the FID
    assert by_class["inception_score"] == pytest.approx(mixed["inception_score"], rel=0.03)


def test_colour_files_of_grey_images_are_grey(folder, heldout):
    save_samples(to_network_range(heldout).expand(-1, 3, -1, -1), folder / "as-rgb.zip")
    assert scores(folder, "as-rgb.zip")["scores"] == scores(folder, "digits.zip")["scores"]


def test_neighbours_are_drawn(folder):
    out = folder / "neighbours.png"
    evaluate(
        folder / "train.zip",
        protocol=str(folder / "fid-v1.yaml"),
        against=str(folder / "train.zip"),
        extractors=[str(DIGITS)],
        neighbours=out,
    )
    picture = np.asarray(Image.open(out).convert("L"))
    cells = [[picture[2 + 18 * row :, 2 + 18 * column :][:16, :16] for column in range(8)] for row in range(8)]
    assert all(np.array_equal(row[0], row[1]) for row in cells)  # of training images, the nearest are they themselves


def refused(folder: Path, source: str, reason: str, **options) -> None:
    options = {"protocol": "digits-v1", **options}
    with pytest.raises(InputError, match=reason) as caught:
        evaluate(folder / source, **options)
    assert caught.value.exit_code == 2 and "\n\n" not in str(caught.value)


def write_images(place: Path, images: list[Image.Image]) -> None:
    place.mkdir()
    for number, image in enumerate(images):
        image.save(place / f"{number}.png")


def test_bad_sources_are_told_in_a_paragraph(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path, "empty", "no files")
    grey = [Image.new("L", (16, 16), number % 256) for number in range(500)]
    write_images(tmp_path / "mixed", [*grey[:499], Image.new("L", (17, 16))])
    refused(tmp_path, "mixed", "499.png is 17x16 pixels.*0.png is 16x16 pixels")
    write_images(tmp_path / "colours", [*grey[:499], Image.new("RGB", (16, 16))])
    refused(tmp_path, "colours", "in colour")
    write_images(tmp_path / "truncated", grey)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8))
    noise.save(tmp_path / "truncated" / "7.jpg")
    (tmp_path / "truncated" / "7.png").unlink()
    whole = (tmp_path / "truncated" / "7.jpg").read_bytes()
    (tmp_path / "truncated" / "7.jpg").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, "truncated", "7.jpg")
    (tmp_path / "no.zip").write_text("hello")
    refused(tmp_path, "no.zip", "no zip")
    np.savez(tmp_path / "floats.npz", arr_0=np.random.default_rng(0).random((500, 16, 16, 1), dtype=np.float32))
    refused(tmp_path, "floats.npz", "round images to 0..255")
    np.savez(tmp_path / "few.npz", arr_0=np.zeros((10, 16, 16, 1), dtype=np.uint8))
    refused(tmp_path, "few.npz", "scores 500 samples, and there are 10")
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(3), sigma=np.eye(3))
    refused(tmp_path, "statistics.npz", "statistics")
    with ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    refused(tmp_path, "texts.zip", "no image")


def test_what_cannot_be_compared(folder, tmp_path, heldout):
    colour = np.random.default_rng(0).integers(0, 256, (500, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "colour.npz", arr_0=colour)
    refused(tmp_path, "colour.npz", "in colour, those of digits, train are grey")
    own = {"protocol": str(folder / "fid-v1.yaml"), "extractors": [str(DIGITS)]}
    refused(
        folder, "digits.npz", "its images are grey, those of .* in colour", against=str(tmp_path / "colour.npz"), **own
    )
    np.savez(tmp_path / "small.npz", arr_0=np.zeros((500, 8, 8, 1), dtype=np.uint8))
    refused(tmp_path, "small.npz", "are 8x8, those of .* are 16x16", against=str(folder / "train.zip"), **own)
    np.savez(tmp_path / "wide.npz", arr_0=np.zeros((500, 8, 16, 1), dtype=np.uint8))
    refused(tmp_path, "wide.npz", "are 16x8, and those of digits are square", against="digits", **own)
    np.savez(tmp_path / "points.npz", arr_0=np.zeros((500, 2)))
    refused(tmp_path, "points.npz", "points", against="digits", **own)
    np.savez(tmp_path / "other.npz", mu=np.zeros(3), sigma=np.eye(3))
    refused(folder, "digits.npz", "of 3 features, and .* gives 64", against=str(tmp_path / "other.npz"), **own)
    statistics = {"against": str(folder / "train-statistics.npz"), "extractors": [str(DIGITS)]}
    refused(folder, "digits.npz", "kid.*needs the real samples", protocol=str(folder / "all-v1.yaml"), **statistics)
    refused(folder, "digits.npz", "did you mean 'digits'", against="digit", **own)
    refused(folder, "digits.npz", "needs evaluation.extractor", protocol=str(folder / "fid-v1.yaml"), against="digits")
    refused(folder, "digits.npz", "must be named", protocol=None)


def test_open_source_gives_what_was_written(folder, heldout):
    for name in ("digits", "digits.zip", "digits.npz"):
        source = open_source(folder / name)
        assert torch.equal(torch.cat(list(source.batches([torch.arange(500)]))), heldout)


def test_the_answer_is_json(folder):
    assert json.loads(json.dumps(scores(folder, "digits.npz")))["extractor"]["weights_sha256"]
