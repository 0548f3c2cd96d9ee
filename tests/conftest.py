"""Fixtures of all tests: Django's test database stands on the run's own PostgreSQL."""

import pytest

from klatsch.embedded.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: EmbeddedPostgres | None) -> None:
    """pytest-django makes the test database after this: the server is there by then."""
