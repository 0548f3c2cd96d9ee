"""Fixtures of `make test-page`: one Klatsch and one Chromium for all tests, people at browsers for each."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from tests.page.chromium import NoBrowser, find_chromium
from tests.page.people import DEADLINE_MS, People, Person
from tests.page.site import Site
from tests.page.talks import Talk
from tests.page.watch import Watch
from tests.support.system import System

_SITE = pytest.StashKey[Site]()
_PEOPLE = pytest.StashKey[People]()
_TEST_S = 600

expect.set_options(timeout=DEADLINE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/page/" in str(item.path):
            item.add_marker(pytest.mark.page)
            item.add_marker(pytest.mark.timeout(_TEST_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows, with a failure, what the processes have logged, and a picture of each tab."""
    report = yield
    site, people = item.config.stash.get(_SITE, None), item.stash.get(_PEOPLE, None)
    if report.failed and site is not None:
        report.sections += site.system.log_sections()
    if report.failed and report.when == "call" and people is not None:
        report.sections += [("pictures", "\n".join(_pictures(people, item)))]
    return report


def _pictures(people: People, item: pytest.Item) -> Iterator[str]:
    folder = Path(os.environ.get("KLATSCH_PAGE_PICTURES") or item.config.getoption("basetemp") or "/tmp")  # noqa: S108
    for number, page in enumerate(page for person in people.opened for page in person.context.pages):
        file = folder / f"{item.name}-{number}.png".replace("/", "_")
        try:
            page.screenshot(path=file, timeout=5_000)
        except Exception as error:  # noqa: BLE001 - whatever the browser says, the test's own failure is told
            yield f"{page.url}: {error}"
        else:
            yield f"{page.url}: {file}"


@pytest.fixture(scope="session")
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: EmbeddedPostgres | None,
    kafka: EmbeddedKafka | None,
) -> Iterator[Site]:
    """Runs the whole of Klatsch under one origin."""
    system = System(tmp_path_factory.mktemp("page"), postgres, kafka, name="page")
    site = Site(system, system.gateway_a, system.persister)
    request.config.stash[_SITE] = site
    system.prepare()
    site.start()
    yield site
    site.close()
    system.close()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Starts Chromium, without its sandbox as root, which has none."""
    try:
        path = find_chromium()
    except NoBrowser as reason:
        pytest.fail(f"Nothing was tested: {reason}", pytrace=False)
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=path, args=arguments)
    yield browser
    browser.close()


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    """Fails the test, at its end, for what no page may do."""
    watch = Watch({site.origin})
    yield watch
    assert watch.complaints() == []


@pytest.fixture
def people(request: pytest.FixtureRequest, browser: Browser, site: Site, watch: Watch) -> Iterator[People]:
    """Opens a browser for each person whom a test needs; the processes run again, whatever the test before did."""
    site.start()
    people = People(browser, site, watch)
    request.node.stash[_PEOPLE] = people
    yield people
    people.close()


@pytest.fixture
def ana(people: People) -> Person:
    """Registers somebody new, signed in, at a browser of her own."""
    return people.member()


@pytest.fixture
def bob(people: People) -> Person:
    """Registers somebody new, signed in, at a browser of his own."""
    return people.member()


@pytest.fixture
def stranger(people: People) -> Person:
    """Opens a browser of somebody who is not signed in."""
    return people.person()


@pytest.fixture
def talk(ana: Person, bob: Person) -> Talk:
    """Opens Ana's and Bob's conversation, in which Bob has written "hello"."""
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    return talk


@pytest.fixture
def exchange(ana: Person, talk: Talk) -> Talk:
    """Opens Ana's and Bob's conversation, in which Ana has answered "my own"."""
    talk.say(ana, "my own")
    return talk
