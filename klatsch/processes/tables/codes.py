"""The codes of refusals and of closed sockets as docs/protocol.md shows them."""

from typing import Final

from klatsch.api.errors import REST_CODES
from klatsch.core.errors import KlatschError
from klatsch.core.http_limits import HEAD_TOO_LARGE, TOO_SLOW
from klatsch.gateway.language.asyncapi.codes import ERROR_MEANINGS, close_codes
from klatsch.processes.tables.markdown import table

_MEANINGS: Final = ERROR_MEANINGS | {"not_authenticated": "REST only; over a WebSocket it is the close code 4401."}


def error_table() -> str:
    """Each code of `err` with its status over REST."""
    return table(
        ("`code` of `err`", "REST status", "temporary", "meaning"),
        (
            (f"`{kind.code}`", str(kind.status), "yes" if kind.temporary else "", _MEANINGS[kind.code])
            for kind in sorted(KlatschError.__subclasses__(), key=lambda kind: kind.status)
        ),
    )


def rest_codes() -> str:
    """The codes that only REST has."""
    known = {kind.code for kind in KlatschError.__subclasses__()}
    codes = {code: status for status, code in REST_CODES.items() if code not in known}
    codes |= {problem.code: problem.status for problem in (HEAD_TOO_LARGE, TOO_SLOW)} | {"internal_error": 500}
    return table(
        ("`code` of REST alone", "status"),
        ((f"`{code}`", str(status)) for code, status in sorted(codes.items(), key=lambda pair: pair[1])),
    )


def close_table() -> str:
    """Each close code, with what a client does then."""
    return table(
        ("close code", "meaning", "client"),
        ((str(row["code"]), row["means"], row["client"]) for row in close_codes()),
    )
