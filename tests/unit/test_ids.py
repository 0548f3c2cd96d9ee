"""Ids: any process computes the same, and only what every feed still remembers takes the fast way (D3)."""

import re
import string
import uuid
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.ids import (
    FRESH_WINDOW_MS,
    direct_conversation_id,
    is_client_id,
    is_fresh,
    message_id,
    uuid5_bytes,
    uuid7,
    uuid_text,
)

NOW_MS = 1_795_464_000_000
CLIENT_ID_CHARACTERS = string.ascii_letters + string.digits + "_-"
client_ids = st.text(CLIENT_ID_CHARACTERS, min_size=1, max_size=64)
unix_ms = st.integers(0, 2**48 - 1)


@given(st.uuids(), st.text())
def test_uuid5_bytes_are_those_of_the_standard_library(namespace: UUID, name: str) -> None:
    assert uuid5_bytes(namespace.bytes, name.encode()) == uuid.uuid5(namespace, name).bytes


@given(st.uuids())
def test_uuid_text_is_the_canonical_text(any_id: UUID) -> None:
    assert uuid_text(any_id.bytes) == str(any_id)


@given(st.uuids(), st.uuids(), client_ids)
def test_a_message_id_is_the_same_for_a_retry_and_of_version_5(conversation: UUID, sender: UUID, name: str) -> None:
    first = message_id(conversation.bytes, sender.bytes, name)

    assert first == message_id(conversation.bytes, sender.bytes, name)
    assert UUID(bytes=first).version == 5


@given(st.uuids(), st.uuids(), st.lists(client_ids, min_size=2, max_size=5, unique=True))
def test_other_client_ids_give_other_message_ids(conversation: UUID, sender: UUID, names: list[str]) -> None:
    assert len({message_id(conversation.bytes, sender.bytes, name) for name in names}) == len(names)


@given(st.uuids(), st.uuids(), client_ids)
def test_the_same_client_id_of_another_person_is_another_message(one: UUID, other: UUID, name: str) -> None:
    conversation = UUID(int=1)
    same = message_id(conversation.bytes, one.bytes, name) == message_id(conversation.bytes, other.bytes, name)
    assert same == (one == other)


@given(st.uuids(), st.uuids())
def test_a_direct_conversation_has_the_same_id_whoever_writes_first(one: UUID, other: UUID) -> None:
    assert direct_conversation_id(one, other) == direct_conversation_id(other, one)


@given(st.sets(st.frozensets(st.uuids(), min_size=2, max_size=2), min_size=2, max_size=4))
def test_other_pairs_have_other_direct_conversations(pairs: set[frozenset[UUID]]) -> None:
    assert len({direct_conversation_id(*pair) for pair in pairs}) == len(pairs)


@given(unix_ms)
def test_a_uuid7_says_when_it_was_made(now_ms: int) -> None:
    made = UUID(uuid7(now_ms))

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now_ms


def test_two_uuid7_of_one_millisecond_differ() -> None:
    assert uuid7(NOW_MS) != uuid7(NOW_MS)


@given(client_ids)
def test_a_client_id_is_1_to_64_letters_digits_underscores_and_hyphens(text: str) -> None:
    assert is_client_id(text)


@given(st.text(max_size=70))
def test_no_other_text_is_a_client_id(text: str) -> None:
    allowed = 1 <= len(text) <= 64 and set(text) <= set(CLIENT_ID_CHARACTERS)
    assert is_client_id(text) == allowed


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a\n", "ä", "٣", "a.b", "a\0"])
def test_these_are_no_client_ids(text: str) -> None:
    assert not is_client_id(text)


@pytest.mark.parametrize(
    ("made_ms", "fresh"),
    [
        (NOW_MS, True),
        (NOW_MS - FRESH_WINDOW_MS, True),
        (NOW_MS - FRESH_WINDOW_MS - 1, False),
        (NOW_MS + FRESH_WINDOW_MS, True),
        (NOW_MS + FRESH_WINDOW_MS + 1, False),
        (0, False),
    ],
)
def test_a_uuid7_is_fresh_within_a_minute_of_the_clock_and_no_millisecond_longer(made_ms: int, *, fresh: bool) -> None:
    assert is_fresh(uuid7(made_ms), NOW_MS) is fresh
    assert is_fresh(uuid7(made_ms).upper(), NOW_MS) is fresh


@given(unix_ms, st.integers(-2 * FRESH_WINDOW_MS, 2 * FRESH_WINDOW_MS))
def test_freshness_is_the_distance_to_the_clock_and_nothing_else(now_ms: int, distance_ms: int) -> None:
    made_ms = min(max(now_ms + distance_ms, 0), 2**48 - 1)
    assert is_fresh(uuid7(made_ms), now_ms) == (abs(made_ms - now_ms) <= FRESH_WINDOW_MS)


def test_a_uuid7_from_before_the_memory_of_feeds_is_not_fresh() -> None:
    assert not is_fresh(uuid7(NOW_MS - 1), NOW_MS, since_ms=NOW_MS)
    assert is_fresh(uuid7(NOW_MS), NOW_MS, since_ms=NOW_MS)
    assert not is_fresh(uuid7(NOW_MS), NOW_MS, since_ms=NOW_MS + FRESH_WINDOW_MS)


@given(st.uuids(version=4) | st.uuids(version=1) | st.uuids(version=5))
def test_a_uuid_of_another_version_is_never_fresh(other: UUID) -> None:
    assert not is_fresh(str(other), other.int >> 80)


@pytest.mark.parametrize("change", ["{}\n", " {}", "{{{}}}", "urn:uuid:{}", "{}0"])
def test_what_is_not_exactly_a_uuid_is_never_fresh(change: str) -> None:
    assert not is_fresh(change.format(uuid7(NOW_MS)), NOW_MS)


@given(st.text(max_size=80))
def test_freshness_can_be_asked_of_any_text(text: str) -> None:
    if not re.fullmatch(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text):
        assert not is_fresh(text, NOW_MS)
