"""Access: a member's right to write. The guarded getters in `queries` return it; gateways cache it."""

from uuid import UUID

import msgspec

from klatsch.accounts.queries import Person
from klatsch.core.errors import Blocked, Forbidden


class Access(msgspec.Struct, frozen=True, gc=False):
    """A member's right to write, with what messages say of the conversation; encoded once and used for each send.

    A gateway caches many of them. It holds only texts and bytes, so that the garbage collector can skip it.
    """

    conversation: str
    kind: str
    sender: str
    sender_id: str
    receiver: str | None
    receiver_id: str | None
    key: bytes
    conversation_bytes: bytes
    sender_bytes: bytes
    member_count: int

    @classmethod
    def of(
        cls,
        *,
        conversation: UUID,
        kind: str,
        sender: Person,
        receiver: Person | None,
        member_count: int = 2,
    ) -> "Access":
        text = str(conversation)
        return cls(
            conversation=text,
            kind=kind,
            sender=sender.username,
            sender_id=str(sender.id),
            receiver=receiver.username if receiver else None,
            receiver_id=str(receiver.id) if receiver else None,
            key=text.encode("ascii"),
            conversation_bytes=conversation.bytes,
            sender_bytes=sender.id.bytes,
            member_count=member_count,
        )


def check_blocks(*, blocked: bool, blocking: bool) -> None:
    """Raises Blocked for a person whom the other one has blocked, and Forbidden for one who has blocked the other.

    The second is refused because the other person could not answer. Nothing of theirs would be void.
    """
    if blocked:
        raise Blocked("This person has blocked you.")
    if blocking:
        raise Forbidden("You have blocked this person. Unblock them first.")
