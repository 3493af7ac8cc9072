"""Samples in files: to the pixel, in the forms that others read."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganzoo.components import DATASETS, implementation
from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.sampling import save_grid, save_samples


def pixels(channels: int, n: int = 7, size: int = 16) -> Tensor:
    """uint8 (n, c, h, w) with every value from 0 to 255."""
    values = torch.randint(0, 256, (n, channels, size, size), generator=torch.Generator().manual_seed(0))
    values.view(-1)[:256] = torch.arange(256)
    return values.to(torch.uint8)


def picture(file) -> np.ndarray:
    """(h, w, c) of a .png."""
    with Image.open(file) as image:
        array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def loaded(path: Path) -> np.ndarray:
    """uint8 (n, h, w, c) out of an .npz, a zip or a folder."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return arrays["arr_0"]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in sorted(archive.namelist()) if name.endswith(".png")]
            return np.stack([picture(archive.open(name)) for name in names])
    return np.stack([picture(file) for file in sorted(path.glob("**/*.png"))])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("out", ["a.npz", "a.zip", "folder", "new/folder", "new/a.zip"])
def test_images_come_back_to_the_pixel(tmp_path, channels, out):
    written = pixels(channels)
    save_samples(to_network_range(written), tmp_path / out)
    read = loaded(tmp_path / out)
    assert read.dtype == np.uint8 and np.array_equal(read, written.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_holds_each_image_to_the_pixel(tmp_path, channels):
    written = pixels(channels, n=4)
    save_samples(to_network_range(written), tmp_path / "grid.png")
    grid = picture(tmp_path / "grid.png")
    assert grid.shape == (2 * 16 + 3 * 2, 2 * 16 + 3 * 2, 3)  # two by two, two white pixels around each
    for index, image in enumerate(written.permute(0, 2, 3, 1).numpy()):
        top, left = 2 + 18 * (index // 2), 2 + 18 * (index % 2)
        assert np.array_equal(grid[top : top + 16, left : left + 16], np.broadcast_to(image, (16, 16, 3)))
    assert (grid[:2] == 255).all() and (grid[:, -2:] == 255).all() and (grid[18:20] == 255).all()


@pytest.mark.parametrize(("n", "rows", "columns"), [(2, 2, 1), (5, 3, 2), (9, 3, 3), (64, 8, 8)])
def test_a_grid_is_as_square_as_can_be(tmp_path, n, rows, columns):
    save_grid(to_network_range(pixels(1, n=n)), tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (columns * 18 + 2, rows * 18 + 2)


def test_values_out_of_range_are_clipped_and_others_rounded(tmp_path):
    given = torch.tensor([-9.0, -1.0, 0.0, 0.0027, 1.0, 9.0]).view(6, 1, 1, 1).expand(6, 1, 4, 4)
    save_samples(given, tmp_path / "a.npz")
    assert loaded(tmp_path / "a.npz")[:, 0, 0, 0].tolist() == [0, 0, 128, 128, 255, 255]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("out", "name"), [("a.zip", "zip"), ("a", "zip"), ("a", "folder")])
def test_ganzoo_reads_what_it_wrote_as_a_data_set(tmp_path, channels, out, name):
    written = pixels(channels, n=20)
    save_samples(to_network_range(written), tmp_path / out)
    settings = DATASETS.find(name)(path=str(tmp_path / out), resolution=16, channels=channels)
    module, config = implementation(settings)
    parts = [module.load(config, split) for split in ("train", "heldout")]
    assert [len(part) for part in parts] == [18, 2] and config.missing() is None
    read = torch.cat([part.values for part in parts])
    assert sorted(map(bytes, read.flatten(1).numpy())) == sorted(map(bytes, written.flatten(1).numpy()))


def test_a_zip_is_laid_out_as_stylegans_tools_expect(tmp_path):
    save_samples(to_network_range(pixels(3, n=2)), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["00000/img00000000.png", "00000/img00000001.png", "dataset.json"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert json.loads(archive.read("dataset.json")) == {"labels": None}


@pytest.mark.parametrize("out", ["a.npz", "a.zip", "a.png"])
def test_the_same_samples_are_the_same_bytes_at_any_time(tmp_path, monkeypatch, out):
    samples = to_network_range(pixels(3))
    save_samples(samples, tmp_path / out)
    first = (tmp_path / out).read_bytes()
    monkeypatch.setattr("time.localtime", lambda *_: (2031, 5, 6, 7, 8, 9, 1, 126, 0))
    save_samples(samples, tmp_path / out)
    assert (tmp_path / out).read_bytes() == first


def test_points_come_back_exactly(tmp_path):
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    save_samples(points, tmp_path / "a.npz")
    read = loaded(tmp_path / "a.npz")
    assert read.dtype == np.float32 and np.array_equal(read, points.numpy())


def test_a_scatter_has_each_point_at_its_place(tmp_path):
    """The square around all points, 5 % wider on every side, y upwards; the more points the darker."""
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.25, 0.75]])
    save_samples(points, tmp_path / "a.png")
    shades = picture(tmp_path / "a.png")[..., 0]
    assert shades.shape == (512, 512) and (shades == 255).sum() == 512 * 512 - 4

    def shade(x: float, y: float) -> int:
        column, row = (int((value + 0.05) / 1.1 * 512) for value in (x, y))
        return int(shades[511 - row, column])

    once, twice = int(255 * np.exp(-0.7)), int(255 * np.exp(-1.4))
    assert [shade(0, 0), shade(1, 0), shade(0.25, 0.75), shade(0, 1)] == [once, once, once, twice]


@pytest.mark.parametrize("points", [torch.zeros(3, 2), torch.full((1, 2), 1e6)])
def test_points_at_one_place_are_one_dot(tmp_path, points):
    save_grid(points, tmp_path / "a.png")
    assert (picture(tmp_path / "a.png") < 255).sum() == 1


@pytest.mark.parametrize("out", ["a.gif", "a.jpg", "a.npy", "a.tar.gz"])
def test_another_ending_is_refused(tmp_path, out):
    with pytest.raises(InputError, match=r"\.npz"):
        save_samples(to_network_range(pixels(1)), tmp_path / out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["a.zip", "a"])
def test_points_are_no_images(tmp_path, out):
    with pytest.raises(InputError, match="points"):
        save_samples(torch.zeros(3, 2), tmp_path / out)
    assert list(tmp_path.iterdir()) == []
