"""How many methods run at once, and what a reader of their seconds has to know."""

from seq2seq.machine import RULE, parse_count

__all__ = ["RULE", "describe_jobs", "parse_jobs"]


def parse_jobs(text: str) -> int | None:
    """Reads a number, or `auto`: None. Raises `ConfigError`."""
    return parse_count("jobs", text)


def describe_jobs(jobs: int, *, max_minutes: float | None) -> str:
    """What a reader of seconds has to know; empty where methods ran one after another."""
    if jobs == 1:
        return ""
    fewer = "; within the time budget each got less done than it would alone" if max_minutes is not None else ""
    return (
        f"Up to {jobs} methods ran at once and shared the machine: their seconds are more than they would be alone, "
        f"and are no measure of one method beside another{fewer}."
    )
