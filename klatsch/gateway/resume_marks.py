"""Resume marks: every connection regularly gets its progress, so that its resume token stays fresh (D7)."""

from collections.abc import Sequence

from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import in_turns


class ResumeMarks:
    """Pushes resume marks to the connections of one hub. They are no read marks, which `MarkOp` takes from people."""

    def __init__(self, hub: Hub, tokens: Tokens) -> None:
        self._hub = hub
        self._tokens = tokens

    def push_all(self) -> None:
        """Pushes a mark to every connection, to some people in each turn of the loop."""
        in_turns(list(self._hub.people.values()), self._push_some)

    def _push_some(self, people: Sequence[ConnectedPerson]) -> None:
        tail = self._tokens.tail()
        for person in people:
            frame = protocol.wire(protocol.push_mark(self._tokens.text(person.user_id, tail)))
            for outbox in person.outboxes:
                if not outbox.unmarked:
                    outbox.push(frame)
        self._hub.flush()

    def answer_last(self, person: ConnectedPerson, outbox: Outbox) -> None:
        """Writes a last mark at once, except to a connection in a replay, which has no place to resume from yet."""
        if not (outbox.deaf or outbox.unmarked or outbox.closed):
            outbox.answer(protocol.push_mark(self._tokens.now(person.user_id)))
