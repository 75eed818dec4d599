"""One try at an export: what is not there yet is sent, file by file, and the database learns how it went."""

import base64
import hashlib
import logging
import ssl
from collections.abc import Callable
from typing import Any

from worker import clock, jobs, outputs
from worker.database.connections import Database
from worker.errors import (
    DatabaseUnavailable,
    ForbiddenDestination,
    InvalidSettings,
    NotFound,
    StorageFullError,
    StorageUnavailable,
)
from worker.exports.asking import check_address, expires, signs_headers
from worker.exports.lease import Lease, Lost, Never, NotNow, Stopped
from worker.exports.outgoing import Outgoing, all_files, those_named
from worker.exports.putting import IDLE_S, put
from worker.jobs import Job, artifacts, exports
from worker.jobs.exports import Export
from worker.notices.delivery import delay_s
from worker.notices.destinations import Resolver, Unresolved
from worker.notices.posting import Answer, NoAnswer
from worker.settings import Settings
from worker.storage import ObjectStorage, Storage
from worker.values import timestamp

_log = logging.getLogger(__name__)

# Of what is refused for good in general, these pass: a damaged body (S3's BadDigest), too slow, too early, too often.
_PASSING = (400, 408, 425, 429)


class Delivery:
    """Delivers exports, `at_once` of them at a time. is_stopping: whether this process is about to end."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        settings: Settings,
        *,
        at_once: int,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._database, self._storage, self._settings = database, storage, settings
        self._is_stopping = is_stopping
        self._tls = ssl.create_default_context()
        self._resolver = Resolver(at_once)

    def attempt(self, export: Export) -> None:
        """Tries once, and writes down what follows from it."""
        lease = Lease(self._database, export, is_stopping=self._is_stopping)
        try:
            self._deliver(export, lease)
        except Lost:
            _log.info("export is nobody's, or another's, meanwhile", extra={"job_id": export.job_id})
        except Stopped:
            exports.give_back(self._database, export)
        except Never as error:
            self._give_up(export, str(error))
        except NotNow as error:
            self._failed(export, lease, error)
        except DatabaseUnavailable:
            raise
        except Exception:  # another export may fare better, and this one must not come for ever
            _log.exception("export failed", extra={"job_id": export.job_id})
            self._failed(export, lease, NotNow("something went wrong on our side"))

    def _deliver(self, export: Export, lease: Lease) -> None:
        try:
            job = jobs.get(self._database, export.job_id, export.owner)
        except NotFound:
            raise Lost from None
        if export.tries > self._settings.output_max_attempts:  # who was killed with it could not write down why
            raise Never("it was interrupted each time")
        if job.result_prefix is None:
            raise Never("the result has expired")
        files = artifacts.listing(self._database, job.id)
        if "put" in export.target:
            self._to_addresses(export, lease, job, files)
        else:
            self._to_bucket(export, lease, all_files(job, files, self._storage))
        exports.delivered(self._database, export, files=lease.files, sent=lease.sent)

    def _to_bucket(self, export: Export, lease: Lease, files: list[Outgoing]) -> None:
        bucket = self._open_bucket(export)
        for file in files[lease.files :]:
            try:
                bucket.put(file.path, file.pieces(lease.beat), media_type=file.media_type)
            except (StorageUnavailable, StorageFullError, NotFound) as error:
                raise NotNow(error.detail) from error
            lease.advance(file.size)

    def _open_bucket(self, export: Export) -> ObjectStorage:
        """By the settings as they are now."""
        name = export.host.removeprefix("s3://")
        options = self._settings.output_buckets.get(name)
        if options is None or not outputs.is_for(export.owner, options):
            raise Never(f"{name} is no bucket that this service may deliver your results to any more")
        # The store checks what arrives, part by part.
        of_store = {"checksum_algorithm": "SHA256", **{k: v for k, v in options.items() if k != outputs.OWNERS}}
        try:
            return ObjectStorage(export.target["href"], of_store)
        except InvalidSettings as error:
            _log.warning("output_buckets: %s", error.detail, extra={"bucket": name})
            raise NotNow("the operator's options for this bucket do not fit") from None

    def _to_addresses(self, export: Export, lease: Lease, job: Job, files: tuple[jobs.Artifact, ...]) -> None:
        addresses: dict[str, str] = export.target["put"]
        found = those_named(addresses, job, files, self._storage)
        for file, url in found[lease.files :]:
            try:
                answer = self._put(file, url, lease)
            except ForbiddenDestination as error:
                raise Never(f"{file.path}: its address {error.detail}") from None
            except Unresolved:
                raise NotNow(f"{file.path}: its host's name leads to no address that results may go to") from None
            except NoAnswer as error:
                raise NotNow(f"{file.path}: {error}") from None
            _check(file, url, answer)
            lease.advance(file.size)
        missing = [path for path in addresses if path not in {file.path for file, _ in found}]
        if missing:
            others = f", nor {len(missing) - 1} others that were asked for" if len(missing) > 1 else ""
            raise Never(f"the result has no file {missing[0]}{others}")

    def _put(self, file: Outgoing, url: str, lease: Lease) -> Answer:
        """Checked again: the settings, and what the name stands for, may have changed since submission."""
        destination = check_address(url, self._settings)
        addresses = self._resolver.addresses(destination, IDLE_S / 2)
        headers = {"User-Agent": "decloud"}
        if not signs_headers(url):
            digest = hashlib.md5(usedforsecurity=False)  # S3 and others hold the body against it
            for piece in file.pieces(lease.beat):
                digest.update(piece)
            headers |= {
                "Content-Type": file.media_type,
                "Content-MD5": base64.b64encode(digest.digest()).decode(),
            }
        body = file.pieces(lease.beat)
        return put(destination, addresses, headers=headers, body=body, size=file.size, tls=self._tls)

    def _failed(self, export: Export, lease: Lease, error: NotNow) -> None:
        if lease.tries >= self._settings.output_max_attempts:
            self._give_up(export, str(error))
        else:
            exports.put_off(self._database, export, str(error), delay_s=delay_s(max(1, lease.tries), error.asked_s))

    def _give_up(self, export: Export, error: str) -> None:
        exports.give_up(self._database, export, error)
        about: dict[str, Any] = {"job_id": export.job_id, "host": export.host, "tries": export.attempt}
        _log.warning("export given up: %s", error, extra=about)


def _check(file: Outgoing, url: str, answer: Answer) -> None:
    """Raises `Never` or `NotNow` for what is no success."""
    status = answer.status
    if 200 <= status < 300:
        return
    said = f"{file.path}: it answered {status}"
    if 300 <= status < 400:
        raise Never(f"{said}, and redirects are not followed")
    until = expires(url)
    if status == 403 and until is not None and until <= clock.now():
        raise Never(f"{said}: the address expired at {timestamp(until)}; resubmit with one that is signed for longer")
    if status == 403:
        raise Never(f"{said}: the address has expired, or does not allow this file")
    if 400 <= status < 500 and status not in _PASSING:
        raise Never(said)
    raise NotNow(said, answer.retry_after_s)
