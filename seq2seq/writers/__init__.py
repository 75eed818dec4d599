"""Results on disk: COGs, report and pictures, written beside their target and renamed when complete."""

from seq2seq.workspace import partial_of
from seq2seq.writers.output import check_output, check_room, publish, write_file

__all__ = ["check_output", "check_room", "partial_of", "publish", "write_file"]
