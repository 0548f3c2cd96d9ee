"""Every role, every action, over REST and sockets: done, or refused without a trace (authorization/table.py)."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from klatsch.eventlog.partitions import partition_of
from tests.e2e.authorization.personal import PERSONAL
from tests.e2e.authorization.scene import NOT_AUTHENTICATED, Scene, Scenery, code_of
from tests.e2e.authorization.table import ACTIONS, ROLES, SUSPENDED, Action, rights_of
from tests.e2e.client import Client
from tests.e2e.talk import Open, OpenRest
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import System


@pytest.fixture
def scenery(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess,
    connect: Open, rest: OpenRest,
) -> Scenery:  # fmt: skip
    return Scenery(system, (gateway_a, gateway_b), connect, rest)


async def by_rest(scene: Scene, action: Action) -> str | None:
    """Returns the answer to the action over REST: "+" or a code; None where it is not to be had there."""
    if action.rest is None:
        return None
    method, path, body = action.rest(scene)
    answer = await scene.rest.http.request(method, path, json=body)
    assert answer.status_code < 500, f"{action.name}: {answer.status_code} {answer.text}"
    return "+" if answer.is_success else str(answer.json()["code"])


async def by_socket(scene: Scene, action: Action) -> str | None:
    """Returns the answer over the actor's socket: "+", a code or "silence"; None where it is not to be had there."""
    if action.socket is None:
        return None
    if scene.socket.closed is not None:
        return "not_authenticated" if scene.socket.closed == NOT_AUTHENTICATED else str(scene.socket.closed)
    op, body = action.socket(scene)
    if op == "typing":
        return await unanswered(scene, op, body)
    code = code_of(await scene.socket.request(op, body))
    return "+" if code == "ok" else code


async def unanswered(scene: Scene, op: str, body: dict[str, Any]) -> str:
    """Returns the code of the answer, or "silence": what is not answered before the next frame never is."""
    await scene.socket.write(json.dumps({"id": op, "op": op, "d": body}))
    await scene.socket.request("presence", {"users": []})
    return next((code_of(frame) for frame in scene.socket.history.frames if frame.get("re") == op), "silence")


@pytest.mark.parametrize("role", ROLES)
async def test_what_a_role_may_not_do_is_refused_and_leaves_no_trace(role: str, scenery: Scenery) -> None:
    rights = rights_of(role)
    refused = [action for action in ACTIONS if rights.get(action.name, "+") != "+"]
    scene = await scenery.build(role)
    end, stored = scene.log_end(), scene.stored()
    for action in refused:
        for door in (by_rest, by_socket):
            answer = await door(scene, action)
            if answer is None:
                continue
            assert answer == rights[action.name], f"{role}: {action.name}, {door.__name__}"
            assert scene.log_end() == end, f"{role}: {action.name}, {door.__name__}: something was appended"
            assert scene.stored() == stored, f"{role}: {action.name}, {door.__name__}: something was stored"
    await scenery.fence(scene)
    assert scene.pushes_of_conversation() == [], f"{role}: somebody was shown something"


@pytest.mark.parametrize("role", [role for role in ROLES if role != SUSPENDED])
async def test_what_a_role_may_do_is_done(role: str, scenery: Scenery) -> None:
    rights = rights_of(role)
    allowed = [action for action in ACTIONS if rights.get(action.name) == "+"]
    scene = await scenery.build(role)
    for action in allowed:
        if action.ends:
            scene = await scenery.build(role)
        for door in (by_rest, by_socket):
            if action.ends and door is by_socket and action.socket is not None:
                scene = await scenery.build(role)
            answer = await door(scene, action)
            if answer == "silence":
                await scene.typing_is_shown()
            else:
                assert answer in {"+", None}, f"{role}: {action.name}, {door.__name__}: {answer}"


async def test_whoever_is_signed_in_sees_to_their_own_affairs(scenery: Scenery) -> None:
    scene = await scenery.build("stranger")
    for action, expected in PERSONAL:
        for door in (by_socket, by_rest):
            assert await door(scene, action) in {expected, None}, f"{action.name}, {door.__name__}"


async def test_what_does_not_exist_is_answered_like_what_is_not_mine(scenery: Scenery) -> None:
    scene = await scenery.build("stranger")
    refused = [action for action in ACTIONS if rights_of("stranger")[action.name] not in {"+", "silence"}]
    before = {action.name: await answers(scene, action) for action in refused}
    scene.conversation = scene.invitation = nothing = in_partition_of(scene.conversation)
    scene.own = scene.theirs = scene.theirs | {"id": nothing}
    after = {action.name: await answers(scene, action) for action in refused}
    assert before == after


def in_partition_of(conversation: str) -> str:
    """Returns an id that nothing has, in the conversation's partition: positions name the partition."""
    partitions = 12
    wanted = partition_of(conversation.encode(), partitions)
    return next(one for one in iter(lambda: str(uuid4()), "") if partition_of(one.encode(), partitions) == wanted)


async def answers(scene: Scene, action: Action) -> list[Any]:
    """Returns the whole answers over REST and socket, without what names the request."""
    found: list[Any] = []
    if action.rest is not None:
        method, path, body = action.rest(scene)
        answer = await scene.rest.http.request(method, path, json=body)
        found.append((answer.status_code, answer.json() if answer.content else None))
    if action.socket is not None:
        found.append((await scene.socket.request(*action.socket(scene))).get("err"))
    return found


@pytest.mark.parametrize("end", ["logout", "deactivation"])
async def test_after_logout_or_deactivation_nothing_may_be_done(
    end: str, scenery: Scenery, gateway_a: GatewayProcess
) -> None:
    roles = [role for role in ROLES if role != SUSPENDED]
    scenes = {role: await scenery.build(role) for role in roles}
    if end == "logout":
        for scene in scenes.values():
            assert (await scene.rest.http.post("auth/logout")).status_code == 204
    else:
        names = [scene.actor.username for scene in scenes.values()]
        await asyncio.to_thread(scenes["member"].system.manage, "shell", "-c", _DEACTIVATE.format(names))
    for scene in scenes.values():
        assert await scene.socket.until_closed() == NOT_AUTHENTICATED
    log = scenes["member"].system.log
    ends = log.ends()
    for role, scene in scenes.items():  # not at once: few requests that may hash a password are taken at a time
        await refuses_everything(role, scene, gateway_a)
    assert log.ends() == ends, "something was appended"


async def refuses_everything(role: str, scene: Scene, gateway: GatewayProcess) -> None:
    """Fails unless each action is refused over both doors, and a new socket too, and nothing is left of them."""
    stored = scene.stored()
    personal = [action for action, _ in PERSONAL] if role == "member" else []  # it is the same for all roles
    for action in (*ACTIONS, *personal):
        if action.name in rights_of(role) or action not in ACTIONS:
            for door in (by_rest, by_socket):
                assert await door(scene, action) in {"not_authenticated", None}, f"{role}: {action.name}"
    again = await Client.connect(gateway, scene.actor)
    try:
        assert await again.until_closed() == NOT_AUTHENTICATED
    finally:
        await again.close()
    assert scene.stored() == stored, f"{role}: something was stored"
    assert scene.pushes_of_conversation() == [], f"{role}: somebody was shown something"


_DEACTIVATE = (
    "from klatsch.accounts.models import User; from klatsch.accounts.revocation import deactivate_person; "
    "[deactivate_person(person=person) for person in User.objects.filter(username__in={})]"
)
