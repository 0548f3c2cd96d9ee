"""A moderator's decision reaches everybody: a deleted message on every socket, a suspended person on none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.e2e.talk import Open, OpenRest
from tests.e2e.test_revocation import Browser, closes, lives
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

REPORTS = "admin/moderation/report/"


@pytest.fixture
async def moderator(system: System, gateway_a: GatewayProcess) -> AsyncIterator[Browser]:
    browser = await Browser.register(gateway_a)
    query = "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE username = %s RETURNING 1"
    system.rows(query, browser.name)
    yield browser
    await browser.http.aclose()


async def test_a_reported_message_is_deleted_for_everybody_and_its_sender_is_suspended_and_comes_back(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    moderator: Browser,
    ana: Person,
    bob: Person,
    carol: Person,
) -> None:
    api = rest(gateway_a, ana)
    group = (await api.post("conversations", {"title": "tea", "members": [bob.username, carol.username]}))["id"]
    spammer, reader, other = (
        await connect(gateway_b, bob),
        await connect(gateway_a, ana),
        await connect(gateway_b, carol),
    )
    sent = await spammer.send("Buy now", conversation=group)
    assert sent.ok
    await api.post(f"messages/{sent.message_id}/report", {"reason": "spam"})
    [[report_id]] = system.rows("SELECT id FROM moderation_report WHERE message_id = %s", sent.message_id)
    chosen = {"_selected_action": str(report_id)}
    await moderator.form(REPORTS, action="delete_messages", **chosen)
    for client in (reader, other, spammer):
        await client.until(lambda c=client: c.history.pushes("message_deleted"), "the deletion")  # type: ignore[misc]  # bound as a default
        [deleted] = client.history.pushes("message_deleted")
        assert (deleted["d"]["id"], deleted["d"]["by"]) == (sent.message_id, "")
    await asyncio.to_thread(system.wait_archived)
    [shown] = await api.history(f"conversations/{group}/messages")
    assert (shown["id"], shown["content"], shown["deleted"]) == (sent.message_id, "", True)
    assert system.rows("SELECT content FROM moderation_report WHERE id = %s", report_id) == [("Buy now",)]

    size = system.log.size()
    await moderator.form(REPORTS, action="delete_messages", **chosen)
    assert system.log.size() == size

    await moderator.form(REPORTS, action="suspend_senders", **chosen)
    await closes(spammer)
    await lives(reader, other)
    assert (await rest(gateway_b, bob).http.get("me")).status_code == 401
    size = system.log.size()
    assert (await reader.send("hi", to=bob.username)).code == "not_found"
    assert system.log.size() == size

    await moderator.form(REPORTS, action="lift_suspensions", **chosen)
    assert (await reader.send("welcome back", to=bob.username)).ok
    query = "SELECT what FROM moderation_moderationaction WHERE report_id = %s ORDER BY id"
    assert [what for (what,) in system.rows(query, report_id)] == ["delete", "suspend", "lift"]
