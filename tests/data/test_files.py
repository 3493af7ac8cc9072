"""Images of one's own: folders, StyleGAN zips, and everything that may be wrong with them."""

import json
import zipfile
from io import BytesIO

import pytest
import torch
from PIL import Image

from ganzoo.config import InvalidSettings
from ganzoo.data import folder
from ganzoo.data import zip as stylegan
from ganzoo.data.files import held_out
from ganzoo.errors import InputError


def png(level: int = 0, size: tuple[int, int] = (8, 8), format: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("L", size, level).save(file, format)
    return file.getvalue()


def write(root, files: dict[str, bytes]):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(path, files: dict[str, bytes]):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pets() -> dict[str, bytes]:
    """Ten images in two classes, told apart by their grey level."""
    cats = {f"cats/{k}.png": png(k) for k in range(5)}
    dogs = {f"dogs/deeper/{k}.jpg": png(100 + k, (9, 13), "JPEG") for k in range(5)}
    return {**cats, **dogs}


def index_of(labels) -> dict[str, bytes]:
    return {"dataset.json": json.dumps({"labels": labels}).encode()}


PET_LABELS = [[name, 0 if "cats" in name else 2] for name in pets()]


def both(module, path, **settings):
    config = module.Config(path=str(path), resolution=8, channels=1, **settings)
    return [module.load(config, split) for split in ("train", "heldout")]


def levels(samples) -> list[int]:
    return samples.values[:, 0, 4, 4].tolist()


def refusal(module, path, **settings) -> str:
    """What the error says, which must be an InputError."""
    with pytest.raises(InputError) as caught:
        both(module, path, **settings)
    return str(caught.value)


# folders


def test_folder_of_classes(tmp_path):
    train, heldout = both(folder, write(tmp_path, pets()), heldout=0.3)
    assert (len(train), len(heldout)) == (7, 3)
    assert sorted(levels(train) + levels(heldout)) == pytest.approx([*range(5), *range(100, 105)], abs=1)
    for samples in (train, heldout):
        assert samples.class_names == ("cats", "dogs")
        assert samples.labels.tolist() == [int(level > 50) for level in levels(samples)]
    assert folder.Config(path=str(tmp_path)).num_classes == 2


def test_folder_without_sub_folders_is_unlabelled(tmp_path):
    train, heldout = both(folder, write(tmp_path, {f"{k}.PNG": png(k) for k in range(4)}))
    assert (len(train), len(heldout)) == (3, 1)
    assert train.class_names == () and train.labels.tolist() == [0, 0, 0]
    assert folder.Config(path=str(tmp_path)).num_classes == 0


def test_hidden_files_and_files_of_other_kinds_are_no_images(tmp_path):
    extra = {"cats/._0.png": b"", ".cache/a.png": b"", "__MACOSX/b.png": b"", "cats/notes.txt": b"", "README": b""}
    train, heldout = both(folder, write(tmp_path, {**pets(), **extra}))
    assert len(train) + len(heldout) == 10


def test_linked_folders_are_followed_but_not_in_a_circle(tmp_path):
    write(tmp_path / "far", {f"{k}.png": png(k) for k in range(3)})
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "linked").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "back").symlink_to(tmp_path / "near")
    assert folder.listing(str(tmp_path / "near")).names == ("linked/0.png", "linked/1.png", "linked/2.png")


def test_separate_heldout_images_take_the_labels_of_the_train_classes(tmp_path):
    write(tmp_path / "a", pets())
    write(tmp_path / "b", {"dogs/x.png": png(9)})
    train, heldout = both(folder, tmp_path / "a", heldout_path=str(tmp_path / "b"))
    assert len(train) == 10
    assert heldout.labels.tolist() == [1] and heldout.class_names == ("cats", "dogs")


def test_separate_heldout_images_of_other_classes(tmp_path):
    write(tmp_path / "a", pets())
    write(tmp_path / "b", {"birds/x.png": png(9)})
    said = refusal(folder, tmp_path / "a", heldout_path=str(tmp_path / "b"))
    assert "birds" in said and "cats, dogs" in said
    write(tmp_path / "c", {"x.png": png(9)})
    assert "none" in refusal(folder, tmp_path / "a", heldout_path=str(tmp_path / "c"))


def test_heldout_path_is_not_path():
    with pytest.raises(InvalidSettings, match="heldout_path"):
        folder.Config(path="a", heldout_path="a/")


def test_loose_images_beside_classes(tmp_path):
    said = refusal(folder, write(tmp_path, {**pets(), "loose.png": png()}))
    assert "loose.png" in said and "in no class" in said


def test_empty_class(tmp_path):
    write(tmp_path, pets())
    (tmp_path / "birds").mkdir()
    said = refusal(folder, tmp_path)
    assert "1 of its 3 class folders have no image" in said and "birds" in said


def test_empty_folder_and_folder_without_images(tmp_path):
    assert "no files" in refusal(folder, tmp_path)
    assert "no image among its 1 files" in refusal(folder, write(tmp_path, {"a.txt": b""}))


def test_a_single_image_cannot_be_split(tmp_path):
    assert "single image" in refusal(folder, write(tmp_path, {"a.png": png()}))


def test_all_bad_images_are_counted_and_the_first_named(tmp_path):
    write(tmp_path / "a", {f"bad{k:02}.png": b"no image" for k in range(20)} | {"good.png": png()})
    write(tmp_path / "b", {"good.png": png()})
    said = refusal(folder, tmp_path / "a", heldout_path=str(tmp_path / "b"))
    assert "20 of 21 images cannot be used" in said
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:11]] == [f"bad{k:02}.png" for k in range(10)]
    assert said.endswith("... and 10 more")


@pytest.mark.parametrize("module", [folder, stylegan])
def test_truncated_and_tiny_images_are_named_with_the_reason(module, tmp_path):
    noise = BytesIO()
    Image.effect_noise((64, 64), 50).save(noise, "JPEG")
    cut = noise.getvalue()[:-200]
    write(tmp_path / "a", {"cut.jpg": cut, "tiny.png": png(0, (1, 9)), "empty.png": b"", "good.png": png()})
    write(tmp_path / "b", {"good.png": png()})
    said = refusal(module, tmp_path / "a", heldout_path=str(tmp_path / "b"))
    assert "3 of 4 images cannot be used" in said
    assert "cut.jpg: image file is truncated" in said
    assert "tiny.png: 1x9 pixels" in said
    assert "empty.png: not an image that can be decoded" in said


def test_folder_reads_no_zip(tmp_path):
    assert "data set `zip`" in refusal(folder, zipped(tmp_path / "a.zip", pets()))


@pytest.mark.parametrize("module", [folder, stylegan])
def test_absent_path_names_its_nearest_neighbour(module, tmp_path):
    (tmp_path / "photos").mkdir()
    config = module.Config(path=str(tmp_path / "photo" / "train"))
    assert f"there is no 'photo' in {tmp_path}; did you mean 'photos'?" in config.missing()
    assert "data.path" in refusal(module, tmp_path / "photo")
    with pytest.raises(InputError, match="did you mean"):
        _ = config.num_classes
    config = module.Config(path=str(tmp_path), heldout_path=str(tmp_path / "away"))
    assert "data.heldout_path" in config.missing() and "did you mean" not in config.missing()


# zips, and folders in their layout


@pytest.mark.parametrize("below", ["", "pets/"])
def test_zip_with_labels(tmp_path, below):
    files = {below + name: content for name, content in {**pets(), **index_of(PET_LABELS)}.items()}
    path = zipped(tmp_path / "pets.zip", files)
    train, heldout = both(stylegan, path, heldout=0.3)
    assert (len(train), len(heldout)) == (7, 3)
    for samples in (train, heldout):
        assert samples.class_names == ("0", "1", "2")
        assert samples.labels.tolist() == [2 * (level > 50) for level in levels(samples)]
    assert stylegan.Config(path=str(path)).num_classes == 3


def test_zip_and_unpacked_folder_are_the_same_data(tmp_path):
    files = {**pets(), **index_of(PET_LABELS)}
    packed, unpacked = zipped(tmp_path / "pets.zip", files), write(tmp_path / "pets", files)
    for a, b in zip(both(stylegan, packed), both(stylegan, unpacked), strict=True):
        assert torch.equal(a.values, b.values) and torch.equal(a.labels, b.labels)


@pytest.mark.parametrize("index", [index_of(None), {}], ids=["null", "none"])
def test_zip_without_labels(tmp_path, index):
    path = zipped(tmp_path / "pets.zip", {**pets(), **index})
    train, _ = both(stylegan, path)
    assert train.class_names == () and not train.labels.any()
    assert stylegan.Config(path=str(path)).num_classes == 0


def test_labels_as_a_mapping_and_names_from_windows(tmp_path):
    labels = {name.replace("/", "\\"): label for name, label in PET_LABELS}
    path = zipped(tmp_path / "pets.zip", {**pets(), **index_of(labels)})
    assert stylegan.Config(path=str(path)).num_classes == 3
    assert len(both(stylegan, path)[0]) == 9


def test_a_changed_index_is_read_again(tmp_path):
    config = stylegan.Config(path=str(write(tmp_path, index_of([["a.png", 0]]))))
    assert config.num_classes == 1
    write(tmp_path, index_of([["a.png", 10]]))
    assert config.num_classes == 11


BAD_INDICES = {
    "no json": (b"{", "is no JSON"),
    "no text": (b"\xff\xfe\xff", "is no JSON"),
    "a list": (b"[]", "must be"),
    "no labels": (b"{}", "must be"),
    "a number": (b'{"labels": 3}', "not of the form"),
    "one-hot": (b'{"labels": [["cats/0.png", [0.0, 1.0]]]}', "cats/0.png"),
    "negative": (b'{"labels": [["cats/0.png", -1]]}', "cats/0.png"),
    "boolean": (b'{"labels": [["cats/0.png", true]]}', "cats/0.png"),
    "huge": (b'{"labels": [["cats/0.png", 1000000000]]}', "cats/0.png"),
    "twice": (json.dumps({"labels": PET_LABELS + PET_LABELS[:1]}).encode(), "names 1 images twice"),
    "some only": (json.dumps({"labels": PET_LABELS[1:]}).encode(), "no label for 1 of 10 images:\n  cats/0.png"),
    "none": (b'{"labels": []}', "no label for 10 of 10 images"),
    "not there": (
        json.dumps({"labels": [*PET_LABELS, ["x.png", 0]]}).encode(),
        "1 images that are not there:\n  x.png",
    ),
}


@pytest.mark.parametrize(("index", "reason"), BAD_INDICES.values(), ids=BAD_INDICES)
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_bad_index(tmp_path, index, reason, packed):
    files = {**pets(), "dataset.json": index}
    said = refusal(stylegan, zipped(tmp_path / "a.zip", files) if packed else write(tmp_path / "a", files))
    assert reason in said and str(tmp_path / "a") in said


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 but no more"])
def test_a_file_that_is_no_zip(tmp_path, content):
    path = write(tmp_path, {"a.zip": content}) / "a.zip"
    assert "no zip" in refusal(stylegan, path)


def test_a_damaged_member_is_named(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.png": png(1), "b.png": png(2)})
    start = path.read_bytes().index(b"IDAT")
    damaged = bytearray(path.read_bytes())
    damaged[start + 4] ^= 0xFF
    path.write_bytes(damaged)
    write(tmp_path / "h", {"a.png": png()})
    said = refusal(stylegan, path, heldout_path=str(tmp_path / "h"))
    assert "1 of 2 images cannot be used" in said and "a.png: Bad CRC-32" in said


# the split


def test_split_depends_on_the_names_alone():
    names = [f"{k}.png" for k in range(1000)]
    chosen = held_out(names, 0.1)
    assert sum(chosen) == 100
    assert chosen[::-1] == held_out(names[::-1], 0.1)
    assert [k for k in range(60) if chosen[k]] == [0, 6, 8, 33, 40, 42]  # another split would change every score


@pytest.mark.parametrize(("part", "count"), [(0.001, 1), (0.5, 5), (0.999, 9)])
def test_no_split_is_empty(part, count):
    assert sum(held_out([str(k) for k in range(10)], part)) == count
