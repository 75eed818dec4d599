"""What all STAC documents share: version, releases of extensions, links."""

VERSION = "1.1.0"
# The releases that pystac and odc-stac read.
_RELEASES = {
    "eo": "v1.1.0",
    "file": "v2.1.0",
    "processing": "v1.2.0",
    "projection": "v2.0.0",
    "raster": "v1.1.0",
    "timestamps": "v1.1.0",
}


def extensions(*names: str) -> tuple[str, ...]:
    """Returns the addresses of the schemas that stand for these extensions."""
    return tuple(f"https://stac-extensions.github.io/{name}/{_RELEASES[name]}/schema.json" for name in names)


def link(kind: str, href: str, media_type: str = "application/json") -> dict[str, str]:
    """Makes a link of the relation `kind`."""
    return {"rel": kind, "href": href, "type": media_type}
