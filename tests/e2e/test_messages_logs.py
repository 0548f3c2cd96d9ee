"""Lines that the processes write into their logs, even at DEBUG."""

import secrets

import httpx

from tests.e2e.client import SUBPROTOCOL
from tests.e2e.conftest import OpenNewcomer
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import ORIGIN, System


async def test_no_credential_no_text_and_no_address_of_a_person_stands_in_any_log(
    system: System,
    gateway_a: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
    connect_silent: Open,
    rest: OpenRest,
    newcomer: OpenNewcomer,
) -> None:
    text = secrets.token_hex(16)
    await talk.say(text)
    person = await newcomer(gateway_a)
    await connect(gateway_a, person)
    api = rest(gateway_a, person)
    await api.send(talk.people[0].username, text)
    ticket = (await api.post("auth/ticket", {}))["ticket"]
    client = await connect_silent(gateway_a, subprotocols=(SUBPROTOCOL, f"ticket.{ticket}"))
    await client.request("hello", {"resume": text})
    session, password = secrets.token_hex(16), secrets.token_urlsafe(16)
    await (await connect_silent(gateway_a, headers={"Cookie": f"sessionid={session}", "Origin": ORIGIN})).until_closed()
    async with httpx.AsyncClient(base_url=f"{gateway_a.url}/api/v1/", trust_env=False, timeout=20) as http:
        wrong = {"username": f"{person.username}@e2e.invalid", "password": password}
        assert (await http.post("auth/login", json=wrong)).status_code == 401
    await talk.check()
    address = f"127.0.0.1:{client.socket.local_address[1]}"
    written = {process.name: process.log.read_text() for process in system.logs()}
    assert all(written.values())
    for secret in (text, person.token, talk.people[0].token, ticket, session, password, "@e2e.invalid", address):
        assert [name for name, lines in written.items() if secret in lines] == []
