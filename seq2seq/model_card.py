"""The model card inside a file of trained weights, read without the weights. Loads no torch."""

import json
from pathlib import Path
from typing import Any

from seq2seq.errors import WeightsUnavailableError
from seq2seq.wording import one_line

SUFFIX = ".safetensors"
CARD = "card"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000  # safetensors refuses longer ones, too


def read_card(path: Path) -> dict[str, Any]:
    """Reads the card; weights of others, in another format, have none: {}. Raises `WeightsUnavailableError`.

    A file of safetensors begins with the length of its header, 8 bytes, little end first, and the header in JSON.
    """
    if not path.is_file():
        raise WeightsUnavailableError(f"weights: {path} is not a file")
    if path.suffix != SUFFIX:
        return {}
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if length > _LONGEST_HEADER:
                raise ValueError("no safetensors")
            header = json.loads(file.read(length))
        card = json.loads(header.get("__metadata__", {}).get(CARD, "{}"))
        if not isinstance(card, dict):
            raise ValueError("its card is none")
    except (OSError, ValueError, AttributeError) as error:  # foreign bytes
        raise WeightsUnavailableError(f"weights: {path} cannot be used ({one_line(error, 160)})") from error
    return card
