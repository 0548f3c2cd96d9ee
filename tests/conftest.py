"""Fixtures of all tests: Django's test database stands on the run's own PostgreSQL.

Hypothesis makes the same examples in each run.
"""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import settings
from whitenoise.middleware import WhiteNoiseMiddleware

from klatsch.embedded.postgres import EmbeddedPostgres
from tests.support.process import HOST

# Few enough for ten seconds in all, and no deadline each, as a busy machine breaks nothing. What is new is for
# HYPOTHESIS_PROFILE=random to find; `make bugs` has a profile of its own.
settings.register_profile("unit", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile("random", max_examples=1_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))

# `make test` runs without the packages that `make test-page` installs.
collect_ignore = [] if find_spec("playwright") else ["page"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: EmbeddedPostgres | None) -> None:
    """Has the server there before pytest-django makes the test database, which it does after this."""


@pytest.fixture(scope="session", autouse=True)
def static_files_are_found_once() -> Iterator[None]:
    """Spares each test client the search for static files, 15 ms of CPU: WhiteNoise does it once for a server."""
    find: Callable[[WhiteNoiseMiddleware], None] = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def find_once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            find(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has clients reach servers of this machine directly, whatever proxy is in a developer's environment."""
    monkeypatch.setenv("no_proxy", HOST)
