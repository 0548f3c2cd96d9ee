"""Every setting: name, kind, default, bounds, and its effect for readers. `klatsch.env` reads them."""

from dataclasses import dataclass
from typing import Any

_REQUIRED = object()
_PORT = r"(:[0-9]{1,5})?"
# As browsers send it (RFC 6454, 6.2). No wildcard: pages of a listed origin may use people's session cookies.
_ORIGIN = rf"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]){_PORT}"


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable. `effect` is its text on the settings page; bounds are inclusive.

    The whole text, or each part of a list, must match `shape`; `must_be` says so to people. A `secret` may also stand
    in a file, whose path is in `NAME_FILE`: containers pass secrets so.
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
    """Settings that belong together. `title` is their heading; `remark` applies to all of them."""

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
    Variable(
        "DATABASE_URL",
        str,
        _REQUIRED,
        "The archive's database: postgresql://user:password@host:port/name.",
        secret=True,
    ),
    Variable(
        "KAFKA_BOOTSTRAP_SERVERS",
        str,
        _REQUIRED,
        "Kafka brokers of the log: host:port, separated by commas.",
        shape=r"[^\s,]+:[0-9]{1,5}(\s*,\s*[^\s,]+:[0-9]{1,5})*",
        must_be="host:port, separated by commas",
    ),
)
_BROKERS = (
    Variable(
        "KAFKA_SECURITY_PROTOCOL",
        str,
        "PLAINTEXT",
        "The protocol to the brokers.",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    ),
    Variable(
        "KAFKA_SASL_MECHANISM",
        str,
        "SCRAM-SHA-512",
        "The SASL mechanism, with a SASL protocol.",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    ),
    Variable("KAFKA_SASL_USERNAME", str, "", "The SASL username, with a SASL protocol."),
    Variable("KAFKA_SASL_PASSWORD", str, "", "The SASL password, with a SASL protocol.", secret=True),
    Variable("KAFKA_SSL_CA", str, "", "The file of the authority's certificate, with an SSL protocol."),
)
_CALLERS = (
    Variable("KLATSCH_ALLOWED_HOSTS", list, [], "Host names that this server answers to, separated by commas."),
    Variable(
        "KLATSCH_ORIGINS",
        list,
        [],
        "Origins (scheme://host:port) whose pages may use the session cookie, over REST and WebSocket.",
        shape=_ORIGIN,
        must_be="origins such as https://chat.example.org, without a path or a *",
    ),
    Variable(
        "KLATSCH_CORS_ORIGINS",
        list,
        [],
        "Other origins (scheme://host:port) whose pages may use REST, with bearer tokens only.",
        shape=_ORIGIN,
        must_be="origins such as https://chat.example.org, without a path or a *",
    ),
    Variable(
        "KLATSCH_INSECURE_COOKIES",
        bool,
        False,
        "Serve plain http, and send cookies over it. For localhost only.",
    ),
    Variable(
        "KLATSCH_PROXY_TLS", bool, False, "A proxy terminates TLS and sets X-Forwarded-Proto, overwriting a client's."
    ),
    Variable(
        "KLATSCH_TRUSTED_PROXIES",
        int,
        0,
        "Number of your proxies in front, each adding to X-Forwarded-For. Limits by address depend on it.",
        0,
        10,
    ),
)
_LOG = (
    Variable(
        "KLATSCH_TOPIC",
        str,
        "klatsch.events",
        "The log's Kafka topic.",
        shape=r"[A-Za-z0-9._-]{1,249}",
        must_be="1 to 249 letters, digits, dots, dashes and underscores",
    ),
    Variable("KLATSCH_PARTITIONS", int, 12, "Partitions, fixed when the topic is created (`make up`: 4).", 1, 1000),
    Variable("KLATSCH_REPLICATION", int, 1, "Copies of each partition. Use 3 in production.", 1, 7),
    Variable(
        "KLATSCH_RETENTION_HOURS",
        int,
        168,
        "Retention of the log's records (hours). Keep it longer than any outage of the archive to survive.",
        1,
        24 * 366,
    ),
    Variable("KLATSCH_GROUP", str, "klatsch-persister", "The consumer group of the persisters."),
    Variable(
        "KLATSCH_SIGNALS",
        bool,
        True,
        "Typing and presence. 0: gateways refuse `open`, `typing` and `presence`, and use no topic for them.",
    ),
    Variable(
        "KLATSCH_SIGNALS_TOPIC",
        str,
        "klatsch.signals",
        "The Kafka topic of typing and presence.",
        shape=r"[A-Za-z0-9._-]{1,249}",
        must_be="1 to 249 letters, digits, dots, dashes and underscores",
    ),
)
_SENDS = (
    Variable(
        "KLATSCH_ANSWER_DEADLINE_MS", int, 10_000, "Time after which a send is answered `unknown` (ms).", 500, 60_000
    ),
    Variable(
        "KLATSCH_ARCHIVE_WAIT_MS", int, 2_000, "Time that a REST send waits for the archive before 202 (ms).", 0, 30_000
    ),
    Variable(
        "KLATSCH_EDIT_WINDOW_SECONDS",
        int,
        0,
        "Time after sending in which a message may be edited (s). 0 means for ever.",
        0,
        10**9,
    ),
    Variable(
        "KLATSCH_MESSAGES_PER_SECOND",
        int,
        500,
        "Messages that a person may send to one process, over sockets and REST together (1/s). 0: no limit. "
        "A socket may send twice as many frames.",
        0,
        10**6,
    ),
    Variable(
        "KLATSCH_REQUESTS_PER_SECOND",
        int,
        200,
        "Requests of a person to one process, over REST and as frames, besides sends and changes (1/s). 0: no limit.",
        0,
        10**6,
    ),
    Variable(
        "KLATSCH_CONVERSATIONS_PER_PERSON",
        int,
        20_000,
        "Conversations that a person may be in. The last fifth is for conversations that they begin. 0: no limit.",
        0,
        10**6,
    ),
    Variable("KLATSCH_REPORTS_PER_HOUR", int, 30, "Reports of messages by one person (1/h).", 1, 10**6),
    Variable("KLATSCH_BLOCKS_PER_PERSON", int, 1_000, "People whom a person may block.", 1, 10**5),
    Variable(
        "KLATSCH_READ_RECEIPTS_MEMBERS",
        int,
        20,
        "Members up to which a conversation's members are pushed how far each has read. In larger ones they can ask.",
        0,
        1_000,
    ),
    Variable(
        "KLATSCH_INVITE_STRANGERS",
        bool,
        True,
        "Invite people to groups who have never written to the person who adds them, instead of adding them.",
    ),
    Variable(
        "KLATSCH_RING_SECONDS",
        int,
        150,
        "Time for which a gateway remembers message ids (s): at least twice 60 s plus the send's deadline.",
        130,
        86_400,
    ),
    Variable(
        "KLATSCH_RING_BYTES",
        int,
        134_217_728,
        "Memory of a gateway for the last pushes, which it replays without reading the archive (bytes).",
        65_536,
        2**36,
    ),
    Variable(
        "KLATSCH_REPLAY_CONVERSATION",
        int,
        1_000,
        "Changes of one conversation that a resuming client gets replayed. With more, it reloads the conversation.",
        1,
        10**6,
    ),
    Variable(
        "KLATSCH_REPLAY_ALL",
        int,
        10_000,
        "Changes of all of a person's conversations that a resuming client gets replayed.",
        1,
        10**7,
    ),
    Variable(
        "KLATSCH_DRAIN_SECONDS",
        int,
        5,
        "Time for a stopping gateway to move its sockets elsewhere (s). Container stop times must be longer.",
        1,
        600,
    ),
)
_SOCKETS = (
    Variable("KLATSCH_OUTBOX_BYTES", int, 1_048_576, "Queue of one slow socket (bytes).", 16_384, 2**28),
    Variable("KLATSCH_STALL_SECONDS", int, 8, "Time after which a socket that takes nothing is closed (s).", 1, 60),
    Variable(
        "KLATSCH_PING_SECONDS",
        int,
        20,
        "Interval of WebSocket pings (s). A socket without a pong for as long is closed.",
        1,
        300,
    ),
    Variable(
        "KLATSCH_CONNECTIONS_PER_PERSON",
        int,
        50,
        "WebSockets and event streams of one person at one gateway, and as many polls. 0: no limit.",
        0,
        10**6,
    ),
    Variable("KLATSCH_MARK_SECONDS", int, 25, "Interval at which sockets get their resume token (s).", 1, 300),
)
_SIGNING_IN = (
    Variable("KLATSCH_TOKEN_DAYS", int, 30, "Lifetime of a bearer token (days).", 1, 3650),
    Variable("KLATSCH_TICKET_SECONDS", int, 30, "Lifetime of a WebSocket ticket (s).", 5, 300),
    Variable(
        "KLATSCH_SIGN_IN_FAILURES",
        int,
        10,
        "Failed sign-ins for one username or e-mail address before the cool-off.",
        1,
        10**6,
    ),
    Variable(
        "KLATSCH_SIGN_IN_FAILURES_ADDRESS",
        int,
        100,
        "Failed sign-ins from one network address before the cool-off.",
        1,
        10**6,
    ),
    Variable("KLATSCH_COOL_OFF_MINUTES", int, 15, "Cool-off after the first failed sign-in (min).", 1, 1440),
    Variable("KLATSCH_REGISTRATIONS_PER_HOUR", int, 50, "Registrations from one network address (1/h).", 1, 10**6),
    Variable(
        "KLATSCH_RESETS_PER_HOUR",
        int,
        5,
        "Password resets for one e-mail address (1/h). Ten times as many from one network address.",
        1,
        10**6,
    ),
    Variable(
        "EMAIL_URL",
        str,
        "consolemail://",
        "The mail server: smtp+tls://user:password@host:587, smtp+ssl://…:465, or consolemail:// to print it.",
        secret=True,
    ),
    Variable("KLATSCH_MAIL_FROM", str, "klatsch@localhost", "The sender address of e-mails."),
    Variable(
        "KLATSCH_PUBLIC_URL",
        str,
        "http://localhost:8000",
        "This server's public address, with which links in e-mails begin.",
        shape=r"https?://[^\s/?#@]+/?",
        must_be="an address such as https://chat.example.org, without a path: every path of Klatsch begins at /",
    ),
    Variable("KLATSCH_LINK_MINUTES", int, 60, "Lifetime of a link in an e-mail (min).", 5, 7 * 24 * 60),
    Variable(
        "KLATSCH_CONFIRM_EMAIL",
        bool,
        False,
        "Require new accounts to confirm their e-mail address before they can sign in.",
    ),
    Variable(
        "KLATSCH_RECHECK_SECONDS",
        int,
        60,
        "Longest interval between a gateway's checks of a socket's credential (s).",
        2,
        86_400,
    ),
    Variable(
        "KLATSCH_RECHECK_GIVE_UP_MINUTES",
        int,
        15,
        "Time after which a socket whose credential could not be checked is closed (min).",
        1,
        7 * 24 * 60,
    ),
    Variable(
        "KLATSCH_CREDENTIALS_PER_PERSON",
        int,
        100,
        "Bearer tokens of one person, and as many sessions and as many tickets.",
        1,
        10**6,
    ),
    Variable("KLATSCH_HASHERS", int, 2, "Passwords hashed at once in one process, at most one per core.", 1, 64),
)
_PROCESSES = (
    Variable(
        "KLATSCH_API_THREADS",
        int,
        16,
        "Threads of one process for REST requests that read. Others have as many in a gateway, four times in an api.",
        1,
        256,
    ),
    Variable("KLATSCH_LOG_LEVEL", str, "INFO", "The log level.", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
    Variable(
        "KLATSCH_LOG_FORMAT",
        str,
        "json",
        "Format of log lines, for machines or for people.",
        choices=("json", "console"),
    ),
)
_METRICS = (
    Variable(
        "KLATSCH_METRICS_PORT",
        int,
        0,
        "The persister's port for /metrics and /livez. 0: none. Gateway and api use their own port.",
        0,
        65_535,
    ),
    Variable(
        "KLATSCH_METRICS_TOKEN", str, "", "The bearer token for /metrics. Empty: no token is needed.", secret=True
    ),
)

GROUPS: tuple[Group, ...] = (
    Group("Required, without a default outside `make up`", "", _NEEDED),
    Group("The brokers", "", _BROKERS),
    Group(
        "Hosts, origins and proxies",
        "Without hosts, Django refuses every request; without origins, no page may use the session cookie.",
        _CALLERS,
    ),
    Group(
        "The log",
        "The number of partitions never changes. Retention and copies are used when the topic is created.",
        _LOG,
    ),
    Group("Sends", "The limit on messages is that of WebSockets, per gateway.", _SENDS),
    Group("Sockets", "", _SOCKETS),
    Group("Signing in", "", _SIGNING_IN),
    Group("Processes", "", _PROCESSES),
    Group(
        "Metrics",
        "Do not publish /metrics: it shows how much people send, though not what or who.",
        _METRICS,
    ),
)
VARIABLES: tuple[Variable, ...] = tuple(variable for group in GROUPS for variable in group.variables)
