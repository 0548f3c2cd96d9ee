"""The table of rights: one row for each action, one column for each role. The tests are made from it.

`+` means that it is done, and `-` that it makes no sense. Anything else is a refusal, after which nothing has happened:
`not_found` (404), `forbidden` (403) or another code; `silence` where there is never an answer. A thing that exists and
that the actor may not see is answered like a thing that does not exist.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from klatsch.core.ids import uuid7
from tests.e2e.authorization.scene import Scene

Request = tuple[str, str, Any]
"""Method, path and body."""
Frame = tuple[str, dict[str, Any]]
"""Operation and body."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action over REST, over a socket, or both. One that `ends` the scene is done last, in a scene of its own."""

    name: str
    rest: Callable[[Scene], Request] | None = None
    socket: Callable[[Scene], Frame] | None = None
    ends: bool = False


def _new() -> str:
    return uuid7(time.time_ns() // 1_000_000)


def _change(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"message": message["id"], "position": message["position"], "client_id": _new()} | fields


def _in(scene: Scene, rest: str = "") -> str:
    return f"conversations/{scene.conversation}{rest}"


ACTIONS: Final = (
    Action("read the conversation", lambda s: ("GET", _in(s), None)),
    Action("read the history", lambda s: ("GET", _in(s, "/messages"), None)),
    Action("read the members", lambda s: ("GET", _in(s, "/members"), None)),
    Action("read the pins", lambda s: ("GET", _in(s, "/pins"), None)),
    Action("read the markers", lambda s: ("GET", _in(s, "/markers"), None)),
    Action("read a message", lambda s: ("GET", f"messages/{s.theirs['id']}", None)),
    Action("read its versions", lambda s: ("GET", f"messages/{s.theirs['id']}/versions", None)),
    Action("read its reactions", lambda s: ("GET", f"messages/{s.theirs['id']}/reactions", None)),
    Action("read the other", lambda s: ("GET", f"users/{s.names['owner']}/messages", None)),
    Action(
        "write to the other",
        lambda s: ("POST", f"users/{s.names['owner']}/messages", {"content": "hi"}),
        lambda s: ("send", {"to": s.names["owner"], "content": "hi", "client_id": _new()}),
    ),
    Action(
        "send",
        lambda s: ("POST", _in(s, "/messages"), {"content": "hi"}),
        lambda s: ("send", {"conversation": s.conversation, "content": "hi", "client_id": _new()}),
    ),
    Action("send by name", lambda s: ("PUT", _in(s, f"/messages/{_new()}"), {"content": "hi"})),
    Action(
        "reply",
        lambda s: ("POST", _in(s, "/messages"), {"content": "hi", "reply_to": s.theirs["id"]}),
        lambda s: (
            "send",
            {"conversation": s.conversation, "content": "hi", "client_id": _new(), "reply_to": s.theirs["id"]},
        ),
    ),
    Action(
        "edit one's own",
        lambda s: ("PATCH", f"messages/{s.own['id']}", {"content": "other"}),
        lambda s: ("edit", _change(s.own, content="other")),
    ),
    Action(
        "edit another's",
        lambda s: ("PATCH", f"messages/{s.theirs['id']}", {"content": "other"}),
        lambda s: ("edit", _change(s.theirs, content="other")),
    ),
    Action(
        "react",
        lambda s: ("PUT", f"messages/{s.theirs['id']}/reactions/👍", None),
        lambda s: ("react", _change(s.theirs, emoji="🎉", on=True)),
    ),
    Action(
        "take a reaction back",
        lambda s: ("DELETE", f"messages/{s.theirs['id']}/reactions/👍", None),
        lambda s: ("react", _change(s.theirs, emoji="🎉", on=False)),
    ),
    Action(
        "pin",
        lambda s: ("PUT", f"messages/{s.theirs['id']}/pin", None),
        lambda s: ("pin", _change(s.theirs, on=True)),
    ),
    Action(
        "unpin",
        lambda s: ("DELETE", f"messages/{s.theirs['id']}/pin", None),
        lambda s: ("pin", _change(s.theirs, on=False)),
    ),
    Action(
        "mark as read",
        lambda s: ("PUT", _in(s, "/markers"), {"read": s.theirs["position"]}),
        lambda s: ("mark", {"conversation": s.conversation, "read": s.theirs["position"]}),
    ),
    Action("mark as unread", lambda s: ("PUT", _in(s, "/unread-from"), {"position": s.theirs["position"]})),
    Action("take that back", lambda s: ("DELETE", _in(s, "/unread-from"), None)),
    Action("open", socket=lambda s: ("open", {"conversations": [s.conversation]})),
    Action("type", socket=lambda s: ("typing", {"conversation": s.conversation, "on": True})),
    Action("mute", lambda s: ("PUT", _in(s, "/mute"), {})),
    Action("unmute", lambda s: ("DELETE", _in(s, "/mute"), None)),
    Action("report", lambda s: ("POST", f"messages/{s.theirs['id']}/report", {"reason": "spam"})),
    Action("describe", lambda s: ("PATCH", _in(s), {"description": "Tea, mostly."})),
    Action("rename", lambda s: ("PATCH", _in(s), {"title": "Coffee"})),
    Action("see its invitations", lambda s: ("GET", _in(s, "/invitations"), None)),
    Action("withdraw an invitation", lambda s: ("DELETE", f"invitations/{s.invitation}", None)),
    Action("invite", lambda s: ("POST", "invitations", {"conversation": s.conversation, "username": s.names["new"]})),
    Action("add", lambda s: ("POST", _in(s, "/members"), {"username": s.names["new"]})),
    Action("change a role", lambda s: ("PATCH", _in(s, f"/members/{s.names['mia']}"), {"role": "admin"})),
    Action("remove a member", lambda s: ("DELETE", _in(s, f"/members/{s.names['mia']}"), None), ends=True),
    Action(
        "delete one's own",
        lambda s: ("DELETE", f"messages/{s.own['id']}", None),
        lambda s: ("delete", _change(s.own)),
        ends=True,
    ),
    Action(
        "delete another's",
        lambda s: ("DELETE", f"messages/{s.theirs['id']}", None),
        lambda s: ("delete", _change(s.theirs)),
        ends=True,
    ),
    Action("accept the invitation", lambda s: ("POST", f"invitations/{s.invitation}/accept", None), ends=True),
    Action("decline the invitation", lambda s: ("POST", f"invitations/{s.invitation}/decline", None), ends=True),
    Action("transfer", lambda s: ("POST", _in(s, "/transfer"), {"username": s.names["mia"]}), ends=True),
    Action("leave", lambda s: ("DELETE", _in(s, f"/members/{s.names['actor']}"), None), ends=True),
    Action("dissolve", lambda s: ("DELETE", _in(s), None), ends=True),
)

_TABLE: Final = """
action                  stranger   invited    member     admin      owner      removed    demoted    staff      blocked
read the conversation   404        404        +          +          +          404        +          404        +
read the history        404        404        +          +          +          404        +          404        +
read the members        404        404        +          +          +          404        +          404        +
read the pins           404        404        +          +          +          404        +          404        +
read the markers        404        404        +          +          +          404        +          404        +
read a message          404        404        +          +          +          404        +          404        +
read its versions       404        404        +          +          +          404        +          404        +
read its reactions      404        404        +          +          +          404        +          404        +
read the other          +          +          +          +          +          +          +          +          +
write to the other      +          +          +          +          +          +          +          +          blocked
send                    404        404        +          +          +          404        +          404        blocked
send by name            404        404        +          +          +          404        +          404        blocked
reply                   404        404        +          +          +          404        +          404        blocked
edit one's own          404        404        +          +          +          404        +          404        blocked
edit another's          404        404        403        403        403        404        403        404        blocked
react                   404        404        +          +          +          404        +          404        blocked
take a reaction back    404        404        +          +          +          404        +          404        blocked
pin                     404        404        403        +          +          404        403        404        blocked
unpin                   404        404        403        +          +          404        403        404        blocked
mark as read            404        404        +          +          +          404        +          404        +
mark as unread          404        404        +          +          +          404        +          404        +
take that back          404        404        +          +          +          404        +          404        +
open                    404        404        +          +          +          404        +          404        +
type                    silence    silence    +          +          +          silence    +          silence    silence
mute                    404        404        +          +          +          404        +          404        +
unmute                  404        404        +          +          +          404        +          404        +
report                  404        404        +          +          +          404        +          404        +
describe                404        404        403        +          +          404        403        404        403
rename                  404        404        403        403        +          404        403        404        403
see its invitations     404        404        403        +          +          404        403        404        -
withdraw an invitation  404        404        404        +          +          404        404        404        -
invite                  404        404        403        +          +          404        403        404        403
add                     404        404        403        +          +          404        403        404        403
change a role           404        404        403        403        +          404        403        404        403
remove a member         404        404        403        +          +          404        403        404        403
delete one's own        404        404        +          +          +          404        +          404        blocked
delete another's        404        404        403        +          +          404        403        404        blocked
accept the invitation   404        +          404        404        404        404        404        404        -
decline the invitation  404        +          404        404        404        404        404        404        -
transfer                404        404        403        403        +          404        403        404        403
leave                   404        404        +          +          +          404        +          404        403
dissolve                404        404        403        403        +          404        403        404        403
"""

_CODES: Final = {"404": "not_found", "403": "forbidden"}
_WIDTH: Final = 24
SUSPENDED: Final = "suspended"
"""A member whom a moderator has suspended: no credential is left, so that nothing may be done."""
ROLES: Final = (*_TABLE.strip().splitlines()[0].split()[1:], SUSPENDED)


def rights_of(role: str) -> dict[str, str]:
    """Returns the answer to a role for each action, without the actions that make no sense for it (`-`)."""
    if role == SUSPENDED:
        return dict.fromkeys((action.name for action in ACTIONS), "not_authenticated")
    column = ROLES.index(role)
    rows = (line for line in _TABLE.strip().splitlines()[1:])
    cells = {row[:_WIDTH].strip(): row[_WIDTH:].split()[column] for row in rows}
    assert cells.keys() == {action.name for action in ACTIONS}
    return {name: _CODES.get(cell, cell) for name, cell in cells.items() if cell != "-"}
