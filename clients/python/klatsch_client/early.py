"""Changes of messages that a view has not: a page with them may be on its way. No I/O."""

from typing import Final

from klatsch_client.deltas import Delta

_MOST: Final = 1_000


class Early:
    """Keeps the last changes, however many messages they are of."""

    def __init__(self) -> None:
        self._deltas: dict[str, list[Delta]] = {}
        self._count = 0

    def put(self, delta: Delta) -> None:
        """Keeps a change; beyond the bound, forgets the first one of the message that came first."""
        self._deltas.setdefault(delta.id, []).append(delta)
        self._count += 1
        if self._count > _MOST:
            first = next(iter(self._deltas))
            del self._deltas[first][0]
            if not self._deltas[first]:
                del self._deltas[first]
            self._count -= 1

    def take(self, message_id: str) -> list[Delta]:
        """Forgets the changes of a message, and returns them."""
        deltas = self._deltas.pop(message_id, [])
        self._count -= len(deltas)
        return deltas
