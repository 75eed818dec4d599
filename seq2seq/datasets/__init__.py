"""Published data sets: a plain tuple. A new one is one file, and its line here."""

from seq2seq.datasets import allclear, earthnet, pastis, sen12mscr, sen12mscrts
from seq2seq.datasets.base import DatasetInfo
from seq2seq.errors import ConfigError
from seq2seq.wording import not_one_of

DATASETS: tuple[DatasetInfo, ...] = (
    sen12mscr.INFO,
    sen12mscrts.TRIPLETS,
    sen12mscrts.SERIES,
    allclear.INFO,
    pastis.INFO,
    earthnet.INFO,
)


def find_dataset(name: str) -> DatasetInfo:
    """Finds the data set of that name. Raises `ConfigError` naming those that there are."""
    for info in DATASETS:
        if info.name == name:
            return info
    raise ConfigError(not_one_of("data set", name, [info.name for info in DATASETS]))
