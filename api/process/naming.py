"""From the sequence that a request names to an upload of ours, or to what a worker is to fetch; checked at once."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from api.errors import Refusal
from api.process.execute import Shape
from api.process.sequences import Area, Named, Sample, expected_shape
from seq2seq.samples import SAMPLES
from worker.allowed_inputs import AllowList
from worker.errors import ForbiddenInput
from worker.settings import Settings

_UPLOAD = re.compile(r"/uploads/([A-Za-z0-9-]{1,64})/?")
_FIELD = "inputs.sequence"


@dataclass(frozen=True)
class NamedSequence:
    """Names an upload, or what a worker is to have, {"href"}, {"area", "dates", "catalog"} or {"sample"}. shape: where
    it is known."""

    input_id: str | None
    source: dict[str, Any] | None = None
    shape: Shape | None = None


def invalid(field: str, detail: str) -> Refusal:
    """A field of the body that cannot be what it is."""
    place = {"in": "body", "field": field, "pointer": "#/" + field.replace(".", "/"), "detail": detail}
    return Refusal("invalid-request", f"{field}: {detail}", errors=[place])


def named_sequence(asked: Named | None, settings: Settings, base: str) -> NamedSequence:
    """What is asked for, where that may be had. base: our own address. Raises `Refusal` naming the field."""
    if asked is None:
        raise invalid(_FIELD, 'is missing: {"href": "/uploads/ID"} of a complete upload')
    if isinstance(asked, Area):
        return _area(asked, settings)
    if isinstance(asked, Sample):
        return _sample(asked.sample)
    upload = _upload_id(asked.href, base)
    if upload is not None:
        return NamedSequence(upload)
    if "://" not in asked.href:
        raise invalid(f"{_FIELD}.href", "must be an upload of this server, /uploads/ID, or a whole address")
    _check_href(asked.href, settings)
    return NamedSequence(None, {"href": asked.href})


def source_again(source: dict[str, Any] | None, settings: Settings) -> dict[str, Any] | None:
    """The source of an earlier job, where it may still be fetched. Raises `Refusal`."""
    if source is None:
        return None
    kept = {name: value for name, value in source.items() if name != "max_bytes"}
    if "href" in kept:
        _check_href(kept["href"], settings)
    elif "catalog" in kept:
        _check_catalog(kept["catalog"], settings)
    return kept


def shown_source(source: dict[str, Any]) -> dict[str, Any]:
    """A job's source for people and programs, without the query of an address: it may be a signature."""
    kept = {name: value for name, value in source.items() if name != "max_bytes"}
    return {**kept, "href": kept["href"].partition("?")[0]} if "href" in kept else kept


def _area(asked: Area, settings: Settings) -> NamedSequence:
    catalog = asked.catalog or next(iter(settings.input_catalogs), "")
    _check_catalog(catalog, settings)
    try:
        dates, height, width = expected_shape(asked)
    except ValueError as error:
        raise invalid(f"{_FIELD}.area", str(error)) from None
    source = {"area": list(asked.area), "dates": asked.dates, "catalog": catalog}
    return NamedSequence(None, source, Shape(dates=dates, bands=10, height=height, width=width))


def _sample(name: str) -> NamedSequence:
    known = SAMPLES[name]
    shape = Shape(dates=known.dates, bands=len(known.bands), height=known.size_px, width=known.size_px)
    return NamedSequence(None, {"sample": name}, shape)


def _check_href(href: str, settings: Settings) -> None:
    try:
        _allowed(settings).check_href(href)
    except ForbiddenInput as error:
        raise invalid(f"{_FIELD}.href", error.detail) from None


def _check_catalog(name: str, settings: Settings) -> None:
    try:
        _allowed(settings).check_catalog(name)
    except ForbiddenInput as error:
        raise invalid(f"{_FIELD}.catalog", error.detail) from None


def _allowed(settings: Settings) -> AllowList:
    return AllowList(settings.input_hosts, settings.input_private_hosts, settings.input_catalogs)


def _upload_id(href: str, base: str) -> str | None:
    """Of `/uploads/ID`, also with our own address before it; None for anything else."""
    here = urlsplit(base)
    try:
        there = urlsplit(href) if href.isprintable() and "[" not in href else urlsplit("")
    except ValueError:
        return None
    own = not there.netloc or (there.scheme, there.netloc) == (here.scheme, here.netloc)
    path = there.path.removeprefix(here.path) if there.netloc else there.path
    match = _UPLOAD.fullmatch(path)
    return match[1] if own and match is not None and not (there.query or there.fragment) else None
