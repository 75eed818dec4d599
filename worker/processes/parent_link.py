"""What a child process knows of the one that started it: the pipe to it, and who must be alive."""

import ctypes
import os
import signal
import sys

# In the child's environment: the number of the pipe's end, and the process that must be alive.
PIPE, PARENT = "DECLOUD_CHILD_PIPE", "DECLOUD_CHILD_PARENT"

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Has the kernel kill this process when the thread that started it ends; a child calls this first.

    Where that has happened already, the process ends here. Without a parent to die with, nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.environ.pop(PARENT, None)
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)


def message_pipe() -> int | None:
    """Returns the descriptor into which JSON objects for the parent go, one a line; None where nobody listens."""
    number = os.environ.pop(PIPE, None)
    return None if number is None else int(number)
