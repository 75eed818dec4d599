"""SEN12MS-CR as most papers on cloud removal report it: one cloudy image and its radar in, the clear image out."""

from seq2seq.evaluation.base import Metric, Protocol, PublishedRow
from seq2seq.evaluation.metrics import image_mean, mae, psnr, rmse, sam_degrees, ssim

MAE = Metric("MAE", "", "Mean of |p - y| over all pixels and bands, reflectance.", False, image_mean(mae))
RMSE = Metric(
    "RMSE", "", "Root of the mean of (p - y)^2 over all pixels and bands, reflectance.", False, image_mean(rmse)
)
PSNR = Metric("PSNR", "dB", "20 log10(1 / RMSE) of each image, then averaged.", True, image_mean(psnr), decimals=2)
SSIM = Metric(
    "SSIM", "", "Structural similarity, Gaussian window of 11 px, each band, then averaged.", True, image_mean(ssim)
)
SAM = Metric(
    "SAM", "°", "Mean angle between predicted and true spectrum, degrees.", False, image_mean(sam_degrees), decimals=2
)

_QUOTED = "as tables of later papers and repositories quote it"


def _row(method: str, source: str, psnr_db: float, ssim: float, mae: float, sam: float) -> PublishedRow:
    values = {"PSNR": psnr_db, "SSIM": ssim, "MAE": mae, "SAM": sam}
    return PublishedRow(method, values, f"{source}, {_QUOTED}", "quoted by others")


SEN12MSCR = Protocol(
    name="sen12mscr",
    dataset="sen12mscr",
    title="SEN12MS-CR, test split",
    about="All 13 bands of L1C, 256 x 256 px, DN clipped to 0..10000 and divided by 10000; each image by itself, then "
    "the mean over images. Metrics as in the code of UnCRtainTS.",
    metrics=(MAE, RMSE, PSNR, SSIM, SAM),
    published=(
        _row("DSen2-CR", "Meraner et al. 2020", 27.76, 0.874, 0.031, 9.47),
        _row("GLF-CR", "Xu et al. 2022", 28.64, 0.885, 0.028, 8.98),
        _row("UnCRtainTS", "Ebel et al. 2023", 28.90, 0.880, 0.027, 8.32),
        _row("DiffCR", "Zou et al. 2024", 31.77, 0.902, 0.019, 5.82),
        _row("EMRDM", "Liu et al. 2025", 32.14, 0.924, 0.018, 5.27),
    ),
    notes=(
        "The target was taken weeks before or after the input: what has changed since counts as error, for everybody.",
        "Published rows are of networks trained on the training split that see the cloudy pixels themselves; a method "
        "without weights learns from this one image alone, and does not see them unless `--clouds seen` says so.",
        "The loader of UnCRtainTS finds areas by a part of their path, so that its training split overlaps the test "
        "split (`s1_1` also takes 106, 123 and 140); ours goes by whole names.",
        "SSIM: borders are mirrored here, filled with zeros there. SAM: black pixels have no angle and do not count.",
        "7 899 patches are said to be in the test split (unverified); compare with the number of samples above.",
    ),
    clouds_with_weights="seen",
)
