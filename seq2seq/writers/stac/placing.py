"""Where a result lies: footprint in degrees, grid in the terms of the projection extension."""

from dataclasses import dataclass
from typing import Any

from odc.geo.geobox import GeoBox
from rasterio.warp import transform

# Of degrees: the seventh is a centimetre.
_DECIMALS = 7


@dataclass(frozen=True)
class Placed:
    """The place of all images of a result.

    footprint: the corners as a closed ring of (longitude, latitude), counter-clockwise where north is up. bbox: west,
    south, east, north. projection: fields of the projection extension.
    """

    footprint: list[list[float]]
    bbox: list[float]
    projection: dict[str, Any]

    @classmethod
    def of(cls, geobox: GeoBox) -> "Placed":
        """Places a grid."""
        height, width = geobox.shape
        corners = [geobox.affine @ corner for corner in ((0, 0), (0, height), (width, height), (width, 0), (0, 0))]
        longitudes, latitudes = transform(geobox.crs.to_wkt(), "EPSG:4326", *zip(*corners, strict=True))
        ring = [[round(x, _DECIMALS), round(y, _DECIMALS)] for x, y in zip(longitudes, latitudes, strict=True)]
        bbox = [*map(min, zip(*ring, strict=True)), *map(max, zip(*ring, strict=True))]
        return cls(ring, bbox, _projection(geobox, ring[:-1]))


def _projection(geobox: GeoBox, corners: list[list[float]]) -> dict[str, Any]:
    code = geobox.crs.to_epsg()
    crs = {"proj:code": f"EPSG:{code}"} if code else {"proj:code": None, "proj:wkt2": geobox.crs.to_wkt()}
    longitude, latitude = (round(sum(axis) / len(corners), _DECIMALS) for axis in zip(*corners, strict=True))
    return {
        **crs,
        "proj:shape": list(geobox.shape),
        "proj:transform": list(geobox.affine)[:6],
        "proj:bbox": list(geobox.boundingbox.bbox),
        "proj:centroid": {"lat": latitude, "lon": longitude},
    }
