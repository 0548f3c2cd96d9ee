import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
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


@contextlib.contextmanager
def held(slots: hashing.HashingSlots, *places: str) -> Iterator[None]:
    """Holds every place with a thread: at work or waiting."""
    release = threading.Event()

    def hold(place: str) -> None:
        with contextlib.suppress(Unavailable), slots.take(place):
            release.wait()

    threads = [threading.Thread(target=hold, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    while slots._inside.total() < len(places):
        threading.Event().wait(0.001)
    try:
        yield
    finally:
        release.set()
        for thread in threads:
            thread.join()


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes bcrypt quick, with the fewest rounds that it takes: slots and algorithms are the same."""
    monkeypatch.setattr(hashing.BCryptAsTyped, "rounds", 4)


@pytest.fixture
def no_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes every slot: whoever wants to hash now finds none."""
    slots = hashing.HashingSlots(1, 0, 5)
    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)
    with held(slots, "elsewhere"):
        yield


def test_at_most_so_many_hold_a_slot_at_once() -> None:
    slots, meter = hashing.HashingSlots(2, 16, 5), Meter()
    with ThreadPoolExecutor(8) as pool:
        for waiting in [pool.submit(meter.measure, slots) for _ in range(16)]:
            waiting.result()
    assert meter.most == 2


def test_who_gets_no_slot_in_time_is_told_when_to_come_again() -> None:
    slots = hashing.HashingSlots(1, 1, 0.01)
    with held(slots, ""), pytest.raises(Unavailable) as caught, slots.take():
        pass
    assert caught.value.retry_after == hashing.RETRY_S


def test_beyond_the_waiting_room_nobody_waits() -> None:
    slots = hashing.HashingSlots(2, 2, 0.2)
    with held(slots, "a", "b", "c", "d"), pytest.raises(Unavailable), slots.take("e"):
        pass
    with slots.take("e"):
        pass


def test_one_place_leaves_half_of_the_waiting_room_to_the_others() -> None:
    slots = hashing.HashingSlots(2, 4, 0.2)
    with held(slots, *["crowd"] * 4), pytest.raises(Unavailable), slots.take("crowd"):
        pass
    with held(slots, *["crowd"] * 4, "ana", "bob"), pytest.raises(Unavailable), slots.take("carol"):
        pass
    assert not slots._inside


def test_who_has_a_slot_hashes_in_it_without_waiting_for_another() -> None:
    slots = hashing.HashingSlots(1, 0, 0.01)
    with slots.take("ana"):
        with slots.take():
            pass
        with pytest.raises(Unavailable):
            ThreadPoolExecutor(1).submit(slots.take().__enter__).result()


def test_a_slot_is_free_again_after_a_failure() -> None:
    slots = hashing.HashingSlots(1, 0, 0.01)
    with pytest.raises(ZeroDivisionError), slots.take():
        raise ZeroDivisionError
    with slots.take():
        pass


def test_there_are_never_more_slots_than_cores_and_one_thread_in_four_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setitem(settings.ENV, "KLATSCH_HASHERS", 8)
    monkeypatch.setitem(settings.ENV, "KLATSCH_API_THREADS", 20)
    assert hashing.hashing_slots.__wrapped__().room == 3 + 5


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/api/v1/auth/login", True),
        ("GET", "/api/v1/auth/tokens", False),
        ("POST", "/api/v1/auth/password/reset", False),
        ("POST", "/api/v1/auth/password/reset/confirm", True),
        ("POST", "/admin/accounts/user/0b52e2d3/password/", True),
        ("POST", "/admin/accounts/user/0b52e2d3/change/", False),
        ("POST", "/elsewhere/admin/login/", False),
    ],
)
def test_a_request_that_hashes_is_known_by_its_path(method: str, path: str, *, expected: bool) -> None:
    assert hashing.hashes_password(method, path) == expected


@pytest.mark.usefixtures("no_slot")
def test_making_a_password_needs_a_slot() -> None:
    with pytest.raises(Unavailable):
        make_password("secret")


@pytest.mark.parametrize("hasher", ["bcrypt_sha256", "argon2"])
def test_checking_a_password_needs_a_slot(hasher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = make_password("secret", hasher=hasher)
    slots = hashing.HashingSlots(1, 0, 0.01)
    monkeypatch.setattr(hashing, "hashing_slots", lambda: slots)
    with held(slots, ""), pytest.raises(Unavailable):
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
