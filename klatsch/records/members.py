"""The membership records of `klatsch.events`, version 1, in one order with the conversation's messages (D9)."""

from typing import Annotated, Literal

import msgspec

from klatsch.records.values import Uuid

ConversationKind = Literal["direct", "group"]
Role = Literal["owner", "admin", "member"]


class Membership(msgspec.Struct, frozen=True):
    """One person's membership in a conversation. Of two for one person, the higher version counts.

    A `blocked` person can read a direct conversation but not write to it.
    """

    user: str
    user_id: Uuid
    active: bool
    role: Role
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    blocked: bool = False


class MembersChanged(msgspec.Struct, frozen=True, tag_field="t", tag="members"):
    """A change of a conversation's members. People whom it does not name stay as they are.

    `member_count` is the number of members after the change. `version` grows with every change of a group: title,
    description and `member_count` of a lower one are outdated. Older records lack these three fields.
    """

    conversation: Uuid
    kind: ConversationKind
    title: str
    members: list[Membership]
    member_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    description: str | None = None
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)] | None = None
    v: Literal[1] = 1
