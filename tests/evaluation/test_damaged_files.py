"""Damaged samples and statistics are told in a paragraph, whatever was done to their bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo.data import digits
from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.extractors.classifier import DIGITS
from ganzoo.sampling import save_samples

PROTOCOL = "samples: images\nnum_fake: 30\nextractor: classifier\nmetrics: [fid]\ninception_splits: 1\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    images = to_network_range(digits.load(digits.Config(resolution=8), "heldout").values[:40])
    save_samples(images, folder / "a.npz")
    save_samples(images, folder / "a.zip", torch.arange(40) % 10)
    np.savez(folder / "statistics.npz", mu=np.zeros(64), sigma=np.eye(64))
    (folder / "small-v1.yaml").write_text(PROTOCOL)
    return folder


def damaged(whole: bytes, kind: str, where: float, bits: list[int]) -> bytes:
    at, data = int(where * (len(whole) - 1)), bytearray(whole)
    if kind == "cut":
        return bytes(data[:at])
    if kind == "repeated":
        return bytes(data[:at] + data[at : at + 200] + data[at:])
    for step, bit in enumerate(bits):
        data[(at + 37 * step) % len(data)] ^= 1 << bit
    return bytes(data)


@given(
    name=st.sampled_from(["a.npz", "a.zip", "statistics.npz"]),
    kind=st.sampled_from(["cut", "repeated", "flipped"]),
    where=st.floats(0, 1),
    bits=st.lists(st.integers(0, 7), min_size=1, max_size=20),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")  # NumPy's and Pillow's opinions of what they read
def test_a_damaged_file_is_read_or_told(place, name, kind, where, bits):
    bad = place / f"bad{Path(name).suffix}"
    bad.write_bytes(damaged((place / name).read_bytes(), kind, where, bits))
    statistics = name == "statistics.npz"
    source, against = (place / "a.npz", str(bad)) if statistics else (bad, "digits")
    options = {"protocol": str(place / "small-v1.yaml"), "extractors": [str(DIGITS)], "floor": False}
    try:
        assert evaluate(source, against=against, **options)["scores"]["fid"] >= 0
    except InputError as error:
        assert "bad" in str(error) and "Traceback" not in str(error)


def test_the_same_files_undamaged(place):
    options = {"protocol": str(place / "small-v1.yaml"), "extractors": [str(DIGITS)], "floor": False}
    scores = [evaluate(place / name, against="digits", **options)["scores"] for name in ("a.npz", "a.zip")]
    assert scores[0] == scores[1]
    assert evaluate(place / "a.npz", against=str(place / "statistics.npz"), **options)["scores"]["fid"] > 0
