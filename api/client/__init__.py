"""For programs: `Client(url, key)` uploads, submits, follows and downloads, whatever the line does meanwhile."""

from seq2seq.extras import naming_extra

with naming_extra():
    from api.client.client import Client
    from api.client.errors import (
        CannotStore,
        ClientError,
        DamagedTransfer,
        InvalidPayload,
        JobNotSuccessful,
        NotAServer,
        NotDelivered,
        Refused,
        ServerUnavailable,
        StillRunning,
        UnknownJob,
        UnknownOutput,
    )
    from api.client.groups import RemoteGroup
    from api.client.jobs import RemoteJob
    from api.client.uploading import Upload

__all__ = [
    "CannotStore",
    "Client",
    "ClientError",
    "DamagedTransfer",
    "InvalidPayload",
    "JobNotSuccessful",
    "NotAServer",
    "NotDelivered",
    "Refused",
    "RemoteGroup",
    "RemoteJob",
    "ServerUnavailable",
    "StillRunning",
    "UnknownJob",
    "UnknownOutput",
    "Upload",
]
