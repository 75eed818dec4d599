"""The gain that a finished result claims over interpolation, as its report has it."""

import json
import math
from pathlib import Path
from typing import Any

from seq2seq.products import REPORT

_NAMES = ("low_db", "high_db", "measured_db", "dates", "pixels")
_LATER = ("filled", "rmse", "rmse_low", "rmse_high", "linear_rmse")  # not in reports of earlier versions


def gain_of(result: Path) -> dict[str, float | None] | None:
    """The fields of `seq2seq.validation.claim.Claim`; None where nothing was measured, or there is no such report.

    Only numbers come back, whatever the process has written that made the result.
    """
    try:
        found: Any = json.loads((result / REPORT.path).read_bytes())["holdout"]["gain"]
        gain = {name: _number(found[name]) for name in _NAMES}
        gain |= {name: _number(found[name]) for name in _LATER if name in found}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return None if gain["measured_db"] is None else gain


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None
