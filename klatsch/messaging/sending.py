"""send_message: the one way to send, for REST and sockets. The checks of a draft come before it (D3, D4)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from klatsch.conversations.access import Access
from klatsch.core.bucket import Buckets, tokens_for
from klatsch.core.clock import timestamp
from klatsch.core.errors import BadRequest, FieldError, InvalidContent, TooLong, Unavailable
from klatsch.core.ids import is_client_id, is_fresh, is_uuid, message_id, uuid_text
from klatsch.eventlog.log import Entry, LogError, LogWriter, Report
from klatsch.messaging.mentions import Mention
from klatsch.records.header import NEW_MESSAGE, make_header
from klatsch.records.messages import CONTENT_MOST, MessagePosted, digest
from klatsch.records.values import encode

_RECENT_MS: Final = 20_000
"""The most time between the check of a `client_id` and its append.

Feeds remember copies for longer than this, the age of a fresh `client_id` and a producer's time-out together.
"""
_REFUSED_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message to send. `client_id` is its sender's name for it: sending it again with that name is a retry."""

    content: str
    client_id: str
    reply_to: str | None = None


class SentMessage(msgspec.Struct, frozen=True, gc=False):
    """A message or a change on its way into the log. Its answer comes from reading it back.

    `id_text` is its id as its answer has it. `digest` tells two records of one id apart
    (`header.judged_body`). In a change, the id of the message follows it.
    `told` is JSON that the sender's `ok` has besides, `,"name":value` for each field of the push that only the server
    knows. `value` is the record's value once it is appended, and empty before.
    """

    id: bytes
    id_text: str
    digest: bytes
    value: bytes = b""
    told: bytes = b""


def check_rate(rates: Buckets, sender_id: str, now_s: float) -> None:
    """Raises RateLimited when a person sends more than one process accepts, over sockets and REST together (D16)."""
    rates.check(sender_id, now_s, "You are sending too fast. Try again later.")


def check_audience(rates: Buckets, user_id: str, member_count: int, now_s: float) -> None:
    """Raises RateLimited when a person writes too much into large groups. `check_rate` has taken the first token."""
    more = tokens_for(member_count) - 1
    if more:
        detail = "You are sending too fast into a large group. Try again later."
        rates.check(user_id, now_s, detail, cost=more, paid=1, cap="audience")


def check_draft(draft: Draft) -> None:
    """Raises BadRequest, TooLong or InvalidContent unless the draft may be stored verbatim."""
    check_client_id(draft.client_id)
    check_content(draft.content)
    if draft.reply_to is not None and not is_uuid(draft.reply_to):
        raise BadRequest(
            "reply_to must be the id of a message.",
            fields=(FieldError("reply_to", "invalid", "Use a UUID in lower case."),),
        )


def check_client_id(client_id: str) -> None:
    """Raises BadRequest unless the text can name a message or a change."""
    if not is_client_id(client_id):
        raise BadRequest(
            "client_id must be 1 to 64 of A-Z a-z 0-9 _ -, ideally a UUIDv7.",
            fields=(FieldError("client_id", "invalid", "Use 1 to 64 of A-Z a-z 0-9 _ -."),),
        )


def check_content(content: str) -> None:
    """Raises TooLong or InvalidContent unless the text is valid and has 1 to 4,000 characters."""
    if not content:
        raise InvalidContent(
            "A message needs a text.", fields=(FieldError("content", "empty", "Use 1 to 4,000 characters."),)
        )
    if len(content) > CONTENT_MOST:
        raise TooLong(
            f"A message has at most {CONTENT_MOST} characters, this one has {len(content)}.",
            fields=(FieldError("content", "too_long", "Use 1 to 4,000 characters."),),
        )
    # isprintable() costs a tenth of the search, and is true of most messages.
    if not content.isprintable() and _REFUSED_CHARACTERS.search(content) is not None:
        raise InvalidContent(
            "A message is text: no control characters but tab and line ends, no NUL, no lone surrogate.",
            fields=(FieldError("content", "invalid", "Remove control characters and lone surrogates."),),
        )


def needs_lookup(draft: Draft, now_ms: int, since_ms: int) -> bool:
    """Returns whether the `client_id` may be older than what feeds remember: `lookup.find_earlier` comes first then."""
    return not is_fresh(draft.client_id, now_ms, since_ms)


def check_recent(judged_ms: int, now_ms: int) -> None:
    """Raises Unavailable where `needs_lookup` was asked too long ago: feeds may have forgotten a copy since."""
    if now_ms - judged_ms > _RECENT_MS:
        raise Unavailable("The server took too long to check this message. Send it again.", retry_after=1)


def send_message(
    *,
    log: LogWriter,
    access: Access,
    draft: Draft,
    now_ms: int,
    mentions: Sequence[Mention] = (),
    report: Callable[[Report], None] | None = None,
    trace: bytes = b"",
) -> SentMessage:
    """Appends the record of a draft; never blocks. Raises Unavailable, after which nothing was appended.

    The draft has passed `check_draft`, and `find_earlier` where it `needs_lookup`. `access` proves that the sender may
    write there (`conversations.queries.get_access`, or the gateway's cache). The message counts once its record was
    read back: `gateway.feed` and `messaging.posting` wait for that.
    """
    sent = identify(access, draft)
    value = encode(
        MessagePosted(
            id=sent.id_text,
            client_id=draft.client_id,
            conversation=access.conversation,
            sender=access.sender,
            sender_id=access.sender_id,
            receiver=access.receiver,
            receiver_id=access.receiver_id,
            content=draft.content,
            sent_at=timestamp(now_ms),
            reply_to=draft.reply_to,
            mentions=[one.username for one in mentions] if mentions else [],
            mention_ids=[one.user_id for one in mentions] if mentions else [],
        )
    )
    header = make_header(NEW_MESSAGE, sent.id, access.sender_bytes, sent.digest)
    try:
        log.append(Entry(access.key, value, header, trace=trace), report)
    except LogError as error:  # full, or closed for good
        raise Unavailable("The log accepts no messages right now. Try again later.", retry_after=1) from error
    told = tell({"mentions": [one.username for one in mentions]}) if mentions else b""
    return SentMessage(sent.id, sent.id_text, sent.digest, value, told)


def tell(fields: Mapping[str, Any]) -> bytes:
    """Returns the fields as `SentMessage.told`."""
    return b"," + encode(fields)[1:-1] if fields else b""


def identify(access: Access, draft: Draft) -> SentMessage:
    """Returns the id and digest of a draft. They are computed, so that a retry yields the same in any process."""
    own_id = message_id(access.conversation_bytes, access.sender_bytes, draft.client_id)
    return SentMessage(own_id, uuid_text(own_id), digest(draft.content, draft.reply_to))
