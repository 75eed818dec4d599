"""What one import of a user's files may use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from seq2seq.errors import ConfigError

_GIB = 2**30
DECODED_FREE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ImportLimits:
    """Bounds one import. The kernel keeps those of a process; time, disk and files are measured from outside.

    Raises `ConfigError` for a limit below 1.
    """

    # Address space. A sequence of `pixel_dates` needs 2.5 GB for its cloud masks; files stored in pieces of 1 GiB were
    # read in 4 GiB, program and libraries included; honest ones need 0.4.
    memory_bytes: int = 7 * _GIB
    # One file, unpacked or rewritten: the archive reader's own cap. A Sentinel-2 tile of 13 bands has 3.1 GB.
    file_bytes: int = 8 * _GIB
    # All of them: as much as an archive may unpack to, twice, for the copy lies beside.
    disk_bytes: int = 128 * _GIB
    # Unpacked and rewritten files of three sensors with 1000 dates each, and a few of the import's own.
    files: int = 6100
    # Opened at once. The program needs about 20.
    open_files: int = 256
    # Measured on one core: 50 MB of pixels a second with masks, 15 MB where clouds are looked for. An upload of 20 GiB,
    # the largest by default, takes half an hour at that, and longer where it was packed well.
    cpu_s: int = 7200
    # Half as long again for a disk or a machine that is busy with others.
    wall_s: int = 10_800
    # Dates x rows x columns: 166 dates of a whole Sentinel-2 tile. The service's `max_pixels_dates`.
    pixel_dates: int = 20_000_000_000
    # Bytes that all images decode to for each byte of the upload, beyond the first 64 MiB: files in which nothing, or
    # one value, was written pretend to be any size. Images decode to 2 or 3 times their bytes, to 40 with wide borders.
    expansion: int = 200
    # What stays free on the disk for everybody else. An import that comes this far is not at fault, and waits.
    disk_floor_bytes: int = 256 * 2**20

    def decoded_bytes(self, upload_bytes: int) -> int:
        """Returns what the images of an upload of that size may decode to."""
        return DECODED_FREE_BYTES + self.expansion * upload_bytes

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"import limit {name} is {value!r}, must be a whole number of at least 1")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImportLimits":
        """Takes defaults for what is not named. Raises `ConfigError` naming every unknown limit."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown import limits {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return cls(**values)

    def describe(self, name: str) -> str:
        """Returns the limit as users read it: `memory_bytes = 7,516,192,768`."""
        return f"{name} = {int(getattr(self, name)):,}"

    def for_kernel(self) -> dict[str, int]:
        """Returns those that setrlimit(2) keeps, by their names in `resource`."""
        return {
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_FSIZE": self.file_bytes,
            "RLIMIT_CPU": self.cpu_s,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_CORE": 0,
        }


DEFAULT_LIMITS = ImportLimits()
