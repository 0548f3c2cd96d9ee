"""A group with somebody in each role, a direct conversation with a block, and a witness who sees whatever happens."""

import asyncio
from dataclasses import dataclass
from typing import Any

from klatsch.eventlog.partitions import partition_of
from tests.e2e.client import Client
from tests.e2e.rest import Rest
from tests.e2e.talk import Open, OpenRest
from tests.support.process import GatewayProcess
from tests.support.system import Person, System

NOT_AUTHENTICATED = 4401
_SUSPEND = (
    "from klatsch.accounts.models import User; from klatsch.accounts.suspension import suspend_person; "
    "suspend_person(person_id=User.objects.get(username='{}').id)"
)
_ROLES = {"admin": "admin", "owner": "owner", "demoted": "admin"}


@dataclass(slots=True)
class Scene:
    """Holds what an action needs: the actor's REST client and socket, and the ids of things that exist.

    `own` and `theirs` are messages as REST answers them; `invitation` is open. Of a blocked person, `conversation` is
    the direct conversation with the witness, else a group.
    """

    system: System
    actor: Person
    rest: Rest
    socket: Client
    witness: Client
    owner: Rest
    names: dict[str, str]
    conversation: str
    own: dict[str, Any]
    theirs: dict[str, Any]
    invitation: str
    seen: int = 0

    def log_end(self) -> int:
        """Returns the end of the conversation's partition."""
        ends = self.system.log.ends()
        return ends[partition_of(self.conversation.encode(), len(ends))]

    def stored(self) -> list[tuple[Any, ...]]:
        """Returns a digest of all rows about the conversation, without those that a person keeps for themselves."""
        return self.system.rows(_STORED, *[self.conversation] * _STORED.count("%s"))

    async def typing_is_shown(self) -> None:
        """Waits until the witness, who has opened the conversation, is told that the actor types."""
        await self.witness.until(
            lambda: any(push["d"]["user"] == self.actor.username for push in self.witness.history.pushes("typing")),
            "that the actor types",
        )

    def pushes_of_conversation(self) -> list[dict[str, Any]]:
        """Returns those of `pushes` that are about the scene's conversation."""
        return [push for push in self.pushes() if push["d"].get("conversation") == self.conversation]

    def pushes(self) -> list[dict[str, Any]]:
        """Returns what the witness was shown since the last call, without marks."""
        frames = self.witness.history.frames
        new, self.seen = frames[self.seen :], len(frames)
        return [frame for frame in new if frame.get("t") not in {"mark", None}]


_STORED = """
    SELECT (SELECT md5(string_agg(m::text, '|' ORDER BY m.id)) FROM messaging_message m WHERE conversation_id = %s),
        (SELECT md5(string_agg(c::text, '|' ORDER BY c.id)) FROM messaging_change c
         JOIN messaging_message m ON m.id = c.message_id WHERE m.conversation_id = %s),
        (SELECT md5(string_agg(m::text, '|' ORDER BY m.id)) FROM conversations_member m WHERE conversation_id = %s),
        (SELECT md5(c::text) FROM conversations_conversation c WHERE id = %s),
        (SELECT md5(string_agg(i::text, '|' ORDER BY i.id)) FROM conversations_invitation i WHERE conversation_id = %s)
"""


class Scenery:
    """Builds scenes. `role` is one of the columns of the table."""

    def __init__(
        self, system: System, gateways: tuple[GatewayProcess, GatewayProcess], connect: Open, rest: OpenRest
    ) -> None:
        self._system = system
        self._gateways = gateways
        self._connect = connect
        self._rest = rest

    async def build(self, role: str) -> Scene:
        owner, actor, mia, new = self._system.take_people(4)
        owner_rest, actor_rest = self._rest(self._gateways[0], owner), self._rest(self._gateways[0], actor)
        witness, socket = await self._connect(self._gateways[1], owner), await self._connect(self._gateways[0], actor)
        names = {"owner": owner.username, "actor": actor.username, "mia": mia.username, "new": new.username}
        if role == "blocked":
            conversation, own, theirs = await self._meet(owner_rest, actor_rest, names)
            invitation = ""
        else:
            conversation, own, theirs = await self._gather(role, owner_rest, actor_rest, names)
            invitation = await self._invite(role, owner_rest, conversation, names)
        scene = Scene(
            self._system, actor, actor_rest, socket, witness, owner_rest, names, conversation, own, theirs, invitation
        )
        await self._settle(scene, role)
        return scene

    async def _gather(
        self, role: str, owner: Rest, actor: Rest, names: dict[str, str]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        was_in = role not in {"stranger", "invited", "staff"}
        members = [names["mia"], *([names["actor"]] if was_in else [])]
        group = await owner.post("conversations", {"title": "Tea", "members": members})
        conversation = str(group["id"])
        path = f"conversations/{conversation}"
        theirs = await owner.send_to(path, "theirs")
        own = await actor.send_to(path, "own") if was_in else theirs
        if role in _ROLES:
            await _ok(owner, "PATCH", f"{path}/members/{names['actor']}", {"role": _ROLES[role]})
        if role == "demoted":
            await _ok(owner, "PATCH", f"{path}/members/{names['actor']}", {"role": "member"})
        if role == "removed":
            await _ok(owner, "DELETE", f"{path}/members/{names['actor']}")
        if role == "staff":
            self._system.rows(
                "UPDATE accounts_user SET is_staff = true WHERE username = %s RETURNING id", names["actor"]
            )
        return conversation, own, theirs

    async def _meet(
        self, owner: Rest, actor: Rest, names: dict[str, str]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        theirs = await owner.send(names["actor"], "theirs")
        own = await actor.send(names["owner"], "own")
        return str(own["conversation"]), own, theirs

    async def _invite(self, role: str, owner: Rest, conversation: str, names: dict[str, str]) -> str:
        """Returns an open invitation to the group: the actor's, where the role says so, or somebody else's."""
        invited = names["actor"] if role == "invited" else names["new"]
        made = await owner.post("invitations", {"conversation": conversation, "username": invited})
        return str(made["id"])

    async def _settle(self, scene: Scene, role: str) -> None:
        """Waits until everybody has seen how it begins."""
        if role == "blocked":
            await _ok(scene.owner, "PUT", f"blocks/{scene.names['actor']}")
        await asyncio.to_thread(self._system.wait_archived)
        if role == "suspended":
            await asyncio.to_thread(self._system.manage, "shell", "-c", _SUSPEND.format(scene.names["actor"]))
            assert await scene.socket.until_closed() == NOT_AUTHENTICATED
        else:
            assert "ok" in await scene.witness.request("open", {"conversations": [scene.conversation]})
        await self.fence(scene)
        scene.pushes()

    async def fence(self, scene: Scene) -> None:
        """Waits until the witness has been shown all that the log held before, by something new that they are shown."""
        said = await scene.owner.send(scene.names["mia"], "fence")
        await scene.witness.until(
            lambda: any(push["d"]["id"] == said["id"] for push in scene.witness.history.pushes("message")), "the fence"
        )


async def _ok(rest: Rest, method: str, path: str, body: object = None) -> None:
    answer = await rest.http.request(method, path, json=body)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"


def code_of(answer: dict[str, Any]) -> str:
    """Returns the code of an answer over a socket; "ok" for `ok`."""
    return "ok" if "ok" in answer else str(answer["err"]["code"])
