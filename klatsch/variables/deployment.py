"""Settings of where Klatsch runs: its database, brokers and log, its hosts and proxies, its processes and metrics."""

from typing import Final

from klatsch.variables.variable import REQUIRED, Variable

# As Django compares it: a leading dot stands for a domain and all below it, * for everything.
_HOST = r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]"
_PORT = r"(:[0-9]{1,5})?"
# As browsers send it (RFC 6454, 6.2). No wildcard: pages of a listed origin may use people's session cookies.
_ORIGIN = rf"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]){_PORT}"

NEEDED: Final = (
    Variable(
        "KLATSCH_SECRET_KEY",
        str,
        REQUIRED,
        "Signs sessions and tokens; 50 random characters or more.",
        secret=True,
        shape=r"(?s).{50,}",
        must_be="50 characters or more",
    ),
    Variable(
        "DATABASE_URL",
        str,
        REQUIRED,
        "The archive's database: postgresql://user:password@host:port/name.",
        secret=True,
    ),
    Variable(
        "KAFKA_BOOTSTRAP_SERVERS",
        str,
        REQUIRED,
        "Kafka brokers of the log: host:port, separated by commas.",
        shape=r"[^\s,]+:[0-9]{1,5}(\s*,\s*[^\s,]+:[0-9]{1,5})*",
        must_be="host:port, separated by commas",
    ),
)
BROKERS: Final = (
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
CALLERS: Final = (
    Variable(
        "KLATSCH_ALLOWED_HOSTS",
        list,
        [],
        "Host names that this server answers to, separated by commas.",
        shape=_HOST,
        must_be="host names such as chat.example.org, without a scheme, a port or a path",
    ),
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
LOG: Final = (
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
PROCESSES: Final = (
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
METRICS: Final = (
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
