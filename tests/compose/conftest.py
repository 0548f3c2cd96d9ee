"""Fixtures of `make test-compose`: an engine, base images, one installation for all tests and a cluster for its own."""

import time
from collections.abc import Generator, Iterator

import pytest

from tests.compose.engine import Engine, NotPossible
from tests.compose.stack import Stack, has_commit
from tests.compose.standins import BaseImages

VERSION_BEFORE = "8ea29ccfcffa47b962609c9eae65040c68c49259"
"""The last commit before edits, reactions, pins, markers and signals."""

_SAID = pytest.StashKey[list[str]]()
_STACKS = pytest.StashKey[list[Stack]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/compose/" in str(item.path):
            item.add_marker(pytest.mark.upgrade if "upgrade" in item.path.stem else pytest.mark.compose)
            item.add_marker(pytest.mark.timeout(1_800))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what was not the real thing."""
    for line in config.stash.get(_SAID, []):
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows, with a failure, what the containers have logged."""
    report = yield
    if report.failed:
        for stack in item.config.stash.get(_STACKS, []):
            report.sections.append((f"containers of {stack.project}", stack.compose("ps", "--all")))
            report.sections.append(("their logs", stack.compose("logs", "--tail", "60", "--no-color")))
    return report


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
def stack(
    request: pytest.FixtureRequest, engine: Engine, images: BaseImages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Runs all of compose.yaml, up and healthy, from a fresh copy of the repository."""
    stack = Stack(engine, tmp_path_factory.mktemp("klatsch"))
    yield from _brought_up(request, stack, images)


@pytest.fixture
def old_stack(
    request: pytest.FixtureRequest, engine: Engine, images: BaseImages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Runs all of compose.yaml of the version before, up and healthy."""
    if not has_commit(VERSION_BEFORE):
        pytest.fail(f"Nothing was tested: this clone lacks commit {VERSION_BEFORE}. Fetch it first.", pytrace=False)
    yield from _brought_up(request, Stack(engine, tmp_path_factory.mktemp("old")), images, VERSION_BEFORE)


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, engine: Engine, images: BaseImages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Runs compose.cluster.yaml likewise; what else runs is stopped, as three brokers need the machine."""
    for other in request.config.stash.get(_STACKS, []):
        other.compose("--profile", "*", "stop")
    files = ("compose.yaml", "compose.cluster.yaml")
    yield from _brought_up(request, Stack(engine, tmp_path_factory.mktemp("cluster"), files=files), images)


def _brought_up(
    request: pytest.FixtureRequest, stack: Stack, images: BaseImages, revision: str = ""
) -> Iterator[Stack]:
    stack.prepare(revision)
    try:
        images.prepare(stack.images() - {"grafana/grafana:12.1.0"})
    except NotPossible as reason:
        pytest.fail(f"Nothing was tested: {reason}", pytrace=False)
    stacks = request.config.stash.setdefault(_STACKS, [])
    stacks.append(stack)
    try:
        stack.forget_image()
        began_s = time.monotonic()
        try:
            stack.up()
        except AssertionError as error:  # before the containers are removed, with what they say
            error.add_note(stack.compose("logs", "--tail", "60", "--no-color"))
            raise
        stack.note(
            f"the first `docker compose up --wait` took {time.monotonic() - began_s:.0f} s, with the image's build"
        )
        yield stack
    finally:
        stacks.remove(stack)
        request.config.stash[_SAID] += [f"Measured, {'+'.join(stack.files)}: {text}." for text in stack.measured]
        stack.down("--volumes", "--remove-orphans")
