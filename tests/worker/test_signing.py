"""Signed addresses: they open what they were made for, until they expire, and nothing else."""

import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.errors import InvalidSettings, InvalidSignature
from worker.signing.addresses import SECRET_FILE, load_secret, sign, verify

SECRET = b"0123456789abcdef0123456789abcdef"
PATH = "/jobs/7/results/declouded/2021-05-01.tif"


def taken_apart(address: str) -> tuple[str, str, str]:
    parts = urlsplit(address)
    query = parse_qs(parts.query, strict_parsing=True)
    assert sorted(query) == ["expires", "signature"]
    return unquote(parts.path), query["expires"][0], query["signature"][0]


@given(path=st.text(min_size=1, max_size=30).map(lambda text: "/" + text), expires=st.integers(0, 10**11))
def test_a_signed_address_opens_what_it_was_made_for(path: str, expires: int) -> None:
    assume(not path.startswith("//"))
    seen, said, signature = taken_apart(sign(path, expires=expires, secret=SECRET))
    assert seen == path
    verify(seen, expires=said, signature=signature, secret=SECRET, now=expires - 0.5)


def test_it_opens_nothing_from_the_second_on_in_which_it_expires() -> None:
    _, expires, signature = taken_apart(sign(PATH, expires=1000, secret=SECRET))
    verify(PATH, expires=expires, signature=signature, secret=SECRET, now=999.9)
    for now in (1000, 1042.5, 1e12):
        with pytest.raises(InvalidSignature, match=r"expired .* s ago") as caught:
            verify(PATH, expires=expires, signature=signature, secret=SECRET, now=now)
        assert caught.value.extra == {"expired": True}


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("path", "/jobs/8/results/declouded/2021-05-01.tif"),
        ("path", PATH + "/"),
        ("path", PATH.upper()),
        ("path", ""),
        ("expires", "2001"),
        ("expires", "02000"),
        ("expires", "2000 "),
        ("expires", "+2000"),
        ("expires", "2_000"),
        ("expires", "٢٠٠٠"),
        ("expires", "1e9"),
        ("expires", ""),
        ("expires", "9" * 5000),
        ("expires", "-1"),
        ("signature", ""),
        ("signature", "0" * 64),
        ("signature", "é" * 64),
        ("signature", "\udc80" * 64),
        ("secret", b"another secret of thirty-two byt"),
        ("secret", b""),
    ],
)
def test_any_change_opens_nothing_and_is_not_explained(change: str, to: str | bytes) -> None:
    path, expires, signature = taken_apart(sign(PATH, expires=2000, secret=SECRET))
    values = {"path": path, "expires": expires, "signature": signature, "secret": SECRET, change: to}
    with pytest.raises(InvalidSignature, match="was not signed by this server, or was changed since") as caught:
        verify(values.pop("path"), **values, now=1000)  # type: ignore[arg-type]
    assert caught.value.extra == {"expired": False}


@given(position=st.integers(0, 63), letter=st.sampled_from("0123456789abcdefABCDEF"))
def test_no_letter_of_the_signature_can_be_another(position: int, letter: str) -> None:
    _, expires, signature = taken_apart(sign(PATH, expires=2000, secret=SECRET))
    assume(signature[position] != letter)
    changed = signature[:position] + letter + signature[position + 1 :]
    with pytest.raises(InvalidSignature):
        verify(PATH, expires=expires, signature=changed, secret=SECRET, now=0)


def test_number_and_path_cannot_be_divided_in_another_way() -> None:
    _, _, signature = taken_apart(sign("1\n/x", expires=1, secret=SECRET))
    with pytest.raises(InvalidSignature):
        verify("/x", expires="1\n1", signature=signature, secret=SECRET, now=0)


def test_the_secret_is_not_in_the_address() -> None:
    assert SECRET.decode() not in sign(PATH, expires=1, secret=SECRET)
    assert SECRET.hex() not in sign(PATH, expires=1, secret=SECRET)


# -- the secret


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:
        first = load_secret(folder)
    finally:
        os.umask(before)
    assert len(first) == 32
    assert load_secret(folder) == first
    assert [entry.name for entry in folder.iterdir()] == [SECRET_FILE]
    assert stat.S_IMODE((folder / SECRET_FILE).stat().st_mode) == 0o600
    assert load_secret(tmp_path / "other") != first


def test_many_processes_that_start_at_once_get_one_secret(tmp_path: Path) -> None:
    # spawn: a fork would copy the threads of whatever ran before
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as processes:
        for number in range(10):
            assert len(set(processes.map(load_secret, [tmp_path / f"{number}"] * 4))) == 1
            assert os.listdir(tmp_path / f"{number}") == [SECRET_FILE]


def test_a_secret_that_was_given_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert load_secret(tmp_path, "a secret of the operator's") == b"a secret of the operator's"
    assert os.listdir(tmp_path) == []
    with pytest.raises(InvalidSettings, match="has 5 characters, must have at least 16") as caught:
        load_secret(tmp_path, "short")
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_secret_that_others_may_read_or_change_signs_nothing(tmp_path: Path, mode: int) -> None:
    load_secret(tmp_path)
    (tmp_path / SECRET_FILE).chmod(mode)
    with pytest.raises(InvalidSettings, match=rf"{SECRET_FILE}: .*mode 600.*mode {mode:o}"):
        load_secret(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_another_user_signs_nothing(tmp_path: Path) -> None:
    load_secret(tmp_path)
    os.chown(tmp_path / SECRET_FILE, 12345, 12345)
    with pytest.raises(InvalidSettings, match="it is of user 12345"):
        load_secret(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"zz" * 32, b"ab" * 33, b"\xff" * 64, b"ab" * 31 + b"\0\0"])
def test_a_damaged_secret_signs_nothing_and_is_not_shown(tmp_path: Path, content: bytes) -> None:
    load_secret(tmp_path)
    (tmp_path / SECRET_FILE).write_bytes(content)
    with pytest.raises(InvalidSettings, match="does not hold a secret of 32 bytes; delete it") as caught:
        load_secret(tmp_path)
    assert "abab" not in str(caught.value)


def test_a_link_or_a_pipe_in_the_place_of_the_secret_signs_nothing(tmp_path: Path) -> None:
    other, linked, piped = tmp_path / "other", tmp_path / "linked", tmp_path / "piped"
    load_secret(other)
    linked.mkdir()
    (linked / SECRET_FILE).symlink_to(other / SECRET_FILE)
    piped.mkdir()
    os.mkfifo(piped / SECRET_FILE, 0o600)
    for folder in (linked, piped):
        with pytest.raises(InvalidSettings, match=SECRET_FILE):
            load_secret(folder)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSettings, match=f"{SECRET_FILE}: Not a directory") as caught:
        load_secret(tmp_path / "file" / "data")
    assert "\n" not in str(caught.value)


def test_a_process_killed_while_it_made_the_secret_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            load_secret(tmp_path)
    assert os.listdir(tmp_path) == []
    assert len(load_secret(tmp_path)) == 32
