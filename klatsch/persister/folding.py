"""Folds edits, deletions, reactions and pins into the archived messages, within the caller's transaction (D18).

A batch's changes of one message are combined first, so that its row is written once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from klatsch.archive.message_view import NAMES_MOST
from klatsch.core.ids import uuid_text
from klatsch.persister.batch import DeltaRow, MessageRow
from klatsch.persister.statements import Connection
from klatsch.records.changes import MessageDeleted, MessageEdited, MessagePinned, ReactionChanged
from klatsch.records.header import judged_actor, judged_digest, judged_id


@dataclass(slots=True)
class _Folded:
    """The changes of one message in a batch. `changed` is the offset of the last that had an effect."""

    changed: int = -1
    edits: list[tuple[int, MessageEdited]] = field(default_factory=list)
    deleted: bool = False
    pin: MessagePinned | None = None
    reactions: dict[tuple[str, str], tuple[bool, int]] = field(default_factory=dict)


def fold_changes(connection: Connection, epoch: int, rows: Sequence[DeltaRow]) -> None:
    """Stores the changes with their own ids, and their outcome in the messages. `rows` are in the log's order."""
    _insert_changes(connection, epoch, rows)
    messages = _combine(row for row in rows if row.effective)
    if not messages:
        return
    deleted = [message_id for message_id, folded in messages.items() if folded.deleted]
    edited = {message_id: folded for message_id, folded in messages.items() if folded.edits and not folded.deleted}
    reacted = {message_id: folded for message_id, folded in messages.items() if folded.reactions and not folded.deleted}
    if edited:
        _insert_versions(connection, epoch, edited)
        _replace_mentions(connection, edited)
    if reacted:
        _change_reactions(connection, epoch, reacted)
    if deleted:
        _forget(connection, deleted)
    _update_messages(connection, epoch, messages)


def insert_mentions(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Stores who is mentioned in new messages, which the transaction has inserted already."""
    pairs = [(row.event.id, user_id) for row in rows for user_id in row.event.mention_ids]
    if pairs:
        connection.execute(_INSERT_MENTIONS, ([message for message, _ in pairs], [person for _, person in pairs]))


def _combine(rows: Iterable[DeltaRow]) -> dict[str, _Folded]:
    messages: dict[str, _Folded] = {}
    for row in rows:
        event, offset = row.event, row.record.offset
        folded = messages.setdefault(event.id, _Folded())
        folded.changed = offset
        if isinstance(event, MessageEdited):
            folded.edits.append((offset, event))
        elif isinstance(event, MessageDeleted):
            folded.deleted = True
        elif isinstance(event, MessagePinned):
            folded.pin = event
        elif isinstance(event, ReactionChanged):
            folded.reactions[event.user_id, event.emoji] = (event.on, offset)
    return messages


def _insert_changes(connection: Connection, epoch: int, rows: Sequence[DeltaRow]) -> None:
    connection.execute(
        "INSERT INTO messaging_change "
        '(id, message_id, kind, actor_id, partition, "offset", digest, effective, epoch) '
        "SELECT *, %s FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::uuid[], %s::smallint[], %s::bigint[], "
        "%s::bytea[], %s::bool[])",
        (
            epoch,
            [uuid_text(judged_id(row.record.judge)) for row in rows],
            [row.event.id for row in rows],
            [row.record.judge[0] for row in rows],
            [uuid_text(judged_actor(row.record.judge)) for row in rows],
            [row.record.partition for row in rows],
            [row.record.offset for row in rows],
            [judged_digest(row.record.judge) for row in rows],
            [row.effective for row in rows],
        ),
    )


def _insert_versions(connection: Connection, epoch: int, edited: dict[str, _Folded]) -> None:
    """Keeps the original text of a message with its first edit, and the text of each edit."""
    connection.execute(
        'INSERT INTO messaging_messageversion (message_id, epoch, "offset", content, written_at) '
        'SELECT id, epoch, "offset", content, sent_at FROM messaging_message '
        "WHERE id = ANY(%s::uuid[]) AND edited_at IS NULL ON CONFLICT DO NOTHING",
        (list(edited),),
    )
    versions = [(offset, event) for folded in edited.values() for offset, event in folded.edits]
    connection.execute(
        'INSERT INTO messaging_messageversion (message_id, "offset", content, written_at, epoch) '
        "SELECT *, %s FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[]) ON CONFLICT DO NOTHING",
        (
            epoch,
            [event.id for _, event in versions],
            [offset for offset, _ in versions],
            [event.content for _, event in versions],
            [event.edited_at for _, event in versions],
        ),
    )


_OTHER_MENTIONS: Final = """
    DELETE FROM messaging_mention old WHERE old.message_id = ANY(%s::uuid[]) AND NOT EXISTS (
        SELECT FROM unnest(%s::uuid[], %s::uuid[]) AS new(message_id, user_id)
        WHERE new.message_id = old.message_id AND new.user_id = old.user_id)"""
_INSERT_MENTIONS: Final = """
    INSERT INTO messaging_mention (message_id, user_id, conversation_id, seq, sent_at)
    SELECT m.id, new.user_id, m.conversation_id, m.seq, m.sent_at
    FROM unnest(%s::uuid[], %s::uuid[]) AS new(message_id, user_id) JOIN messaging_message m ON m.id = new.message_id
    ON CONFLICT DO NOTHING"""


def _replace_mentions(connection: Connection, edited: dict[str, _Folded]) -> None:
    pairs = [(message_id, user_id) for message_id, it in edited.items() for user_id in it.edits[-1][1].mention_ids]
    messages, people = [message_id for message_id, _ in pairs], [user_id for _, user_id in pairs]
    connection.execute(_OTHER_MENTIONS, (list(edited), messages, people))
    if pairs:
        connection.execute(_INSERT_MENTIONS, (messages, people))


def _change_reactions(connection: Connection, epoch: int, reacted: dict[str, _Folded]) -> None:
    changes = [(message_id, *key, *value) for message_id, it in reacted.items() for key, value in it.reactions.items()]
    off = [change for change in changes if not change[3]]
    on = [change for change in changes if change[3]]
    if off:
        connection.execute(
            "DELETE FROM messaging_reaction gone "
            "USING unnest(%s::uuid[], %s::uuid[], %s::text[]) AS off(message_id, user_id, emoji) "
            "WHERE gone.message_id = off.message_id AND gone.user_id = off.user_id AND gone.emoji = off.emoji",
            tuple([change[column] for change in off] for column in range(3)),
        )
    if on:
        connection.execute(
            'INSERT INTO messaging_reaction (message_id, user_id, emoji, "offset", epoch) '
            "SELECT *, %s FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[]) "
            "ON CONFLICT (message_id, user_id, emoji) DO UPDATE "
            'SET epoch = excluded.epoch, "offset" = excluded."offset"',
            (epoch, *([change[column] for change in on] for column in (0, 1, 2, 4))),
        )


def _forget(connection: Connection, deleted: list[str]) -> None:
    for table in (b"messaging_messageversion", b"messaging_mention", b"messaging_reaction"):
        connection.execute(b"DELETE FROM " + table + b" WHERE message_id = ANY(%s::uuid[])", (deleted,))


_UPDATE: Final = f"""
    UPDATE messaging_message AS stored SET
        content = CASE WHEN new.deleted THEN '' ELSE coalesce(new.content, stored.content) END,
        edited_at = coalesce(new.edited_at, stored.edited_at),
        mentions = CASE WHEN new.deleted THEN '[]' ELSE coalesce(new.mentions, stored.mentions) END,
        deleted = stored.deleted OR new.deleted,
        pinned_at = CASE WHEN new.pins THEN new.pinned_at ELSE stored.pinned_at END,
        pinned_by = CASE WHEN new.pins THEN new.pinned_by ELSE stored.pinned_by END,
        reactions = CASE WHEN new.deleted THEN '{{}}' WHEN new.reacts THEN (
            SELECT coalesce(jsonb_object_agg(emoji, names), '{{}}') FROM (
                SELECT emoji, jsonb_agg(username ORDER BY place) AS names FROM (
                    SELECT r.emoji, u.username,
                        row_number() OVER (PARTITION BY r.emoji ORDER BY r.epoch, r."offset") AS place
                    FROM messaging_reaction r JOIN accounts_user u ON u.id = r.user_id
                    WHERE r.message_id = stored.id) one
                WHERE place <= {NAMES_MOST} GROUP BY emoji) each)
            ELSE stored.reactions END,
        reaction_counts = CASE WHEN new.deleted THEN '{{}}' WHEN new.reacts THEN (
            SELECT coalesce(jsonb_object_agg(emoji, people), '{{}}') FROM (
                SELECT r.emoji, count(*) AS people FROM messaging_reaction r
                WHERE r.message_id = stored.id GROUP BY r.emoji) each)
            ELSE stored.reaction_counts END,
        changed_epoch = %s, changed_offset = new.changed_offset
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::jsonb[], %s::bool[], %s::bool[], %s::timestamptz[],
        %s::uuid[], %s::bool[], %s::bigint[])
        AS new(id, content, edited_at, mentions, deleted, pins, pinned_at, pinned_by, reacts, changed_offset)
    WHERE stored.id = new.id"""  # noqa: S608 - a number


def _update_messages(connection: Connection, epoch: int, messages: dict[str, _Folded]) -> None:
    folded = list(messages.values())
    last = [one.edits[-1][1] if one.edits else None for one in folded]
    pins = [_pin_of(one) for one in folded]
    connection.execute(
        _UPDATE.encode(),
        (
            epoch,
            list(messages),
            [edit and edit.content for edit in last],
            [edit and edit.edited_at for edit in last],
            [edit and msgspec.json.encode(edit.mentions).decode() for edit in last],
            [one.deleted for one in folded],
            [one.deleted or one.pin is not None for one in folded],
            [at for at, _ in pins],
            [by for _, by in pins],
            [bool(one.reactions) for one in folded],
            [one.changed for one in folded],
        ),
    )


def _pin_of(folded: _Folded) -> tuple[Any, Any]:
    """Returns the time and the person of the pin that the message has after the batch, if it changes the pin."""
    pin = folded.pin
    return (None, None) if folded.deleted or pin is None or not pin.on else (pin.at, pin.by_id)
