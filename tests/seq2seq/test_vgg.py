"""VGG16 takes torchvision's state dict as it is; a run without weights says so in one line, and asks no network."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seq2seq.bands import L1C, L2A_10
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import WeightsUnavailableError
from seq2seq.nn.vgg import Vgg16Features, colour_triples, keep_weights, normalise_rgb, read_weights, resolve_perceptual

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
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of our own, and no network: whoever opens a connection fails the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked the network"))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked the network"))
    return tmp_path


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


@pytest.mark.parametrize("place", ["decloud/weights/vgg16-397923af.npz", "torch/hub/checkpoints/vgg16-397923af.pth"])
def test_installed_weights_are_used_without_asking_the_network(place: str, weights: Path, cache: Path) -> None:
    path = cache / place
    path.parent.mkdir(parents=True)
    if path.suffix == ".npz":
        keep_weights(weights, path)
    else:
        path.write_bytes(weights.read_bytes())
    perceptual = resolve_perceptual(AUTO, L1C, CPU)
    assert perceptual.used
    assert str(cache) not in perceptual.reason


def test_without_weights_no_run_reaches_for_the_network_and_one_short_line_says_what_to_do(cache: Path) -> None:
    perceptual = resolve_perceptual(AUTO, L1C, CPU)
    assert perceptual.dropped
    assert perceptual.reason == (
        "no perceptual loss: the VGG16 weights are not installed (decloud weights fetch vgg16)"
    )
    with pytest.raises(WeightsUnavailableError, match="decloud weights fetch vgg16"):
        resolve_perceptual(DEMANDED, L1C, CPU)
    assert list(cache.iterdir()) == []


def test_what_is_kept_is_plain_arrays_that_give_the_same_network(
    weights: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    kept = tmp_path / "kept.npz"
    keep_weights(weights, kept)
    with np.load(kept, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == np.float32 for name in arrays.files)
    rgb = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    for one, other in zip(read_weights(kept)(rgb), Vgg16Features.from_state_dict(state)(rgb), strict=True):
        assert torch.equal(one, other)


class Trap:
    """Unpickled, it would say so in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    file, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    torch.save({"features.0.weight": Trap(sprung)}, file)
    with pytest.raises(WeightsUnavailableError, match="cannot be read"):
        read_weights(file)
    array = np.empty(1, object)
    array[0] = Trap(sprung)
    with (tmp_path / "trap.npz").open("wb") as opened:
        np.savez(opened, **{"features.0.weight": array})
    with pytest.raises(WeightsUnavailableError, match="cannot be read"):
        read_weights(tmp_path / "trap.npz")
    assert not sprung.exists()


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
    config: ReconstructionConfig, bands: tuple[str, ...], reason: str, cache: Path
) -> None:
    perceptual = resolve_perceptual(config, bands, CPU)
    assert not perceptual.used
    assert reason in perceptual.reason
    assert list(cache.iterdir()) == []


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
