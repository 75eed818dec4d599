"""The losses of a fit, as plain functions. Pixels that are not observed change neither a loss nor its gradient.

Images are (N, C, H, W) reflectance, one per date; `observed` is (N, H, W), True = usable.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq.nn.vgg import Perceptual, normalise_rgb

# (N, C, H, W), (N, C, H, W), (N, H, W) -> scalar
Distance = Callable[[Tensor, Tensor, Tensor], Tensor]


def masked_l2(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """Averages the squared difference over the observed pixels; 0 where there are none.

    sum(observed (prediction - target)^2) / (C sum(observed)).

    Its size does not depend on how much is hidden, so neither does the step that an optimiser takes.
    """
    count = observed.sum() * prediction.shape[1]
    return _observed_squares(prediction, target, observed).sum() / count.clamp(min=1)


def masked_l2_paper(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """Averages the squared differences of the observed pixels over all pixels: shrinks with cloud.

    sum(observed (prediction - target)^2) / (N C H W).

    As published (code of Zhang et al., ICCV 2019: both sides multiplied by the mask, then a plain mean).
    """
    return _observed_squares(prediction, target, observed).mean()


def masked_l1(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """Mean absolute difference over the observed pixels; 0 where there are none."""
    count = observed.sum() * prediction.shape[1]
    return _observed_differences(prediction, target, observed).abs().sum() / count.clamp(min=1)


def cloud_adaptive_l1(
    prediction: Tensor, image: Tensor, target: Tensor, clear: Tensor, observed: Tensor, *, target_weight: float = 1.0
) -> Tensor:
    """Mean of clear * |p - image| + (1 - clear) * |p - target| + target_weight * |p - target|, p the prediction.

    image: what the network saw, `clear` (N, H, W) where it showed the ground; what is clear is to stay as it is. Means
    are over the pixels whose target is `observed`. Source: Meraner et al. 2020, section 3.3 (CARL), where all are.
    """
    kept = torch.where(clear[:, None], image, target)
    return masked_l1(prediction, kept, observed) + target_weight * masked_l1(prediction, target, observed)


def _observed_squares(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """(N, C, H, W) float32: squared differences, 0 where not observed."""
    return _observed_differences(prediction, target, observed).square()


def _observed_differences(prediction: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """(N, C, H, W) float32, 0 where not observed, whatever stands there (also NaN)."""
    difference = prediction.float() - target.float()
    return difference.masked_fill(~observed[:, None], 0.0)


def feature_maps(perceptual: Perceptual, images: Tensor, observed: Tensor) -> list[Tensor]:
    """Computes VGG16 maps of `images` in every colour triple: relu1_2, relu2_2, relu3_3, (triples * N, channels, h, w).

    Hidden pixels become the ImageNet mean first, so that no map knows what stood there.
    """
    if perceptual.features is None:
        return []
    rgb = torch.cat([images[:, list(triple)] for triple in perceptual.triples])
    hidden = ~observed.repeat(len(perceptual.triples), 1, 1)[:, None]
    maps: list[Tensor] = perceptual.features(normalise_rgb(rgb, white=perceptual.white).masked_fill(hidden, 0.0))
    return maps


def observed_cells(observed: Tensor, levels: int) -> list[Tensor]:
    """Scales `observed` to the size of each of the feature maps: a cell counts if all pixels it was pooled from do."""
    hidden = (~observed).float()[:, None]
    cells = []
    for _ in range(levels):
        cells.append(hidden[:, 0] == 0)
        hidden = F.max_pool2d(hidden, 2) if min(hidden.shape[-2:]) > 1 else hidden
    return cells


def perceptual_loss(
    perceptual: Perceptual,
    prediction: Tensor,
    target: Tensor,
    observed: Tensor,
    *,
    distance: Distance = masked_l2,
    target_maps: list[Tensor] | None = None,
) -> Tensor:
    """Sums over three maps the squared distance of VGG16 features of the observed pixels, averaged over colour triples.

    0 where `perceptual` is not used. `target_maps`: `feature_maps` of the target and the same `observed`, for callers
    that compare with one target many times. Source: Johnson et al. (ECCV 2016), maps as in Zhang et al. (ICCV 2019).
    """
    maps = feature_maps(perceptual, prediction, observed)
    if target_maps is None:
        with torch.no_grad():
            target_maps = feature_maps(perceptual, target, observed)
    cells = observed_cells(observed.repeat(max(1, len(perceptual.triples)), 1, 1), len(maps))
    terms = [distance(*level) for level in zip(maps, target_maps, cells, strict=True)]
    return torch.stack(terms).sum() if terms else prediction.new_zeros(())
