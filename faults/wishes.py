"""The changes that clients of a run make: of a few newest messages, so that they meet."""

import random

from faults.client import Client
from faults.folding import DELETED, EDITED, PINNED, REACTION
from faults.history import hash_of
from faults.sends import Change

_EMOJIS = ("👍", "🎉", "❤️")
_OPS = (*("edit",) * 5, *("react",) * 4, "delete", "delete", "pin")
_HALF = 0.5
_GONE = 0.15
"""The part of the edits that are of one's own message that is deleted, as an edit that crosses a deletion is."""


def wish_for(client: Client, number: int) -> Change | None:
    """Returns a change that the client may make; None if it knows no message for it."""
    view, op = client.view, random.choice(_OPS)
    mine = client.person.username
    is_late = op == "edit" and random.random() < _GONE
    fit = [
        key for key in view.recent
        if (shown := view.messages.get(key)) is not None and shown.state.deleted == is_late
        and (op == "react" or shown.sender == mine or (op != "edit" and shown.conversation in client.person.leads))
        and shown.conversation in client.person.conversations
    ]  # fmt: skip
    if not fit:
        return None
    key = random.choice(fit)
    shown = view.messages[key]
    change = Change(shown.conversation, "", target=key, op=op, fields={"position": shown.position})
    _fill(change, number, mine, shown.changed)
    return change


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
