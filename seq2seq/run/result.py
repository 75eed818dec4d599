"""The result of a reconstruction: images, uncertainty, proof."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from seq2seq.nn.vgg import Perceptual
from seq2seq.notebook import card, plot_result
from seq2seq.progress import format_duration
from seq2seq.sequence import Bool, Float32, ImageSequence
from seq2seq.validation.assessment import Assessment
from seq2seq.validation.claim import describe
from seq2seq.validation.contradictions import Contradiction

if TYPE_CHECKING:
    import xarray as xr
    from PIL.Image import Image

    from seq2seq.looking.views import Choice


@dataclass(frozen=True)
class CurvePoint:
    """The fit at one step; seconds since the fit of this tile began, holdout_psnr in dB where it was looked at."""

    step: int
    loss: float
    holdout_psnr: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """s2: every date without clouds, reflectance, observed everywhere. sigma: (T, C, H, W) reflectance,
    one std, 0 where an observation passed through. suspected: (T, H, W) observed pixels that were delivered but not
    learnt from, see `screening`. reconstructed: (T, H, W) where the value is not, or not wholly, the observation.
    assessment: the held-out proof, None where nothing could be held out. curve: the fit. seconds: wall-clock time by
    phase. steps_done, steps_total: of all fits made, fewer done than there are where time was over; 0: none to make.
    notes: sentences of the method on what it did. contradictions: dates whose level was not believed, see there."""

    s2: ImageSequence
    sigma: Float32
    suspected: Bool
    reconstructed: Bool
    assessment: Assessment | None
    curve: tuple[CurvePoint, ...]
    perceptual: Perceptual
    device: str
    seconds: dict[str, float]
    steps_done: int = 0
    steps_total: int = 0
    notes: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()

    def to_xarray(self) -> "xr.Dataset":
        """Returns a Dataset: `reflectance`, `sigma (time, band, y, x)`, `reconstructed (time, y, x)`; CF attributes."""
        import xarray as xr

        on_grid = {"grid_mapping": "spatial_ref"}
        image, plane = ("time", "band", "y", "x"), ("time", "y", "x")
        reflectance = {
            "long_name": "cloud-free reflectance",
            "units": "1",
            "ancillary_variables": "sigma reconstructed",
        }
        sigma = {"long_name": "one standard deviation of reflectance, 0 where observed", "units": "1"}
        flags = {"long_name": "value was reconstructed, not observed"}
        return xr.Dataset(
            {
                "reflectance": (image, self.s2.pixels, reflectance | on_grid),
                "sigma": (image, self.sigma, sigma | on_grid),
                "reconstructed": (plane, self.reconstructed, flags | on_grid),
            },
            coords=self.s2.coordinates(),
            attrs={
                "Conventions": "CF-1.8",
                "title": "Cloud-free Sentinel-2 sequence",
                "source": f"decloud {version('decloud')}",
                "comment": f"gain: {self._gain()}",
            },
        )

    def plot(self, date: Any = None, *, bands: "Choice | None" = None) -> "Image":
        """Draws what was observed, the result and its uncertainty: all dates on a sheet, or `date` large.

        A PIL image: a notebook shows it, `.save("dates.png")` keeps it. bands: "rgb", "false" or "ndvi"; by default
        what is there, natural colour first. Raises `MissingDataError` for a date or bands that are not there.
        """
        return plot_result(self.s2, self.sigma, self.reconstructed, date, bands)

    def __repr__(self) -> str:
        return f"Reconstruction({', '.join(text for _, text in self.facts())})"

    def _repr_html_(self) -> str:
        return card("Reconstruction", self.facts(), self.s2, reconstructed=self.reconstructed)

    def facts(self) -> list[tuple[str, str]]:
        """Lists names and facts for people, at a glance."""
        seconds = format_duration(sum(self.seconds.values()))
        return [
            *self.s2.facts()[:-1],
            ("reconstructed", f"{self.reconstructed.mean():.0%} reconstructed"),
            ("gain", f"gain {self._gain()}"),
            ("run", f"{seconds} on {self.device}"),
        ]

    def _gain(self) -> str:
        return describe(self.assessment.gain if self.assessment else None)
