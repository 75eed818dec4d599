"""Protocols of published comparisons: a plain tuple. A new one is one file in `protocols`, and its line here."""

from seq2seq.errors import ConfigError
from seq2seq.evaluation.base import Protocol
from seq2seq.evaluation.protocols import allclear, dsen2_cr, earthnet, pastis, sen12mscr, sen12mscrts
from seq2seq.wording import not_one_of

# Of a data set, the first is what is meant where none is named.
PROTOCOLS: tuple[Protocol, ...] = (
    sen12mscr.SEN12MSCR,
    dsen2_cr.DSEN2_CR,
    sen12mscrts.SEN12MSCRTS,
    sen12mscrts.SEN12MSCRTS_SERIES,
    allclear.ALLCLEAR,
    pastis.PASTIS_CLOUDS,
    pastis.PASTIS_FRAMES,
    earthnet.EARTHNET_IID,
    earthnet.EARTHNET_OOD,
)


def find_protocol(name: str) -> Protocol:
    """Finds the protocol of that name. Raises `ConfigError` naming those that there are."""
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise ConfigError(not_one_of("protocol", name, [protocol.name for protocol in PROTOCOLS]))


def protocols_of(dataset: str) -> tuple[Protocol, ...]:
    """Finds the protocols of a data set, by its name."""
    return tuple(protocol for protocol in PROTOCOLS if protocol.dataset == dataset)
