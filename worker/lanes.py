"""Lanes: what is answered in seconds has workers of its own, and never waits behind jobs of hours."""

from seq2seq.processes import INSPECT

# The resource class, and so the queue, of the light lane.
LIGHT = "light"
# Whose jobs take it; all others go where their submission, or the operator's first class, sends them.
LIGHT_PROCESSES = frozenset({INSPECT})


def is_light(process: str) -> bool:
    """Tells whether jobs of that process take the light lane."""
    return process in LIGHT_PROCESSES
