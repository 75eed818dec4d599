"""Which outputs a job's results show, and how: `outputs` and `response` of an execute request (OGC API - Processes)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from api.process.processes import media_types
from seq2seq.products.base import JSON
from worker.jobs import Job

Mode = Literal["value", "reference"]


@dataclass(frozen=True)
class Delivery:
    """modes: by output, in the order asked for. response: `document`, one JSON with all; `raw`, the outputs themselves.

    selected: whether outputs were named; if not, all are shown, also those that have no name here.
    """

    response: Literal["document", "raw"]
    modes: Mapping[str, Mode]
    selected: bool

    @property
    def by_reference(self) -> bool:
        """Whether nothing but links is wanted."""
        return set(self.modes.values()) <= {"reference"}


def delivery_of(job: Job) -> Delivery:
    """What was asked for at submission."""
    kept = job.delivery or {}
    response: Literal["document", "raw"] = kept.get("response", "document")
    outputs = kept.get("outputs")
    default: Mode = "value" if response == "raw" else "reference"
    return Delivery(response, outputs or dict.fromkeys(media_types(job.process), default), bool(outputs))


def kept_of(response: str, modes: Mapping[str, str | None]) -> dict[str, Any] | None:
    """As it is kept with the job: None where it is the default, all by reference in one document.

    modes: by output; None: by value in a raw response, by reference in a document. None named: all.
    """
    if response == "document" and not modes:
        return None
    default = "value" if response == "raw" else "reference"
    outputs = {"outputs": {name: mode or default for name, mode in modes.items()}} if modes else {}
    return {"response": response, **outputs}


def encoding_of(media_type: str, response: str, mode: str) -> str:
    """How an output of that kind is written: JSON as it is, anything else in Base64 where it stands within JSON."""
    if media_type == JSON:
        return "utf-8"
    return "base64" if (response, mode) == ("document", "value") else "binary"
