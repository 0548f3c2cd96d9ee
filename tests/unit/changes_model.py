"""Reads a log as docs/protocol.md tells strangers to ("Reading the log"), without any code of Klatsch."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from klatsch.eventlog.log import Record

LATE_MS = 60_000


@dataclass
class Member:
    """A person's last membership record."""

    version: int
    active: bool
    role: str
    blocked: bool


@dataclass
class Message:
    """A message with all changes that are in force."""

    content: str
    changed: int
    edited: int | None = None
    deleted: bool = False
    pinned: bool = False
    reactions: set[tuple[str, str]] = field(default_factory=set)

    def seen(self) -> dict[str, Any]:
        """Returns what a client shows of it."""
        return {
            "content": self.content,
            "deleted": self.deleted,
            "pinned": self.pinned,
            "reactions": sorted(self.reactions),
        }


class Reader:
    """Judges the records of one partition in order. `verdicts` has a word for each record of a conversation."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.members: dict[tuple[str, str], Member] = {}
        self.messages: dict[str, Message] = {}
        self.verdicts: dict[int, str] = {}

    def read(self, record: Record) -> None:
        key = record.key.decode()
        if key.startswith("members:"):
            self._take_members(json.loads(record.value))
        elif len(key) == 36 and record.judge:
            self.verdicts[record.offset] = self._judge(record, key, record.judge)

    def _take_members(self, body: dict[str, Any]) -> None:
        for member in body["members"]:
            at = body["conversation"], member["user_id"].replace("-", "")
            known = self.members.get(at)
            if known is None or member["version"] > known.version:
                self.members[at] = Member(
                    member["version"], member["active"], member["role"], member.get("blocked", False)
                )

    def _judge(self, record: Record, conversation: str, judge: bytes) -> str:
        kind, own_id, actor = judge[0], judge[1:17].hex(), judge[17:33].hex()
        if kind == 2:
            return "whole"
        if own_id in self.ids:
            return "copy"
        member = self.members.get((conversation, actor))
        body = json.loads(record.value)
        if kind == 1:
            void = self._why_void(member)
            if void is None:
                self.messages[body["id"]] = Message(body["content"], record.offset)
        else:
            void = self._judge_change(record, member, body)
        if void is None or void == "no effect":
            self.ids[own_id] = record.offset
        return void or "in force"

    @staticmethod
    def _why_void(member: Member | None) -> str | None:
        if member is not None and not member.active:
            return "removed"
        return "blocked" if member is not None and member.blocked else None

    def _judge_change(self, record: Record, member: Member | None, body: dict[str, Any]) -> str | None:
        at_ms, base, flags = struct.unpack(">qqB", record.judge[65:82])
        message = self.messages[body["id"]]
        if abs(record.time_ms - at_ms) > LATE_MS:
            return "late"
        if (void := self._why_void(member)) is not None:
            return void
        if message.deleted:
            return "gone"
        if flags & 1 and member is not None and member.role == "member":
            return "demoted"
        if body["t"] == "message_edited" and base != -2 and message.edited is not None and message.edited > base:
            return "conflict"
        return None if self._fold(message, body, record.offset) else "no effect"

    @staticmethod
    def _fold(message: Message, body: dict[str, Any], offset: int) -> bool:
        """Changes the message; returns whether anything is different."""
        before = message.seen()
        if body["t"] == "message_edited":
            message.content, message.edited = body["content"], offset
        elif body["t"] == "message_deleted":
            message.content, message.deleted, message.pinned, message.reactions = "", True, False, set()
        elif body["t"] == "pinned":
            message.pinned = body["on"]
        elif body["on"]:
            message.reactions.add((body["emoji"], body["user"]))
        else:
            message.reactions.discard((body["emoji"], body["user"]))
        if body["t"] in {"reaction", "pinned"} and message.seen() == before:
            return False
        message.changed = offset
        return True
