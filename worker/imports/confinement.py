"""What a process does to itself before it reads untrusted files, so that a flaw in a decoder reaches nothing else.

`limit` comes first: limits that the kernel keeps (setrlimit(2)), no new privileges, death with the parent. `enclose`
comes when everything is imported: files outside a few folders cannot be opened (Landlock), and there is no network, no
other program, no other process (seccomp). Linux has both without privileges; where a kernel lacks one, the process goes
on with what there is, and `enclose` says so. There is no way back out.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.processes.parent_link import die_with_parent

# prctl(2)
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38

# landlock(7); the numbers of its system calls are the same on all architectures
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}  # 16 since version 5
_BIND, _CONNECT_AND_BIND, _SCOPES = 0b01, 0b11, 0b11  # TCP since version 4; sockets without a name and signals since 6
_PATH_BENEATH = 1

# seccomp(2), <linux/filter.h>
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little endian
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_CLONE_THREAD = 0x10000
_X32 = 0x40000000  # numbers of x86-64's other ABI

# name: (x86-64, AArch64), None where there is none. Network; new programs and processes; other processes; the kernel.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
}


@dataclass(frozen=True)
class _Architecture:
    """column: in the table above. audit: its number in <linux/audit.h>. The other calls have rules of their own."""

    column: int
    audit: int
    clone: int
    clone3: int
    kill: int
    tgkill: int
    seccomp: int


_ARCHITECTURES = {
    "x86_64": _Architecture(0, 0xC000003E, clone=56, clone3=435, kill=62, tgkill=234, seccomp=317),
    "aarch64": _Architecture(1, 0xC00000B7, clone=220, clone3=435, kill=129, tgkill=131, seccomp=277),
}


@dataclass(frozen=True)
class Enclosure:
    """Says what holds. landlock: version of the kernel's, 0 without. seccomp: whether system calls are filtered."""

    landlock: int
    seccomp: bool


def limit(limits: Mapping[str, int]) -> None:
    """Sets limits by their names in `resource` ("RLIMIT_AS": bytes), and has this process die with its parent.

    A limit that is already lower stays. Exceeding CPU time or file size ends the process by SIGXCPU or SIGXFSZ.
    """
    for name, value in limits.items():
        kind = getattr(resource, name)
        _, ceiling = resource.getrlimit(kind)
        allowed = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        # at the hard limit of CPU time the kernel sends SIGKILL, which would not tell why
        hard = allowed + 2 if name == "RLIMIT_CPU" and ceiling == resource.RLIM_INFINITY else allowed
        resource.setrlimit(kind, (allowed, hard))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and libraries overlook failed writes
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_DUMPABLE, 0)  # its memory holds a user's data
    die_with_parent()


def enclose(*, readable: Iterable[Path], writable: Iterable[Path], network: bool = False) -> Enclosure:
    """Lets only these folders and files be opened from here on, and no other process be reached.

    network: whether connections may be made; of the import, never.
    """
    if sys.platform != "linux" or sys.byteorder != "little":
        return Enclosure(0, False)
    return Enclosure(_confine_files(readable, writable, network), _filter_calls(network))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _call(number: int, *arguments: object) -> int:
    """A system call for which libc has no function. -1 where it failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(ctypes.c_long(number), *arguments))


def _confine_files(readable: Iterable[Path], writable: Iterable[Path], network: bool) -> int:
    version = _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    if version < 1:
        return 0
    handled = (1 << _RIGHTS_BY_VERSION.get(version, 16)) - 1
    fields = [
        handled,
        *([_BIND if network else _CONNECT_AND_BIND] if version >= 4 else []),
        *([_SCOPES] if version >= 6 else []),
    ]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    if rules < 0:
        return 0
    try:
        for rights, paths in ((_READ, readable), (_WRITE, writable)):
            for path in paths:
                _allow(rules, path, rights & handled)
        return version if _call(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint(0)) == 0 else 0
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    """Grants `rights` to `path` and all below it; what does not exist needs none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _OF_FILES, opened)
        if _call(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0)):
            raise OSError(ctypes.get_errno(), f"Landlock refuses a rule for {path}")
    finally:
        os.close(opened)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _filter_calls(network: bool) -> bool:
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    instructions = _instructions(architecture, os.getpid(), network)
    program = _Program(len(instructions) // 8, instructions)
    set_filter = (ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_ALL_THREADS), ctypes.byref(program))
    return _call(architecture.seccomp, *set_filter) == 0


def _instructions(architecture: _Architecture, pid: int, network: bool) -> bytes:
    """The filter, in classic BPF: by the number of the call, for some by its first argument too."""
    lines = [_line(_LOAD, _ARCHITECTURE), _line(_JUMP_IF_EQUAL, architecture.audit, 1, 0), _line(_RETURN, _KILL)]
    lines += [_line(_LOAD, _NUMBER), _line(_JUMP_IF_BITS, _X32, 0, 1), _line(_RETURN, _EPERM)]
    for name, numbers in _REFUSED.items():
        number = numbers[architecture.column]
        if number is not None and not (network and name == "socket"):
            lines += [_line(_JUMP_IF_EQUAL, number, 0, 1), _line(_RETURN, _EPERM)]
    # without it libc falls back to clone, whose flags can be looked at
    lines += [_line(_JUMP_IF_EQUAL, architecture.clone3, 0, 1), _line(_RETURN, _ENOSYS)]
    lines += [_line(_JUMP_IF_EQUAL, architecture.clone, 0, 3), _line(_LOAD, _FIRST_ARGUMENT)]
    lines += [_line(_JUMP_IF_BITS, _CLONE_THREAD, 6, 0), _line(_RETURN, _EPERM)]
    # abort() signals the process itself
    lines += [_line(_JUMP_IF_EQUAL, architecture.kill, 1, 0), _line(_JUMP_IF_EQUAL, architecture.tgkill, 0, 3)]
    lines += [_line(_LOAD, _FIRST_ARGUMENT), _line(_JUMP_IF_EQUAL, pid, 1, 0), _line(_RETURN, _EPERM)]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
