"""The one process, as OGC API - Processes describes processes."""

from typing import Any

from api.answers import link
from api.parameters import Parameters
from api.schemas import OUTPUT_IDS
from api.status import PROCESS

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_OUTPUTS: dict[str, tuple[str, str, str]] = {
    "declouded": ("Cloud-free images", "One cloud-optimised GeoTIFF a date, in the format of the input.", _COG),
    "uncertainty": ("Uncertainty", "One standard deviation for each pixel, reflectance; 0 where observed.", _COG),
    "cloud_mask": ("Cloud masks", "1 where the input was cloud, shadow or without data.", _COG),
    "report": ("Report", "How good the result is, measured on pixels that were hidden.", "application/json"),
    "preview": ("Preview", "All dates, before and after.", "image/png"),
    "stac": ("STAC", "A Collection and an Item for each date.", "application/json"),
    "manifest": ("Manifest", "Every file with size and checksums.", "application/json"),
    "archive": ("Archive", "All files in one ZIP.", "application/zip"),
}
assert tuple(_OUTPUTS) == OUTPUT_IDS


def summary(base: str, version: str) -> dict[str, Any]:
    """For the list of processes."""
    return {
        "id": PROCESS,
        "version": version,
        "title": "Cloud-free Sentinel-2 sequences",
        "description": "Restores clouds, shadows and gaps of a Sentinel-2 time series from the series itself and "
        "Sentinel-1, with a measure of how well.",
        "keywords": ["Sentinel-2", "Sentinel-1", "cloud removal", "time series"],
        "jobControlOptions": ["async-execute", "dismiss"],
        "outputTransmission": ["reference"],
        "links": [
            link(f"{base}/processes/{PROCESS}", "self", "The process"),
            link(
                f"{base}/processes/{PROCESS}/execution",
                "http://www.opengis.net/def/rel/ogc/1.0/execute",
                "Submit a job",
            ),
        ],
    }


def description(base: str, version: str) -> dict[str, Any]:
    """With inputs and outputs."""
    return {**summary(base, version), "inputs": _inputs(), "outputs": _described_outputs()}


def output_title(role: str) -> str:
    """What a role is called."""
    return _OUTPUTS[role][0] if role in _OUTPUTS else role


def _inputs() -> dict[str, Any]:
    sequence = {
        "title": "Sequence",
        "description": "An upload: a ZIP of S2/DATE.tif and, if there are any, S1/DATE.tif and MASK/DATE.tif or "
        "SCL/DATE.tif.",
        "schema": {
            "type": "object",
            "required": ["href"],
            "properties": {"href": {"type": "string", "format": "uri-reference"}},
            "contentMediaType": "application/zip",
        },
        "minOccurs": 1,
        "maxOccurs": 1,
    }
    return {"sequence": sequence, **{name: _setting(name, schema) for name, schema in _settings().items()}}


def _settings() -> dict[str, Any]:
    properties: dict[str, Any] = Parameters.model_json_schema()["properties"]
    return properties


def _setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in schema.items() if key not in ("title", "description")}
    title = name.replace("_", " ").capitalize()
    return {"title": title, "description": schema["description"], "schema": about, "minOccurs": 0, "maxOccurs": 1}


def _described_outputs() -> dict[str, Any]:
    return {
        name: {
            "title": title,
            "description": about,
            "schema": {"type": "string", "format": "uri", "contentMediaType": media_type},
        }
        for name, (title, about, media_type) in _OUTPUTS.items()
    }
