"""A job as the server tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.client.errors import JobNotSuccessful, NotAServer, NotDelivered
from seq2seq.progress import Progress

ENDED = ("successful", "failed", "dismissed")


@dataclass(frozen=True)
class RemoteJob:
    """One statusInfo (OGC API - Processes). values: the whole of it.

    status: accepted, running, successful, failed or dismissed. message: one sentence about now. progress: as a run on
    this machine would report it.
    """

    id: str
    status: str
    message: str
    progress: Progress
    values: Mapping[str, Any]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RemoteJob":
        """Raises `NotAServer` for what is no statusInfo."""
        job_id, status = values.get("jobID"), values.get("status")
        if not isinstance(job_id, str) or not isinstance(status, str):
            raise NotAServer("the answer tells of no job; is it a decloud server?")
        return cls(job_id, status, str(values.get("message") or ""), _progress(status, values), dict(values))

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED

    @property
    def name(self) -> str | None:
        """What its owner calls it."""
        return self.values.get("name")

    @property
    def gain_db(self) -> float | None:
        """What its result gains over linear interpolation, in dB of PSNR on hidden pixels; None where nothing says so.

        `values["gain"]` has the range, too.
        """
        given = self.values.get("gain")
        measured = given.get("measured_db") if isinstance(given, Mapping) else None
        return float(measured) if isinstance(measured, int | float) else None

    @property
    def destination(self) -> Mapping[str, Any]:
        """Where its result goes beside the server's own storage, and how far that has come; empty where nowhere."""
        given = self.values.get("destination")
        return given if isinstance(given, dict) else {}

    @property
    def on_its_way(self) -> bool:
        """Whether there is a result that is not where it is to go yet."""
        return self.status == "successful" and self.destination.get("state") == "waiting"

    def check_delivered(self) -> None:
        """Raises `NotDelivered` with the reason where the result is not where it was to go."""
        if self.destination.get("state") != "delivered":
            why = self.destination.get("detail") or "the server knows of no destination"
            raise NotDelivered(f"job {self.id} has its result, which could not be delivered: {why}")

    @property
    def source(self) -> str:
        """What its sequence is, in a few words: an upload, an address, an area of a catalogue, or a sample."""
        inputs = self.values.get("inputs")
        sequence = inputs.get("sequence") if isinstance(inputs, Mapping) else None
        if not isinstance(sequence, Mapping):
            return ""
        area, href = sequence.get("area"), str(sequence.get("href", ""))
        if isinstance(area, list):
            box = ",".join(f"{side:g}" if isinstance(side, int | float) else str(side) for side in area)
            return f"{sequence.get('catalog', '')} {box} {sequence.get('dates', '')}".strip()
        if "sample" in sequence:
            return f"sample {sequence['sample']}"
        return "upload" if href.startswith("/uploads/") else href

    def check_successful(self) -> None:
        """Raises `JobNotSuccessful` with the reason where it has ended otherwise."""
        if self.status == "failed":
            code = str((self.values.get("exception") or {}).get("code") or "job-failed")
            raise JobNotSuccessful(f"job {self.id} failed: {self.message}", code=code)
        if self.status == "dismissed":
            raise JobNotSuccessful(f"job {self.id} was cancelled", code="job-dismissed")


def _progress(status: str, values: Mapping[str, Any]) -> Progress:
    """Where the job is. What a server says is shown, never trusted to be in order."""
    if status == "accepted":
        return Progress("waiting")
    step, of = (value if isinstance(value, int) else 0 for value in (values.get("step"), values.get("of")))
    if not 0 <= step <= of:
        step = of = 0
    loss, psnr, eta_s = (
        float(value) if isinstance(value, int | float) else None
        for value in (values.get("loss"), values.get("holdout_psnr"), values.get("eta_s"))
    )
    phase = str(values.get("phase") or ("starting" if status == "running" else status))
    return Progress(phase, step, of, loss=loss, holdout_psnr=psnr, eta_s=eta_s)
