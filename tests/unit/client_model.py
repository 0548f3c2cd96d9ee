"""A server in a few lines, as docs/protocol.md has it, for the client's core: a log, changes, replays, histories."""

import json
from random import Random
from typing import Any, Final
from urllib.parse import parse_qs

from klatsch_client.drafts import Change
from klatsch_client.frames import Push, Welcome, decode
from klatsch_client.positions import Position, Token
from klatsch_client.reload import PageRequest

CONVERSATIONS = ("one", "two", "three")
PARTITIONS = 2
WELCOME = Welcome("ana", True, 25, 0, 64, 65_536)
MOMENT: Final = "2026-11-24T00:00:00.000Z"
_EMOJIS = ["👍", "🎉"]
_PEOPLE = ["bob", "carol"]
_UNCHANGED: Final[dict[str, Any]] = {
    "edited_at": None,
    "deleted": False,
    "reactions": {},
    "reaction_counts": {},
    "mentions": [],
    "pinned_at": None,
}
_WIPED: Final[dict[str, Any]] = {
    "content": "",
    "deleted": True,
    "reactions": {},
    "reaction_counts": {},
    "mentions": [],
    "pinned_at": None,
}


def push(frame: dict[str, Any]) -> Push:
    """Reads a frame of the server's."""
    read = decode(json.dumps(frame))
    assert isinstance(read, Push)
    return read


class Server:
    """A log in which messages are written and changed. A gateway may have read only a part of it.

    A record that nobody is pushed has no `t`: a copy, a change that is void or without effect. Its `answer` is what its
    sender is told.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.log: list[dict[str, Any]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.first_of_epoch = 0
        self._epoch = 1
        self._ends = [0] * PARTITIONS
        self.past: dict[tuple[str, str], dict[str, Any]] = {}
        self._changes: dict[str, dict[str, Any]] = {}
        self._page_rows = random.choice([1, 2, 5, 100])

    def write(self) -> dict[str, Any]:
        """Appends a new message, as it is pushed."""
        name, conversation = f"m{len(self.messages)}", self.random.choice(CONVERSATIONS)
        position = self._take_position(conversation)
        body = {"id": name, "client_id": name, "conversation": conversation, "sender": "bob", "content": "as written"}
        body |= {"sent_at": MOMENT, "position": position, "changed": position}
        self.messages[name] = body | _UNCHANGED
        return self._append("message", position, body)

    def change(self) -> None:
        """Has somebody change some message, if there is one."""
        if not self.messages:
            return
        message = self.random.choice(list(self.messages.values()))
        position = self._take_position(message["conversation"])
        if self.random.random() < 1 / 8:  # as when a dead letter is stored
            self.messages[message["id"]] = whole = {**message, "changed": position, "content": f"as of {position}"}
            self._append("message_changed", position, whole)
            return
        changes: list[tuple[str, dict[str, Any]]] = [
            ("message_edited", {"content": f"as of {position}", "mentions": [], "edited_at": MOMENT}),
            ("message_deleted", {"deleted_at": MOMENT}),
            ("reaction", {"emoji": self.random.choice(_EMOJIS), "on": self.random.random() < 2 / 3}),
            ("pinned", {"on": self.random.random() < 2 / 3, "at": MOMENT}),
        ]
        kind, body = self.random.choice(changes)
        self._fold(kind, message["id"], position, self.random.choice(_PEOPLE), body)

    def take(self, change: Change) -> None:
        """Takes a change of a client of ana's, for the first time or again: the next record answers it."""
        known = self._changes.get(change.client_id)
        position = self._take_position(self.messages[change.message]["conversation"])
        if known is not None:
            self._note({"answer": known["answer"] | {"duplicate": True}, "change": change.client_id, "pos": position})
            return
        changes: dict[str, tuple[str, dict[str, Any]]] = {
            "edit": ("message_edited", {"content": change.content, "mentions": [], "edited_at": MOMENT}),
            "delete": ("message_deleted", {"deleted_at": MOMENT}),
            "react": ("reaction", {"emoji": change.emoji, "on": change.on}),
            "pin": ("pinned", {"on": change.on, "at": MOMENT}),
        }
        kind, body = changes[change.op]
        refusal = self._fold(kind, change.message, position, "ana", body)
        answer = {"position": position, "duplicate": False} if refusal is None else {"code": refusal}
        self.log[-1] |= {"answer": answer, "change": change.client_id}
        if refusal is None:
            self._changes[change.client_id] = self.log[-1]

    def _fold(self, kind: str, name: str, position: str, by: str, body: dict[str, Any]) -> str | None:
        """Appends a change, and returns why it is refused if it is."""
        before = self.messages[name]
        after = None if before["deleted"] else _changed(before, kind, by, body)
        if after is None or after == before:
            self._note({"pos": position})
            return "gone" if after is None else None
        self.messages[name] = after | {"changed": position}
        place = {"id": name, "conversation": before["conversation"], "user" if kind == "reaction" else "by": by}
        self._append(kind, position, place | body)
        return None

    def begin_epoch(self) -> None:
        """Goes on in another topic."""
        self._epoch += 1
        self._ends = [0] * PARTITIONS

    def token(self, end: int) -> str:
        """Returns the token of a gateway that has read so many records."""
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
        missed = [record for record in missed if "t" in record]
        split = self.random.randint(0, len(missed))
        old = {record["d"]["id"] for record in missed[:split]}
        states = [{"t": "state", "d": {"kind": "message", **self.messages[name]}} for name in sorted(old)]
        self.random.shuffle(states)
        return states + missed[split:]

    def read(self, request: PageRequest) -> dict[str, Any]:
        """Returns a page of a history, as REST gives it; the cursors are places in the list of all, oldest first.

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

    def _append(self, kind: str, position: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note({"t": kind, "pos": position, "d": body})
        self.past[body["id"], position] = dict(self.messages[body["id"]])
        return self.log[-1]

    def _note(self, record: dict[str, Any]) -> None:
        if self.log and not self.log[-1]["pos"].startswith(f"{self._epoch}:"):
            self.first_of_epoch = len(self.log) + 1  # a gateway of the epoch before is not met again
        self.log.append(record)

    def rows(self, conversation: str) -> list[dict[str, Any]]:
        """Returns some messages of a conversation, as a history has them."""
        rows = [dict(row) for row in self.messages.values() if row["conversation"] == conversation]
        return self.random.sample(rows, self.random.randint(0, len(rows)))

    def _take_position(self, conversation: str) -> str:
        partition = CONVERSATIONS.index(conversation) % PARTITIONS
        self._ends[partition] += self.random.choice([1, 1, 3])  # others' records lie between
        return f"{self._epoch}:{partition}:{self._ends[partition] - 1}"


def _changed(before: dict[str, Any], kind: str, by: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the message with that change; as it was where the change has no effect."""
    match kind:
        case "message_edited":
            return before | {name: body[name] for name in ("content", "mentions", "edited_at")}
        case "message_deleted":
            return before | _WIPED
        case "pinned":
            return before | {"pinned_at": body["at"] if body["on"] else None}
    names = [name for name in before["reactions"].get(body["emoji"], []) if name != by or body["on"]]
    names += [by] if body["on"] and by not in names else []
    reactions = {**before["reactions"], body["emoji"]: names}
    reactions = {emoji: people for emoji, people in reactions.items() if people}
    return before | {"reactions": reactions, "reaction_counts": {e: len(people) for e, people in reactions.items()}}
