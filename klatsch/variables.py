"""Every setting: name, kind, default, bounds, and its effect for readers. `klatsch.env` reads them."""

from dataclasses import dataclass
from typing import Any

_REQUIRED = object()
_PORT = r"(:[0-9]{1,5})?"
# As browsers send it (RFC 6454, 6.2). No wildcard: whoever is named here may use people's session cookies.
_ORIGIN = rf"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]){_PORT}"


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


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together; `title` is their heading, and `remark` what is true of all of them."""

    title: str
    remark: str
    variables: tuple[Variable, ...]


_NEEDED = (
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
)
_BROKERS = (
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
)
_CALLERS = (
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
)
_LOG = (
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
)
_SENDS = (
    Variable(
        "KLATSCH_ANSWER_DEADLINE_MS", int, 10_000, "After so long a send is answered `unknown` (ms).", 500, 60_000
    ),
    Variable(
        "KLATSCH_ARCHIVE_WAIT_MS", int, 2_000, "How long a REST send waits for the archive before 202 (ms).", 0, 30_000
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
)
_SOCKETS = (
    Variable("KLATSCH_OUTBOX_BYTES", int, 1_048_576, "What may wait for one slow socket (bytes).", 16_384, 2**28),
    Variable("KLATSCH_STALL_SECONDS", int, 8, "A socket that takes nothing for so long is closed (s).", 1, 60),
    Variable("KLATSCH_PING_SECONDS", int, 20, "The server's WebSocket ping (s); no pong in as long ends it.", 1, 300),
    Variable(
        "KLATSCH_CONNECTIONS_PER_PERSON",
        int,
        50,
        "WebSockets and event streams of one person to one gateway, and as many polls; 0: no limit.",
        0,
        10**6,
    ),
    Variable("KLATSCH_MARK_SECONDS", int, 25, "How often sockets are told their resume token (s).", 1, 300),
)
_SIGNING_IN = (
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
        "KLATSCH_CREDENTIALS_PER_PERSON",
        int,
        100,
        "Bearer tokens of one person, and as many sessions and tickets.",
        1,
        10**6,
    ),
    Variable("KLATSCH_HASHERS", int, 2, "Passwords hashed at once in one process; never more than cores.", 1, 64),
)
_PROCESSES = (
    Variable(
        "KLATSCH_API_THREADS", int, 16, "Threads of one process for REST that reads, and as many for the rest.", 1, 256
    ),
    Variable("KLATSCH_LOG_LEVEL", str, "INFO", "What is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
    Variable("KLATSCH_LOG_FORMAT", str, "json", "Log lines for machines or for people.", choices=("json", "console")),
)
_METRICS = (
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
)

GROUPS: tuple[Group, ...] = (
    Group("Needed, and without a default outside `make up`", "", _NEEDED),
    Group("The brokers", "", _BROKERS),
    Group(
        "Who may come, and how",
        "Without hosts, Django refuses every request; without origins, no page may use the session cookie.",
        _CALLERS,
    ),
    Group(
        "The log",
        "The number of partitions is never changed; retention and copies are used when the topic is made.",
        _LOG,
    ),
    Group("Sends", "The bound on messages is that of WebSockets, for each gateway.", _SENDS),
    Group("Sockets", "", _SOCKETS),
    Group("Signing in", "", _SIGNING_IN),
    Group("Processes", "", _PROCESSES),
    Group(
        "Metrics",
        "No proxy should publish /metrics: it shows how much is said here, though not what or by whom.",
        _METRICS,
    ),
)
VARIABLES: tuple[Variable, ...] = tuple(variable for group in GROUPS for variable in group.variables)
