"""What the codes of refusals and of closed sockets mean to a client, for the AsyncAPI document."""

from collections.abc import Iterator
from typing import Any, Final, get_args

from klatsch.core.errors import KlatschError
from klatsch.gateway.language.frames import ErrorCode
from klatsch.gateway.language.protocol import Close

ERROR_MEANINGS: Final[dict[str, str]] = {
    "bad_request": "Malformed, or without sense.",
    "unknown_op": "There is no such `op` (WebSocket only).",
    "not_found": "There is no such thing, or not for you.",
    "not_a_member": "You were removed before the record came: it does not count.",
    "forbidden": "It is not allowed, or the other person is no longer active.",
    "blocked": "Reserved.",
    "invalid_content": "No text, or not text; over REST also: the archive refused it.",
    "too_long": "More characters than `limits.text`.",
    "conflict": "The `client_id` names another message, or what is asked contradicts what is there.",
    "limit_reached": "You have as many of these as you may: end one first.",
    "rate_limited": "Too fast, or too many without an answer.",
    "unavailable": "Nothing was appended.",
    "unknown": "It may be in the log or not: send it again with the same `client_id`.",
    "not_archived_yet": "Nothing was appended: the archive is too far behind to say.",
}
CLOSE_MEANINGS: Final[dict[Close, str]] = {
    Close.DRAINING: "The gateway is draining.",
    Close.SLOW: "Too slow: the outbox was full, or nothing was taken for too long.",
    Close.LOG_UNAVAILABLE: "The log is not available.",
    Close.NOT_READY: "The gateway is not ready, or there was no `hello` in time.",
    Close.MALFORMED: "No `klatsch.v1` was offered, or ten malformed frames in a row.",
    Close.NOT_AUTHENTICATED: "There is no valid credential, or it has ended.",
    Close.FORBIDDEN: "This page's origin may not use the session cookie.",
    Close.FLOODING: "Flooding: more frames, bytes, fragments or sockets than a connection or a person may.",
}
_RESUME: Final = "reconnect with jitter and resume"
_STOP: Final = "stop: fix something first"
_STOP_FROM: Final = 4400


def error_codes() -> list[dict[str, Any]]:
    """Each code of `err`, whether it is temporary, and what it means."""
    temporary = {kind.code: kind.temporary for kind in _kinds(KlatschError)}
    return [{"code": code, "temporary": temporary[code], "means": ERROR_MEANINGS[code]} for code in get_args(ErrorCode)]


def close_codes() -> list[dict[str, Any]]:
    """Each of our close codes, what it means, and what a client does then."""
    return [
        {"code": int(code), "means": CLOSE_MEANINGS[code], "client": _STOP if code >= _STOP_FROM else _RESUME}
        for code in Close
    ]


def _kinds(parent: type[KlatschError]) -> Iterator[type[KlatschError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from _kinds(kind)
