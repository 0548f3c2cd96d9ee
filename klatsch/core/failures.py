"""Logs exceptions with their types and places, but without the data that they failed on."""

import os
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import structlog

_log = structlog.get_logger(__name__)
_ABOUT_CODE = (TypeError, AttributeError, NameError, ImportError)
"""Errors whose texts name code. Others quote data: PostgreSQL a row, int() a text, KeyError a key."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def describe_failure(exc_info: ExcInfo) -> str:
    """Returns the tracebacks of an exception and its causes, the first cause first, with only the safe texts."""
    return "\n".join(_describe(error) for error in reversed(list(_with_causes(exc_info[1]))))


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> str:
    kind = type(error)
    text = _safe_text(error)
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{kind.__module__}.{kind.__qualname__}{': ' if text else ''}{text}"


def _safe_text(error: BaseException) -> str:
    if isinstance(error, _ABOUT_CODE) or type(error).__module__.startswith("klatsch.eventlog."):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or ""
    return str(getattr(error, "sqlstate", None) or "")


def end_on_uncaught() -> None:
    """Makes an exception that escapes a thread end the process, with one log line.

    A thread that ended silently would leave a process that looks healthy but no longer does its work.
    """

    def of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _log.critical("uncaught", exc_info=(kind, error, trace))

    def of_thread(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
            name = given.thread.name if given.thread else ""
            _log.critical("uncaught", thread=name, exc_info=(given.exc_type, given.exc_value, given.exc_traceback))
            os._exit(1)

    sys.excepthook = of_process
    threading.excepthook = of_thread


def end_process(why: str) -> None:
    """Ends the process at once so that it is restarted: for a thread that hangs and that nothing can replace."""
    _log.critical("process_ended", why=why)
    os._exit(1)


def log_loop_failure(_loop: Any, context: dict[str, Any]) -> None:
    """Logs an event loop's exception. asyncio's own handler shows the failed call's arguments, messages among them."""
    error = context.get("exception")
    info = None if error is None else (type(error), error, error.__traceback__)
    _log.error("uncaught_on_loop", what=str(context.get("message", "")).partition("\n")[0][:100], exc_info=info)
