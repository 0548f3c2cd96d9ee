"""The names in a text: where one begins and ends, and the member whom it means."""

import time

import pytest

from klatsch.accounts.queries import is_username
from klatsch.messaging.mentions import Mention, mentions_in_direct, named_in
from klatsch.records.messages import MENTIONS_MOST
from tests.support.records import ANA, BOB, direct


def firsts(content: str) -> list[str]:
    return [candidates[-1] for candidates in named_in(content)]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("@bob", ["bob"]),
        ("hi @bob and @Cleo!", ["bob", "cleo"]),
        ("(@bob), «@cleo»: *@dan*", ["bob", "cleo", "dan"]),
        ("@bob's cup, line\n@cleo", ["bob", "cleo"]),
        ("@bob @BOB @Bob", ["bob"]),
        ("...@bob", ["bob"]),
        ("@john.smith and @under_score and @da-sh", ["john.smith", "under_score", "da-sh"]),
        ("@0", ["0"]),
        ("@" + "x" * 64, ["x" * 64]),
    ],
)
def test_a_name_follows_an_at_sign(content: str, names: list[str]) -> None:
    assert firsts(content) == names


@pytest.mark.parametrize(
    "content",
    [
        "", "no name", "@", "@@", "@ bob", "ana@example.org", "ana+tag@example.org", "ana-@example.org", "é@bob",
        "https://example.org/@bob", "@@bob", "@bob@example.org", "@bobé", "@.bob", "@-bob", "@" + "x" * 65, "＠bob",
    ],
)  # fmt: skip
def test_words_addresses_and_paths_name_nobody(content: str) -> None:
    assert named_in(content) == ()


def test_punctuation_at_the_end_may_belong_to_the_name() -> None:
    assert named_in("@bob.") == (("bob.", "bob"),)
    assert named_in("@bob.-") == (("bob.-", "bob.", "bob"),)
    assert named_in("@bob...") == (("bob...", "bob..", "bob.", "bob"),)
    assert named_in("@bob" + "." * 60) == ((*("bob" + "." * count for count in (60, 59, 58, 57)), "bob"),)


def test_every_candidate_is_a_username() -> None:
    for candidates in named_in("@bob... @a.-.- @_ @" + "x" * 60 + "...."):
        assert all(map(is_username, candidates))


def test_the_first_fifty_names_count() -> None:
    content = " ".join(f"@name{number}" for number in range(MENTIONS_MOST + 5))
    assert firsts(content) == [f"name{number}" for number in range(MENTIONS_MOST)]


@pytest.mark.parametrize(
    ("content", "named"), [("@BOB.", True), ("@bob @bob", True), ("@ana", False), ("@cleo", False), ("bob", False)]
)
def test_in_a_direct_conversation_only_the_other_person_is_mentioned(content: str, *, named: bool) -> None:
    expected = (Mention("bob", BOB.user_id),) if named else ()
    assert mentions_in_direct(content, direct(ANA, BOB)) == expected


@pytest.mark.parametrize("content", ["@a " * 1_333, " ".join(f"@a{n:02}{'.' * 61}" for n in range(60))])
def test_a_text_full_of_one_name_or_of_points_costs_no_more_than_one_of_fifty_names(content: str) -> None:
    """A text is searched for names on the event loop, and a person may send hundreds a second."""

    def cost_s(text: str) -> float:
        began_s = time.thread_time()
        for _ in range(5):
            named_in(text)
        return time.thread_time() - began_s

    fifty = " ".join(f"@{'a' * 62}{n:02}" for n in range(60))
    # In turns, as the machine may be slower for a while: 1.7 and 4.7 times, and 3.4 to 5.8 in single turns.
    assert min(cost_s(content[:4_000]) / cost_s(fifty) for _ in range(20)) < 6
