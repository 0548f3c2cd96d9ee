"""Fixtures of the end-to-end tests: one system of real processes, put in order before each test that needs it."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator

import httpx
import pytest
from django.db import connections

from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from tests.e2e.client import Client
from tests.e2e.rest import Rest
from tests.e2e.talk import Open, Talk, start_talk
from tests.e2e.talk import OpenRest as OpenRest  # noqa: PLC0414 - tests of others take it from here
from tests.support.process import GatewayProcess, PersisterProcess, Process
from tests.support.system import Person, System

_SYSTEM = pytest.StashKey[System]()
OpenNewcomer = Callable[[GatewayProcess], Awaitable[Person]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts these tests last: they are the slowest, and they restart servers that others use."""
    items.sort(key=lambda item: "/e2e/" in str(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows, with a failure, what the processes have logged."""
    report = yield
    system = item.config.stash.get(_SYSTEM, None)
    if report.failed and system is not None:
        report.sections += system.log_sections()
    return report


@pytest.fixture(scope="session")
def system(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: EmbeddedPostgres | None,
    kafka: EmbeddedKafka | None,
) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("e2e"), postgres, kafka)
    request.config.stash[_SYSTEM] = system
    system.prepare()
    yield system
    system.close()


@pytest.fixture(autouse=True)
def nothing_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends what a test started for itself with the test."""
    yield
    system = request.config.stash.get(_SYSTEM, None)
    if system is not None:
        system.end_others()


@pytest.fixture
def gateway_a(system: System) -> GatewayProcess:
    _ensure(system.gateway_a)
    return system.gateway_a


@pytest.fixture
def gateway_b(system: System) -> GatewayProcess:
    _ensure(system.gateway_b)
    return system.gateway_b


@pytest.fixture
def persister(system: System) -> PersisterProcess:
    _ensure(system.persister)
    return system.persister


def _ensure(process: Process) -> None:
    if not process.is_running():
        process.start()


@pytest.fixture
def ana(system: System) -> Person:
    return system.take_people(1)[0]


@pytest.fixture
def bob(system: System) -> Person:
    return system.take_people(1)[0]


@pytest.fixture
def carol(system: System) -> Person:
    return system.take_people(1)[0]


@pytest.fixture
def stocked(system: System) -> None:
    """Has people made while no socket is open yet."""
    system.stock_people()


@pytest.fixture
async def connect(stocked: None) -> AsyncIterator[Open]:
    """Opens a socket that has said hello and has its mark, with `Client.open`'s arguments; it ends with the test."""
    async with _closing(Client.open) as open_client:
        yield open_client


@pytest.fixture
async def connect_silent(stocked: None) -> AsyncIterator[Open]:
    """Opens a socket that says nothing by itself, with `Client.connect`'s arguments; it ends with the test."""
    async with _closing(Client.connect) as open_client:
        yield open_client


@contextlib.asynccontextmanager
async def _closing(opening: Open) -> AsyncIterator[Open]:
    """Gives `opening`, and closes at the end all that it has opened."""
    clients: list[Client] = []

    async def open_client(*arguments: object, **named: object) -> Client:
        client = await opening(*arguments, **named)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.close()


@pytest.fixture
async def talk(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, rest: OpenRest
) -> Talk:
    """Returns two people, each on a gateway of their own, who have said something already."""
    return await start_talk(system, (gateway_a, gateway_b), connect, rest)


@pytest.fixture
async def rest() -> AsyncIterator[OpenRest]:
    """Makes somebody's REST client."""
    made: list[Rest] = []

    def make(gateway: GatewayProcess, person: Person) -> Rest:
        made.append(Rest(gateway, person))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def newcomer() -> OpenNewcomer:
    """Registers somebody new, who then takes a token for their password."""

    async def register(gateway: GatewayProcess) -> Person:
        name, password = f"dora-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        async with httpx.AsyncClient(base_url=f"{gateway.url}/api/v1/", trust_env=False, timeout=20) as http:
            body = {"username": name, "email": f"{name}@e2e.invalid", "password": password}
            assert (await http.post("auth/register", json=body)).status_code == 201
            made = await http.post("auth/tokens", json={"username": name, "password": password})
            assert made.status_code == 201
            return Person(name, made.json()["token"])

    return register


@pytest.fixture
def own_postgres(system: System) -> Iterator[EmbeddedPostgres]:
    """Returns PostgreSQL to stop and start. It runs again after the test, and nobody keeps a connection of before."""
    if system.postgres is None:
        pytest.skip("DATABASE_URL names a server that is not ours to stop")
    yield system.postgres
    if not system.postgres.ready():
        system.postgres.start()
        system.postgres.wait_ready()
    _stop_gateways(system)  # whoever gets one of their connections next would be refused
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it


@pytest.fixture
def own_kafka(system: System) -> Iterator[EmbeddedKafka]:
    """Returns Kafka to stop and start. It runs again after the test."""
    if system.kafka is None:
        pytest.skip("KAFKA_BOOTSTRAP_SERVERS names a broker that is not ours to stop")
    yield system.kafka
    if not system.kafka.ready():
        system.kafka.start()
        system.kafka.wait_ready()
    _stop_gateways(system)  # until a record has timed out, their producers may send nothing (decision 0023)


def _stop_gateways(system: System) -> None:
    """Lets the next test have new ones."""
    for gateway in (system.gateway_a, system.gateway_b):
        if gateway.is_running():
            gateway.stop()
