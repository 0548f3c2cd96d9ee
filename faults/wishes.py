"""The changes that clients of a run make: of a few newest messages, so that they meet."""

import random

from faults.client import Client
from faults.folding import DELETED, EDITED, PINNED, REACTION
from faults.history import hash_of
from faults.sends import Change

_EMOJIS = ("👍", "🎉", "❤️")
_OPS = (*("edit",) * 5, *("react",) * 4, "delete", "delete", "pin")
_HALF = 0.5
_GONE = 0.3
"""The part of the edits that are of an own deleted message, if one is known: as if edit and deletion had crossed."""


def wish_for(client: Client, number: int) -> Change | None:
    """Returns a change that the client may make; None if it knows no message for it."""
    op, mine = random.choice(_OPS), client.person.username
    is_late = op == "edit" and random.random() < _GONE
    fit = _fit(client, op, deleted=True) if is_late else []
    fit = fit or _fit(client, op, deleted=False)
    if not fit:
        return None
    key = random.choice(fit)
    shown = client.view.messages[key]
    change = Change(shown.conversation, "", target=key, op=op, fields={"position": shown.position})
    _fill(change, number, mine, shown.changed)
    return change


def _fit(client: Client, op: str, *, deleted: bool) -> list[str]:
    """Returns the newest messages that are fit for the op: own ones to edit, in led conversations also to delete."""
    person, messages = client.person, client.view.messages
    return [
        key for key in client.view.recent
        if (shown := messages.get(key)) is not None and shown.state.deleted == deleted
        and (op == "react" or shown.sender == person.username or (op != "edit" and shown.conversation in person.leads))
        and shown.conversation in person.conversations
    ]  # fmt: skip


def pin_in(client: Client, conversation: str) -> Change | None:
    """Returns a pin of the newest message in that conversation that the client knows."""
    for key, shown in reversed(client.view.messages.items()):
        if shown.conversation == conversation and not shown.state.deleted:
            fields: dict[str, object] = {"position": shown.position, "on": True}
            return Change(conversation, "", target=key, op="pin", fields=fields, what=PINNED, body="on")
    return None


def _fill(change: Change, number: int, mine: str, changed: str) -> None:
    on = random.random() < 0.7  # noqa: PLR2004 - more is added than taken away
    word = "on" if on else "off"
    if change.op == "edit":
        text = f"edited {number}"
        change.fields |= {"content": text, "base": changed if random.random() < _HALF else None}
        change.what, change.body = EDITED, hash_of(text)
    elif change.op == "delete":
        change.what, change.body = DELETED, ""
    elif change.op == "react":
        emoji = random.choice(_EMOJIS)
        change.fields |= {"emoji": emoji, "on": on}
        change.what, change.body = REACTION, f"{mine} {emoji} {word}"
    else:
        change.fields["on"] = on
        change.what, change.body = PINNED, word
