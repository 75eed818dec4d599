"""Days as people type them: `5d`, `2w`, and files that list days."""

import json
import re
from pathlib import Path

from seq2seq.errors import ConfigError
from seq2seq.settings import DAY_FORM, is_day
from seq2seq.wording import one_line

_UNITS = {"": 1, "d": 1, "w": 7}
_MOST_BYTES = 2**20  # a thousand days take 11 KB


def days_in(text: str) -> int:
    """Reads an interval: `5d` or `5` is 5 days, `2w` is 14. Raises `ConfigError`."""
    found = re.fullmatch(r"([0-9]{1,6})([dw]?)", text.strip().lower())
    if found is None:
        raise ConfigError(f"--every {text}: must be a number of days or weeks, such as 5d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def days_listed(file: Path) -> list[str]:
    """Reads the days in a file: one YYYY-MM-DD a line, what follows # aside, or a JSON list. Raises `ConfigError`."""
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--dates {file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--dates {file}: is no text of days, one {DAY_FORM} a line") from error
    if len(text) > _MOST_BYTES:
        raise ConfigError(f"--dates {file}: is larger than {_MOST_BYTES // 2**20} MiB, which no list of days is")
    days = _of_json(file, text) if text.lstrip().startswith("[") else _of_lines(file, text)
    if not days:
        raise ConfigError(f"--dates {file}: names no day; write one {DAY_FORM} a line")
    return days


def _of_json(file: Path, text: str) -> list[str]:
    try:
        days = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"--dates {file}: is not valid JSON ({one_line(error)})") from error
    for day in days:
        if not is_day(day):
            raise ConfigError(f"--dates {file}: holds {day!r}, which is no day; write it as {DAY_FORM}")
    return list(days)


def _of_lines(file: Path, text: str) -> list[str]:
    days = []
    for number, line in enumerate(text.splitlines(), start=1):
        day = line.partition("#")[0].strip()
        if day and not is_day(day):
            raise ConfigError(f"--dates {file}, line {number}: {day[:40]!r} is no day; write it as {DAY_FORM}")
        if day:
            days.append(day)
    return days
