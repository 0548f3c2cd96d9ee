"""Every setting: name, kind, default, bounds, and its effect for readers. `klatsch.env` reads them."""

from klatsch.variables.deployment import BROKERS, CALLERS, LOG, METRICS, NEEDED, PROCESSES
from klatsch.variables.serving import SENDS, SIGNING_IN, SOCKETS
from klatsch.variables.variable import Group, Variable

GROUPS: tuple[Group, ...] = (
    Group("Required, without a default outside `make up`", "", NEEDED),
    Group("The brokers", "", BROKERS),
    Group(
        "Hosts, origins and proxies",
        "Without hosts, Django refuses every request; without origins, no page may use the session cookie.",
        CALLERS,
    ),
    Group(
        "The log",
        "The number of partitions never changes. Retention and copies are used when the topic is created.",
        LOG,
    ),
    Group("Sends", "The limit on messages is that of WebSockets, per gateway.", SENDS),
    Group("Sockets", "", SOCKETS),
    Group("Signing in", "", SIGNING_IN),
    Group("Processes", "", PROCESSES),
    Group(
        "Metrics",
        "Do not publish /metrics: it shows how much people send, though not what or who.",
        METRICS,
    ),
)
VARIABLES: tuple[Variable, ...] = tuple(variable for group in GROUPS for variable in group.variables)
