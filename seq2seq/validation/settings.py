"""The protocol of the proof: what is held out, how candidates are blended on it, which observations are suspected.

The same for every method and every user: a score that anybody could tune to their taste would prove nothing. So these
are no options and no service takes them; programs and a `--config` file may vary them, and report.json records them.
"""

from dataclasses import dataclass

from seq2seq.settings import hyperparameter


@dataclass(frozen=True)
class HoldoutSettings:
    """The pixels hidden from the scored fit. Fully clouded dates are the hardest and each errs in its own way,
    so one alone proves little; the delivered fit gets them back."""

    fully_clouded_below: float = hyperparameter(
        0.15, "A date of which less than this share is visible counts as fully clouded.", 0.0, 1.0
    )
    min_class_pixels: int = hyperparameter(
        400, "Fewer held-out pixels say nothing about their class alone.", 1, 1_000_000
    )
    whole_dates: float = hyperparameter(1 / 5, "Share of mostly clear dates that are held out whole.", 0.0, 1.0)
    min_clear_dates: int = hyperparameter(4, "With fewer of them none is held out whole.", 2, 1000)
    mostly_clear: float = hyperparameter(0.3, "Visible share from which a date is mostly clear.", 0.0, 1.0)
    shaped: float = hyperparameter(0.5, "Chance of any other date to lose pixels in a cloud's shape.", 0.0, 1.0)
    attempts: int = hyperparameter(
        20, "Draws of such shapes: chance may leave a short sequence without anything held out.", 1, 1000
    )
    max_date_share: float = hyperparameter(
        0.4, "Most of a date's clear pixels that shapes may take before half of them are given back.", 0.0, 1.0
    )


@dataclass(frozen=True)
class BlendSettings(HoldoutSettings):
    """The pull of the held-out pixels on the blend: they are thousands, but the dates they lie on are few, and dates
    are what differs."""

    mix_caution: float = hyperparameter(
        0.5, "Pull of the mix weights to their default, in units of the candidates' disagreement.", 0.0, 1e3
    )
    weight_caution: float = hyperparameter(
        2.0, "Dates' worth of evidence that the blend weight of a kind of date starts with.", 0.0, 1e3
    )
    first_weight_partly_clouded: float = hyperparameter(1.0, "Blend weight that it starts with there.", 0.0, 1.0)
    first_weight_fully_clouded: float = hyperparameter(0.5, "The same on fully clouded dates.", 0.0, 1.0)
    trial_errors: float = hyperparameter(
        1.0, "Standard errors that a candidate on trial has to gain over held-out dates but its best.", 0.0, 100.0
    )
    min_sigma: float = hyperparameter(
        1e-4, "Least sigma, reflectance: keeps calibration finite where all candidates agree.", 1e-9, 1.0
    )


@dataclass(frozen=True)
class ContradictionSettings(BlendSettings):
    """When a whole date contradicts the others, see `contradictions`."""

    contradiction_std: float = hyperparameter(
        3.0, "Deviations of a date believed, in standard deviations of how dates of the sequence differ.", 0.0, 1e3
    )
    least_contradiction: float = hyperparameter(0.015, "Deviation that is always believed, reflectance.", 0.0, 1.0)
    land_contradicts: float = hyperparameter(
        1.5,
        "Times that a deviation of no colour of haze or snow must be larger: rain and drought pass as well.",
        1.0,
        100.0,
    )
    most_contradicting: float = hyperparameter(0.2, "Share of the dates that may contradict the others.", 0.0, 0.5)
    fewest_compared: int = hyperparameter(
        100, "Pixels clear on both of two dates below which they are not compared.", 1, 1_000_000
    )
    rise_doubles_days: float = hyperparameter(30.0, "Days after which twice as large a change is believed.", 0.1, 1e4)
    longest_days: float = hyperparameter(60.0, "Days after which no larger change is believed.", 0.0, 1e4)


@dataclass(frozen=True)
class ValidationSettings(ContradictionSettings):
    """All of them, and when an observation is suspected to be a missed cloud (Hagolle et al. 2010)."""

    blue_rise: float = hyperparameter(
        0.03, "Rise of blue above both clear neighbours a day away that is no change of the land.", 0.0, 1.0
    )
    shadow_level: float = hyperparameter(
        0.5, "Below this share of the darker neighbour, all bands together, a pixel is shadow.", 0.0, 1.0
    )
    near_cloud_px: int = hyperparameter(5, "Pixels from a mask beyond which a change is believed.", 0, 1000)
    rim_excess: float = hyperparameter(
        2.0, "Times as many pixels beside masks as far from them must look like cloud to be suspected.", 1.0, 1e3
    )


DEFAULTS = ValidationSettings()
