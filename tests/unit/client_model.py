"""A server in a few lines, as docs/protocol.md has it, for the client's core: a log, replays, resets, histories."""

import json
from random import Random
from typing import Any
from urllib.parse import parse_qs

from klatsch_client.frames import Push, Welcome, decode
from klatsch_client.positions import Position, Token
from klatsch_client.reload import PageRequest

CONVERSATIONS = ("one", "two", "three")
PARTITIONS = 2
WELCOME = Welcome("ana", True, 25, 0, 64, 65_536)
_MOMENT = "2026-11-24T00:00:00.000Z"


def push(frame: dict[str, Any]) -> Push:
    """A frame of the server's, read."""
    read = decode(json.dumps(frame))
    assert isinstance(read, Push)
    return read


class Server:
    """A log in which messages are written and changed. A gateway may have read only a part of it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.log: list[dict[str, Any]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self._epoch = 1
        self._ends = [0] * PARTITIONS
        self._page_rows = random.choice([1, 2, 5, 100])

    def write(self) -> dict[str, Any]:
        """A new message, as it is pushed."""
        name, conversation = f"m{len(self.messages)}", self.random.choice(CONVERSATIONS)
        position = self._take_position(conversation)
        body = {"id": name, "client_id": name, "conversation": conversation, "sender": "bob", "content": "as written"}
        return self._append("message", {**body, "sent_at": _MOMENT, "position": position, "changed": position})

    def change(self) -> None:
        """Changes some message, if there is one."""
        if not self.messages:
            return
        before = self.random.choice(list(self.messages.values()))
        position = self._take_position(before["conversation"])
        self._append("message_changed", {**before, "changed": position, "content": f"as of {position}"})

    def begin_epoch(self) -> None:
        """Goes on in another topic."""
        self._epoch += 1
        self._ends = [0] * PARTITIONS

    def token(self, end: int) -> str:
        """That of a gateway that has read so many records."""
        epoch, offsets = 1, [0] * PARTITIONS
        for record in self.log[:end]:
            position = Position.parse(record["pos"])
            if position.epoch > epoch:
                epoch, offsets = position.epoch, [0] * PARTITIONS
            offsets[position.partition] = position.offset + 1
        return str(Token(epoch, "0123456789abcdef", dict(enumerate(offsets))))

    def connect(self, resume: str | None, end: int) -> list[dict[str, Any] | Welcome]:
        """Returns the first frames of a gateway that has read so many records: a replay or reset, and a mark."""
        return [WELCOME, *self._catch_up(resume, end), {"t": "mark", "resume": self.token(end)}]

    def _catch_up(self, resume: str | None, end: int) -> list[dict[str, Any]]:
        if resume is None:
            return []
        token, here = Token.parse(resume), self.token(end)
        is_ahead = any(o > Token.parse(here).offsets[p] for p, o in token.offsets.items())
        if token.epoch != Token.parse(here).epoch or is_ahead or self.random.random() < 1 / 3:
            body = {"conversations": list(CONVERSATIONS), "why": "too_far_behind", "at_least": here}
            return [{"t": "reset", "d": body}]
        missed = [record for record in self.log[:end] if not token.covers(Position.parse(record["pos"]))]
        split = self.random.randint(0, len(missed))
        old = {record["d"]["id"] for record in missed[:split]}
        states = [{"t": "state", "d": {"kind": "message", **self.messages[name]}} for name in sorted(old)]
        self.random.shuffle(states)
        return states + missed[split:]

    def read(self, request: PageRequest) -> dict[str, Any]:
        """A page of a history, as REST gives it; the cursors are places in the list of all, oldest first.

        Between two pages the world goes on.
        """
        if self.random.random() < 1 / 4:
            self.write() if self.random.random() < 1 / 2 else self.change()
        rows = [m for m in self.messages.values() if m["conversation"] == request.conversation]
        query = parse_qs(request.query)
        if "before" in query:  # what comes after that place, in the end newest first too
            oldest = int(query["before"][0]) + 1
            newest = min(len(rows), oldest + self._page_rows)
            previous = newest < len(rows)
        else:
            newest = int(query["after"][0]) if "after" in query else len(rows)
            oldest = max(0, newest - self._page_rows)
            previous = "after" in query
        return {
            "results": rows[oldest:newest][::-1],
            "next": f"http://elsewhere/?after={oldest}" if oldest > 0 else None,
            "previous": f"http://elsewhere/?before={newest - 1}" if previous else None,
        }

    def _append(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        self.messages[body["id"]] = body
        self.log.append({"t": kind, "pos": body["changed"], "d": body})
        return self.log[-1]

    def _take_position(self, conversation: str) -> str:
        partition = CONVERSATIONS.index(conversation) % PARTITIONS
        self._ends[partition] += self.random.choice([1, 1, 3])  # others' records lie between
        return f"{self._epoch}:{partition}:{self._ends[partition] - 1}"
