"""The proof that somebody may write into a conversation: made by the guarded getters in `queries`, kept by gateways."""

from uuid import UUID

import msgspec


class Access(msgspec.Struct, frozen=True, gc=False):
    """A member's right to write, with all that a message says of its conversation; encoded once, used for each send.

    A gateway keeps many: it holds texts and bytes alone, so that the garbage collector need not look at it.
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
        sender: tuple[UUID, str],
        receiver: tuple[UUID, str] | None,
        member_count: int = 2,
    ) -> "Access":
        text = str(conversation)
        return cls(
            conversation=text,
            kind=kind,
            sender=sender[1],
            sender_id=str(sender[0]),
            receiver=receiver[1] if receiver else None,
            receiver_id=str(receiver[0]) if receiver else None,
            key=text.encode("ascii"),
            conversation_bytes=conversation.bytes,
            sender_bytes=sender[0].bytes,
            member_count=member_count,
        )
