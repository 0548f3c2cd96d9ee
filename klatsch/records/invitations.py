"""The records of invitations in `klatsch.events`, version 1: each concerns the invited person alone."""

from typing import Annotated, Literal

import msgspec

from klatsch.records.values import Time, Uuid

InvitationState = Literal["open", "accepted", "declined", "withdrawn", "expired"]


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to a group. Of two with one id, the higher version counts.

    `title`, `description` and `member_count` are the group's while the invitation is open; then they are empty and 0.
    """

    id: Uuid
    conversation: Uuid
    title: str
    description: str
    member_count: Annotated[int, msgspec.Meta(ge=0)]
    user: str
    user_id: Uuid
    invited_by: str
    state: InvitationState
    created_at: Time
    expires_at: Time
    version: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class InvitationChanged(Invitation, frozen=True, kw_only=True, tag_field="t", tag="invitation"):
    """An invitation is new, or has ended."""

    v: Literal[1] = 1
