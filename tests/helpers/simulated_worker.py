"""The Celery worker, with the simulated method: `celery -A simulated_worker worker ...`."""

import simulated

simulated.use()

from worker.app import app  # noqa: E402, F401  what Celery looks for
