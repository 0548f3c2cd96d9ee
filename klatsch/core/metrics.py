"""What this process counts; `/metrics` shows it."""

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("klatsch_connections", "Open WebSocket connections.")
APPENDED = Counter("klatsch_appended", "Records appended by sends.")
DELIVERED = Counter("klatsch_delivered", "Messages pushed to sockets.")
COPIES = Counter("klatsch_copies", "Records that were the same message again.")
VOID = Counter("klatsch_void", "Records out of force: their sender had been removed.")
SKIPPED = Counter("klatsch_skipped", "Records that are none of ours, as the gateway saw them.")
UNKNOWN = Counter("klatsch_unknown", "Sends answered `unknown`.")
PERSISTED = Counter("klatsch_persisted", "Messages stored in the archive.")
DEAD_LETTERS = Counter("klatsch_dead_letters", "Records that could not be stored.")
FENCED = Counter("klatsch_fenced", "Batches undone because another persister had stored them.")
