"""The codes of refusals and of closed sockets, and the reasons of `/readyz`, as docs/ shows them."""

from klatsch.api.errors import REST_CODES
from klatsch.core.errors import ERRORS
from klatsch.core.http_limits import HEAD_TOO_LARGE, TOO_SLOW
from klatsch.core.readiness import REMEDIES
from klatsch.gateway.language.protocol import STOP_BEFORE, STOP_FROM, STOP_STANDARD, Close
from klatsch.processes.tables.markdown import table


def error_table() -> str:
    """Returns each code of `err` with its status over REST."""
    return table(
        ("`code` of `err`", "REST status", "temporary", "meaning"),
        (
            (f"`{kind.code}`", str(kind.status), "yes" if kind.temporary else "", kind.means)
            for kind in sorted(ERRORS, key=lambda kind: kind.status)
        ),
    )


def rest_codes() -> str:
    """Returns the codes that only REST has."""
    known = {kind.code for kind in ERRORS}
    codes = {code: status for status, code in REST_CODES.items() if code not in known}
    codes |= {problem.code: problem.status for problem in (HEAD_TOO_LARGE, TOO_SLOW)} | {"internal_error": 500}
    return table(
        ("`code` of REST alone", "status"),
        ((f"`{code}`", str(status)) for code, status in sorted(codes.items(), key=lambda pair: pair[1])),
    )


def close_table() -> str:
    """Returns each close code with the client's reaction."""
    return table(
        ("close code", "meaning", "client"),
        ((str(int(close)), close.means, close.client) for close in Close),
    )


def health_table() -> str:
    """Returns a row for each part and reason of `/readyz`, with the operator's action."""
    return table(
        ("part", "reason", "what to do"), ((f"`{part}`", f'"{why}"', text) for (part, why), text in REMEDIES.items())
    )


def close_codes_for_python() -> str:
    """Returns the Python client's source for its reaction to close codes."""
    standard = ", ".join(map(str, STOP_STANDARD))
    return (
        f"_STOP: Final = frozenset({{{standard}, *range({STOP_FROM}, {STOP_BEFORE})}})\n"
        f"_NOT_AUTHENTICATED: Final = {int(Close.NOT_AUTHENTICATED)}\n"
    )


def close_codes_for_javascript() -> str:
    """Returns the JavaScript client's source for its reaction to close codes, with the errors that they stand for."""
    errors = ", ".join(f"{int(close)}: '{close.error.code}'" for close in Close if close >= STOP_FROM and close.error)
    standard = ", ".join(map(str, STOP_STANDARD))
    return (
        "/** @type {Record<number, string>} */\n"
        f"const CLOSE_CODES = {{ {errors} }};\n"
        f"const STOP_STANDARD = new Set([{standard}]);\n"
        f"const [STOP_FROM, STOP_BEFORE] = [{STOP_FROM}, {STOP_BEFORE}];\n"
    )
