"""Sends notices from the outbox: beside everything else, never in a job's way."""

from worker.database.connections import Database
from worker.jobs import outbox
from worker.jobs.outbox import Notice
from worker.notices.delivery import Delivery
from worker.notices.senders import Queue, Senders
from worker.settings import Settings
from worker.signing.notices import Signer

# Notices on their way at once; of one owner, and never two to one host: a slow receiver holds up no other owner's.
_SENDERS = 12
_OF_ONE_OWNER = 3
# Beyond the time that one try takes: to write down how it went.
_MARGIN_S = 30.0


def open_signer(settings: Settings, signing_secret: bytes) -> Signer:
    """Makes a signer with the operator's secret, or with one made from `signing_secret`."""
    given = settings.webhook_secret
    return Signer(given.get_secret_value() if given else None, signing_secret)


class Courier(Senders[Notice]):
    """Delivers notices by threads of every API process; several do no harm. `start` and `stop` are called once.

    What is on its way for longer than a second when it stops is sent again after the next start.
    """

    def __init__(self, database: Database, settings: Settings, signer: Signer) -> None:
        lease_s = settings.webhook_timeout_s + _MARGIN_S
        queue = Queue(
            waiting=lambda passed_over: outbox.waiting(database, passed_over),
            take=lambda owner, host: outbox.take(database, owner, host, lease_s=lease_s),
            attempt=Delivery(database, settings, signer, at_once=_SENDERS).attempt,
        )
        super().__init__(
            queue,
            name="courier",
            what="notice",
            poll_s=settings.poll_s,
            at_once=_SENDERS,
            of_one_owner=_OF_ONE_OWNER,
        )
