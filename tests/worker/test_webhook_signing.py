"""Signatures by Standard Webhooks 1.0, and whose they are."""

import base64
import time

import pytest
from webhook_receiver import Received

from worker.signing.notices import Signer, parse_secrets

ROOT = "whsec_" + base64.b64encode(b"r" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
BODY = b'{"type":"job.successful"}'


def signed(signer: Signer, owner: str = "ann") -> Received:
    return Received("/", signer.headers("msg_1", owner, timestamp=1_700_000_000, body=BODY), BODY, time.time())


def test_the_signature_is_the_one_that_the_specification_describes() -> None:
    # The example of Standard Webhooks' own libraries.
    signer = Signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"")
    headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "ann", timestamp=1614265330, body=b'{"test": 2432232314}')
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" in headers["webhook-signature"].split(" ")
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"


def test_an_owners_receiver_verifies_with_its_secret_and_another_owners_does_not() -> None:
    signer = Signer(None, b"signing secret")
    got = signed(signer)
    assert got.is_signed_with(signer.secret_of("ann"))
    assert not got.is_signed_with(signer.secret_of("bob"))
    assert not got.is_signed_with(Signer(None, b"another signing secret").secret_of("ann"))
    assert " " not in got.headers["webhook-signature"]


def test_the_operators_receiver_verifies_notices_of_all_owners() -> None:
    signer = Signer(ROOT, b"signing secret")
    for owner in ("ann", "bob"):
        assert signed(signer, owner).is_signed_with(ROOT)
        assert signed(signer, owner).is_signed_with(signer.secret_of(owner))
    assert ROOT not in (signer.secret_of("ann"), signer.secret_of(""))


def test_while_a_secret_is_replaced_receivers_with_the_old_one_still_verify() -> None:
    before, during, after = Signer(OLD, b""), Signer(f"{ROOT} {OLD}", b""), Signer(ROOT, b"")
    for known in (OLD, ROOT, before.secret_of("ann"), after.secret_of("ann")):
        assert signed(during).is_signed_with(known)
    assert during.secret_of("ann") == after.secret_of("ann")
    assert not signed(after).is_signed_with(OLD)


def test_a_changed_body_time_or_id_is_not_signed() -> None:
    signer = Signer(ROOT, b"")
    got = signed(signer)
    for changed in (
        Received(got.path, got.headers, BODY + b" ", got.at),
        Received(got.path, {**got.headers, "webhook-timestamp": "1700000001"}, BODY, got.at),
        Received(got.path, {**got.headers, "webhook-id": "msg_2"}, BODY, got.at),
    ):
        assert not changed.is_signed_with(ROOT)


@pytest.mark.parametrize("text", ["hunter2", "whsec_", "whsec_!", "whsec_aHVudGVyMg==", ROOT[6:], f"{ROOT} hunter2"])
def test_a_secret_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        parse_secrets(text)
    assert "hunter2" not in str(refused.value)
