"""change_message: the one way to edit, delete, react to and pin a message, for REST and sockets (D18).

`check_change` looks at the request alone, `check_facts` at the message as the archive has it. What can change between
that look and the record is judged in the log's order.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from klatsch.archive.targets import Facts, Own
from klatsch.core.clock import timestamp
from klatsch.core.errors import BadRequest, Conflict, FieldError, Forbidden, LimitReached, Unavailable
from klatsch.core.ids import message_id, uuid_bytes, uuid_text
from klatsch.core.text import EMOJI_BYTES_MOST, is_emoji
from klatsch.eventlog.log import Entry, LogError, LogWriter, Report
from klatsch.eventlog.places import Position
from klatsch.messaging.marks import is_after
from klatsch.messaging.mentions import Mention, Naming, naming_of
from klatsch.messaging.outcomes import name_in_use, refusal_of
from klatsch.messaging.sending import SentMessage, check_client_id, check_content, tell
from klatsch.records.changes import (
    DELETION_DIGEST,
    Change,
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    ReactionChanged,
    digest_edit,
    digest_pin,
    digest_reaction,
)
from klatsch.records.header import BEFORE_THE_EPOCH, DELETED, EDITED, PINNED, REACTION, Check, judged_body, make_header
from klatsch.records.judge import Verdict
from klatsch.records.values import encode

PINS_MOST: Final = 50
"""The most pinned messages of a conversation."""
EMOJIS_MOST: Final = 20
"""The most kinds of reactions to one message."""
OWN_EMOJIS_MOST: Final = 10
"""The most reactions of one person to one message."""
_TOLD: Final = ("edited_at", "mentions", "deleted_at", "at")
"""The fields of a change's record that the server makes: whoever changed the message gets no push that has them."""


class Edit(msgspec.Struct, frozen=True, gc=False):
    """Another text for one's own message. `base` is the `changed` that the editor saw, None to edit in any case."""

    content: str
    base: str | None = None
    mentions: Sequence[Mention] = ()


class Delete(msgspec.Struct, frozen=True, gc=False):
    """A deletion, for good."""


class React(msgspec.Struct, frozen=True, gc=False):
    """A reaction, or taking it back."""

    emoji: str
    on: bool


class Pin(msgspec.Struct, frozen=True, gc=False):
    """A pin, or taking it off."""

    on: bool


Wish = Edit | Delete | React | Pin
"""A change that a person asks for."""


def check_change(wish: Wish, client_id: str) -> None:
    """Raises BadRequest, TooLong or InvalidContent unless the change makes sense in itself."""
    check_client_id(client_id)
    if isinstance(wish, Edit):
        check_content(wish.content)
        if wish.base is not None:
            _parse_base(wish.base)
    elif isinstance(wish, React) and not is_emoji(wish.emoji):
        field = FieldError("emoji", "invalid", f"Use one emoji of at most {EMOJI_BYTES_MOST} bytes.")
        raise BadRequest("A reaction is one emoji.", fields=(field,))


def check_facts(wish: Wish, facts: Facts, *, now_ms: int, edit_window_s: int) -> None:
    """Raises Blocked, Gone, Forbidden, Conflict, LimitReached or Unavailable unless the person may change the message.

    `edit_window_s` is how long after sending a message may be edited; 0 means for ever.
    """
    if facts.blocked:
        raise refusal_of(Verdict.BLOCKED)
    if facts.deleted:
        raise refusal_of(Verdict.GONE)
    if isinstance(wish, Edit):
        _check_edit(wish, facts, now_ms, edit_window_s)
    elif isinstance(wish, React):
        _check_reaction(wish, facts)
    elif needs_role(wish, facts) and facts.role == "member":
        what = "pin messages" if isinstance(wish, Pin) else "delete other people's messages"
        raise Forbidden(f"Only owners and admins of a group may {what}.")
    elif isinstance(wish, Delete) and facts.kind == "direct" and facts.sender_id != facts.user_id:
        raise Forbidden("You can delete only your own messages in a direct conversation.")
    elif isinstance(wish, Pin) and wish.on and not facts.pinned and facts.pins >= PINS_MOST:
        raise LimitReached(f"A conversation has at most {PINS_MOST} pinned messages. Unpin one first.")
    check_announced(facts)


def check_announced(facts: Facts) -> None:
    """Raises Unavailable for a message that was stored late, until the log has the record that announces it."""
    if facts.unannounced:
        # The record holds the message as it was sent. After a change, it would undo that change in clients.
        raise Unavailable("This message was stored late and is being announced. Try again later.", retry_after=1)


def needs_role(wish: Wish, facts: Facts) -> bool:
    """Returns whether the person may do this only as an owner or an admin of a group."""
    if facts.kind == "direct":
        return False
    return isinstance(wish, Pin) or (isinstance(wish, Delete) and facts.sender_id != facts.user_id)


def naming_in(wish: Edit, facts: Facts) -> Naming | None:
    """Returns the names in an edit's text, for `mentions.find_mentions`; None without names."""
    return naming_of(wish.content, conversation=facts.conversation, author_id=facts.user_id)


def with_mentions(wish: Edit, mentions: Sequence[Mention]) -> Edit:
    """Returns an edit that mentions these people."""
    return msgspec.structs.replace(wish, mentions=mentions)


def change_message(
    *,
    log: LogWriter,
    facts: Facts,
    wish: Wish,
    client_id: str,
    epoch: int,
    checked_at_ms: int,
    now_ms: int,
    report: Callable[[Report], None] | None = None,
    trace: bytes = b"",
) -> SentMessage:
    """Appends the record of a change; never blocks. Raises Unavailable, after which nothing was appended.

    `check_change` and `check_facts` have passed. The archive had everything at `checked_at_ms` that the log held at
    that time. The change counts once its record was read back and judged.
    """
    sent, entry = make_change(
        facts=facts, wish=wish, client_id=client_id, epoch=epoch, checked_at_ms=checked_at_ms, now_ms=now_ms
    )
    try:
        log.append(msgspec.structs.replace(entry, trace=trace), report)
    except LogError as error:
        raise Unavailable("The log accepts no changes right now. Try again later.", retry_after=1) from error
    return sent


def make_change(
    *, facts: Facts, wish: Wish, client_id: str, epoch: int, checked_at_ms: int, now_ms: int
) -> tuple[SentMessage, Entry]:
    """Returns a change's id and digest, and the entry of its record."""
    kind, event = _record_of(wish, facts, timestamp(now_ms))
    own_id, target = identify_change(facts, client_id), uuid_bytes(facts.message_id)
    check = Check(
        at_ms=checked_at_ms,
        base=_base_offset(wish.base, epoch) if isinstance(wish, Edit) else None,
        by_role=needs_role(wish, facts),
        was_on=facts.pinned if isinstance(wish, Pin) else isinstance(wish, React) and wish.emoji in facts.own_emojis,
    )
    value = encode(event)
    header = make_header(kind, own_id, uuid_bytes(facts.user_id), digest_of(wish), target, check.encode())
    told = tell({name: getattr(event, name) for name in _TOLD if hasattr(event, name)})
    sent = SentMessage(own_id, uuid_text(own_id), judged_body(header), value, told)
    return sent, Entry(facts.key, value, header)


def identify_change(facts: Facts, client_id: str) -> bytes:
    """Returns a change's own id. It is computed, so that a retry yields the same in any process."""
    return message_id(uuid_bytes(facts.conversation), uuid_bytes(facts.user_id), client_id)


def digest_of(wish: Wish) -> bytes:
    """Returns the digest that tells two changes of one message apart."""
    if isinstance(wish, Edit):
        return digest_edit(wish.content)
    if isinstance(wish, React):
        return digest_reaction(wish.emoji, on=wish.on)
    return digest_pin(on=wish.on) if isinstance(wish, Pin) else DELETION_DIGEST


def check_own(own: Own, wish: Wish, facts: Facts) -> None:
    """Raises Conflict unless the record that is stored under a change's name is that change of that message."""
    if own.digest != digest_of(wish) + uuid_bytes(facts.message_id):
        raise name_in_use()


def _record_of(wish: Wish, facts: Facts, now: str) -> tuple[int, Change]:
    """Returns the kind's number and the value of a change's record."""
    at: dict[str, Any] = {"id": facts.message_id, "conversation": facts.conversation}
    by: dict[str, Any] = {"by": facts.username, "by_id": facts.user_id}
    if isinstance(wish, Edit):
        names, ids = [one.username for one in wish.mentions], [one.user_id for one in wish.mentions]
        return EDITED, MessageEdited(**at, **by, content=wish.content, mentions=names, mention_ids=ids, edited_at=now)
    if isinstance(wish, React):
        return REACTION, ReactionChanged(**at, emoji=wish.emoji, on=wish.on, user=facts.username, user_id=facts.user_id)
    if isinstance(wish, Pin):
        return PINNED, MessagePinned(**at, **by, on=wish.on, at=now)
    return DELETED, MessageDeleted(**at, **by, deleted_at=now)


def _check_edit(wish: Edit, facts: Facts, now_ms: int, edit_window_s: int) -> None:
    if facts.sender_id != facts.user_id:
        raise Forbidden("You can edit only your own messages.")
    if edit_window_s and now_ms - facts.sent_at_ms > edit_window_s * 1_000:
        raise Forbidden(f"Messages can be edited for {edit_window_s} seconds after they were sent.")
    if wish.base is not None:
        _check_base(_parse_base(wish.base), Position.parse(facts.position))
    if is_overtaken(wish, facts):
        raise Conflict("The message was edited meanwhile.", changed=facts.edited)


def is_overtaken(wish: Edit, facts: Facts) -> bool:
    """Returns whether the message has an edit that the editor had not seen."""
    if wish.base is None or facts.edited is None:
        return False
    return is_after(Position.parse(facts.edited), _parse_base(wish.base))


def _check_reaction(wish: React, facts: Facts) -> None:
    if not wish.on or wish.emoji in facts.own_emojis:
        return
    if len(facts.own_emojis) >= OWN_EMOJIS_MOST:
        raise LimitReached(f"You have {OWN_EMOJIS_MOST} reactions to this message, which is the limit.")
    if wish.emoji not in facts.emojis and len(facts.emojis) >= EMOJIS_MOST:
        raise LimitReached(f"This message has {EMOJIS_MOST} kinds of reactions, which is the limit.")


def _parse_base(base: str) -> Position:
    try:
        return Position.parse(base)
    except ValueError as error:
        raise _bad_base() from error


def _check_base(base: Position, own: Position) -> None:
    """Raises BadRequest for a place that no change of the message has: offsets of two partitions have no order."""
    if base.epoch == own.epoch and base.partition != own.partition:
        raise _bad_base()


def _bad_base() -> BadRequest:
    field = FieldError("base", "invalid", "Use the `changed` of the message that you have.")
    return BadRequest("base must be a position of a version of this message.", fields=(field,))


def _base_offset(base: str | None, epoch: int) -> int | None:
    if base is None:
        return None
    position = Position.parse(base)
    if position.epoch > epoch:  # it would be judged by what a feed happens to remember
        raise _bad_base()
    return position.offset if position.epoch == epoch else BEFORE_THE_EPOCH
