"""Fixtures of the integration tests: hashing that costs little, or finds no slot, and a browser."""

import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from klatsch.accounts import hashing
from klatsch.accounts.hashing import BCryptAsTyped
from tests.integration.people import LEAST_ROUNDS


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes passwords in few rounds, so that one costs a millisecond."""
    monkeypatch.setattr(BCryptAsTyped, "rounds", LEAST_ROUNDS)


@pytest.fixture
def no_hashing_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another thread has the only slot, and nobody may wait for it."""
    slots, taken, release = hashing.HashingSlots(1, 0, 5), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.take():
            taken.set()
            release.wait()

    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)
    monkeypatch.setattr("klatsch.api.hashing.hashing_slots", lambda: slots)
    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    yield
    release.set()
    holder.join()


@pytest.fixture
def browser() -> Client:
    """Unlike pytest-django's `client`, one for whom CSRF is enforced, as for every browser."""
    return Client(enforce_csrf_checks=True)
