"""What a job shows: pictures beside its result, and small ones meanwhile."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.child.importing import Report, ShouldStop

if TYPE_CHECKING:
    from seq2seq.progress import Progress
    from seq2seq.readers import SequenceSource

# A preview is sent no sooner than this after the last one, and than this share of the time so far: hundreds, not more.
_PAUSE_S, _PAUSE_SHARE = 3.0, 0.02
# Of a message (`ChildProcess`), with room for what is beside the picture.
_MOST_CHARACTERS = 60_000


def adding_pictures(report: Report, should_stop: ShouldStop) -> "Callable[[SequenceSource, Path], None]":
    """Returns what adds the pictures to a whole result in its folder; without images as files there are none."""

    def add(source: "SequenceSource", folder: Path) -> None:
        from seq2seq.errors import InputError
        from seq2seq.looking.result import is_result, scene_of
        from seq2seq.nn.devices import available_cores
        from seq2seq.products import PICTURES
        from seq2seq.viewing.bundle import write_bundle
        from seq2seq.viewing.places import in_pack

        def on_progress(progress: "Progress") -> None:
            report("progress", **vars(progress))

        if not is_result(folder):
            return
        try:
            scene = scene_of(folder, source)
            with in_pack(folder / PICTURES.path) as put:
                write_bundle(scene, put, threads=available_cores(), on_progress=on_progress, should_stop=should_stop)
        except InputError as error:  # the result is as good without
            report("progress", phase="pictures", message=f"No pictures for the page: {error}")

    return add


def showing_predictions(report: Report) -> Callable[..., None]:
    """Returns what sends small pictures of a new prediction, now and then: {"kind": "picture", "date", "image"}."""
    began, sent = time.monotonic(), float("-inf")

    def show(tile: Any, observations: Any, prediction: Any) -> None:
        from seq2seq.viewing.previews import previews

        nonlocal sent
        now = time.monotonic()
        if now - sent < max(_PAUSE_S, _PAUSE_SHARE * (now - began)):
            return
        sent = now
        place = {"row": tile.rows.start, "column": tile.columns.start}
        height, width = observations.s2.shape[2:]
        for preview in previews(observations, prediction):
            image = base64.b64encode(preview.image).decode()
            if len(image) <= _MOST_CHARACTERS:
                report("picture", date=preview.date, **place, height=height, width=width, image=image)

    return show
