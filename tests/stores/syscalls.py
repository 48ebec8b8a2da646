"""What a process asks of Linux's disks: made to fail, or told to another process first.

A filter does it, of the thread that sets it and of all that it starts. It needs no rights and
cannot be taken back: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
import sys
from collections.abc import Sequence
from typing import NamedTuple


class _Machine(NamedTuple):
    """The numbers of system calls on one kind of machine."""

    seccomp: int
    syncs: Sequence[int]  # fsync, fdatasync
    writes: Sequence[int]  # pwrite64, ftruncate, unlinkat, and unlink where there is one


_MACHINES = {
    "x86_64": _Machine(317, (74, 75), (18, 77, 263, 87)),
    "aarch64": _Machine(277, (82, 83), (68, 46, 35)),
}
_HERE = _MACHINES.get(platform.machine())

SUPPORTED = sys.platform == "linux" and _HERE is not None

_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _NEW_LISTENER = 1, 8
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_FAIL, _TELL, _ALLOW = 0x00050000, 0x7FC00000, 0x7FFF0000
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _set_filter(calls: Sequence[int], action: int, flags: int = 0) -> int:
    assert _HERE is not None
    count = len(calls)
    instructions = [
        (_LOAD, 0, 0, 0),  # the number of what is asked
        *((_IF_EQUAL, count - place, 0, call) for place, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, action),
    ]
    code = b"".join(struct.pack("HBBI", *each) for each in instructions)
    kept = ctypes.create_string_buffer(code)
    program = _Program(len(instructions), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    answer: int = libc.syscall(_HERE.seccomp, _SET_FILTER, flags, ctypes.byref(program))
    assert answer >= 0, os.strerror(ctypes.get_errno())
    return answer


def fail_syncs() -> None:
    """Has every sync fail from now on, with an I/O error."""
    assert _HERE is not None
    _set_filter(_HERE.syncs, _FAIL | errno.EIO)


def tell_writes() -> int:
    """Has every write to a file at a place in it, and every sync, truncation and removal, wait
    for another process, which is to have the descriptor that this gives."""
    assert _HERE is not None
    return _set_filter((*_HERE.writes, *_HERE.syncs), _TELL, _NEW_LISTENER)


def asked(listener: int) -> int | None:
    """The number of something that waits; None if it does no longer."""
    notice = bytearray(80)
    try:
        fcntl.ioctl(listener, _RECEIVE, notice)
    except FileNotFoundError:  # who asked is gone
        return None
    number: int = struct.unpack_from("Q", notice)[0]
    return number


def let(listener: int, number: int) -> None:
    """Lets it be done."""
    fcntl.ioctl(listener, _SEND, struct.pack("QqiI", number, 0, 0, _CONTINUE))
