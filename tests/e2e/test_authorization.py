"""Every role, every action, over REST and sockets: done, or refused without a trace (authorization/table.py)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from klatsch.eventlog.partitions import partition_of
from tests.e2e.authorization.scene import Scene, Scenery, code_of
from tests.e2e.authorization.table import ACTIONS, ROLES, Action, rights_of
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
    """Returns the answer to the action over the actor's socket: "+" or a code; None where it is not to be had there."""
    if action.socket is None:
        return None
    code = code_of(await scene.socket.request(*action.socket(scene)))
    return "+" if code == "ok" else code


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
    shown = [push for push in scene.pushes() if push["d"].get("conversation") == scene.conversation]
    assert shown == [], f"{role}: somebody was shown something"


@pytest.mark.parametrize("role", ROLES)
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
            assert answer in {"+", None}, f"{role}: {action.name}, {door.__name__}: {answer}"


async def test_what_does_not_exist_is_answered_like_what_is_not_mine(scenery: Scenery) -> None:
    scene = await scenery.build("stranger")
    before = {action.name: await answers(scene, action) for action in ACTIONS}
    scene.conversation = scene.invitation = nothing = in_partition_of(scene.conversation)
    scene.own = scene.theirs = scene.theirs | {"id": nothing}
    after = {action.name: await answers(scene, action) for action in ACTIONS}
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
@pytest.mark.parametrize("role", ["member", "owner", "blocked"])
async def test_after_logout_or_deactivation_nothing_may_be_done(
    role: str, end: str, scenery: Scenery, gateway_a: GatewayProcess
) -> None:
    scene = await scenery.build(role)
    if end == "logout":
        assert (await scene.rest.http.post("auth/logout")).status_code == 204
    else:
        await asyncio.to_thread(scene.system.manage, "shell", "-c", _DEACTIVATE.format(scene.actor.username))
    assert await scene.socket.until_closed() == 4401
    end_before, stored = scene.log_end(), scene.stored()
    for action in ACTIONS:
        if action.rest is not None and action.name in rights_of(role):
            assert await by_rest(scene, action) == "not_authenticated", f"{action.name} after {end}"
    again = await Client.connect(gateway_a, scene.actor)
    try:
        assert await again.until_closed() == 4401
    finally:
        await again.close()
    assert (scene.log_end(), scene.stored()) == (end_before, stored)


_DEACTIVATE = (
    "from klatsch.accounts.models import User; from klatsch.accounts.revocation import deactivate_person; "
    "deactivate_person(person=User.objects.get(username='{}'))"
)
