"""Plain GeoTIFFs, as a download service delivers them: one image in memory, no overviews."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from seq2seq.errors import OutputError
from seq2seq.writers.output import describe_failure


def write_geotiff(
    path: Path,
    image: NDArray[Any],
    *,
    geobox: GeoBox,
    bands: tuple[str, ...],
    nodata: float | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes `image` (C, H, W) in its own dtype, deflated, with `bands` as descriptions. Raises `OutputError`."""
    count, height, width = image.shape
    profile: dict[str, Any] = {"driver": "GTiff", "compress": "deflate", "zlevel": 1, "nodata": nodata}
    profile |= {"crs": geobox.crs.to_wkt(), "transform": geobox.affine, "dtype": image.dtype.name}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as target:
            target.write(image)
            target.update_tags(**(tags or {}))
            for index, band in enumerate(bands, start=1):
                target.set_band_description(index, band)
    except (OSError, RasterioError) as error:
        raise OutputError(describe_failure(path, str(error))) from error
