"""The import itself, in the sandbox: `python -m worker.imports.sandboxed`, started by `importer` and by nobody else.

It opens the upload with the readers, checks headers, writes a working copy, and checks all pixels of that. The user's
bytes are decoded here and nowhere else.
"""

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import seq2seq
import worker
from seq2seq.config import ReconstructionConfig
from seq2seq.errors import DecloudError, InputError, OutputError, UnsafeArchiveError
from seq2seq.readers import open_contents, open_sequence
from seq2seq.readers.checks import check_s1, check_s2
from seq2seq.readers.contents import Contents
from seq2seq.readers.masking import choose_masking
from seq2seq.report.inspection import describe
from seq2seq.writers.working_copy import write_working_copy
from worker.imports import confinement
from worker.imports.limits import DEFAULT_LIMITS, ImportLimits
from worker.imports.sandbox import PASSED_ON
from worker.processes.parent_link import message_pipe

# The checking pass takes an eighth of it; what it finds does not depend on it.
_PLANNED_MEMORY_GB = 4.0
# The exit code of what is no fault of the user's, as far as is known; the trace is for the operator.
_BROKEN = 70
# Where programs and libraries lie, beside Python's own folders.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/urandom")

Send = Callable[..., None]


class LimitExceeded(Exception):  # noqa: N818  named by the limit
    """The upload asks for more than `limit` allows; the message says how much."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


def main() -> int:
    """Does what the request on standard input asks; returns the exit code, 0 with an answer, whatever that says."""
    request = json.load(sys.stdin)
    confinement.limit(request["limits"])
    number = message_pipe()
    assert number is not None, "nobody listens"
    with open(number, "w", buffering=1) as pipe:

        def send(**values: Any) -> None:
            pipe.write(json.dumps(values) + "\n")

        try:
            enclosure = enclose(Path(request["upload"]), Path(request["scratch"]))
            send(answer={**answer(request, send), "enclosure": asdict(enclosure)})
        except Exception:
            traceback.print_exc()
            return _BROKEN
    return 0


def make_copy(
    upload: Path,
    folder: Path,
    *,
    origin: str,
    config: ReconstructionConfig,
    limits: ImportLimits = DEFAULT_LIMITS,
    send: Send,
) -> dict[str, Any]:
    """Writes the working copy into the empty `folder` and says what is in it, in the words of `decloud inspect --json`.

    Raises `InputError`, `ConfigError`, `OutputError`, `LimitExceeded`.
    """
    _refuse_links(upload)
    send(phase="unpacking")
    with open_contents(upload, name=origin) as contents:
        rasters = (*contents.s2, *contents.s1, *contents.masks)
        send(files=[(raster.header.name, str(raster.header.date)) for raster in rasters])
        _check_budgets(contents, upload, limits)
        _check_headers(contents, config)
        write_working_copy(
            contents,
            folder,
            origin=origin,
            on_raster=lambda index, of, name: send(phase="importing", step=index, of=of, file=name),
        )
    send(phase="checking")
    planned = config.replace(max_memory_gb=min(config.max_memory_gb, _PLANNED_MEMORY_GB))
    with open_sequence(folder, planned) as source:
        return describe(source, config)


def answer(request: dict[str, Any], send: Send) -> dict[str, Any]:
    """Returns {"report": ...}, {"problem": ...} or {"exceeded": the limit, "detail": ...}.

    Raises what nobody expected.
    """
    upload, scratch, folder = (Path(request[name]) for name in ("upload", "scratch", "folder"))
    config, origin = ReconstructionConfig.from_dict(request["config"]), request["origin"]
    try:
        limits = ImportLimits.from_dict({name: request[name] for name in ("pixel_dates", "expansion")})
        report = make_copy(upload, folder, origin=origin, config=config, limits=limits, send=send)
        return {"report": report}
    except LimitExceeded as error:
        return {"exceeded": error.limit, "detail": str(error)}
    except (DecloudError, OSError, MemoryError) as error:
        limit = _limit_behind(error)
        if limit is not None:
            return {"exceeded": limit, "detail": ""}
        code, detail = _code(error), str(error)
        if code is None:
            raise
        for path, name in ((upload, origin), (scratch, "the import's folder")):
            detail = detail.replace(str(path), name)
        places = error.places if isinstance(error, InputError) else ()
        return {"problem": {"code": code, "detail": detail, "places": [place.to_dict() for place in places]}}


def enclose(upload: Path, scratch: Path) -> confinement.Enclosure:
    """Lets this process read nothing but `upload` and libraries from here on, and write nothing but `scratch`."""
    libraries = [Path(folder) for package in (seq2seq, worker) for folder in package.__path__]
    libraries += [Path(folder) for name in PASSED_ON for folder in os.environ.get(name, "").split(":") if folder]
    readable = (upload, Path(sys.prefix), Path(sys.base_prefix), *libraries, *map(Path, _SYSTEM))
    return confinement.enclose(readable=readable, writable=(scratch, Path("/dev/null")))


def _refuse_links(upload: Path) -> None:
    """In a folder, which only somebody on this machine can hand in, nothing may point out of it."""
    if not upload.is_dir():
        return
    for path in upload.rglob("*"):
        if path.is_symlink():
            name = path.relative_to(upload).as_posix()
            raise UnsafeArchiveError(f"{upload}: '{name}' is a link", file=name)


def _check_budgets(contents: Contents, upload: Path, limits: ImportLimits) -> None:
    """What all files together cost, by their headers, before the first pixel of any is decoded."""
    by_sensor = {sensor: rasters for sensor, rasters in contents.by_sensor() if rasters}
    for sensor, rasters in by_sensor.items():
        asked = sum(raster.header.pixels for raster in rasters)
        if asked > limits.pixel_dates:
            raise LimitExceeded("pixel_dates", f"{sensor} has {asked:,} pixels on {len(rasters)} dates")
    decoded = sum(raster.header.decoded_bytes for rasters in by_sensor.values() for raster in rasters)
    uploaded = _size(upload)
    if decoded > limits.decoded_bytes(uploaded):
        raise LimitExceeded(
            "expansion",
            f"its {uploaded:,} bytes decode to {decoded:,} bytes of pixels, more than "
            f"{limits.decoded_bytes(uploaded):,}: most of that was never written; leave out empty dates, or "
            "cut them to where there is data",
        )


def _size(upload: Path) -> int:
    files = upload.rglob("*") if upload.is_dir() else [upload]
    return sum(path.stat().st_size for path in files if path.is_file())


def _check_headers(contents: Contents, config: ReconstructionConfig) -> None:
    """All that can be known before images are decoded; of masks, a sample says what their values mean."""
    s2 = check_s2(contents.s2)
    if contents.s1:
        check_s1(contents.s1, contents.s2[0].header.geobox)
    choose_masking(contents, s2[0].bands, config)


def _limit_behind(error: BaseException | None) -> str | None:
    """The limit that made it fail, if one did: libraries report that as if the file were damaged."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "CPLE_OutOfMemoryError":
            return "memory_bytes"
        if isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EMFILE):
            return "memory_bytes" if error.errno == errno.ENOMEM else "open_files"
        error = error.__cause__ or error.__context__
    return None


def _code(error: BaseException) -> str | None:
    """Of an error whose cause lies outside the program; a full disk is one in whichever way it shows."""
    if isinstance(error, DecloudError):
        return error.code
    return OutputError.code if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) else None


if __name__ == "__main__":
    sys.exit(main())
