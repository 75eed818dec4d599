"""Values as JSON knows them: what report.json holds, from dataclasses, arrays and numbers."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def to_plain(value: Any) -> Any:
    """The same as JSON values: dataclasses become objects, numpy scalars and arrays Python's, NaN and infinities None.

    Paths and whatever else JSON does not know become text. A field of `schema.optional` is left out where it is None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: (getattr(value, field.name), field.metadata.get("optional")) for field in fields(value)}
        return {name: to_plain(item) for name, (item, optional) in shown.items() if not (optional and item is None)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
