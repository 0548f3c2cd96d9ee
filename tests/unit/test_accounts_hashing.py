import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import check_password, identify_hasher, make_password

from klatsch.accounts import hashing
from klatsch.core.errors import Unavailable


class Meter:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def measure(self, slots: hashing.HashingSlots) -> None:
        with slots.take():
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            threading.Event().wait(0.01)
            with self.lock:
                self.inside -= 1


@pytest.fixture
def no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to hash now finds every slot taken."""
    slots = hashing.HashingSlots(1, 0.01)
    slots._free.acquire()
    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)


def test_at_most_so_many_hold_a_slot_at_once() -> None:
    slots, meter = hashing.HashingSlots(2, 5), Meter()
    with ThreadPoolExecutor(8) as pool:
        for waiting in [pool.submit(meter.measure, slots) for _ in range(16)]:
            waiting.result()
    assert meter.most == 2


def test_who_gets_no_slot_in_time_is_told_when_to_come_again() -> None:
    slots = hashing.HashingSlots(1, 0.01)
    with slots.take(), pytest.raises(Unavailable) as caught, slots.take():
        pass
    assert caught.value.retry_after == 0.01


def test_a_slot_is_free_again_after_a_failure() -> None:
    slots = hashing.HashingSlots(1, 0.01)
    with pytest.raises(ZeroDivisionError), slots.take():
        raise ZeroDivisionError
    with slots.take():
        pass


@pytest.mark.usefixtures("no_slot")
def test_making_a_password_needs_a_slot() -> None:
    with pytest.raises(Unavailable):
        make_password("secret")


@pytest.mark.parametrize("hasher", ["bcrypt_sha256", "argon2"])
def test_checking_a_password_needs_a_slot(hasher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = make_password("secret", hasher=hasher)
    slots = hashing.HashingSlots(1, 0.01)
    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)
    with slots.take(), pytest.raises(Unavailable):
        check_password("secret", encoded)
    assert check_password("secret", encoded)


def test_passwords_are_bcrypt_sha256_and_argon2_is_accepted() -> None:
    assert identify_hasher(make_password("secret")).algorithm == "bcrypt_sha256"
    assert check_password("secret", make_password("secret", hasher="argon2"))


def test_a_password_beyond_bcrypts_72_bytes_counts_to_its_end() -> None:
    encoded = make_password("x" * 100 + "a")
    assert check_password("x" * 100 + "a", encoded)
    assert not check_password("x" * 100 + "b", encoded)


def test_an_argon2_hash_is_made_anew_with_bcrypt_when_it_is_used() -> None:
    renewed: list[str] = []
    assert check_password("secret", make_password("secret", hasher="argon2"), setter=renewed.append)
    assert renewed == ["secret"]
