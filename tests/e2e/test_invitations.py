"""Invitations on real processes: who is invited hears of it on another gateway, and reads along on accepting."""

import httpx
import pytest

from tests.e2e.client import Client
from tests.e2e.rest import Rest
from tests.e2e.talk import Open, OpenRest
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

Gateways = tuple[GatewayProcess, GatewayProcess]


@pytest.fixture
def inviting(system: System, persister: PersisterProcess) -> Gateways:
    """Starts two gateways that add only people who have written to the one who adds them, as by default."""
    first, second = system.new_gateway("inviting-a"), system.new_gateway("inviting-b")
    for gateway in (first, second):
        gateway.start(KLATSCH_INVITE_STRANGERS="1")
    return first, second


async def begin(api: Rest) -> str:
    return str((await api.post("conversations", {"title": "Tea"}))["id"])


async def heard(client: Client, invitation: str, state: str) -> dict[str, object]:
    """Returns the invitation in this state, once it has been pushed or replayed."""

    def found() -> list[dict[str, object]]:
        states = [frame for frame in client.history.pushes("state") if frame["d"]["kind"] == "invitation"]
        pushed = [frame["d"] for frame in [*client.history.pushes("invitation"), *states]]
        return [one for one in pushed if (one["id"], one["state"]) == (invitation, state)]

    await client.until(found, f"the push of an invitation that is {state}")
    return found()[0]


async def test_an_invited_person_hears_of_it_and_gets_messages_live_from_accepting_on(
    inviting: Gateways, connect: Open, rest: OpenRest, ana: Person, bob: Person
) -> None:
    here, there = inviting
    owner, invited = rest(here, ana), rest(there, bob)
    writer, reader = await connect(here, ana), await connect(there, bob)
    group = await begin(owner)
    assert (await writer.send("before", conversation=group)).ok
    answer = await owner.http.post(f"conversations/{group}/members", json={"username": bob.username})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    invitation = answer.json()
    pushed = await heard(reader, invitation["id"], "open")
    assert (pushed["conversation"], pushed["title"], pushed["invited_by"]) == (group, "Tea", ana.username)
    assert (await reader.send("too early", conversation=group)).code == "not_found"
    assert [one["id"] for one in (await invited.get("invitations"))["results"]] == [invitation["id"]]

    accepted = await invited.post(f"invitations/{invitation['id']}/accept", None, status=200)
    assert accepted["state"] == "accepted"
    await heard(reader, invitation["id"], "accepted")
    for client in (writer, reader):
        await client.until(lambda c=client: _is_told_of(c, group, bob), "the new member")  # type: ignore[misc]  # bound as a default
    assert (await writer.send("welcome", conversation=group)).ok
    await reader.received("welcome")
    assert (await reader.send("thanks", conversation=group)).ok
    await writer.received("thanks")
    assert not writer.history.pushes("invitation")


async def test_a_declined_invitation_leaves_the_group_as_it_was_and_is_not_sent_again(
    inviting: Gateways, connect: Open, rest: OpenRest, ana: Person, bob: Person
) -> None:
    here, there = inviting
    owner, invited = rest(here, ana), rest(there, bob)
    reader = await connect(there, bob)
    group = await begin(owner)
    body = {"conversation": group, "username": bob.username}
    invitation = await owner.post("invitations", body)
    await heard(reader, invitation["id"], "open")
    await invited.post(f"invitations/{invitation['id']}/decline", None, status=200)
    await heard(reader, invitation["id"], "declined")
    for again in (
        owner.http.post("invitations", json=body),
        invited.http.post(f"invitations/{invitation['id']}/accept"),
    ):
        answer = await again
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    members = (await owner.get(f"conversations/{group}/members"))["results"]
    assert [member["user"] for member in members] == [ana.username]


async def test_a_withdrawn_invitation_is_gone_and_a_socket_that_comes_back_is_told_so(
    inviting: Gateways, connect: Open, rest: OpenRest, ana: Person, bob: Person
) -> None:
    here, there = inviting
    owner, invited = rest(here, ana), rest(there, bob)
    reader = await connect(there, bob)
    group = await begin(owner)
    invitation = await owner.post("invitations", {"conversation": group, "username": bob.username})
    await heard(reader, invitation["id"], "open")
    token = reader.token
    await reader.close()
    answer = await owner.http.delete(f"invitations/{invitation['id']}")
    assert answer.status_code == httpx.codes.NO_CONTENT, answer.text
    back = await connect(here, bob, resume=token)
    pushed = await heard(back, invitation["id"], "withdrawn")
    assert (pushed["title"], pushed["member_count"]) == ("", 0)
    answer = await invited.http.post(f"invitations/{invitation['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    assert (await invited.get("invitations"))["results"] == []


def _is_told_of(client: Client, group: str, person: Person) -> bool:
    pushed = [frame["d"] for frame in client.history.pushes("members") if frame["d"]["conversation"] == group]
    return any(member["user"] == person.username and member["active"] for body in pushed for member in body["members"])
