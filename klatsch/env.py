"""Every setting by name, typed; a bad or missing value stops the process with a sentence that names it."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_REQUIRED = object()
_PORT = r"(:[0-9]{1,5})?"
# As browsers send it (RFC 6454, 6.2). No wildcard: whoever is named here may use people's session cookies.
_ORIGIN = rf"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]){_PORT}"


class BadSetting(SystemExit):
    """A setting is missing or cannot be used; its text names it and never its value."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable. `effect` is what a reader of the settings page needs; bounds are inclusive.

    `shape` is what the whole text, or each part of a list, has to match; `must_be` says so to people.
    A `secret` may also stand in a file, whose path is in `NAME_FILE`: containers get theirs so.
    """

    name: str
    kind: type
    default: Any
    effect: str
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    shape: str = ""
    must_be: str = ""

    @property
    def required(self) -> bool:
        return self.default is _REQUIRED


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "KLATSCH_SECRET_KEY",
        str,
        _REQUIRED,
        "Signs sessions and tokens; 50 random characters or more.",
        secret=True,
        shape=r"(?s).{50,}",
        must_be="50 characters or more",
    ),
    Variable("DATABASE_URL", str, _REQUIRED, "The archive: postgresql://user:password@host:port/name.", secret=True),
    Variable(
        "KAFKA_BOOTSTRAP_SERVERS",
        str,
        _REQUIRED,
        "The log's brokers: host:port, separated by commas.",
        shape=r"[^\s,]+:[0-9]{1,5}(\s*,\s*[^\s,]+:[0-9]{1,5})*",
        must_be="host:port, separated by commas",
    ),
    Variable(
        "KAFKA_SECURITY_PROTOCOL",
        str,
        "PLAINTEXT",
        "How to talk to the brokers.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    ),
    Variable(
        "KAFKA_SASL_MECHANISM",
        str,
        "SCRAM-SHA-512",
        "With a SASL protocol: the mechanism.",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    ),
    Variable("KAFKA_SASL_USERNAME", str, "", "With a SASL protocol: who we are."),
    Variable("KAFKA_SASL_PASSWORD", str, "", "With a SASL protocol: the password.", secret=True),
    Variable("KAFKA_SSL_CA", str, "", "With an SSL protocol: the file of the authority's certificate."),
    Variable("KLATSCH_ALLOWED_HOSTS", list, [], "Names that this server answers to, separated by commas."),
    Variable(
        "KLATSCH_ORIGINS",
        list,
        [],
        "Origins (scheme://host:port) whose pages may use the session cookie, for REST and WebSocket.",
        shape=_ORIGIN,
        must_be="origins such as https://chat.example.org, without a path or a *",
    ),
    Variable(
        "KLATSCH_CORS_ORIGINS",
        list,
        [],
        "Origins (scheme://host:port) of pages served elsewhere that may use REST, with bearer tokens.",
        shape=_ORIGIN,
        must_be="origins such as https://chat.example.org, without a path or a *",
    ),
    Variable(
        "KLATSCH_INSECURE_COOKIES",
        bool,
        False,
        "Serve over plain http, with cookies that travel on it: for localhost only.",
    ),
    Variable("KLATSCH_PROXY_TLS", bool, False, "A proxy ends TLS and sets X-Forwarded-Proto (overwriting a client's)."),
    Variable(
        "KLATSCH_TRUSTED_PROXIES",
        int,
        0,
        "How many proxies of yours stand in front, each adding to X-Forwarded-For: who a client is, for limits.",
        0,
        10,
    ),
    Variable(
        "KLATSCH_TOPIC",
        str,
        "klatsch.events",
        "The topic of everything durable.",
        shape=r"[A-Za-z0-9._-]{1,249}",
        must_be="1 to 249 letters, digits, dots, dashes and underscores",
    ),
    Variable("KLATSCH_PARTITIONS", int, 12, "Partitions of the topic; fixed when it is created.", 1, 1000),
    Variable("KLATSCH_REPLICATION", int, 1, "Copies of each partition; 3 in production.", 1, 7),
    Variable(
        "KLATSCH_RETENTION_HOURS",
        int,
        168,
        "How long the log keeps records (hours): longer than any outage of the archive that shall be survived.",
        1,
        24 * 366,
    ),
    Variable("KLATSCH_GROUP", str, "klatsch-persister", "The persisters' consumer group."),
    Variable(
        "KLATSCH_ANSWER_DEADLINE_MS", int, 10_000, "After so long a send is answered `unknown` (ms).", 500, 60_000
    ),
    Variable(
        "KLATSCH_ARCHIVE_WAIT_MS", int, 2_000, "How long a REST send waits for the archive before 202 (ms).", 0, 30_000
    ),
    Variable("KLATSCH_OUTBOX_BYTES", int, 1_048_576, "What may wait for one slow socket (bytes).", 16_384, 2**28),
    Variable("KLATSCH_STALL_SECONDS", int, 8, "A socket that takes nothing for so long is closed (s).", 1, 60),
    Variable("KLATSCH_PING_SECONDS", int, 20, "The server's WebSocket ping (s); no pong in as long ends it.", 1, 300),
    Variable("KLATSCH_MARK_SECONDS", int, 25, "How often sockets are told their resume token (s).", 1, 300),
    Variable(
        "KLATSCH_RING_SECONDS",
        int,
        150,
        "How far back a gateway remembers message ids (s): twice 60 s and the send's deadline, or copies are missed.",
        130,
        86_400,
    ),
    Variable(
        "KLATSCH_RING_BYTES",
        int,
        134_217_728,
        "What a gateway keeps of the last pushes, to replay them without asking the archive (bytes).",
        65_536,
        2**36,
    ),
    Variable(
        "KLATSCH_REPLAY_CONVERSATION",
        int,
        1_000,
        "The most changes of one conversation that are replayed to who comes back; beyond, it is loaded anew.",
        1,
        10**6,
    ),
    Variable("KLATSCH_REPLAY_ALL", int, 10_000, "The same, of all conversations of a person together.", 1, 10**7),
    Variable(
        "KLATSCH_DRAIN_SECONDS",
        int,
        5,
        "At its end a gateway has so long to send its sockets elsewhere; container stop times must be longer (s).",
        1,
        600,
    ),
    Variable("KLATSCH_API_THREADS", int, 16, "Threads that answer REST in one process.", 1, 256),
    Variable("KLATSCH_HASHERS", int, 2, "Passwords hashed at once in one process; never more than cores.", 1, 64),
    Variable("KLATSCH_TOKEN_DAYS", int, 30, "How long a bearer token lives (days).", 1, 3650),
    Variable("KLATSCH_TICKET_SECONDS", int, 30, "How long a WebSocket ticket lives (s).", 5, 300),
    Variable(
        "KLATSCH_SIGN_IN_FAILURES",
        int,
        10,
        "Failed sign-ins for one name or e-mail address before the cool-off.",
        1,
        10**6,
    ),
    Variable(
        "KLATSCH_SIGN_IN_FAILURES_ADDRESS", int, 100, "Failed sign-ins from one address before the cool-off.", 1, 10**6
    ),
    Variable("KLATSCH_COOL_OFF_MINUTES", int, 15, "From the first failed sign-in to a new beginning (min).", 1, 1440),
    Variable("KLATSCH_REGISTRATIONS_PER_HOUR", int, 50, "Registrations from one address (1/h).", 1, 10**6),
    Variable(
        "KLATSCH_RESETS_PER_HOUR",
        int,
        5,
        "Password resets for one e-mail address (1/h); ten times that from one place.",
        1,
        10**6,
    ),
    Variable(
        "EMAIL_URL",
        str,
        "consolemail://",
        "How e-mail is sent: smtp+tls://user:password@host:587, smtp+ssl://…:465, or consolemail:// to print it.",
        secret=True,
    ),
    Variable("KLATSCH_MAIL_FROM", str, "klatsch@localhost", "The sender of e-mails."),
    Variable(
        "KLATSCH_PUBLIC_URL",
        str,
        "http://localhost:8000",
        "Where people reach this server: links begin with it.",
        shape=r"https?://[^\s/?#@]+/?",
        must_be="an address such as https://chat.example.org, without a path: every path of Klatsch begins at /",
    ),
    Variable("KLATSCH_LINK_MINUTES", int, 60, "How long a link in an e-mail works (min).", 5, 7 * 24 * 60),
    Variable(
        "KLATSCH_CONFIRM_EMAIL", bool, False, "Who registers cannot sign in before they have confirmed their address."
    ),
    Variable(
        "KLATSCH_RECHECK_SECONDS",
        int,
        60,
        "How often at least a gateway asks whether a socket's credential still counts (s).",
        2,
        86_400,
    ),
    Variable(
        "KLATSCH_RECHECK_GIVE_UP_MINUTES",
        int,
        15,
        "A socket whose credential nobody could confirm for so long is closed (min).",
        1,
        7 * 24 * 60,
    ),
    Variable(
        "KLATSCH_MESSAGES_PER_SECOND",
        int,
        500,
        "Messages a person may send to one process, by sockets and REST together (1/s); 0: no limit. "
        "Frames of a socket: twice that.",
        0,
        10**6,
    ),
    Variable(
        "KLATSCH_CONVERSATIONS_PER_PERSON",
        int,
        20_000,
        "Conversations that one person may belong to; the last fifth is for those that they begin; 0: no limit.",
        0,
        10**6,
    ),
    Variable(
        "KLATSCH_CONNECTIONS_PER_PERSON",
        int,
        50,
        "WebSockets and event streams of one person to one gateway, and as many polls; 0: no limit.",
        0,
        10**6,
    ),
    Variable(
        "KLATSCH_CREDENTIALS_PER_PERSON",
        int,
        100,
        "Bearer tokens of one person, and as many sessions and tickets.",
        1,
        10**6,
    ),
    Variable(
        "KLATSCH_METRICS_PORT",
        int,
        0,
        "The persister answers /metrics and /livez there; 0: nowhere. Gateway and api answer them on their own port.",
        0,
        65_535,
    ),
    Variable(
        "KLATSCH_METRICS_TOKEN", str, "", "The bearer token that /metrics asks for; empty: none is needed.", secret=True
    ),
    Variable("KLATSCH_LOG_LEVEL", str, "INFO", "What is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
    Variable("KLATSCH_LOG_FORMAT", str, "json", "Log lines for machines or for people.", choices=("json", "console")),
)


def load(source: Mapping[str, str]) -> dict[str, Any]:
    """The value of every variable; raises BadSetting naming all that are missing or wrong."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in VARIABLES:
        try:
            values[variable.name] = _value(variable, source)
        except ValueError as error:
            wrong.append(f"{variable.name} {error}")
    wrong += _missing_for_sasl(values)
    if wrong:
        raise BadSetting("Klatsch cannot start: " + "; ".join(wrong) + ". See .env.example, or run `make up`.")
    return values


def _missing_for_sasl(values: Mapping[str, Any]) -> Iterator[str]:
    if str(values.get("KAFKA_SECURITY_PROTOCOL", "")).startswith("SASL"):
        for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if values.get(name) == "":
                yield f"{name} is missing (KAFKA_SECURITY_PROTOCOL is a SASL protocol)"


def stand_in_for_missing(environment: MutableMapping[str, str]) -> None:
    """Gives what is needed and missing a value that leads nowhere: `--help` takes no settings."""
    for name, value in _NOWHERE.items():
        if not environment.get(name) and not environment.get(f"{name}_FILE"):
            environment[name] = value


_NOWHERE = {
    "KLATSCH_SECRET_KEY": "-" * 50,
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}


def _value(variable: Variable, source: Mapping[str, str]) -> Any:
    text = _text(variable, source)
    if not text:
        if variable.required:
            raise ValueError(f"is missing ({variable.effect})")
        return variable.default
    return _check(variable, _READ[variable.kind](text))


def _text(variable: Variable, source: Mapping[str, str]) -> str:
    text, file = source.get(variable.name, "").strip(), source.get(f"{variable.name}_FILE", "").strip()
    if not variable.secret or not file:
        return text
    if text:
        raise ValueError(f"is given twice: {variable.name}_FILE is set too")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read from the file that {variable.name}_FILE names") from error


def _check(variable: Variable, value: Any) -> Any:
    if variable.choices and value not in variable.choices:
        raise ValueError(f"must be one of {', '.join(variable.choices)}")
    parts = value if variable.kind is list else [value]
    if variable.shape and not all(re.fullmatch(variable.shape, part) for part in parts):
        raise ValueError(f"must be {variable.must_be}")
    if variable.least is not None and value < variable.least:
        raise ValueError(f"must be at least {variable.least}")
    if variable.most is not None and value > variable.most:
        raise ValueError(f"must be at most {variable.most}")
    return value


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise ValueError("must be a whole number")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise ValueError("must be 1 or 0")
    return text.lower() in {"1", "true", "yes", "on"}


_READ: dict[type, Callable[[str], Any]] = {
    str: str,
    int: _whole_number,
    bool: _yes_or_no,
    list: lambda text: [part.strip() for part in text.split(",") if part.strip()],
}


def database(url: str) -> dict[str, Any]:
    """Django's entry for a PostgreSQL URL; raises BadSetting for any other database."""
    config: dict[str, Any] = {}
    if url.startswith(("postgresql://", "postgres://")):  # of others environ warns with all that they say
        with contextlib.suppress(ValueError):  # such as a port that is no number
            config = dict(environ.Env.db_url_config(url))
    if not config.get("NAME"):
        raise BadSetting(
            "Klatsch cannot start: DATABASE_URL must be postgresql://user:password@host:port/name. See .env.example."
        )
    return config


def email(url: str) -> dict[str, Any]:
    """Django's settings for an e-mail URL; raises BadSetting."""
    try:
        return dict(environ.Env.email_url_config(url))
    except (ImproperlyConfigured, ValueError):
        raise BadSetting("Klatsch cannot start: EMAIL_URL is not one. See .env.example.") from None


def from_process(folder: Path) -> dict[str, Any]:
    """The settings of this process: its environment, and `.env` in `folder` for what that does not name."""
    environ.Env.read_env(folder / ".env")
    return load(os.environ)
