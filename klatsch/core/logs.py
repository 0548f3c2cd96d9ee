"""Writes one log line per event, as JSON or for people. No line holds content, credentials or addresses of people."""

import logging.config
import sys
from http import HTTPStatus
from typing import Any

import structlog

from klatsch.core.failures import describe_failure

_SILENT = ("django.request", "uvicorn.access")
_SECURITY = "django.security"


class _Suspicious(logging.Filter):
    """Makes one warning of a request that Django refuses as suspicious, such as one for a foreign host.

    Django logs it as an error, with a traceback and what the stranger sent. All other records pass as they are.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_SECURITY):
            return True
        record.msg, record.args, record.exc_info = "request_refused", (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return logging.getLogger().isEnabledFor(logging.WARNING)


class _NoOutage(logging.Filter):
    """Drops Django's line about an answer 503: a probe or a client asks again each second of an outage.

    The part that does not answer has lines of its own, and a metric counts the answers.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


def logging_config(*, level: str, style: str) -> dict[str, Any]:
    """Configures structlog and the standard library's logging alike, and returns the latter's configuration."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _line(shared, style)},
        "filters": {"suspicious": {"()": _Suspicious}, "no_outage": {"()": _NoOutage}},
        "handlers": {
            "stderr": {
                "class": "klatsch.core.log_output.StderrHandler",
                "formatter": "line",
                "filters": ["suspicious"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": _loggers(level),
    }
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(config)
    return config


def _line(shared: list[Any], style: str) -> dict[str, Any]:
    """Returns the formatter of a line, in the style `json` or else for people, also of events of other libraries."""
    last: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(describe_failure),
            last,
        ],
        "foreign_pre_chain": shared,
    }


def _loggers(level: str) -> dict[str, Any]:
    """Returns the levels of other libraries' loggers.

    A refused request is an answer, not an event, and the proxy writes the access lines. uvicorn logs addresses at INFO,
    and at DEBUG every header and frame: tokens, cookies and messages.
    """
    at_least_warning = max(level, "WARNING", key=logging.getLevelName)
    return {
        **{name: {"level": "ERROR", "filters": ["no_outage"]} for name in _SILENT},
        _SECURITY: {"level": "ERROR"},
        **{name: {"level": at_least_warning} for name in ("uvicorn.error", "websockets")},
    }
