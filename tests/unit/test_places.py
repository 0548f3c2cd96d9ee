"""Positions and resume tokens as text: one parser each, which archive and gateway share."""

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.archive.at_least import parse_at_least
from klatsch.core.errors import BadRequest
from klatsch.eventlog.places import Position, ResumeToken
from klatsch.gateway.language.tokens import user_hash

positions = st.builds(Position, st.integers(0, 2**15 - 1), st.integers(0, 2**15 - 1), st.integers(0, 2**63 - 1))


@given(positions)
def test_a_position_is_read_back_from_its_text(position: Position) -> None:
    assert Position.parse(str(position)) == position


@given(positions, positions)
def test_positions_of_a_partition_are_ordered_by_epoch_then_offset(one: Position, other: Position) -> None:
    other = other._replace(partition=one.partition)
    assert (one < other) == ((one.epoch, one.offset) < (other.epoch, other.offset))


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1:2", "1:2:3:4", "1:2:", ":2:3", "-1:2:3", "1:2:-3", "1: 2:3", "1:2:3\n", "+1:2:3", "1_0:2:3"),
        *("32768:0:0", "0:32768:0", "0:0:9223372036854775808", "1:2:12345678901234567890", "٣:٣:٣", "²:2:3", "a:b:c"),
    ],
)
def test_a_text_that_is_not_three_plain_numbers_in_their_ranges_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match="a position is epoch:partition:offset"):
        Position.parse(text)


user_ids = st.uuids().map(str)
secrets = st.text(string.printable, min_size=50, max_size=100)
offsets = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20)


@given(st.integers(0, 2**15 - 1), user_ids, secrets, offsets)
def test_a_token_is_read_back_from_its_text(epoch: int, user_id: str, secret: str, reached: list[int]) -> None:
    token = ResumeToken(epoch, user_hash(user_id, secret), tuple(reached))

    assert ResumeToken.parse(str(token)) == token


@given(st.lists(user_ids, min_size=2, max_size=4, unique=True), secrets)
def test_a_token_of_somebody_else_has_another_hash(users: list[str], secret: str) -> None:
    assert len({user_hash(user, secret) for user in users}) == len(users)


HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "1", f"1.{HASH}", f"1.{HASH}.", f"1.{HASH}.1:0", f"1.{HASH}.0:0.0:1", f"1.{HASH}.0:0.2:1"),
        *(f"x.{HASH}.0:0", f"-1.{HASH}.0:0", f"123456.{HASH}.0:0", "1.0123.0:0", f"1.{HASH}0.0:0", f"1.{HASH}.0:-1"),
        *(f"1.{HASH}.0:{'9' * 20}", f"1.{HASH}.0:0.", f"1.{HASH}.00:0", f"1.{HASH}.0:٣", f"1.{HASH}.0:0\n"),
        *(f"1.{HASH.upper()}.0:0", f"32768.{HASH}.0:0", f"1.{HASH}.0:9223372036854775808"),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a resume token is"):
        ResumeToken.parse(text)


@given(st.text(max_size=60) | st.text("0123456789.:abcdef", max_size=60))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(ResumeToken.parse(text).offsets) == text.count(":")


@pytest.mark.parametrize(
    "text", ["32768:0:0", "0:0:9223372036854775808", "1.user.0:1", f"1.{HASH}.1:0", f"1.{HASH}.0:0.0:1"]
)
def test_a_reader_asks_for_no_place_that_a_client_cannot_stand_at(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_at_least(text)
