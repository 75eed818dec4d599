"""The one process, as OGC API - Processes describes processes."""

from typing import Any

from api.http.answers import link
from api.process.parameters import Parameters
from api.process.status import PROCESS
from seq2seq.products import PRODUCTS, Product
from seq2seq.products.base import JSON
from seq2seq.readers.formats import FORMATS, is_single_file, readable

_TITLES = {product.name: product.title for product in PRODUCTS}


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
        "outputTransmission": ["reference", "value"],
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
    return _TITLES.get(role, role)


def _inputs() -> dict[str, Any]:
    only_zips = not any(is_single_file(known) for known in FORMATS)
    sequence = {
        "title": "Sequence",
        "description": f"An upload: a {readable(folder='ZIP')}.",
        "schema": {
            "type": "object",
            "required": ["href"],
            "properties": {"href": {"type": "string", "format": "uri-reference"}},
            **({"contentMediaType": "application/zip"} if only_zips else {}),
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


def _described_outputs() -> dict[str, Any]:
    return {
        product.name: {"title": product.title, "description": product.about, "schema": _output_schema(product)}
        for product in PRODUCTS
    }


def _output_schema(product: Product) -> dict[str, Any]:
    if product.media_type == JSON:
        one: dict[str, Any] = {"type": "object", "contentMediaType": product.media_type}
    else:
        one = {"type": "string", "contentEncoding": "binary", "contentMediaType": product.media_type}
    return {"type": "array", "items": one} if product.per_date else one
