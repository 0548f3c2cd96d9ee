"""Fixtures of the tests in memory."""

import pytest


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has clients reach servers of this machine directly, whatever proxy is in a developer's environment."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
