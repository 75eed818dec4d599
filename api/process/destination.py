"""Where a job's result is to go, as the body of a request says it, held against what the operator allows."""

from api.process.execute import Destination
from worker.errors import InvalidRequest
from worker.exports import asking
from worker.jobs import exports
from worker.settings import Settings


def destination_of(given: Destination | None, settings: Settings, owner: str) -> exports.Destination | None:
    """As the job keeps it. Raises `InvalidRequest` naming the field, for what is not allowed."""
    if given is None:
        return None
    field = "destination.href" if given.put is None else "destination.put"
    try:
        if given.put is None:
            return asking.to_bucket(given.href or "", owner, settings)
        return asking.to_addresses({path: url.get_secret_value() for path, url in given.put.items()}, settings)
    except InvalidRequest as error:
        raise InvalidRequest(f"{field}: {error.detail}", field=field) from None


def offered(settings: Settings) -> tuple[str, ...]:
    """Which forms of `destination` this server takes: none, where the operator has named no place."""
    forms = (("href", settings.output_buckets), ("put", settings.output_hosts))
    return tuple(name for name, allowed in forms if allowed)
