"""`at_least` is a position or a resume token, and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.archive.at_least import parse_at_least
from klatsch.core.errors import BadRequest, NotArchivedYet
from klatsch.eventlog.places import Position
from klatsch.messaging.lookup import wait_for_place


def test_a_position_asks_for_what_stands_there() -> None:
    assert parse_at_least("1:3:91823") == (1, {3: 91824})


def test_a_token_asks_for_what_comes_before_its_offsets() -> None:
    assert parse_at_least("1.0123456789abcdef.0:5.1:0.2:42") == (1, {0: 5, 1: 0, 2: 42})


@given(st.builds(Position, st.integers(0, 99), st.integers(0, 99), st.integers(0, 2**63 - 1)))
def test_every_position_can_be_asked_for(position: Position) -> None:
    assert parse_at_least(str(position)) == (position.epoch, {position.partition: position.offset + 1})


@pytest.mark.parametrize(
    "text",
    ["", ":", "1:2", "1:2:3:4", "-1:2:3", "1:2:x", " 1:2:3", "1:2:3\n", "1:2:٣", "1.user", "1.user.", "1.user.1",
     "1..0:1", "1.user.0:1.", "1.us er.0:1", "1:2:" + "9" * 20, "1.user.0:" + "9" * 20],
)  # fmt: skip
def test_whatever_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_at_least(text)

    assert [field.field for field in refusal.value.fields] == ["at_least"]


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        parse_at_least(text)


class EmptyLog:
    """The topic of the newest epoch, to which nothing was written yet."""

    def ends(self, deadline_s: float = 10.0) -> dict[int, int]:
        return {0: 0}


class SlowProgress:
    """Has not learned yet, when it is first asked, that the epoch is 2."""

    epoch = 2

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        raise NotImplementedError

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        self.waits.append(deadline_s)
        if len(self.waits) == 1:
            raise NotArchivedYet("The archive is behind.")


def test_a_place_of_an_earlier_epoch_is_not_measured_by_the_newest_topic() -> None:
    progress = SlowProgress()
    wait_for_place(ends=EmptyLog(), progress=progress, at_least="1:0:7", wait_s=3.0)
    assert progress.waits == [0, 3.0]


@pytest.mark.parametrize("place", ["2:0:0", "3:0:0"])
def test_a_place_beyond_the_end_of_the_newest_topic_is_refused(place: str) -> None:
    with pytest.raises(BadRequest):
        wait_for_place(ends=EmptyLog(), progress=SlowProgress(), at_least=place, wait_s=3.0)
