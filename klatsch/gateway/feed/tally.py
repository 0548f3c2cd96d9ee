"""Counts one batch of the log at a gateway in plain numbers, added to the metrics once per batch."""

from dataclasses import dataclass, field

from klatsch.core.clock import milliseconds
from klatsch.core.metrics import ANSWER_SECONDS, ANSWERED, COPIES, DELIVERED, DELIVERY_SECONDS, VOID
from klatsch.records.messages import read_sent_at


@dataclass(slots=True)
class Tally:
    """The feed adds to it for each record, on the event loop; a lock for each would cost more than the counting."""

    ok: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    copies: int = 0
    void: int = 0
    delivered: int = 0
    pushed: int = 0
    first_pushed: bytes | None = None
    answered_since_s: list[float] = field(default_factory=list)

    def fold(self) -> None:
        """Adds the counts to the counters; `measure` takes the times."""
        for outcome in ("ok", "duplicate", "conflict", "rejected"):
            if count := getattr(self, outcome):
                ANSWERED[outcome].inc(count)
                setattr(self, outcome, 0)
        COPIES.inc(self.copies)
        VOID.inc(self.void)
        DELIVERED.inc(self.delivered)
        self.copies = self.void = self.delivered = 0

    def measure(self, now_s: float, now_ms: int) -> None:
        """Takes the times, once the batch has been written to the sockets; `now_s` is monotonic."""
        for since_s in self.answered_since_s:
            ANSWER_SECONDS.observe(now_s - since_s)
        self.answered_since_s.clear()
        if self.first_pushed is not None:
            self._measure_delivery(self.first_pushed, now_ms)
            self.first_pushed, self.pushed = None, 0

    def _measure_delivery(self, value: bytes, now_ms: int) -> None:
        """Measures one message of the batch for all of them: no gateway decodes messages (D10)."""
        try:
            sent_ms = milliseconds(read_sent_at(value))
        except (ValueError, OverflowError):
            return  # not a record of Klatsch's: the persister sets it aside
        DELIVERY_SECONDS.observe((now_ms - sent_ms) / 1_000, self.pushed)
