"""SEN12MS-CR-TS: three cloudy dates to a clear one, as published; and whole series, sequence to sequence."""

from dataclasses import replace

from seq2seq.datasets.base import Sample
from seq2seq.evaluation.base import PIXEL_MEAN, PIXEL_ROOT, SAMPLE_MEAN, Metric, Protocol, PublishedRow, Rng
from seq2seq.evaluation.hiding import hide
from seq2seq.evaluation.metrics import mae, pooled, psnr, rmse, sam_degrees, ssim
from seq2seq.evaluation.protocols.sen12mscr import MAE, PSNR, RMSE, SAM, SSIM
from seq2seq.sequence import days_since_first
from seq2seq.validation.holdout import choose_holdout
from seq2seq.validation.screening import suspected_clouds

_UNVERIFIED = "Ebel et al., UnCRtainTS, CVPRW 2023, table on SEN12MS-CR-TS; to be checked there"


def _row(method: str, rmse: float, ssim: float, sam: float, psnr_db: float | None = None) -> PublishedRow:
    values = {"RMSE": rmse, "SSIM": ssim, "SAM": sam, **({} if psnr_db is None else {"PSNR": psnr_db})}
    return PublishedRow(method, values, _UNVERIFIED, "unverified")


def hide_clear_pixels(sample: Sample, rng: Rng) -> Sample:
    """Hides clear pixels in the shapes of the series' clouds, and one in five of the clear dates whole; asks for them.

    Scored are those of them that are no suspected cloud: what the rule has missed is no truth.
    """
    clear = sample.valid & ~sample.cloud
    hidden = choose_holdout(clear, int(rng.integers(2**31)))
    scored = hidden & ~suspected_clouds(sample.s2, clear, days_since_first(sample.dates), sample.bands)
    asked = scored.any(axis=(1, 2))
    asking = replace(sample, truth=sample.s2[asked], scored=scored[asked], asked=sample.dates[asked])
    return hide(asking, hidden)


SEN12MSCRTS = Protocol(
    name="sen12mscrts",
    dataset="sen12mscrts",
    title="SEN12MS-CR-TS, test split, three dates to one",
    about="13 bands of L1C, 256 x 256 px, DN clipped to 0..10000 and divided by 10000; the first three dates of a "
    "patch, to predict its least cloudy one; each image by itself, then the mean over images.",
    metrics=(RMSE, MAE, PSNR, SSIM, SAM),
    published=(
        _row("least cloudy", 0.079, 0.815, 12.20),
        _row("mosaicing", 0.062, 0.831, 10.11),
        _row("DSen2-CR", 0.060, 0.810, 12.15, 26.04),
        _row("STGAN", 0.057, 0.818, 12.55, 25.42),
        _row("CR-TS Net", 0.051, 0.836, 10.66, 26.68),
        _row("U-TAE", 0.051, 0.849, 11.65, 27.05),
        _row("UnCRtainTS", 0.049, 0.866, 10.16, 27.84),
        PublishedRow("SADER, East Asia", {"PSNR": 31.23}, "arXiv 2602.00536, areas of East Asia alone", "unverified"),
    ),
    notes=(
        "Dates are the authors' where their file of pairs lies beside the areas, converted from its pickle; else "
        "chosen by their rule, with clouds found by DSen2-CR's and not by s2cloudless.",
        "The authors' rule shows the target as an input where it is among the first three dates; here it never is.",
        "Our methods see the radar of the target's date; CR-TS Net does not.",
        "Published rows are of networks trained on the training split, three dates in; no row has seen all 30 dates.",
    ),
    clouds_with_weights="seen",
)

SEN12MSCRTS_SERIES = Protocol(
    name="sen12mscrts-series",
    dataset="sen12mscrts-series",
    title="SEN12MS-CR-TS, test split, sequence to sequence",
    about="All 30 dates of a patch with their radar; clear pixels are hidden in the shapes of the series' own clouds, "
    "and one in five of the clear dates whole, by a seed and the patch's name; scored on these pixels, all together.",
    metrics=(
        Metric(
            "RMSE",
            "",
            "Root of the mean of (p - y)^2 over hidden pixels and bands.",
            False,
            pooled(rmse),
            PIXEL_ROOT,
            4,
        ),
        Metric("MAE", "", "Mean of |p - y| over hidden pixels and bands.", False, pooled(mae), PIXEL_MEAN, 4),
        Metric(
            "PSNR",
            "dB",
            "20 log10(1 / RMSE) of each patch's hidden pixels, averaged.",
            True,
            pooled(psnr),
            SAMPLE_MEAN,
            2,
        ),
        Metric("SSIM", "", "Structural similarity of dates with the prediction pasted in.", True, pooled(ssim)),
        Metric("SAM", "°", "Mean spectral angle over hidden pixels.", False, pooled(sam_degrees), PIXEL_MEAN, 2),
    ),
    notes=("This protocol is ours: nobody has published a row for it yet.",),
    gap=hide_clear_pixels,
)
