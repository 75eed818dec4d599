"""The processes, as OGC API - Processes describes processes."""

from collections.abc import Sequence
from typing import Any

from api.http.answers import link
from api.process.processes import Process
from seq2seq.products import Product
from seq2seq.products.base import JSON
from seq2seq.readers.formats import FORMATS, is_single_file, readable
from seq2seq.samples import SAMPLES


def summary(process: Process, base: str, version: str) -> dict[str, Any]:
    """For the list of processes."""
    return {
        "id": process.name,
        "version": version,
        "title": process.title,
        "description": process.about,
        "keywords": list(process.keywords),
        "jobControlOptions": ["async-execute", "dismiss"],
        "outputTransmission": ["reference", "value"],
        "links": [
            link(f"{base}/processes/{process.name}", "self", "The process"),
            link(
                f"{base}/processes/{process.name}/execution",
                "http://www.opengis.net/def/rel/ogc/1.0/execute",
                "Submit a job",
            ),
        ],
    }


def description(
    process: Process, base: str, version: str, destinations: Sequence[str] = (), catalogs: Sequence[str] = ()
) -> dict[str, Any]:
    """With inputs and outputs. destinations: forms of `destination` that the server takes. catalogs: those that areas
    may be fetched from."""
    inputs = _inputs(process, catalogs)
    described = {**summary(process, base, version), "inputs": inputs, "outputs": _outputs(process)}
    if destinations:
        described["additionalParameters"] = {"parameters": [{"name": "destination", "value": list(destinations)}]}
    return described


def _inputs(process: Process, catalogs: Sequence[str]) -> dict[str, Any]:
    sequence = {
        "title": "Sequence",
        "description": f"{process.sequence}: a {readable(folder='ZIP')}. Where the operator has allowed it, also the "
        "address of one or of STAC items, or an area of a catalogue. A sample is simulated, and needs neither.",
        "schema": {"oneOf": [_by_href(), *([_area(catalogs)] if catalogs else []), _SAMPLE]},
        "minOccurs": 1,
        "maxOccurs": 1,
    }
    return {"sequence": sequence, **{name: _setting(name, schema) for name, schema in _settings(process).items()}}


def _by_href() -> dict[str, Any]:
    """An upload, or a reference to what is elsewhere."""
    only_zips = not any(is_single_file(known) for known in FORMATS)
    return {
        "type": "object",
        "required": ["href"],
        "properties": {"href": {"type": "string", "format": "uri-reference"}},
        **({"contentMediaType": "application/zip"} if only_zips else {}),
    }


def _area(catalogs: Sequence[str]) -> dict[str, Any]:
    """An area, of the catalogues that the operator has allowed: forms are made from this."""
    degrees = {"type": "number", "minimum": -180, "maximum": 180}
    return {
        "type": "object",
        "title": "Area",
        "required": ["area", "dates"],
        "properties": {
            "area": {
                "oneOf": [
                    {
                        "type": "array",
                        "description": "West, south, east, north in degrees.",
                        "items": degrees,
                        "minItems": 4,
                        "maxItems": 4,
                    },
                    {"type": "object", "description": "GeoJSON; the box around it is taken."},
                ]
            },
            "dates": {"type": "string", "description": "FIRST/LAST, both included, as in 2021-05-01/2021-10-31."},
            "catalog": {"type": "string", "enum": list(catalogs), "default": catalogs[0]},
        },
    }


_SAMPLE: dict[str, Any] = {
    "type": "object",
    "required": ["sample"],
    "properties": {"sample": {"type": "string", "enum": list(SAMPLES)}},
}


def _settings(process: Process) -> dict[str, Any]:
    properties: dict[str, Any] = process.settings.model_json_schema()["properties"]
    return properties


def _setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in schema.items() if key not in ("title", "description")}
    title = name.replace("_", " ").capitalize()
    described = {"title": title, "description": schema["description"], "schema": _plain(about)}
    return {**described, "minOccurs": 0, "maxOccurs": 1}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """In the words that OGC's schema of schemas has, which knows neither `const` nor the type null."""
    plain = dict(schema)
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if plain.get("type") == "null":
        plain.pop("type")
        plain["enum"] = [None]
    if "anyOf" in plain:
        plain["anyOf"] = [_plain(kind) for kind in plain["anyOf"]]
    if "properties" in plain:
        plain["properties"] = {name: _plain(schema) for name, schema in plain["properties"].items()}
    return plain


def _outputs(process: Process) -> dict[str, Any]:
    return {
        product.name: {"title": product.title, "description": product.about, "schema": _output_schema(product)}
        for product in process.outputs
    }


def _output_schema(product: Product) -> dict[str, Any]:
    if product.media_type == JSON:
        one: dict[str, Any] = {"type": "object", "contentMediaType": product.media_type}
    else:
        one = {"type": "string", "contentEncoding": "binary", "contentMediaType": product.media_type}
    return {"type": "array", "items": one} if product.per_date else one
