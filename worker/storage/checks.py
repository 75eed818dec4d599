"""What may be asked of a storage: keys and byte ranges, judged alike whatever keeps the files."""

from worker.errors import InvalidKey, RangeNotSatisfiable

_LONGEST_KEY = 1024  # S3
_LONGEST_PART = 255  # a file's name


def check_key(key: str) -> tuple[str, ...]:
    """Returns the parts of `results/JOB/1/report.json`. Raises `InvalidKey` for what no server of ours makes.

    Refused: a step up or in place, an absolute path, an empty part, a backslash, control characters, what UTF-8 cannot
    hold or is too long, and a first part that begins with a dot (folders of the storage itself).
    """
    parts = tuple(key.split("/"))
    if any(part in ("", ".", "..") for part in parts):
        raise InvalidKey(f"{_shown(key)} is no key: a part is empty, '.' or '..'", key=_shown(key))
    if parts[0].startswith("."):
        raise InvalidKey(f"{_shown(key)} is no key: it begins with a dot", key=_shown(key))
    if any(letter == "\\" or ord(letter) < 32 or ord(letter) == 127 for letter in key):
        raise InvalidKey(f"{_shown(key)} is no key: it holds a backslash or a control character", key=_shown(key))
    try:
        longest, length = max(len(part.encode()) for part in parts), len(key.encode())
    except UnicodeEncodeError:
        raise InvalidKey(f"{_shown(key)} is no key: it is not Unicode text", key=_shown(key)) from None
    if longest > _LONGEST_PART or length > _LONGEST_KEY:
        raise InvalidKey(
            f"{_shown(key)} is no key: {length} bytes, the longest part {longest}; "
            f"at most {_LONGEST_KEY} and {_LONGEST_PART}",
            key=_shown(key),
        )
    return parts


def check_range(key: str, start: int, end: int | None, size: int) -> tuple[int, int]:
    """Returns `(start, end)`, None as `size`. Raises `RangeNotSatisfiable` unless 0 <= start <= end <= size."""
    stop = size if end is None else end
    if not 0 <= start <= stop <= size:
        raise RangeNotSatisfiable(
            f"bytes {start} to {'the end' if end is None else end} of {key} were asked for, it has {size}",
            size=size,
            start=start,
            end=end,
        )
    return start, stop


def _shown(key: str) -> str:
    """Short and printable, whatever is in it."""
    return ascii(key if len(key) <= 80 else f"{key[:80]}...")
