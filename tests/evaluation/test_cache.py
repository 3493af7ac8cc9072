"""The cache of reference features: computed once, never wrong, and never in the way."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo.evaluation.cache import FeatureCache, default_folder, digest

KEY = {"data": "digits", "extractor": "classifier 0123", "split": "train"}
FEATURES = torch.arange(12, dtype=torch.float32).view(4, 3) / 7

PROCESSES = """
import os, signal, sys, time
from pathlib import Path
import filelock, safetensors.torch, torch  # before there are processes: each would import them again
from ganzoo.evaluation.cache import FeatureCache

KEY, FEATURES = {"data": "a"}, torch.full((100, 10), 3.0)
shared, killed = (FeatureCache(Path(sys.argv[1]) / name) for name in ("shared", "killed"))
(started, starts), (begun, begins) = os.pipe(), os.pipe()

def forked(work):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child

def one_of_many():
    os.close(starts)
    os.read(started, 1)  # until the parent closes its end
    found = shared.cached(KEY, compute)
    assert torch.equal(found["features"], FEATURES)

def compute():
    print("computed", flush=True)
    time.sleep(0.5)
    return {"features": FEATURES}

def compute_for_ever():
    os.write(begins, b"!")
    time.sleep(60)

def show_files():
    print(sorted(path.suffix for path in killed.folder.glob("features/*")), flush=True)

children = [forked(one_of_many) for _ in range(8)]
os.close(starts)
print([os.waitpid(child, 0)[1] for child in children], flush=True)

child = forked(lambda: killed.cached(KEY, compute_for_ever))
os.read(begun, 1)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
show_files()
killed.cached(KEY, lambda: {"features": FEATURES})
show_files()
"""


class Counted:
    """Something to compute, and how often it was."""

    def __init__(self, values: dict[str, torch.Tensor]):
        self.values, self.times = values, 0

    def __call__(self) -> dict[str, torch.Tensor]:
        self.times += 1
        return self.values


@pytest.fixture
def compute() -> Counted:
    return Counted({"features": FEATURES})


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> list[str]:
    """What the processes print, line by line."""
    words = [sys.executable, "-c", PROCESSES, str(tmp_path_factory.mktemp("caches"))]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=variables, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def only_file(folder: Path) -> Path:
    (found,) = folder.glob("features/*.safetensors")
    return found


def test_computed_once(tmp_path, compute):
    cache = FeatureCache(tmp_path)
    first, second = cache.cached(KEY, compute), FeatureCache(tmp_path).cached(dict(reversed(KEY.items())), compute)
    assert compute.times == 1
    assert torch.equal(first["features"], FEATURES) and torch.equal(second["features"], FEATURES)


def test_every_part_of_the_key_counts(tmp_path, compute):
    cache = FeatureCache(tmp_path)
    keys = [KEY, *({**KEY, name: "another"} for name in KEY), {**KEY, "resize": "none"}, {}]
    for key in keys + keys:
        cache.cached(key, compute)
    assert compute.times == len(keys)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
    shape=st.lists(st.integers(0, 5), max_size=3),
    transposed=st.booleans(),
)
def test_what_is_read_is_what_was_written(tmp_path, dtype, shape, transposed):
    values = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 100).to(dtype)
    values = values.mT if transposed and values.ndim > 1 else values
    with FeatureCache(tmp_path).entry(KEY) as entry:
        entry.write({"a": values, "b": FEATURES})
        found = entry.read()
    assert found is not None and sorted(found) == ["a", "b"]
    assert found["a"].dtype == dtype and torch.equal(found["a"], values)


def test_what_is_read_may_be_changed(tmp_path, compute):
    cache = FeatureCache(tmp_path)
    cache.cached(KEY, compute)
    cache.cached(KEY, compute)["features"].zero_()
    assert torch.equal(cache.cached(KEY, compute)["features"], FEATURES)


def test_of_eight_processes_one_computes(processes):
    assert processes[:2] == ["computed", str([0] * 8)]


def test_a_killed_process_leaves_neither_its_lock_nor_half_a_file(processes):
    assert processes[2:] == ["['.lock']", "['.lock', '.safetensors']"]


def test_what_a_process_left_that_was_killed_while_it_wrote_is_removed(tmp_path, compute):
    cache = FeatureCache(tmp_path)
    cache.cached(KEY, compute)
    path = only_file(tmp_path)
    path.unlink()
    half = path.with_name(f".{path.name}.99999.tmp")
    half.write_bytes(b"half")
    cache.cached(KEY, compute)
    assert path.exists() and not half.exists()


def test_an_error_while_computing_frees_the_lock_and_stores_nothing(tmp_path, compute):
    cache = FeatureCache(tmp_path)
    with pytest.raises(ZeroDivisionError):
        cache.cached(KEY, lambda: {"features": FEATURES / (1 // 0)})
    assert list(tmp_path.glob("features/*.safetensors")) == []
    cache.cached(KEY, compute)
    assert compute.times == 1


# Damage


def test_any_flipped_byte_is_noticed_and_mended(tmp_path, compute, monkeypatch):
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: None
    )  # it takes milliseconds, and hundreds of files are written
    cache = FeatureCache(tmp_path)
    cache.cached(KEY, compute)
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 0b100
        path.write_bytes(flipped)
        assert torch.equal(cache.cached(KEY, compute)["features"], FEATURES)
        cache.cached(KEY, compute)
        assert compute.times == place + 2, f"byte {place} of {len(whole)}"


@pytest.mark.parametrize("content", [b"", b"no tensors", None], ids=["empty", "foreign", "cut"])
def test_a_damaged_file_is_replaced_with_a_warning(tmp_path, compute, content, caplog):
    cache = FeatureCache(tmp_path)
    cache.cached(KEY, compute)
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    for _ in range(3):
        assert torch.equal(cache.cached(KEY, compute)["features"], FEATURES)
    assert compute.times == 2
    (warning,) = caplog.messages
    assert str(path) in warning and "computed anew" in warning


def test_a_file_of_another_key_is_not_believed(tmp_path, compute, caplog):
    cache, other = FeatureCache(tmp_path), Counted({"features": FEATURES + 1})
    cache.cached(KEY, compute)
    path = only_file(tmp_path)
    cache.cached({"data": "other"}, other)
    (foreign,) = set(tmp_path.glob("features/*.safetensors")) - {path}
    path.write_bytes(foreign.read_bytes())
    assert torch.equal(cache.cached(KEY, compute)["features"], FEATURES)
    assert compute.times == 2 and "belongs to another key" in caplog.text


def test_the_digest_tells_names_types_shapes_and_values_apart():
    zeros = torch.zeros(2, 3)
    others = [{"b": zeros}, {"a": zeros.int()}, {"a": zeros.view(3, 2)}, {"a": zeros + 1}, {"a": zeros, "b": zeros}, {}]
    assert len({digest(values) for values in [{"a": zeros}, *others]}) == 7


# Folders that cannot be used


def test_without_a_folder_that_can_be_made_everything_is_computed(tmp_path, compute, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache")
    for _ in range(2):
        assert torch.equal(cache.cached(KEY, compute)["features"], FEATURES)
    assert compute.times == 2
    assert "cannot be locked" in caplog.text and "not cached" in caplog.text
    assert len(caplog.messages) == len(set(caplog.messages))  # said once, however often it is tried


def test_a_full_disk_loses_nothing(tmp_path, compute, monkeypatch, caplog):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert torch.equal(FeatureCache(tmp_path).cached(KEY, compute)["features"], FEATURES)
    assert "No space left on device" in caplog.text
    assert [path.suffix for path in tmp_path.glob("features/*")] == [".lock"]


# Where it is


def test_off_computes_and_stores_nothing(tmp_path, compute, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = FeatureCache()
    for _ in range(2):
        cache.cached(KEY, compute)
    with cache.entry(KEY) as entry:
        entry.write({"features": FEATURES})
        assert entry.read() is None
    assert compute.times == 2 and list(tmp_path.iterdir()) == []


def test_the_environment_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anybody")
    for name in ("GANZOO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert default_folder() == Path("/home/anybody/.cache/ganzoo")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert default_folder() == Path("/scratch/ganzoo")
    monkeypatch.setenv("GANZOO_CACHE", "~/here")
    assert default_folder() == Path("/home/anybody/here")
    assert FeatureCache(tmp_path).folder == tmp_path
