"""Questions to a server that no job has to answer, or one of seconds: what is in an upload, what is used."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from api.client.calls import Calls
from api.client.errors import StillRunning
from api.client.uploading import Upload

# The server holds an answer for so long; proxies cut what is silent for a minute.
_HOLD_S = 25.0
_ACCEPTED = 202


class Asking:
    """What a client may ask. `_calls`: of the client that this is a part of."""

    _calls: Calls

    def inspect(
        self, upload: Upload | str, settings: Mapping[str, Any] | None = None, *, timeout_s: float = 600.0
    ) -> dict[str, Any]:
        """What is in an upload (or its id), as `decloud inspect --json` says, and what a job of it would take.

        settings: of that job, those that differ.

        Raises `Refused` with the reason for one that no job could use, `StillRunning` when `timeout_s` is over.
        """
        upload_id = upload if isinstance(upload, str) else upload.id
        path, body = f"/uploads/{quote(upload_id, safe='')}/inspect", {"inputs": dict(settings or {})}
        left_s = timeout_s
        while True:
            hold_s = max(0.0, min(_HOLD_S, left_s))
            answer = self._calls.call("POST", path, json=body, params={"wait_s": f"{hold_s:.1f}"})
            if answer.status_code != _ACCEPTED:
                return self._calls.to_json(answer)
            left_s -= _HOLD_S
            if left_s <= 0:
                raise StillRunning(
                    f"upload {upload_id} has not been looked at after {timeout_s:g} s; no worker is free"
                )

    def usage(self) -> dict[str, Any]:
        """What you use of the server, and what is left: `stored_bytes`, `queued`, `running`, each with used, limit and
        left; `uploads`, `limits` and `last_30_days`."""
        return self._calls.json("GET", "/usage")
