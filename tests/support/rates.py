"""Rate limits for tests that count refusals, however slow the machine is."""

from klatsch.core.bucket import Buckets


class StoppedBuckets(Buckets):
    """Buckets for which no time passes: what was taken does not come back."""

    def take(self, who: str, now_s: float, cost: float = 1.0, paid: float = 0.0) -> float:
        return super().take(who, 0.0, cost, paid)
