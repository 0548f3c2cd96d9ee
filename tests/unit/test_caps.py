"""Caps on what a person has going on at once hold exactly, however many come together."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from klatsch.core.caps import AtOnce
from klatsch.core.errors import RateLimited


def cap(most: int) -> AtOnce:
    return AtOnce(most, cap="tests", refusal=RateLimited, detail="Too many.", retry_after=3)


def test_beyond_the_cap_a_person_is_told_when_to_come_again_and_others_are_not_in_the_way() -> None:
    two = cap(2)
    with two.enter("ana"), two.enter("ana"), two.enter("bob"):
        with pytest.raises(RateLimited) as caught, two.enter("ana"):
            pass
        assert (caught.value.detail, caught.value.retry_after) == ("Too many.", 3)
    with two.enter("ana"):
        pass


def test_of_many_at_once_exactly_as_many_get_in_as_may() -> None:
    three, release = cap(3), threading.Event()

    def attempt(_: int) -> bool:
        try:
            with three.enter("ana"):
                return release.wait(10)
        except RateLimited:
            return False

    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(attempt, number) for number in range(16)]
        refused = list(itertools.islice(as_completed(waiting, 10), 13))
        release.set()
        assert not any(one.result() for one in refused)
        assert sum(one.result() for one in waiting) == 3


def test_without_a_cap_nobody_is_refused_and_who_has_left_is_forgotten() -> None:
    none = cap(0)
    with none.enter("ana"), none.enter("ana"), none.enter("ana"):
        pass
    assert not none._counts
