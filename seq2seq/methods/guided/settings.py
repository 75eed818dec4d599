"""The hyper-parameters of the method `guided`. Why each has its default was measured: benchmarks/METHOD.md."""

from dataclasses import dataclass
from typing import Literal

from seq2seq.settings import hyperparameter, setting


@dataclass(frozen=True)
class SpeckleSettings:
    """The joint bilateral filter of the radar: its guide is the optical series. And which radar it is."""

    radar_dates: Literal["nearest", "all"] = setting(
        "nearest",
        about="Radar of a date: the nearest acquisition, or all brought to it, orbits told apart.",
        advanced=True,
    )
    guide_components: int = hyperparameter(10, "Principal components of the S2 series that guide the filter.", 1, 64)
    guide_radius_px: int = hyperparameter(6, "Half of the filter's window.", 0, 64)
    guide_sigma_px: float = hyperparameter(4.0, "Standard deviation of its weights in space.", 0.1, 100.0)
    guide_tolerance: float = hyperparameter(
        3.0, "Of differences in the guide, in typical squared differences of neighbours.", 1e-3, 1e3
    )


@dataclass(frozen=True)
class MixtureSettings(SpeckleSettings):
    """Courses of the scene that a pixel is a mixture of; as those of the method `low-rank`, in fewer rounds."""

    rank: int = hyperparameter(8, "Courses that pixels are mixtures of.", 1, 64)
    noise: float = hyperparameter(0.02, "Reflectance that no mixture has to explain.", 1e-4, 1.0)
    date_pixels: float = hyperparameter(
        30.0, "Pixels' worth of belief that a date lies between its neighbours.", 1e-3, 1e9
    )
    iterations: int = hyperparameter(3, "Rounds of alternating least squares.", 1, 1000)


@dataclass(frozen=True)
class FeatureSettings(MixtureSettings):
    """Features of a pixel on a date."""

    longest_gap_days: float = hyperparameter(400.0, "Beyond this a gap says no more than 'long ago'.", 1.0, 1e4)


@dataclass(frozen=True)
class SampleSettings(FeatureSettings):
    """The samples that the regressors learn from. Each mask sample cuts off other neighbours: many with few pixels
    teach more than few with many."""

    mask_samples: int = hyperparameter(36, "How often pixels are hidden to learn from.", 1, 1000)
    fewest_mask_samples: int = hyperparameter(6, "As many where time is short.", 1, 1000)
    mask_sample_px: int = hyperparameter(128, "Side of the window of each, of a larger scene.", 8, 4096)
    season_noise_share: float = hyperparameter(
        0.25, "Of a mask sample's dates, told as of another day of the year: regressors learn dates by heart.", 0.0, 1.0
    )
    season_noise_days: float = hyperparameter(90.0, "Largest standard deviation of that day.", 4.0, 366.0)
    sampling_share: float = hyperparameter(0.25, "Of the time to prepare, where there is a limit.", 0.0, 1.0)
    max_samples: int = hyperparameter(180_000, "Pixels to learn from, of all mask samples together.", 20, 10_000_000)
    min_samples: int = hyperparameter(20, "Fewer teach nothing, and trees cannot be grown on them.", 1, 1000)


@dataclass(frozen=True)
class TreeSettings(SampleSettings):
    """Gradient-boosted trees, one ensemble per principal component of the residuals."""

    tree_components: int = hyperparameter(4, "Principal components of the bands that trees are grown for.", 1, 64)
    tree_samples: int = hyperparameter(60_000, "Samples that trees are grown on.", 20, 10_000_000)
    tree_rounds: int = hyperparameter(60, "Boosting rounds.", 1, 10_000)
    fewest_tree_rounds: int = hyperparameter(20, "As many however short the time.", 0, 10_000)
    tree_leaves: int = hyperparameter(31, "Leaves of a tree.", 2, 4096)
    tree_learning_rate: float = hyperparameter(0.13, "Shrinkage of each round.", 1e-4, 1.0)
    tree_min_leaf_samples: int = hyperparameter(40, "Least samples of a leaf.", 1, 100_000)
    tree_feature_fraction: float = hyperparameter(0.3, "Features that a tree may use.", 0.01, 1.0)
    tree_bagging_fraction: float = hyperparameter(0.7, "Samples that a tree is grown on.", 0.01, 1.0)
    tree_bins: int = hyperparameter(127, "Bins of a feature.", 2, 65_535)


@dataclass(frozen=True)
class MlpSettings(TreeSettings):
    """MLPs of two hidden layers for all bands at once, with dropout, noisy inputs and weight decay; averaged. And what
    the trees are beside them."""

    mlps: int = hyperparameter(2, "Networks, from different beginnings.", 1, 32)
    mlp_width: int = hyperparameter(128, "Units of a hidden layer.", 1, 4096)
    mlp_steps: int = hyperparameter(1200, "Steps of each.", 1, 1_000_000)
    refit_mlp_steps: int = hyperparameter(
        500, "Steps of each in the second fit, where it begins from the first's.", 1, 1_000_000
    )
    fewest_mlp_steps: int = hyperparameter(200, "As many however short the time.", 1, 1_000_000)
    mlp_batch: int = hyperparameter(1024, "Samples of a step.", 1, 1_000_000)
    mlp_learning_rate: float = hyperparameter(4e-3, "Highest of the one-cycle schedule.", 1e-6, 1.0)
    mlp_weight_decay: float = hyperparameter(0.05, "Of AdamW.", 0.0, 10.0)
    mlp_noise: float = hyperparameter(0.1, "Standard deviation added to standardised features.", 0.0, 10.0)
    mlp_kept: int = hyperparameter(230, "Hidden units of 256 that dropout keeps.", 1, 256)
    trees_by: float = hyperparameter(0.4, "Share of the regressors' time by which trees are done.", 0.0, 1.0)
    refit_tree_samples: int = hyperparameter(
        30_000,
        "Samples that trees are grown on in the second fit, whose trees are averaged with the first's.",
        20,
        10_000_000,
    )
    trees_share: float = hyperparameter(1 / 3, "Weight of the trees in the prior; the MLPs have the rest.", 0.0, 1.0)


@dataclass(frozen=True)
class GuidedSettings(MlpSettings):
    """All of them: speckle filter, features, samples, trees, MLPs, and the network that learns the residual."""

    steps: int = hyperparameter(40, "Steps of the first fit.", 1, 1_000_000)
    refit_steps: int = hyperparameter(20, "Of the second, which starts from the first.", 1, 1_000_000)
    learning_rate: float = hyperparameter(3e-3, "Of AdamW in the first fit.", 1e-7, 1.0)
    refit_learning_rate: float = hyperparameter(1.5e-3, "In the second.", 1e-7, 1.0)
    weight_decay: float = hyperparameter(0.05, "Of AdamW.", 0.0, 10.0)
    warm_up_steps: int = hyperparameter(20, "Steps until the learning rate is reached.", 1, 100_000)
    last_rate: float = hyperparameter(0.02, "Share of the learning rate at the end of the cosine.", 0.0, 1.0)
    crop_px: int = hyperparameter(32, "Side of a step's random crop.", 8, 4096)
    prior_weight: float = hyperparameter(
        0.1, "Prior regularisation: a hidden pixel, pulled to the prior, beside an observed one.", 0.0, 100.0
    )
    input_noise: float = hyperparameter(0.05, "Standard deviation added to standardised inputs.", 0.0, 10.0)
    ema_steps: int = hyperparameter(33, "Steps that the exponential moving average looks back on.", 1, 100_000)
    gradient_norm: float = hyperparameter(1.0, "Gradients are clipped to this.", 1e-6, 1e6)
    window_px: int = hyperparameter(160, "Side of a prediction's windows, which bounds its memory.", 8, 8192)
    window_overlap_px: int = hyperparameter(32, "Pixels that neighbouring windows share.", 0, 4096)
