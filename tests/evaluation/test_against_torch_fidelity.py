"""Whole scores beside torch-fidelity's: the same folders, the same file of weights, its own code from end to end."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from PIL import Image
from torch import nn

from ganzoo.errors import InputError
from ganzoo.evaluation.evaluate import evaluate

COUNT = 10

PROTOCOL = f"""
samples: images
num_real: {COUNT}
num_fake: {COUNT}
extractor: inception-v3-compat
resize: tf1-bilinear
metrics: [fid, kid, inception_score, precision_recall]
inception_splits: 1
kid_subsets: 1
kid_subset_size: {COUNT}
precision_recall_k: 1
primary: fid
"""


def folder(place: Path, count: int, seed: int) -> Path:
    """Smooth colour images of 32 pixels, as PNG."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) * 255
    pixels = nn.functional.interpolate(coarse, (32, 32), mode="bilinear").round().to(torch.uint8)
    place.mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(place / f"{number:03}.png")
    return place


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path, Path]:
    place = tmp_path_factory.mktemp("folders")
    (place / "random-v1.yaml").write_text(PROTOCOL)
    return folder(place / "fakes", COUNT, 1), folder(place / "reals", COUNT, 2), place / "random-v1.yaml"


@pytest.mark.slow
def test_scores_of_two_folders(folders, inception_file):
    """Of 10 images in 2048 dimensions, 2,039 eigenvalues of their product of covariances are nothing but rounding."""
    fakes, reals, protocol = folders
    ours = evaluate(fakes, protocol=str(protocol), against=str(reals), extractors=[str(inception_file)])["scores"]
    theirs = torch_fidelity.calculate_metrics(
        input1=str(fakes),
        input2=str(reals),
        cuda=False,
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(inception_file),
        isc_splits=1,
        kid_subsets=1,
        kid_subset_size=COUNT,
        prc_neighborhood=1,
        batch_size=64,
        cache=False,
        save_cpu_ram=True,  # no worker processes
        verbose=False,
    )
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], abs=2e-6)  # float32 there
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert (ours["precision"], ours["recall"]) == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)
    assert ours["fid"] > 1 and 0 < ours["precision"] + ours["recall"] < 2  # so that equality says something


def test_the_literatures_protocols_refuse_other_weights(inception_file, tmp_path):
    np.savez(tmp_path / "fakes.npz", arr_0=np.zeros((50_000, 4, 4, 1), dtype=np.uint8))
    with pytest.raises(InputError, match="whose SHA-256 begins 6726825d0af5f729, these have"):
        evaluate(tmp_path / "fakes.npz", protocol="ttur-v1", extractors=[str(inception_file)], against="digits")
