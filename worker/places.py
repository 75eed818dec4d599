"""Files and folders that were opened once: whether what lies at their path now is still the same."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Remembers the device and inode that `path` led to."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Place":
        """Takes it as it is now. Raises OSError where nothing is there."""
        status = path.stat()
        return cls(path, status.st_dev, status.st_ino)

    def trouble(self) -> str | None:
        """Says what is wrong with it, to follow its name; None where nothing is."""
        try:
            now = Place.of(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return "is gone"
        except OSError as error:
            return f"cannot be looked at ({error.strerror})"
        return None if now == self else "is not the one that was opened"
