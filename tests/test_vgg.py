"""VGG16 takes torchvision's state dict as it is; a run without weights says so at once, and never hangs."""

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seq2seq.bands import L1C, L2A_10
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import WeightsUnavailableError
from seq2seq.vgg import Vgg16Features, colour_triples, download, normalise_rgb, read_weights, resolve_perceptual

CPU = torch.device("cpu")
AUTO = ReconstructionConfig()
DEMANDED = ReconstructionConfig(perceptual="vgg16")

# Of torchvision's vgg16, all thirteen convolutions: position in `features`, channels out, channels in.
CONVOLUTIONS = (
    (0, 64, 3), (2, 64, 64), (5, 128, 64), (7, 128, 128), (10, 256, 128), (12, 256, 256), (14, 256, 256),
    (17, 512, 256), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512), (28, 512, 512),
)  # fmt: skip
# torchvision's are 25088 -> 4096 -> 4096 -> 1000; narrow here: half a gigabyte that is ignored would test no more.
CLASSIFIER = ((0, 8, 16), (3, 8, 8), (6, 4, 8))


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """True names and shapes, seeded values."""
    generator = torch.Generator().manual_seed(0)
    values = {}
    for index, out, inputs in CONVOLUTIONS:
        values[f"features.{index}.weight"] = torch.randn((out, inputs, 3, 3), generator=generator) * 0.05
        values[f"features.{index}.bias"] = torch.randn(out, generator=generator) * 0.05
    for index, out, inputs in CLASSIFIER:
        values[f"classifier.{index}.weight"] = torch.randn((out, inputs), generator=generator)
        values[f"classifier.{index}.bias"] = torch.randn(out, generator=generator)
    return values


@pytest.fixture(scope="module")
def weights(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache of our own."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@contextmanager
def serving(content: bytes, *, status: int = 200) -> Iterator[str]:
    """An HTTP server on loopback that answers every request with `content`; gives its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def named_by_digest(content: bytes) -> str:
    return f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def test_the_network_computes_what_torchvisions_layers_compute(state: dict[str, Tensor]) -> None:
    def conv(index: int, x: Tensor) -> Tensor:
        weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
        return nn.functional.conv2d(x, weight, bias, padding=1).relu()

    rgb = torch.rand((2, 3, 17, 12), generator=torch.Generator().manual_seed(1))
    pool = nn.MaxPool2d(2)
    relu1_2 = conv(2, conv(0, rgb))
    relu2_2 = conv(7, conv(5, pool(relu1_2)))
    relu3_3 = conv(14, conv(12, conv(10, pool(relu2_2))))
    for got, expected in zip(Vgg16Features.from_state_dict(state)(rgb), (relu1_2, relu2_2, relu3_3), strict=True):
        torch.testing.assert_close(got, expected)


def test_no_parameter_learns(state: dict[str, Tensor]) -> None:
    assert not any(parameter.requires_grad for parameter in Vgg16Features.from_state_dict(state).parameters())


def test_a_named_file_is_used_and_the_report_says_so(weights: Path) -> None:
    config = ReconstructionConfig(vgg16_weights=str(weights))
    perceptual = resolve_perceptual(config, L1C, CPU)
    assert perceptual.used
    assert perceptual.triples == ((3, 2, 1),)
    assert perceptual.reason == f"perceptual loss on B04-B03-B02 with the VGG16 weights in {weights}"


def test_the_hub_cache_is_used_without_asking_the_network(weights: Path, hub: Path) -> None:
    hub.mkdir(parents=True)
    (hub / "vgg16-397923af.pth").write_bytes(weights.read_bytes())
    assert resolve_perceptual(AUTO, L1C, CPU).used


def test_a_download_of_the_right_digest_lands_in_the_hub_cache(weights: Path, hub: Path) -> None:
    content = weights.read_bytes()
    with serving(content) as address:
        perceptual = resolve_perceptual(AUTO, L1C, CPU, url=f"{address}/{named_by_digest(content)}")
    assert perceptual.used
    assert [path.read_bytes() for path in hub.iterdir()] == [content]


@pytest.mark.parametrize(("content", "status", "cause"), [(b"cut", 200, "SHA-256"), (b"", 404, "404")])
def test_a_wrong_download_leaves_nothing_behind(content: bytes, status: int, cause: str, hub: Path) -> None:
    with serving(content, status=status) as address:
        perceptual = resolve_perceptual(AUTO, L1C, CPU, url=f"{address}/vgg16-00000000.pth")
    assert perceptual.dropped
    assert cause in perceptual.reason
    assert not hub.exists() or list(hub.iterdir()) == []


def test_a_download_too_slow_for_its_time_is_given_up(tmp_path: Path) -> None:
    with serving(b"x" * 100) as address, pytest.raises(TimeoutError, match=r"would take .* allowed"):
        download(f"{address}/vgg16-00000000.pth", tmp_path / "vgg16.pth", seconds=0.0)
    assert list(tmp_path.iterdir()) == []


def test_without_network_the_term_is_dropped_at_once_and_the_reason_names_what_was_tried(hub: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/vgg16-397923af.pth"
    began = time.monotonic()
    perceptual = resolve_perceptual(AUTO, L1C, CPU, url=url)
    assert time.monotonic() - began < 3
    assert perceptual.dropped
    assert not perceptual.used
    for tried in ("no file was named", "there is no vgg16-397923af.pth in torch's hub cache", url):
        assert tried in perceptual.reason
    with pytest.raises(WeightsUnavailableError, match="no file was named"):
        resolve_perceptual(DEMANDED, L1C, CPU, url=url)


def test_a_server_that_never_answers_is_not_waited_for(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.vgg.CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/vgg16-397923af.pth"
        assert resolve_perceptual(AUTO, L1C, CPU, url=url).dropped
        assert time.monotonic() - began < 2


def test_a_corrupt_or_foreign_file_gives_one_line_that_names_it(
    weights: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "bad.pth"

    def complaint() -> str:
        with pytest.raises(WeightsUnavailableError) as caught:
            read_weights(path)
        return str(caught.value)

    complaints = []
    for content in (b"", b"not a pickle", weights.read_bytes()[:-1000]):
        path.write_bytes(content)
        complaints.append(complaint())
    torch.save([1, 2], path)
    complaints.append(complaint())
    torch.save({name: value for name, value in state.items() if name != "features.10.bias"}, path)
    complaints.append(complaint())
    assert "features.10.bias is missing" in complaints[-1]
    torch.save(state | {"features.5.weight": torch.zeros(128, 3, 3, 3)}, path)
    complaints.append(complaint())
    assert "features.5.weight is of shape (128, 3, 3, 3), must be of shape (128, 64, 3, 3)" in complaints[-1]
    assert all(str(path) in text and "\n" not in text for text in complaints)


def test_a_named_file_that_does_not_serve_is_an_error_and_no_silent_drop(tmp_path: Path) -> None:
    config = ReconstructionConfig(vgg16_weights=str(tmp_path / "absent.pth"))
    with pytest.raises(WeightsUnavailableError, match=r"absent\.pth is not a file"):
        resolve_perceptual(config, L1C, CPU)


@pytest.mark.parametrize(
    ("config", "bands", "reason"),
    [
        (ReconstructionConfig(perceptual="off"), L1C, "switched off"),
        (ReconstructionConfig(perceptual_weight=0.0), L1C, "weight is 0"),
        (AUTO, ("B08", "B11"), "B08, B11 make no colour image"),
    ],
)
def test_where_it_is_off_or_has_no_colours_no_weights_are_sought(
    config: ReconstructionConfig, bands: tuple[str, ...], reason: str, hub: Path
) -> None:
    perceptual = resolve_perceptual(config, bands, CPU, url="http://127.0.0.1:1/never-asked.pth")
    assert not perceptual.used
    assert reason in perceptual.reason
    assert not hub.exists()


def test_false_colours_are_those_whose_bands_are_there() -> None:
    names = [tuple(L2A_10[index] for index in triple) for triple in colour_triples(L2A_10, false_colour=True)]
    assert names == [("B04", "B03", "B02"), ("B08", "B04", "B03"), ("B12", "B08", "B04"), ("B11", "B8A", "B02")]
    assert colour_triples(("B03", "B04", "B08"), false_colour=True) == ((2, 1, 0),)
    assert colour_triples(("B03", "B04", "B08"), false_colour=False) == ()


def test_white_is_full_brightness_and_the_imagenet_mean_is_zero() -> None:
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    torch.testing.assert_close(normalise_rgb(mean * 0.3, white=0.3), torch.zeros_like(mean))
    full = normalise_rgb(torch.full((1, 3, 1, 1), 0.3), white=0.3)
    torch.testing.assert_close(full, (1 - mean) / torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])
