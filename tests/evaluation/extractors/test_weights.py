"""Where weights come from: found, fetched, refused; and that nothing in their files runs. No network is used."""

import hashlib
import pickle
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganzoo.errors import InputError
from ganzoo.evaluation.extractors import weights as module
from ganzoo.evaluation.extractors.weights import (
    FIDELITY,
    Weights,
    checked_state,
    find_weights,
    hub_weights,
    published,
    sha256_of,
)

CONTENT = b"not really weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The folder of torch's hub where files of weights are."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def origin(tmp_path):
    """A published file at an address that needs no network."""
    path = tmp_path / "origin" / "w-0.pth"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return Weights("w.pth", path.as_uri(), DIGEST[:8])


# What is published


def test_the_names_are_torch_fidelitys():
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    assert set(FIDELITY) == set(FEATURE_EXTRACTORS_REGISTRY)


def test_addresses_and_hashes():
    inception, vgg, clip, dinov2 = map(published, ("inception-v3-compat", "vgg16", "clip-rn50", "dinov2-vit-s-14"))
    assert inception.file == "weights-inception-2015-12-05-6726825d.pth" and inception.sha256 == "6726825d"
    assert vgg == Weights("vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af")
    assert len(clip.sha256) == 64 and clip.sha256 in clip.url and clip.file == f"clip-rn50-{clip.sha256}.pt"
    assert dinov2.url.endswith("/dinov2_vits14/dinov2_vits14_pretrain.pth") and dinov2.sha256 == ""
    for name in FIDELITY:
        assert published(name).url.startswith("https://")


@pytest.mark.parametrize("given", [None, Path(__file__)])
def test_an_unknown_name(given):
    with pytest.raises(InputError, match="did you mean 'inception-v3-compat'"):
        find_weights("inception-v3", given)


# Found, given, fetched


def test_a_given_file_is_taken_as_it_is(tmp_path, hub):
    path = tmp_path / "mine.pth"
    with pytest.raises(InputError, match="no such file"):
        find_weights("vgg16", path)
    path.write_bytes(CONTENT)
    assert find_weights("vgg16", path) == path


def test_the_published_file_is_taken_from_the_hub_folder_and_another_one_is_not(hub, origin):
    hub.mkdir(parents=True)
    path = hub / origin.file
    path.write_bytes(CONTENT)
    unreachable = Weights(origin.file, "https://nowhere.invalid/w.pth", origin.sha256)
    assert hub_weights("x", unreachable) == path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=f"sha256 does not start with {DIGEST[:8]}"):
        hub_weights("x", unreachable)
    assert hub_weights("x", Weights(origin.file, unreachable.url, "")) == path  # where no hash is published


def test_a_file_is_fetched_once(hub, origin):
    path = hub_weights("x", origin)
    assert path == hub / "w.pth" and path.read_bytes() == CONTENT
    assert list(hub.iterdir()) == [path]
    assert hub_weights("x", Weights("w.pth", "file:///gone", DIGEST[:8])) == path


def test_another_file_at_the_address_is_not_kept(hub, origin):
    with pytest.raises(InputError, match="invalid hash value"):
        hub_weights("x", Weights("w.pth", origin.url, "00000000"))
    assert list(hub.iterdir()) == []


def says_what_to_do(error: InputError, hub: Path, url: str) -> bool:
    text = str(error)
    return all(part in text for part in ("vgg16: needs w.pth", str(hub), url, "--extractor FILE")) and "\n" not in text


def test_an_address_without_anything(hub, tmp_path):
    url = (tmp_path / "absent").as_uri()
    with pytest.raises(InputError) as raised:
        hub_weights("vgg16", Weights("w.pth", url, ""))
    assert says_what_to_do(raised.value, hub, url)


def test_a_hub_folder_that_cannot_be_made(tmp_path, monkeypatch, origin):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="could not be downloaded"):
        hub_weights("x", origin)


def test_a_network_that_drops_every_packet(hub, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/w.pth"
        with pytest.raises(InputError, match=r"no answer in 0.2 s|timed out") as raised:
            hub_weights("vgg16", Weights("w.pth", url, ""))
    assert says_what_to_do(raised.value, hub, url)


def test_a_name_that_is_looked_up_for_ever(hub, monkeypatch):
    over = threading.Event()

    def looks_up(*_, **__):
        over.wait()
        raise OSError

    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "urlopen", looks_up)
    with pytest.raises(InputError, match=r"no answer in 0\.2 s"):
        hub_weights("x", Weights("w.pth", "https://nowhere.invalid/w.pth", ""))
    over.set()


def test_a_download_that_stops_halfway(hub, monkeypatch):
    over = threading.Event()

    class Stalls(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(b"half")
            self.wfile.flush()
            over.wait(30)

        def log_message(self, *_):
            pass

    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    with HTTPServer(("127.0.0.1", 0), Stalls) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(InputError, match="timed out"):
            hub_weights("x", Weights("w.pth", f"http://127.0.0.1:{server.server_port}/w.pth", ""))
        over.set()
        server.shutdown()
    assert list(hub.iterdir()) == [] and socket.getdefaulttimeout() is None


# What is in them


@pytest.fixture
def state():
    return {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor([3])}


@pytest.mark.parametrize("zipped", [True, False])  # VGG16's file is from before torch 1.6
def test_a_file_of_weights(zipped, state, tmp_path):
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = checked_state(tmp_path / "a.pth")
    assert found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)
    assert sha256_of(tmp_path / "a.pth") == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()


class Code:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_in_a_file_runs(tmp_path, state):
    trace, path = tmp_path / "trace", tmp_path / "a.pth"
    for write in (
        lambda: torch.save({**state, "code": Code(trace)}, path),
        lambda: torch.save({**state, "code": Code(trace)}, path, _use_new_zipfile_serialization=False),
        lambda: path.write_bytes(pickle.dumps(Code(trace))),
    ):
        write()
        with pytest.raises(InputError, match="is no file of weights"):
            checked_state(path)
        assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # it would have


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_torchscript_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"is no file of weights: .*TorchScript"):
        checked_state(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [[torch.zeros(2)], {}, {"a": 1}, torch.zeros(2), {"a": {"b": torch.zeros(2)}}])
def test_other_contents(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match="does not hold tensors by name"):
        checked_state(tmp_path / "a.pth")


def test_weights_that_are_not_finite(tmp_path, state):
    torch.save({**state, "c": torch.tensor([1.0, float("nan")])}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"are NaN or infinite: \['c'\]"):
        checked_state(tmp_path / "a.pth")


def test_no_file_at_all(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="is no file of weights"):
            checked_state(path)
        with pytest.raises(InputError, match="cannot be read"):
            sha256_of(path)


@settings(max_examples=150)
@given(data=st.data(), zipped=st.booleans())
def test_a_damaged_file_is_weights_or_an_input_error(data, zipped, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "a.pth"
    torch.save({"a": torch.arange(6.0)}, path, _use_new_zipfile_serialization=zipped)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 10, 0]))])
    try:
        assert checked_state(path)
    except InputError as error:
        assert len(str(error)) < 500 and "\n" not in str(error)
