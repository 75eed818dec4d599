"""Fetches one job's input, in a process of its own: `python -m worker.fetching.run_fetch FOLDER`.

FOLDER/fetch.json says what, FOLDER/fetched holds it afterwards; both as in `worker.running.job_folder`, and so are exit
codes and error.json. The process has the network, but for a sample, and, of this machine, FOLDER and libraries; see
`enclose`. Its
secrets, where it has any, are the operator's for the stores of inputs: in its environment, which it clears.
"""

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import seq2seq
import worker
from seq2seq.fetching.addresses import shown
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.stopping import stop_check
from seq2seq.fetching.transport import Retry, Transport
from seq2seq.progress import Progress
from worker.allowed_inputs import AllowList
from worker.child.beginning import begin
from worker.child.ending import Report, ShouldStop, concluded, leave, reporter
from worker.errors import ForbiddenInput
from worker.fetching.areas import AreaInput, fetch_area
from worker.fetching.buckets import BucketFile
from worker.fetching.budget import Budget, Pace, checks
from worker.fetching.files import OnBytes, Source, WebFile, fetch_file, naming
from worker.fetching.rules import AllowedRules
from worker.fetching.samples import make_sample
from worker.fetching.stac_items import Ways, fetch_items, stac_in
from worker.imports import confinement
from worker.running.job_folder import FETCHED, Fetched, FetchRequest

S3_OPTIONS = "DECLOUD_INPUT_STORAGE_OPTIONS"

_MEMORY_BYTES = 8 * 2**30
_REPORT_EVERY_S, _WORDS_EVERY_S, _WORDS_SHARE = 0.5, 2.0, 0.2
# What names, certificates and libraries need.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/bin", "/dev/urandom", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies"),
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services"),
    *("/etc/protocols", "/run/systemd/resolve", "/run/nscd", "/var/run/nscd"),
)
_NAMED_BY = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GDAL_DATA", "PROJ_DATA", "PROJ_LIB", "LD_LIBRARY_PATH")


def main(retry: Retry | None = None) -> int:
    """Works in the folder that the command line names; returns the exit code. retry: of requests."""
    should_stop = begin(Path(sys.argv[1]))
    s3_options = json.loads(os.environ.pop(S3_OPTIONS, "{}"))
    request, report = FetchRequest.read(Path()), reporter()

    def work() -> None:
        Path(FETCHED).mkdir(exist_ok=True)
        confinement.limit({"RLIMIT_AS": _MEMORY_BYTES, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": _largest_file(request)})
        enclose(Path.cwd(), network="sample" not in request.source)
        Fetching(request, report, should_stop, s3_options, retry).run()

    return concluded(work)


def enclose(folder: Path, *, network: bool) -> confinement.Enclosure:
    """Lets this process write below `folder` alone, read libraries and what names of hosts need, and start nothing.

    network: whether it may connect.
    """
    libraries = [Path(place) for package in (seq2seq, worker) for place in package.__path__]
    named = [Path(place) for name in _NAMED_BY for place in os.environ.get(name, "").split(":") if place]
    readable = (Path(sys.prefix), Path(sys.base_prefix), *libraries, *named, *map(Path, _SYSTEM))
    return confinement.enclose(readable=readable, writable=(folder, Path("/dev/null")), network=network)


class Fetching:
    """One input on its way. s3_options: of stores, as `Settings.input_storage_options`."""

    def __init__(
        self,
        request: FetchRequest,
        report: Report,
        should_stop: ShouldStop,
        s3_options: dict[str, str],
        retry: Retry | None = None,
    ) -> None:
        self._request, self._should_stop, self._s3_options, self._retry = request, should_stop, s3_options, retry
        self._allowed = AllowList.from_dict(request.allowed)
        self._reports = _Reports(report)
        self._budget = Budget(
            Path(FETCHED), max_bytes=request.max_bytes, floor_bytes=request.disk_floor_bytes
        )  # of the whole input
        self._pace = Pace()
        self._check = checks(stop_check(should_stop), self._pace.check)
        self._transport = Transport(AllowedRules.by(self._allowed), retry=retry, check_stop=self._check)

    def run(self) -> None:
        """Fetches, and marks what is complete. Raises `DecloudError`s of one line, and OSError."""
        source = self._request.source
        with contextlib.closing(self._transport):
            if "sample" in source:
                self._sample(source["sample"])
            elif "area" in source:
                self._area(AreaInput.of(source))
            else:
                self._href(source["href"])

    def _sample(self, name: str) -> None:
        fetched = Fetched.of(Path(), f"sample {name}")
        make_sample(
            name,
            fetched.path,
            budget=self._budget,
            pixel_dates=self._request.pixel_dates,
            on_progress=self._reports.progress,
            should_stop=self._should_stop,
        )
        fetched.write()

    def _area(self, asked: AreaInput) -> None:
        fetched = Fetched.of(Path(), asked.name)
        fetch_area(
            asked,
            fetched.path,
            allowed=self._allowed,
            budget=self._budget,
            pixel_dates=self._request.pixel_dates,
            on_progress=self._reports.progress,
            should_stop=self._should_stop,
            retry=self._retry,
        )
        fetched.write()

    def _href(self, href: str) -> None:
        """A file, or what the STAC in it leads to."""
        with naming(href):
            source = self._source(href)
            fetched = Fetched.of(Path(), source.name)
            file = fetched.path.with_name("file")
            on_bytes = self._reports.bytes_of(source.name, href)
            fetch_file(source, file, budget=self._budget, pace=self._pace, on_bytes=on_bytes)
            found = stac_in(file)
        if found is None:
            file.replace(fetched.path)
        else:
            ways = Ways(self._json, self._source, self._budget, self._pace, self._on_image)
            fetched.path.mkdir(exist_ok=True)
            fetch_items(found, href, fetched.path, ways)
            file.unlink()
        fetched.write()

    def _source(self, href: str) -> Source:
        """Raises `FetchError` for what is not allowed."""
        try:
            self._allowed.check_href(href)
        except ForbiddenInput as error:
            raise FetchError(error.detail) from None
        if urlsplit(href).scheme == "s3":
            return BucketFile.at(href, self._s3_options, self._check)
        return WebFile(href, self._transport)

    def _json(self, href: str) -> dict[str, Any]:
        """STAC that is linked to; it is asked for as often as it takes, and read by nobody else."""
        with naming(href):
            self._pace.start()
            return self._transport.json(href, Meter())

    def _on_image(self, name: str, number: int, of: int) -> OnBytes:
        return self._reports.bytes_of(name, None, number, of)


class _Reports:
    """Progress, twice a second; in words, which are kept in the job's log, ever more seldom."""

    def __init__(self, report: Report) -> None:
        self._report, self._began = report, time.monotonic()
        self._next, self._next_words = 0.0, 0.0

    def progress(self, progress: Progress) -> None:
        """Hands it on."""
        self._report("progress", **vars(progress))

    def bytes_of(self, name: str, href: str | None, number: int = 0, of: int = 0) -> OnBytes:
        """Returns what tells how much of a file is there; number: of the file among `of`."""
        which = f"{name}" + (f" ({number} of {of})" if of else f" from {urlsplit(shown(href)).netloc}")

        def on_bytes(done: int, size: int) -> None:
            now, is_last = time.monotonic(), done == size and number == of
            if now < self._next and not is_last:
                return
            self._next = now + _REPORT_EVERY_S
            message = None
            if now >= self._next_words or is_last:
                self._next_words = now + max(_WORDS_EVERY_S, (now - self._began) * _WORDS_SHARE)
                so_far = f"{done / 1e6:,.1f}" + (f" of {size / 1e6:,.1f}" if size else "")
                message = f"Fetching {which}: {so_far} MB."
            step = round(done / 1e6)
            self.progress(Progress("fetching", step, max(step, round(size / 1e6)), message=message))

        return on_bytes


def _largest_file(request: FetchRequest) -> int:
    """A raster of an area is put together unpacked. A limit that is set already stays."""
    wanted = max(request.max_bytes, 8 * 2**30)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


if __name__ == "__main__":
    leave(main())
