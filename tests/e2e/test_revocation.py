"""Whatever ends a credential closes its sockets with 4401 in 5 s; an archive that is away ends none (D13)."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from klatsch.embedded.postgres import EmbeddedPostgres
from tests.e2e.client import Client
from tests.e2e.talk import Open
from tests.support.process import GatewayProcess, PersisterProcess, wait_until
from tests.support.system import ORIGIN, Person, System

WITHIN_S = 5.0


@dataclass
class Browser:
    """Somebody who registered and logged in, as pages do it."""

    http: httpx.AsyncClient
    name: str
    password: str

    @classmethod
    async def register(cls, gateway: GatewayProcess) -> "Browser":
        browser = cls(_http(gateway), f"dora-{secrets.token_hex(4)}", secrets.token_urlsafe(16))
        body = {"username": browser.name, "email": f"{browser.name}@e2e.invalid", "password": browser.password}
        answer = await browser.http.post("api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        await browser.log_in()
        return browser

    async def again(self, gateway: GatewayProcess) -> "Browser":
        """Returns the same person with another session."""
        other = Browser(_http(gateway), self.name, self.password)
        await other.log_in()
        return other

    async def log_in(self) -> None:
        await self.post("auth/login", {"username": self.name, "password": self.password})

    async def post(self, path: str, body: object = None, method: str = "POST") -> Any:
        headers = {"X-CSRFToken": self.http.cookies.get("csrftoken") or "", "Origin": ORIGIN}
        answer = await self.http.request(method, f"api/v1/{path}", json=body or {}, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def form(self, path: str, **fields: str) -> None:
        """Fills in a page of the admin."""
        fields["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        answer = await self.http.post(path, data=fields, headers={"Origin": ORIGIN})
        assert answer.status_code == 302, answer.text

    async def open(self, gateway: GatewayProcess, connect_silent: Open) -> Client:
        """Opens a socket that comes with the session's cookie, and says hello."""
        headers = {"Cookie": f"sessionid={self.http.cookies['sessionid']}", "Origin": ORIGIN}
        client = await connect_silent(gateway, headers=headers)
        assert "ok" in await client.request("hello", {})
        return client


def _http(gateway: GatewayProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{gateway.url}/", trust_env=False, timeout=20)


@pytest.fixture
async def dora(gateway_a: GatewayProcess) -> AsyncIterator[Browser]:
    browser = await Browser.register(gateway_a)
    yield browser
    await browser.http.aclose()


async def closes(*clients: Client) -> None:
    begun_s = time.monotonic()
    for client in clients:
        assert await client.until_closed(WITHIN_S) == 4401
    assert time.monotonic() - begun_s < WITHIN_S


async def lives(*clients: Client) -> None:
    for client in clients:
        assert client.closed is None
        assert "err" in await client.request("hello", {})


async def test_logging_out_closes_the_sessions_sockets_on_every_gateway_and_no_others(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect_silent: Open, dora: Browser
) -> None:
    other = await dora.again(gateway_b)
    here, there = await dora.open(gateway_a, connect_silent), await dora.open(gateway_b, connect_silent)
    kept = await other.open(gateway_b, connect_silent)
    await dora.post("auth/logout")
    await closes(here, there)
    await lives(kept)
    await other.http.aclose()


async def test_logging_out_a_token_closes_its_sockets_and_those_of_its_tickets(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, connect_silent: Open, ana: Person, bob: Person
) -> None:
    socket, stranger = await connect(gateway_b, ana), await connect(gateway_b, bob)
    async with _http(gateway_a) as http:
        headers = {"Authorization": f"Bearer {ana.token}"}
        ticket = (await http.post("api/v1/auth/ticket", headers=headers)).json()["ticket"]
        by_ticket = await connect_silent(gateway_a, subprotocols=("klatsch.v1", f"ticket.{ticket}"))
        assert "ok" in await by_ticket.request("hello", {})
        assert (await http.post("api/v1/auth/logout", headers=headers)).status_code == 204
    await closes(socket, by_ticket)
    await lives(stranger)


async def test_ending_a_token_closes_its_sockets(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, connect_silent: Open, dora: Browser
) -> None:
    token = (await dora.post("auth/tokens"))["token"]
    socket = await connect(gateway_b, Person(dora.name, token))
    kept = await dora.open(gateway_b, connect_silent)
    [shown] = (await dora.http.get("api/v1/auth/tokens")).json()["results"]
    await dora.post(f"auth/tokens/{shown['id']}", method="DELETE")
    await closes(socket)
    await lives(kept)


async def test_ending_a_session_closes_its_sockets(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect_silent: Open, dora: Browser
) -> None:
    other = await dora.again(gateway_b)
    kept, ended = await dora.open(gateway_b, connect_silent), await other.open(gateway_a, connect_silent)
    sessions = (await dora.http.get("api/v1/auth/sessions")).json()["results"]
    [session_id] = [session["id"] for session in sessions if not session["current"]]
    await dora.post(f"auth/sessions/{session_id}", method="DELETE")
    await closes(ended)
    await lives(kept)
    await other.http.aclose()


async def test_who_leaves_has_their_sockets_closed(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, connect_silent: Open, dora: Browser
) -> None:
    token = (await dora.post("auth/tokens"))["token"]
    sockets = [await dora.open(gateway_a, connect_silent), await connect(gateway_b, Person(dora.name, token))]
    await dora.post("me/deactivate", {"password": dora.password})
    await closes(*sockets)


async def test_changing_the_password_closes_every_socket_and_a_new_one_with_the_kept_session_lives(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, connect_silent: Open, dora: Browser
) -> None:
    other = await dora.again(gateway_b)
    token = (await dora.post("auth/tokens"))["token"]
    sockets = [
        await dora.open(gateway_a, connect_silent),
        await other.open(gateway_b, connect_silent),
        await connect(gateway_b, Person(dora.name, token)),
    ]
    await dora.post("auth/password", {"old_password": dora.password, "new_password": secrets.token_urlsafe(16)})
    kept = await dora.open(gateway_b, connect_silent)
    await closes(*sockets)
    await lives(kept)
    await other.http.aclose()


async def test_staff_who_deactivate_somebody_close_their_sockets(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    connect_silent: Open,
    dora: Browser,
    ana: Person,
) -> None:
    staff = await dora.again(gateway_a)
    system.rows(
        "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE username = %s RETURNING 1", dora.name
    )
    [[user_id]] = system.rows("SELECT id FROM accounts_user WHERE username = %s", ana.username)
    writer, socket = await dora.open(gateway_b, connect_silent), await connect(gateway_b, ana)
    first = await writer.send("hi", to=ana.username)
    assert first.ok
    shown = {"initial-is_active": "True"}
    await staff.form(f"admin/accounts/user/{user_id}/change/", email=f"{ana.username}@bench.invalid", **shown)
    await closes(socket)
    await lives(writer)
    refused = [await writer.send("hi", to=ana.username)]
    [[conversation]] = system.rows("SELECT conversation_id FROM conversations_member WHERE user_id = %s", user_id)
    refused.append(await writer.send("hi", conversation=str(conversation)))
    assert [attempt.code for attempt in refused] == ["not_found", "forbidden"]
    await staff.http.aclose()


async def test_a_password_changed_by_hand_closes_a_sessions_sockets_at_the_next_check(
    system: System, connect_silent: Open, dora: Browser
) -> None:
    gateway = system.new_gateway("recheck")
    gateway.start(KLATSCH_RECHECK_SECONDS="2")
    socket = await dora.open(gateway, connect_silent)
    system.rows("UPDATE accounts_user SET password = '!' WHERE username = %s RETURNING 1", dora.name)
    await closes(socket)


async def test_an_archive_that_is_down_is_no_revocation(
    system: System,
    own_postgres: EmbeddedPostgres,
    connect: Open,
    ana: Person,
    bob: Person,
) -> None:
    gateway = system.new_gateway("archive-down")
    gateway.start(KLATSCH_RECHECK_SECONDS="2")
    sender, receiver = await connect(gateway, ana), await connect(gateway, bob)
    await sender.send("before", to=bob.username)
    await asyncio.to_thread(own_postgres.stop)
    await asyncio.to_thread(wait_until, lambda: len(gateway.events("recheck_unanswered")) > 1, "checks unanswered", 40)
    assert (await sender.send("meanwhile", to=bob.username)).ok
    await receiver.received("meanwhile")
    assert (sender.closed, receiver.closed) == (None, None)
