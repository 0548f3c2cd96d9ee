"""Fixtures of `make test-compose`: an engine, base images, one installation for all tests and a cluster for its own."""

from collections.abc import Iterator

import pytest

from tests.compose.engine import Engine, NotPossible
from tests.compose.stack import Stack
from tests.compose.standins import BaseImages

_SAID = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/compose/" in str(item.path):
            item.add_marker(pytest.mark.compose)
            item.add_marker(pytest.mark.timeout(1_800))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was not the real thing."""
    for line in config.stash.get(_SAID, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"))
    request.config.stash[_SAID] = said = []
    try:
        engine.start()
    except NotPossible as reason:
        pytest.fail(f"Nothing was tested: {reason}", pytrace=False)
    yield engine
    said += [f"Docker: {note}." for note in engine.notes]
    engine.stop()


@pytest.fixture(scope="session")
def images(
    request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BaseImages]:
    images = BaseImages(engine, tmp_path_factory.mktemp("images"))
    yield images
    said = request.config.stash[_SAID]
    said += [f"Stand-in: {tag} was {what}." for tag, what in images.stand_ins.items()] or ["All images were real."]
    images.remove_stand_ins()


@pytest.fixture(scope="session")
def stack(engine: Engine, images: BaseImages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of compose.yaml, up and healthy from a fresh copy of the repository."""
    stack = Stack(engine, tmp_path_factory.mktemp("klatsch"))
    yield from _brought_up(stack, images)


@pytest.fixture(scope="session")
def cluster(engine: Engine, images: BaseImages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same with compose.cluster.yaml."""
    files = ("compose.yaml", "compose.cluster.yaml")
    yield from _brought_up(Stack(engine, tmp_path_factory.mktemp("cluster"), files=files), images)


def _brought_up(stack: Stack, images: BaseImages) -> Iterator[Stack]:
    stack.prepare()
    try:
        images.prepare(stack.images() - {"grafana/grafana:12.1.0"})
    except NotPossible as reason:
        pytest.fail(f"Nothing was tested: {reason}", pytrace=False)
    try:
        stack.up("--build")
        yield stack
    finally:
        stack.down("--volumes", "--remove-orphans")
