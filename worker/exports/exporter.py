"""Sends results where their owners want them: beside everything else, and long after their jobs have ended."""

from worker.database.connections import Database
from worker.exports.delivery import Delivery
from worker.exports.lease import LEASE_S
from worker.jobs import exports
from worker.jobs.exports import Export
from worker.notices.senders import Queue, Senders
from worker.settings import Settings
from worker.storage import Storage

# Results on their way at once, each of some ten megabytes of memory; of one owner.
_SENDERS = 4
_OF_ONE_OWNER = 2


class Exporter(Senders[Export]):
    """Delivers results by threads of every API process; several do no harm. `start` and `stop` are called once.

    What is on its way when it stops is given back within the pause between two pieces, and goes on elsewhere or after
    the next start from the first file that is not there.
    """

    def __init__(self, database: Database, storage: Storage, settings: Settings) -> None:
        delivery = Delivery(database, storage, settings, at_once=_SENDERS, is_stopping=lambda: self.over)
        queue = Queue(
            waiting=lambda passed_over: exports.waiting(database, passed_over),
            take=lambda owner, host: exports.take(database, owner, host, lease_s=LEASE_S),
            attempt=delivery.attempt,
        )
        super().__init__(
            queue,
            name="exporter",
            what="export",
            poll_s=settings.poll_s,
            at_once=_SENDERS,
            of_one_owner=_OF_ONE_OWNER,
        )
