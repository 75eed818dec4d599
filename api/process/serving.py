"""Which workers may run a job: those of its lane, or of the resource class that was asked for."""

from api.errors import Refusal
from api.metrics import serving
from api.services import Services
from worker.lanes import LIGHT, is_light
from worker.queue import workers


def resource_class_of(process: str, asked: str | None, services: Services) -> str:
    """The class that somebody serves, or is meant to. Raises `Refusal` naming those that there are."""
    meant = services.settings.resource_classes
    if is_light(process) and asked in (None, LIGHT):
        return LIGHT if _has_lane(services) else meant[0]
    if asked is None or asked in meant:
        return asked or meant[0]
    known = {name for worker in workers.listing(services.database) for name in worker.classes} | set(meant)
    if asked not in known - {LIGHT}:
        served = sorted(known - {LIGHT})
        raise Refusal("unserved-class", f"no worker serves {asked!r}; known are {', '.join(served)}", known=served)
    return asked


def _has_lane(services: Services) -> bool:
    """Whether the light lane is served. With a broker that is seen by its workers: a service that has none yet, such as
    one of an older release, lets workers of jobs do it."""
    if not services.settings.light_workers:
        return False
    return services.settings.embedded or LIGHT in serving(services.database, services.settings)
