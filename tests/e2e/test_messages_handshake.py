"""Handshakes: some may open a socket, and all others are closed with a code."""

import secrets

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.client import SUBPROTOCOL
from tests.e2e.talk import Open, OpenRest
from tests.support.process import HOST, GatewayProcess
from tests.support.system import ORIGIN, Person


@pytest.mark.parametrize("offered", [(), ("graphql-ws",), ("klatsch.v2",)])
async def test_a_socket_without_our_sub_protocol_is_closed_with_4400(
    gateway_a: GatewayProcess, connect_silent: Open, ana: Person, offered: tuple[str, ...]
) -> None:
    client = await connect_silent(gateway_a, ana, subprotocols=offered)
    assert await client.until_closed() == 4400


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YW5hOmFuYQ=="}, {"Authorization": "Bearer \xff"}],
)
async def test_a_socket_without_a_valid_credential_is_closed_with_4401(
    gateway_a: GatewayProcess, connect_silent: Open, headers: dict[str, str]
) -> None:
    client = await connect_silent(gateway_a, headers=headers)
    assert await client.until_closed() == 4401


async def test_a_token_in_the_url_is_no_credential(
    gateway_a: GatewayProcess, connect_silent: Open, ana: Person
) -> None:
    client = await connect_silent(gateway_a, query=f"?token={ana.token}&ticket={ana.token}")
    assert await client.until_closed() == 4401


async def test_a_token_that_was_logged_out_opens_no_socket(
    gateway_a: GatewayProcess, connect_silent: Open, rest: OpenRest, ana: Person
) -> None:
    await rest(gateway_a, ana).post("auth/logout", {}, status=204)
    client = await connect_silent(gateway_a, ana)
    assert await client.until_closed() == 4401


async def test_a_ticket_opens_one_socket(
    gateway_a: GatewayProcess, connect_silent: Open, rest: OpenRest, ana: Person
) -> None:
    ticket = (await rest(gateway_a, ana).post("auth/ticket", {}))["ticket"]
    protocols = (SUBPROTOCOL, f"ticket.{ticket}")
    first = await connect_silent(gateway_a, subprotocols=protocols)
    assert (await first.request("hello", {}))["ok"]["user"] == ana.username
    assert first.socket.subprotocol == SUBPROTOCOL
    second = await connect_silent(gateway_a, subprotocols=protocols)
    assert await second.until_closed() == 4401


async def test_a_session_cookie_opens_a_socket_for_our_own_pages_only(
    gateway_a: GatewayProcess, connect_silent: Open
) -> None:
    name, cookie = await _logged_in(gateway_a)
    ours = await connect_silent(gateway_a, headers={"Cookie": cookie, "Origin": ORIGIN})
    assert (await ours.request("hello", {}))["ok"]["user"] == name
    for origin in ("http://evil.test", ORIGIN.replace("http:", "https:"), ORIGIN + "1", f"{ORIGIN}.evil.test", "null"):
        foreign = await connect_silent(gateway_a, headers={"Cookie": cookie, "Origin": origin})
        assert await foreign.until_closed() == 4403
    nowhere = await connect_silent(gateway_a, headers={"Cookie": cookie})
    assert await nowhere.until_closed() == 4403


async def test_a_forged_session_cookie_is_closed_with_4401(gateway_a: GatewayProcess, connect_silent: Open) -> None:
    forged = await connect_silent(gateway_a, headers={"Cookie": "sessionid=" + "a" * 32, "Origin": ORIGIN})
    assert await forged.until_closed() == 4401


async def _logged_in(gateway: GatewayProcess) -> tuple[str, str]:
    """Registers somebody new and logs them in as people do; returns their name and their cookie."""
    name, password = f"dora-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    async with httpx.AsyncClient(base_url=f"{gateway.url}/api/v1/", trust_env=False, timeout=20) as http:
        body = {"username": name, "email": f"{name}@e2e.invalid", "password": password}
        assert (await http.post("auth/register", json=body)).status_code == 201
        logged_in = await http.post("auth/login", json={"username": name, "password": password})
        assert logged_in.status_code == 200
        return name, f"sessionid={logged_in.cookies['sessionid']}"


@pytest.mark.parametrize("path", ["/", "/ws/", "/wsx", "/api/v1/sync", "/socket.io/"])
async def test_a_handshake_at_another_path_is_a_404_and_no_error_in_the_log(
    gateway_a: GatewayProcess, path: str
) -> None:
    before = len(gateway_a.log.read_text())
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{HOST}:{gateway_a.port}{path}", subprotocols=[Subprotocol(SUBPROTOCOL)], proxy=None)

    assert refused.value.response.status_code == 404
    assert refused.value.response.body == b"The WebSocket is at /ws."
    log = gateway_a.log.read_text()[before:]
    assert "Traceback" not in log
    assert '"level": "error"' not in log
