"""Ends a process whose terminal is gone in the same orderly way as SIGTERM does."""

import signal
from types import FrameType


def end_on_hangup() -> None:
    """Turns SIGHUP into SIGTERM, unless the process was started to ignore it, as nohup does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, end)
