"""Ends a process together with its parent (Linux)."""

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Loaded before any fork. PyDLL keeps the interpreter's lock, which a forked child could not take again.
_LIBC = ctypes.PyDLL(None) if sys.platform == "linux" else None


def die_with(parent: int, number: int) -> None:
    """Makes the kernel signal this process when its parent, of pid `parent`, ends in any way."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def die_with_parent() -> None:
    """Ends this process, which multiprocessing has started, as soon as its parent ends in any way.

    Uses SIGKILL: a worker that ends gracefully would wait for connections that the lost parent never closes.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with(parent.pid, int(signal.SIGKILL))
