"""The membership records of `klatsch.events`, version 1: who belongs where, in order with what is said there (D9)."""

from typing import Annotated, Literal

import msgspec

from klatsch.records.values import Uuid

Kind = Literal["direct", "group"]
Role = Literal["owner", "admin", "member"]


class Membership(msgspec.Struct, frozen=True):
    """One person's standing in a conversation; of two for the same person, the higher version is true."""

    user: str
    user_id: Uuid
    active: bool
    role: Role
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class MembersChanged(msgspec.Struct, frozen=True, tag_field="t", tag="members"):
    """Changes who belongs to a conversation; people whom it does not name stay as they are.

    `member_count` is how many belong to it then; records of before it was told have none.
    """

    conversation: Uuid
    kind: Kind
    title: str
    members: list[Membership]
    member_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    v: Literal[1] = 1
