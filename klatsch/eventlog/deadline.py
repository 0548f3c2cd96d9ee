"""A call that may never return, given up at a deadline."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def call_within(deadline_s: float, call: Callable[[], T]) -> T:
    """What it returns or raises; TimeoutError after `deadline_s`. Its thread is then left behind, and holds up nobody.

    To be used where the driver has a time-out of its own that is shorter: a thread costs 0.1 ms.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="log-call", daemon=True).start()
    return future.result(deadline_s)
