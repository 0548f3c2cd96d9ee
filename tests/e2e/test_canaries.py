"""Planted secrets: what people sign in with and say is used in a run, then looked for where it must not be."""

import asyncio
import http.client
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from psycopg import sql

from klatsch.embedded import child
from klatsch.embedded.postgres import EmbeddedPostgres
from tests.e2e.client import SUBPROTOCOL, Client
from tests.support.process import HOST, GatewayProcess, PersisterProcess, Process, wait_until
from tests.support.system import ORIGIN, System

_ASK_S = 10.0


class ApiProcess(Process):
    """`manage.py api` on a port of its own."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        [self.port] = child.free_ports(1)
        super().__init__("canary-api", ["api", "--host", HOST, "--port", str(self.port)], env, folder)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        return False


class Run:
    """Keeps one person's day with processes of their own, the secrets of it, and everything that was refused."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.username = f"dora-{secrets.token_hex(4)}"
        self.mail = system.folder / f"mail-of-{self.username}"
        [self.metrics_port] = child.free_ports(1)
        settings = {"EMAIL_URL": f"filemail:///{self.mail}", "KLATSCH_METRICS_PORT": str(self.metrics_port)}
        env = {**system.env, **settings}
        self.gateway = GatewayProcess("canary-gateway", env, system.folder)
        self.persister = PersisterProcess("canary-persister", env, system.folder)
        self.api = ApiProcess(env, system.folder)
        self.processes: list[Process] = [self.gateway, self.persister, self.api]
        self.planted = {
            "password": "pw-" + secrets.token_urlsafe(16),
            "content": "content-" + secrets.token_hex(12),
            "e-mail": f"mail-{secrets.token_hex(8)}@e2e.invalid",
        }
        self.refusals: list[str] = []
        self.since = system.log.ends()

    async def request(self, http_client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
        answer = await http_client.request(method, path, **more)
        if answer.is_error:
            self.refusals.append(f"{method} {path} {answer.status_code} {answer.headers} {answer.text}")
        return answer

    def logs(self) -> dict[str, str]:
        """Returns what each of its processes has written, in all of its runs."""
        folder = self.system.folder
        return {p.name: "".join(f.read_text() for f in folder.glob(f"{p.name}.*.log")) for p in self.processes}

    def records(self) -> list[tuple[bytes, bytes, bytes]]:
        """Returns keys, values and headers since the run began."""
        ends, log = self.system.log.ends(), self.system.log
        consumer = Consumer({"bootstrap.servers": log.bootstrap_servers, "group.id": "e2e-canary"})
        consumer.assign([TopicPartition(log.topic, p, at) for p, at in self.since.items()])
        found: list[tuple[bytes, bytes, bytes]] = []
        with closing(consumer):
            while len(found) < sum(ends.values()) - sum(self.since.values()):
                message = consumer.poll(_ASK_S)
                assert message is not None
                key, value = message.key() or b"", message.value() or b""
                found.append((bytes(key), bytes(value), repr(message.headers()).encode()))
        return found


@pytest.fixture
def run(system: System, own_postgres: EmbeddedPostgres, persister: PersisterProcess) -> Iterator[Run]:
    persister.stop()
    run = Run(system)
    system.others += run.processes
    for process in run.processes:
        process.start()
    yield run
    for process in run.processes:
        process.end()


@pytest.fixture
async def browser(run: Run) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{run.api.url}/api/v1/", trust_env=False, timeout=20, headers={"Origin": ORIGIN}
    ) as http_client:
        yield http_client


async def sign_in(run: Run, browser: httpx.AsyncClient) -> None:
    """Signs in once by everything that people sign in with."""
    planted = run.planted
    body = {"username": run.username, "email": planted["e-mail"], "password": planted["password"]}
    assert (await run.request(browser, "POST", "auth/register", json=body)).status_code == 201
    credentials = {"username": planted["e-mail"], "password": planted["password"]}
    assert (await run.request(browser, "POST", "auth/login", json=credentials)).status_code == 200
    planted["session"], planted["CSRF token"] = browser.cookies["sessionid"], browser.cookies["csrftoken"]
    browser.headers["X-CSRFToken"] = planted["CSRF token"]
    planted["bearer token"] = (await run.request(browser, "POST", "auth/tokens", json={})).json()["token"]
    planted["ticket"] = (await run.request(browser, "POST", "auth/ticket")).json()["ticket"]
    await run.request(browser, "POST", "auth/password/reset", json={"email": planted["e-mail"]})
    wait_until(lambda: run.mail.exists() and any("token=" in f.read_text() for f in run.mail.iterdir()), "the e-mail")
    [letter] = [file.read_text() for file in run.mail.iterdir()]
    planted["reset token"] = re.sub(r"=\n", "", letter).split("token=")[1].split()[0]


async def talk(run: Run, browser: httpx.AsyncClient, peer: str) -> None:
    """Sends that go well and sends that do not, over REST and over sockets, to both processes that take them."""
    content, token = run.planted["content"], run.planted["bearer token"]
    by_ticket = await Client.connect(run.gateway, subprotocols=[SUBPROTOCOL, f"ticket.{run.planted['ticket']}"])
    by_cookie = await Client.connect(
        run.gateway, headers={"Cookie": f"sessionid={run.planted['session']}", "Origin": ORIGIN}
    )
    foreign = await Client.connect(
        run.gateway, headers={"Cookie": f"sessionid={run.planted['session']}", "Origin": "http://evil.test"}
    )
    for client in (by_ticket, by_cookie):
        assert "ok" in await client.request("hello", {"resume": token})
        assert (await client.send(content, to=peer)).ok
        run.refusals.append(str((await client.send(content, to=f"nobody-{secrets.token_hex(3)}")).answer))
        for raw in (content, json.dumps({"id": content[:60], "op": "send", "d": {"content": [content]}})):
            await client.write(raw)
        run.refusals += [str(frame) for frame in client.history.frames if "err" in frame]
    await foreign.until_closed()
    for client in (by_ticket, by_cookie, foreign):
        await client.close()
    for url in (run.api.url, run.gateway.url):
        path = f"{url}/api/v1/users/{peer}/messages"
        assert (await run.request(browser, "POST", path, json={"content": content})).status_code in {201, 202}
        bearer = {"Authorization": f"Bearer {token}"}
        await run.request(browser, "POST", path, content=f'{{"content": "{content}', headers=bearer)


async def fail(run: Run, browser: httpx.AsyncClient, peer: str) -> None:
    """Sends secrets where they do not belong, and of the wrong shape."""
    password = run.planted["password"]
    for secret in list(run.planted.values()):
        for path in ("auth/login", "auth/register", "auth/password/reset/confirm", f"users/{peer}/messages"):
            await run.request(browser, "POST", path, content=f'{{"password": "{secret}" "')
            await run.request(browser, "POST", path, json=[secret])
            await run.request(
                browser, "POST", path, json={"username": {"a": secret}, "password": 5, "content": [secret]}
            )
        wrong = {"username": run.username, "password": f"{secret}x"}
        await run.request(browser, "POST", "auth/login", json=wrong, headers={"Authorization": f"Bearer {secret}x"})
        await run.request(browser, "GET", "conversations", headers={"Cookie": f"sessionid={secret}x"})
        await run.request(browser, "DELETE", "messages", headers={"Authorization": f"Token {secret}"})
    nul = {"username": run.username, "password": f"{password}\0"}
    await run.request(browser, "POST", "auth/login", json=nul)


async def lose_postgresql(run: Run, browser: httpx.AsyncClient, postgres: EmbeddedPostgres, peer: str) -> None:
    """Does the same while the archive is away: what fails then fails in many places."""
    bearer = {"Authorization": f"Bearer {run.planted['bearer token']}"}
    open_before = await Client.connect(run.gateway, headers=bearer)
    assert "ok" in await open_before.request("hello", {})
    postgres.stop()
    assert (await open_before.send(run.planted["content"], to=peer)).ok
    wait_until(lambda: run.persister.events("archive_unavailable"), "the persister has noticed")
    bodies = {
        "auth/login": {"username": run.username, "password": run.planted["password"]},
        "auth/password/reset": {"email": run.planted["e-mail"]},
        f"users/{peer}/messages": {"content": run.planted["content"]},
    }
    urls = (run.api.url, run.gateway.url)
    answers = await asyncio.gather(  # at once, as each waits some seconds for a connection
        *(
            run.request(browser, "POST", f"{url}/api/v1/{path}", json=body)
            for url in urls
            for path, body in bodies.items()
        )
    )
    assert all(answer.status_code >= 500 for answer in answers)
    away = await Client.connect(run.gateway, headers=bearer)
    await away.until_closed()
    await away.close()
    await open_before.close()
    postgres.start()
    postgres.wait_ready()


@contextmanager
def refusing(system: System, content: str) -> Iterator[None]:
    """Has PostgreSQL store no message of that content meanwhile; what it says of one shows the whole row."""
    table, name = sql.Identifier("messaging_message"), sql.Identifier("canary")
    check = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK (content <> {}) NOT VALID")
    with psycopg.connect(system.database_url, autocommit=True) as connection:
        connection.execute(check.format(table, name, sql.Literal(content)))
        yield
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, name))


async def bury(run: Run, browser: httpx.AsyncClient, peer: str) -> None:
    """Records that no persister can store, with what somebody said in them."""
    content = run.planted["content"].encode()
    for value in (b'{"t":"message","content":"' + content, b'{"t":"' + content + b'"}'):
        run.system.log.append(0, key=secrets.token_hex(18).encode(), value=value, judge=b"\x01" + bytes(48))
    run.system.log.append(0, key=b"members:" + content, value=b'{"t":"members","kind":"' + content + b'"}')
    refused = {"content": f"{run.planted['content']} refused"}
    with refusing(run.system, refused["content"]):
        await run.request(browser, "POST", f"users/{peer}/messages", json=refused)
        wait_until(lambda: len(run.persister.events("dead_letter")) >= 4, "the dead letters", 20)


async def test_no_secret_and_no_content_is_in_logs_metrics_records_or_refusals(
    run: Run, browser: httpx.AsyncClient, own_postgres: EmbeddedPostgres
) -> None:
    peer = run.system.take_people(1)[0].username
    await sign_in(run, browser)
    await talk(run, browser, peer)
    await bury(run, browser, peer)
    await lose_postgresql(run, browser, own_postgres, peer)
    await fail(run, browser, peer)
    run.system.wait_archived()

    metrics_urls = (run.api.url, run.gateway.url, f"http://{HOST}:{run.metrics_port}")
    async with httpx.AsyncClient(trust_env=False) as scraper:
        metrics = [(await scraper.get(f"{url}/metrics")).text for url in metrics_urls]
    logs, records = run.logs(), run.records()
    assert len(run.refusals) > 50
    assert all(text.count("\n") > 2 for text in logs.values())
    for name, secret in run.planted.items():
        for process, text in logs.items():
            assert secret not in text, f"{name} is in the log of {process}"
        assert secret not in "".join(metrics), f"{name} is in the metrics"
        for refusal in run.refusals:
            assert secret not in refusal, f"{name} is in {refusal}"
        for key, value, headers in records:
            assert name == "content" or secret.encode() not in key + value + headers, f"{name} is in a record"
    assert "archive_unavailable" in logs["canary-gateway"]
    assert "record_skipped" in logs["canary-gateway"]
    assert "archive_unavailable" in logs["canary-persister"]


async def test_every_line_is_json_and_a_dead_letter_names_the_request_that_it_came_from(
    run: Run, browser: httpx.AsyncClient
) -> None:
    peer = run.system.take_people(1)[0].username
    await sign_in(run, browser)
    with refusing(run.system, "refused"):
        answer = await run.request(
            browser, "POST", f"users/{peer}/messages", json={"content": "refused"}, headers={"X-Request-ID": "canary-1"}
        )
        assert answer.headers["X-Request-ID"] == "canary-1"
        wait_until(lambda: run.persister.events("dead_letter"), "the dead letter", 20)
    [letter] = run.persister.events("dead_letter")
    assert (letter["reason"], letter["request"]) == ("sqlstate_23514", "canary-1")
    for process, text in run.logs().items():
        for line in text.splitlines():
            assert line.startswith("{"), f"{process}: {line}"
            json.loads(line)
