"""Samples from anywhere: what they are, in which order, and what is said of those that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import ALL, COLOUR, GREY, encoded, everything, folder, named, npz, packed, planes, refusal
from PIL import Image

from ganzoo.evaluation.arrays import read_statistics
from ganzoo.evaluation.opening import AHEAD, FilesSource, open_source
from ganzoo.evaluation.sources import HeldSource

GROUPS = [torch.tensor(group, dtype=torch.int64) for group in ([3, 1, 4], [1], [], [9, 0, 0, 5])]


# Memory, folders and zips


@pytest.mark.parametrize("arrays", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("kind", ["held", "folder", "zip", "npz"])
def test_groups_are_the_samples_of_those_numbers(tmp_path, arrays, kind):
    if kind == "held":
        source = HeldSource("here", planes(arrays))
    elif kind == "folder":
        source = open_source(folder(tmp_path, named(arrays)))
    elif kind == "zip":
        source = open_source(packed(tmp_path / "a.zip", named(arrays)))
    else:
        source = open_source(npz(tmp_path / "a.npz", arr_0=arrays))
    assert (source.count, source.shape) == (10, (1 if arrays is GREY else 3, 2, 3))
    found = list(source.batches(GROUPS))
    assert len(found) == len(GROUPS)
    for group, batch in zip(GROUPS, found, strict=True):
        assert batch.dtype == torch.uint8 and torch.equal(batch, planes(arrays)[group])


def test_names_and_labels_of_what_is_held():
    source = HeldSource("ring8", torch.rand(10, 2), ALL)
    assert (source.name, source.count, source.shape) == ("ring8", 10, (2,))
    assert source.labels is ALL and HeldSource("ring8", torch.rand(10, 2)).labels is None


def test_many_groups_in_many_threads_stay_in_order(tmp_path):
    arrays = np.random.default_rng(1).integers(0, 256, (300, 4, 4), dtype=np.uint8)
    source = open_source(packed(tmp_path / "a.zip", named(arrays, "{:05}.png")))
    mixed = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat(list(source.batches(mixed.split(37)))), planes(arrays)[mixed])


def test_no_more_than_a_few_groups_are_read_ahead(tmp_path):
    source = FilesSource(folder(tmp_path, named(np.repeat(GREY, 10, axis=0), "{:03}.png")))
    read, plain = [], source._files
    source._files = type("Counted", (), {"read": lambda self, name: read.append(name) or plain.read(name)})()
    batches = source.batches(torch.arange(100).split(5))
    next(batches)
    batches.close()  # waits for the threads
    assert 5 <= len(read) <= 5 * (AHEAD + 1)


# What identifies samples


def test_the_hash_is_of_content_and_order_not_of_names_and_places(tmp_path):
    files = named(GREY)
    sources = [
        open_source(folder(tmp_path / "a", files)),
        open_source(folder(tmp_path / "b", {"x" + name: content for name, content in files.items()})),
        open_source(packed(tmp_path / "c.zip", files)),
    ]
    assert len({source.sha256(ALL) for source in sources}) == 1
    changed = files | {"07.png": encoded(GREY[7] + 1)}
    other = open_source(folder(tmp_path / "d", changed))
    assert other.sha256(ALL) != sources[0].sha256(ALL)
    assert other.sha256(ALL[:7]) == sources[0].sha256(ALL[:7])
    assert len({sources[0].sha256(indices) for indices in (ALL, ALL.flip(0), ALL[1:], ALL[:0])}) == 4


@given(st.data())
def test_held_samples_hash_alike_where_they_are_alike(data):
    values = torch.tensor(data.draw(st.lists(st.integers(0, 255), min_size=8, max_size=8)), dtype=torch.uint8)
    a, b = HeldSource("a", values.view(4, 1, 1, 2)), HeldSource("b", values.view(4, 1, 1, 2).clone())
    numbers = st.lists(st.integers(0, 3), max_size=5).map(lambda found: torch.tensor(found, dtype=torch.int64))
    one, other = data.draw(numbers), data.draw(numbers)
    same = one.shape == other.shape and torch.equal(a.values[one], b.values[other])
    assert (a.sha256(one) == b.sha256(other)) == same
    assert HeldSource("c", values.view(4, 1, 2, 1)).sha256(one) != a.sha256(one)  # of another shape


# What becomes of an image


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "RGB", "RGBA", "P", "CMYK"])
def test_images_are_grey_or_in_colour_as_they_are(tmp_path, mode):
    plain = Image.fromarray(np.full((4, 5), 0x8000, np.uint16)) if mode == "I;16" else Image.new("RGB", (5, 4), "white")
    image = plain if mode == "I;16" else plain.convert(mode)
    suffix = "tiff" if mode == "CMYK" else "png"
    image.save(tmp_path / f"a.{suffix}")
    source = open_source(tmp_path)
    assert source.shape == (1 if mode in ("1", "L", "LA", "I;16") else 3, 4, 5)
    assert set(everything(source).unique().tolist()) == {0x80 if mode == "I;16" else 255}


ODD = {
    "size": (encoded(np.zeros((3, 3), np.uint8)), "01.png is 3x3 pixels, grey, but 00.png is 3x2 pixels, grey"),
    "colour": (encoded(COLOUR[0]), "01.png is 3x2 pixels, in colour, but 00.png is 3x2 pixels, grey"),
    "empty": (b"", "01.png: not an image that can be decoded"),
    "text": (b"no image", "01.png: not an image that can be decoded"),
    "tiny": (encoded(np.zeros((1, 9), np.uint8)), "01.png: 9x1 pixels; the smallest side must be 2"),
    "cut": (encoded(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8), "JPEG")[:-500], "truncated"),
}


@pytest.mark.parametrize(("content", "said"), ODD.values(), ids=ODD)
def test_an_image_unlike_the_first_is_named(tmp_path, content, said):
    source = open_source(folder(tmp_path, {**named(GREY), "01.png": content}))
    message = refusal(lambda: everything(source))
    assert said in message and "1 of 4 images read together cannot be used" in message and str(tmp_path) in message
    assert torch.equal(next(source.batches([ALL[2:]])), planes(GREY)[2:])  # the others can be


def test_the_first_image_is_looked_at_at_once(tmp_path):
    assert "00.png: not an image" in refusal(lambda: open_source(folder(tmp_path, {**named(GREY), "00.png": b""})))


def test_all_bad_images_of_a_group_are_counted_and_in_order(tmp_path):
    bad = {f"{number:02}.png": b"bad" for number in range(1, 60)}
    message = refusal(lambda: list(open_source(folder(tmp_path, named(GREY) | bad)).batches([torch.arange(60)])))
    assert "59 of 60 images" in message and message.index("01.png") < message.index("02.png") < message.index("10.png")


def test_a_damaged_member_of_a_zip_is_named(tmp_path):
    path = Path(packed(tmp_path / "a.zip", named(GREY)))
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT", content.index(b"05.png")) + 4] ^= 0xFF
    path.write_bytes(content)
    source = open_source(path)
    assert "05.png: Bad CRC-32" in refusal(lambda: everything(source))
    assert "05.png: Bad CRC-32" in refusal(lambda: source.sha256(ALL))


# Labels

TWO = named(GREY[:6], "cat/{}.png") | named(GREY[6:], "dog/{}.png")
INDEX = {"dataset.json": json.dumps({"labels": [[name, 7 * (name > "d")] for name in TWO]}).encode()}
HALVES = [0] * 6 + [1] * 4


def test_labels_are_the_sub_folders_of_a_folder(tmp_path):
    assert open_source(folder(tmp_path, TWO)).labels.tolist() == HALVES
    (tmp_path / "bird").mkdir()  # a class of which a generator made no image
    assert open_source(tmp_path).labels.tolist() == [1 + label for label in HALVES]


@pytest.mark.parametrize("make", [folder, packed])
def test_labels_are_those_of_a_dataset_json(tmp_path, make):
    assert open_source(make(tmp_path / "a.zip", TWO | INDEX)).labels.tolist() == [7 * label for label in HALVES]


@pytest.mark.parametrize(
    "files",
    [
        named(GREY),
        TWO | {"loose.png": encoded(GREY[0])},
        named(GREY, "all/{:02}.png"),
        named(GREY, "0000{0}/img0000{0}000.png"),
        TWO | {"dataset.json": b'{"labels": null}'},
    ],
    ids=["flat", "loose", "one folder", "numbered", "null"],
)
def test_images_without_labels(tmp_path, files):
    source = open_source(folder(tmp_path, files))
    assert source.labels is None and source.count >= 10


def test_a_zip_without_an_index_has_no_labels(tmp_path):
    assert open_source(packed(tmp_path / "a.zip", TWO)).labels is None


# Places that hold no samples


def test_places_without_samples(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.zip").write_bytes(b"no zip")
    (tmp_path / "a.npz").write_bytes(b"no zip")
    (tmp_path / "a.png").write_bytes(encoded(GREY[0]))
    (tmp_path / "stats.pkl").write_bytes(b"\x80\x04.")
    folder(tmp_path / "texts", {"a.txt": b""})
    assert "has no files" in refusal(lambda: open_source(tmp_path / "empty"))
    assert "no image among its 1 files" in refusal(lambda: open_source(tmp_path / "texts"))
    assert "did you mean 'texts'?" in refusal(lambda: open_source(tmp_path / "text"))
    assert "no zip, or a damaged one" in refusal(lambda: open_source(tmp_path / "a.zip"))
    assert "no .npz, or a damaged one" in refusal(lambda: open_source(tmp_path / "a.npz"))
    assert "a folder of images, a zip of images, or an .npz" in refusal(lambda: open_source(tmp_path / "a.png"))
    assert "any code" in refusal(lambda: open_source(tmp_path / "stats.pkl"))
    assert "any code" in refusal(lambda: read_statistics(tmp_path / "stats.pkl"))


def test_a_zip_of_any_name_is_one(tmp_path):
    assert open_source(packed(tmp_path / "images.cbz", named(GREY))).count == 10
