"""VGG16 up to relu3_3, torchvision's ImageNet weights for it, and the decision whether a run uses them.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015), column D.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.bands import FALSE_COLOURS, NATURAL_COLOUR
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import WeightsUnavailableError
from seq2seq.nn.weights import VGG16, folder, installed, torch_hub

# torchvision's normalisation of RGB in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Reflectance shown as full brightness. 1.0 is the paper's: S2 clipped to DN [0, 10000], rescaled to [0, 1]. Land is
# mostly darker than 0.4, so a smaller value brings the images nearer to what ImageNet's photographs look like.
WHITE_REFLECTANCE = 1.0

Triple = tuple[int, int, int]


def normalise_rgb(rgb: Tensor, *, white: float) -> Tensor:
    """Converts (N, 3, H, W) reflectance to ImageNet's units, (x / white - mean) / std: `white` is full brightness."""
    mean, std = (rgb.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (rgb / white - mean) / std


class Vgg16Features(nn.Module):
    """Normalised RGB (N, 3, H, W) -> relu1_2 (N, 64, H, W), relu2_2 (N, 128, H/2, W/2), relu3_3 (N, 256, H/4, W/4).

    Sizes round down; maps that would be empty are left out. Parameters are frozen, named as in torchvision
    (`features.0.weight`), and come from `from_state_dict`; made directly they hold no values.
    """

    # Channels of the convolutions, "pool" between the blocks; positions are torchvision's.
    LAYOUT = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in self.LAYOUT:
            if isinstance(width, int):
                layers += [nn.Conv2d(channels, width, 3, padding=1, device="meta"), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.requires_grad_(False)

    @classmethod
    def from_state_dict(cls, state: dict[str, Tensor]) -> "Vgg16Features":
        """Loads torchvision's VGG16 state dict; later layers and the classifier are ignored. Raises ValueError."""
        network = cls()
        own = network.state_dict()
        for name, value in own.items():
            given = state.get(name)
            if not isinstance(given, Tensor) or given.shape != value.shape:
                found = "missing" if not isinstance(given, Tensor) else f"of shape {tuple(given.shape)}"
                raise ValueError(f"{name} is {found}, must be of shape {tuple(value.shape)}")
        network.load_state_dict({name: _laid_out(state[name]) for name in own}, assign=True)
        return network.requires_grad_(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Computes the maps that the class lists."""
        maps, x = [], rgb.contiguous(memory_format=torch.channels_last)
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
                if min(x.shape[-2:]) < 2:
                    return maps
            x = layer(x)
        return [*maps, x]


def _laid_out(value: Tensor) -> Tensor:
    """Float32, kernels with channels innermost, as the images are."""
    return value.float().contiguous(memory_format=torch.channels_last if value.ndim == 4 else torch.contiguous_format)


@dataclass(frozen=True)
class Perceptual:
    """The use of the perceptual loss in a run.

    features: the network, or None where the term is dropped. triples: red, green, blue as positions in the bands.
    reason: one sentence for the report, why or why not. dropped: True where it was wished for and could not be had.
    white: reflectance shown to the network as full brightness.
    """

    features: Vgg16Features | None
    triples: tuple[Triple, ...]
    reason: str
    dropped: bool = False
    white: float = WHITE_REFLECTANCE

    @property
    def used(self) -> bool:
        """True where the term is part of the loss."""
        return self.features is not None


def resolve_perceptual(config: ReconstructionConfig, bands: Sequence[str], device: torch.device) -> Perceptual:
    """Decides on the perceptual loss for images of `bands`; loads VGG16 onto `device` where it is used.

    Asks no network: weights are used that were installed (`seq2seq.nn.weights`) or named. `perceptual="auto"` drops the
    term where bands or weights are lacking and states it in `reason`. Raises WeightsUnavailableError where
    `perceptual="vgg16"` and there are no weights, or a file that was named is unusable.
    """
    if config.perceptual == "off" or config.perceptual_weight == 0:
        cause = "it is switched off" if config.perceptual == "off" else "its weight is 0"
        return Perceptual(None, (), f"no perceptual loss: {cause}")
    triples = colour_triples(bands, false_colour=config.false_colour)
    if not triples:
        return Perceptual(None, (), f"no perceptual loss: {', '.join(bands)} make no colour image", dropped=True)
    try:
        path = find_weights(config.vgg16_weights)
        features = read_weights(path).to(device)
    except WeightsUnavailableError as error:
        if config.perceptual == "vgg16" or config.vgg16_weights is not None:
            raise
        return Perceptual(None, (), f"no perceptual loss: {error}", dropped=True)
    colours = ", ".join("-".join(bands[index] for index in triple) for triple in triples)
    return Perceptual(features, triples, f"perceptual loss on {colours} with the VGG16 weights in {_shown(path)}")


def colour_triples(bands: Sequence[str], *, false_colour: bool) -> tuple[Triple, ...]:
    """Finds in `bands` the positions of natural colour and, if asked, of false colours with all their bands."""
    wanted = (NATURAL_COLOUR, *FALSE_COLOURS) if false_colour else (NATURAL_COLOUR,)
    return tuple(
        (bands.index(red), bands.index(green), bands.index(blue))
        for red, green, blue in wanted
        if {red, green, blue} <= set(bands)
    )


def find_weights(named: str | None) -> Path:
    """Returns the file that was named, else the installed one. Raises WeightsUnavailableError."""
    if named is not None:
        if not Path(named).is_file():
            raise WeightsUnavailableError(f"VGG16 weights: {named} is not a file")
        return Path(named)
    path = installed(VGG16)
    if path is None:
        raise WeightsUnavailableError("the VGG16 weights are not installed (decloud weights fetch vgg16)")
    return path


def read_weights(path: Path) -> Vgg16Features:
    """Reads VGG16 from torchvision's state dict in `path`, or from the arrays of `keep_weights`; no pickle is executed.

    Raises WeightsUnavailableError naming what is wrong with it.
    """
    try:
        state = _read_arrays(path) if path.suffix == ".npz" else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes: the readers fail in a dozen ways, all of them the file's fault
        raise WeightsUnavailableError(f"VGG16 weights: {_shown(path)} cannot be read ({_one_line(error)})") from error
    if not isinstance(state, dict):
        raise WeightsUnavailableError(
            f"VGG16 weights: {_shown(path)} holds a {type(state).__name__}, must be a state dict"
        )
    try:
        return Vgg16Features.from_state_dict(state)
    except ValueError as error:
        raise WeightsUnavailableError(f"VGG16 weights: {_shown(path)} is not torchvision's VGG16: {error}") from error


def keep_weights(published: Path, kept: Path) -> None:
    """Writes the values that are used of `published`, a fiftieth, into `kept`: plain arrays for `read_weights`."""
    state = read_weights(published).state_dict()
    with kept.open("wb") as file:
        np.savez(file, **{name: value.contiguous().numpy() for name, value in state.items()})


def _read_arrays(path: Path) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _shown(path: Path) -> str:
    """For a report that strangers may read: where a machine keeps its caches is nobody's business."""
    places = {torch_hub(): "torch's hub cache", folder(): "the cache"}
    return f"{path.name} in {places[path.parent]}" if path.parent in places else str(path)


def _one_line(error: Exception) -> str:
    """The first line of the message of another library's error, at most 160 characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]
