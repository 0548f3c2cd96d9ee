"""Reads what the archive knows of the changes in a batch, in three statements."""

from collections.abc import Collection, Sequence
from typing import Final

from klatsch.core.ids import uuid_bytes, uuid_text
from klatsch.eventlog.log import Record
from klatsch.persister.past import Past
from klatsch.persister.statements import Connection
from klatsch.records.changes import name_reaction
from klatsch.records.header import REACTION, judged_actor, judged_id, judged_target
from klatsch.records.verdicts import Target, reaction_key

_TARGETS: Final = """
    SELECT m.id::text, m.conversation_id::text, m.deleted, m.pinned_at IS NOT NULL,
        CASE WHEN m.edited_at IS NOT NULL AND NOT m.deleted THEN
            (SELECT max(v."offset") FROM messaging_messageversion v WHERE v.message_id = m.id AND v.epoch = %s) END
    FROM messaging_message m WHERE m.id = ANY(%s::uuid[])"""
_REACTIONS: Final = """
    SELECT r.message_id::text, r.user_id::text, r.emoji
    FROM messaging_reaction r
    JOIN unnest(%s::uuid[], %s::uuid[]) AS wanted(message_id, user_id) USING (message_id, user_id)"""
_KNOWN: Final = """
    SELECT id::text FROM messaging_change WHERE id = ANY(%s::uuid[])
    UNION ALL SELECT id::text FROM messaging_message WHERE id = ANY(%s::uuid[])"""


def read_past(connection: Connection, epoch: int, changes: Sequence[Record]) -> Past:
    """Returns what the archive knows of these changes' messages and own ids."""
    past = Past(frozenset(judged_target(change.judge) for change in changes))
    ids = _texts(past.wanted)
    for message_id, conversation, deleted, pinned, edited in connection.execute(_TARGETS, (epoch, ids)):
        target_id = uuid_bytes(message_id)
        past.targets[target_id] = Target(deleted=deleted, edited=-1 if edited is None else edited, pinned=pinned)
        past.keys[target_id] = conversation.encode("ascii")
    _read_reactions(connection, past, [change for change in changes if change.judge[0] == REACTION])
    own = _texts({judged_id(change.judge) for change in changes})
    past.ids = {uuid_bytes(known) for (known,) in connection.execute(_KNOWN, (own, own))}
    return past


def _read_reactions(connection: Connection, past: Past, reactions: Sequence[Record]) -> None:
    if not reactions:
        return
    for reaction in reactions:
        target = past.targets.get(judged_target(reaction.judge))
        if target is not None:
            target.note_reaction(reaction_key(reaction.judge), 0, on=False)
    messages = _texts([judged_target(reaction.judge) for reaction in reactions])
    people = _texts([judged_actor(reaction.judge) for reaction in reactions])
    for message_id, user_id, emoji in connection.execute(_REACTIONS, (messages, people)):
        past.targets[uuid_bytes(message_id)].note_reaction(uuid_bytes(user_id) + name_reaction(emoji), 0, on=True)


def _texts(ids: Collection[bytes]) -> list[str]:
    return [uuid_text(one) for one in ids]
