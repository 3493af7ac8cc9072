"""Samples and statistics out of .npz files, and what is said of those that hold none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import ALL, COLOUR, GREY, npz, packed, refusal

from ganzoo.evaluation.arrays import holds_statistics, read_npz, read_statistics
from ganzoo.evaluation.opening import open_source

GROUPS = [torch.tensor(group, dtype=torch.int64) for group in ([3, 1, 4], [1], [], [9, 0, 0, 5])]


def test_npz_of_points_and_labels(tmp_path):
    points = np.random.default_rng(0).normal(size=(10, 2))
    source = read_npz(npz(tmp_path / "a.npz", arr_0=points, arr_1=np.arange(10, dtype=np.uint8)))
    assert (source.count, source.shape) == (10, (2,))
    assert torch.equal(source.values, torch.from_numpy(points).float()) and torch.equal(source.labels, ALL)
    assert source.labels.dtype == torch.int64


def test_npz_with_statistics_too_gives_its_samples(tmp_path):
    path = npz(tmp_path / "a.npz", arr_0=GREY, mu=np.zeros(2), sigma=np.eye(2))
    assert open_source(path).count == 10 and holds_statistics(path) and read_statistics(path).mean.shape == (2,)


BAD_ARRAYS = {
    "unit floats": (COLOUR / 255.0, "from 0 to 0.9765: round images to 0..255 first, np.uint8(np.round(255 * arr_0))"),
    "signed floats": (COLOUR / 127.5 - 1, "np.uint8(np.round(127.5 * (arr_0 + 1)))"),
    "wide floats": (COLOUR.astype(np.float32), "np.uint8(np.round(arr_0))"),
    "integers": (COLOUR.astype(np.int64), "arr_0 must be uint8 (n, h, w, 1 or 3), or float points (n, 2), not int64"),
    "alpha": (np.zeros((10, 4, 4, 4), np.uint8), "not uint8 (10, 4, 4, 4)"),
    "channels first": (np.zeros((10, 3, 8, 8), np.uint8), "np.transpose(arr_0, (0, 2, 3, 1))"),
    "none": (GREY[:0], "not uint8 (0, 2, 3)"),
    "no floats": (np.zeros((0, 4, 4, 3)), "not float64 (0, 4, 4, 3)"),
    "one number": (np.uint8(3), "not uint8 ()"),
    "words": (np.array(["a", "b"]), "not <U1 (2,)"),
    "objects": (np.array([{}, None]), "pickled Python objects, which could run code"),
    "NaN": (np.array([[0.0, np.nan], [1, 1], [np.inf, 0]]), "2 of its 3 points are NaN or infinite"),
    "beyond float32": (np.array([[0.0, 1e300]]), "1 of its 1 points are NaN or infinite"),
}


@pytest.mark.parametrize(("array", "said"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_samples_in_an_npz(tmp_path, array, said):
    assert said in refusal(lambda: open_source(npz(tmp_path / "a.npz", arr_0=array)))


@pytest.mark.parametrize("labels", [ALL[:9], ALL.double(), ALL - 1, ALL[:, None], ALL > 3], ids=str)
def test_bad_labels_in_an_npz(tmp_path, labels):
    path = npz(tmp_path / "a.npz", arr_0=GREY, arr_1=labels.numpy())
    assert "arr_1 must hold a class" in refusal(lambda: read_npz(path))


def test_npz_without_samples(tmp_path):
    assert "under the name arr_0" in refusal(lambda: open_source(npz(tmp_path / "a.npz", images=GREY)))
    statistics = npz(tmp_path / "b.npz", mu=np.zeros(2), sigma=np.eye(2))
    assert "these are statistics" in refusal(lambda: open_source(statistics))


def test_damaged_npz(tmp_path):
    path = Path(npz(tmp_path / "a.npz", arr_0=np.arange(5000, dtype=np.uint8).reshape(50, 10, 10)))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[3000] ^= 1
    for content, said in (
        (whole[:-100], "no .npz, or a damaged one"),
        (bytes(flipped), "Bad CRC-32"),
        (b"", "no .npz"),
    ):
        path.write_bytes(content)
        assert said in refusal(lambda: open_source(path))
    path.write_bytes(Path(packed(tmp_path / "b.zip", {"arr_0.npy": b"\x93NUMPY\x01\x00\xff\xff{"})).read_bytes())
    assert "cannot be read" in refusal(lambda: open_source(path))
    with path.open("wb") as file:
        np.save(file, GREY)  # an .npy by the name of an .npz
    assert "no .npz" in refusal(lambda: open_source(path))


# Statistics


def test_statistics(tmp_path):
    mean, covariance = np.arange(3, dtype=np.float32), np.diag([1.0, 0, 2])
    path = npz(tmp_path / "a.npz", mu=mean, sigma=covariance)
    assert holds_statistics(path)
    found = read_statistics(path)
    assert found.mean.dtype == found.covariance.dtype == torch.float64
    assert found.mean.tolist() == [0, 1, 2] and torch.equal(found.covariance, torch.from_numpy(covariance))


SKEW = np.eye(3) + 1e-5 * np.triu(np.ones((3, 3)), 1)
BAD_STATISTICS = {
    "no sigma": ({"mu": np.zeros(3)}, "has no sigma"),
    "neither": ({"arr_0": GREY}, "has no mu and no sigma"),
    "shapes": ({"mu": np.zeros(3), "sigma": np.eye(2)}, "float64 (3,) and float64 (2, 2)"),
    "rank": ({"mu": np.zeros((1, 3)), "sigma": np.eye(3)}, "float64 (1, 3)"),
    "empty": ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, "float64 (0,)"),
    "integers": ({"mu": np.zeros(3, int), "sigma": np.eye(3)}, "int64 (3,)"),
    "complex": ({"mu": np.zeros(3), "sigma": np.eye(3) + 0j}, "complex128 (3, 3)"),
    "NaN mean": ({"mu": np.full(3, np.nan), "sigma": np.eye(3)}, "NaN or infinite"),
    "infinite": ({"mu": np.zeros(3), "sigma": np.full((3, 3), np.inf)}, "NaN or infinite"),
    "skew": ({"mu": np.zeros(3), "sigma": SKEW}, "no covariance"),
    "negative": ({"mu": np.zeros(3), "sigma": -np.eye(3)}, "no covariance"),
    "objects": ({"mu": np.zeros(3), "sigma": np.array([None])}, "could run code"),
}


@pytest.mark.parametrize(("arrays", "said"), BAD_STATISTICS.values(), ids=BAD_STATISTICS)
def test_bad_statistics(tmp_path, arrays, said):
    assert said in refusal(lambda: read_statistics(npz(tmp_path / "a.npz", **arrays)))


def test_rounding_is_no_lack_of_symmetry(tmp_path):
    nearly = np.eye(3) + 1e-3 * (SKEW - np.eye(3))
    read_statistics(npz(tmp_path / "a.npz", mu=np.zeros(3), sigma=nearly))


def test_what_holds_no_statistics(tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    assert not holds_statistics(tmp_path / "broken.npz") and not holds_statistics(tmp_path / "absent.npz")
    assert not holds_statistics(npz(tmp_path / "a.npz", arr_0=GREY)) and not holds_statistics(tmp_path)
    assert "there is no 'absent.npz'" in refusal(lambda: read_statistics(tmp_path / "absent.npz"))
