"""What a part of a fetch has cost: requests, bytes, retries, seconds."""

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """bytes: as they arrived, headers not counted. retries: attempts beyond the first of each request."""

    requests: int = 0
    bytes: int = 0
    retries: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.requests + other.requests,
            self.bytes + other.bytes,
            self.retries + other.retries,
            self.seconds + other.seconds,
        )

    def to_dict(self) -> dict[str, float]:
        """Plain JSON values."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "retries": self.retries,
            "seconds": round(self.seconds, 2),
        }


class Meter:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock, self._spent, self._began = threading.Lock(), Spent(), time.monotonic()

    def add(self, *, requests: int = 0, bytes_: int = 0, retries: int = 0) -> None:
        """Counts these."""
        with self._lock:
            self._spent += Spent(requests, bytes_, retries)

    @property
    def spent(self) -> Spent:
        """All so far, with the seconds since the meter was made."""
        return self._spent + Spent(seconds=time.monotonic() - self._began)
