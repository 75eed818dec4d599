"""Methods of reconstruction: a plain tuple. A new one is one file, and its line here."""

from seq2seq.errors import ConfigError
from seq2seq.methods import (
    best,
    dip,
    dsen2_cr,
    ebel2021,
    gp,
    guided,
    harmonic,
    inpaint_fusion,
    linear,
    low_rank,
    median,
    mogpr,
    nearest,
    pix2pix,
    savitzky_golay,
    seq2point,
    spread,
    trees,
    whittaker,
)
from seq2seq.methods.base import MethodInfo
from seq2seq.wording import not_one_of

METHODS: tuple[MethodInfo, ...] = (
    guided.INFO,
    ebel2021.INFO,
    dip.INFO,
    dsen2_cr.INFO,
    pix2pix.INFO,
    seq2point.INFO,
    inpaint_fusion.INFO,
    linear.INFO,
    nearest.INFO,
    median.INFO,
    whittaker.INFO,
    harmonic.INFO,
    savitzky_golay.INFO,
    low_rank.INFO,
    spread.INFO,
    trees.INFO,
    gp.INFO,
    mogpr.INFO,
    best.INFO,
)


def find_method(name: str) -> MethodInfo:
    """Finds the method of that name. Raises `ConfigError` naming those that there are."""
    for info in METHODS:
        if info.name == name:
            return info
    raise ConfigError(not_one_of("method", name, [info.name for info in METHODS]))
