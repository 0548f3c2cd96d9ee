"""Mutes of conversations: each member's own choice not to be notified.

A mute changes nothing in delivery, and has no record in the log: clients read it with the conversation.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from klatsch.conversations.models import Member
from klatsch.conversations.queries import no_such_conversation
from klatsch.core.errors import BadRequest, FieldError

FOR_EVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The end of a mute without an end: clients compare one time, whether a mute ends or not."""
MUTE_YEARS_MOST: Final = 10


def mute_conversation(*, user_id: UUID, conversation_id: UUID, until: datetime | None, now: datetime) -> datetime:
    """Mutes a conversation for a member until a time, or for ever, and returns the end. Replaces an earlier mute.

    Raises NotFound, and BadRequest for a time that is past or too far away.
    """
    if until is not None and until != FOR_EVER and not now < until <= now + timedelta(days=366 * MUTE_YEARS_MOST):
        detail = f"Use a time in the next {MUTE_YEARS_MOST} years, or none to mute for ever."
        raise BadRequest("The end of the mute is not valid.", fields=(FieldError("until", "invalid", detail),))
    end = FOR_EVER if until is None else until.replace(microsecond=until.microsecond // 1000 * 1000)
    _set_end(user_id, conversation_id, end)
    return end


def unmute_conversation(*, user_id: UUID, conversation_id: UUID) -> None:
    """Ends a member's mute of a conversation, if there is one; raises NotFound."""
    _set_end(user_id, conversation_id, None)


def _set_end(user_id: UUID, conversation_id: UUID, end: datetime | None) -> None:
    own = Member.objects.filter(conversation_id=conversation_id, user_id=user_id, active=True)
    if not own.update(muted_until=end):
        raise no_such_conversation()
