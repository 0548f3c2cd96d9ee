"""The accounts of the storm, on runs made by hand: what is right costs nothing, each wrong is found as what it is."""

from collections import Counter

import pytest

from bench.storm.account import Account, Archived, settle
from bench.storm.record import Place, Record, Shown, Stream, advanced, offsets_of
from bench.storm.statements import count_statements

_TOKEN = "1.0123456789abcdef.0:10.1:20"


def message(number: int, *, sender: str = "ana", partition: int = 0, client_id: str | None = None) -> Archived:
    return Archived(f"m{number}", client_id or f"c{number}", sender, Place(partition, number))


def shown(number: int, *, partition: int = 0) -> Shown:
    return Shown(f"m{number}", Place(partition, number))


def stream(*told: Shown, presented: tuple[int, ...] | None = None, base: int = 10, repeats: bool = True) -> Stream:
    return Stream(presented, 0.0, repeats, resumed=True, marked_at=1.0, base=(base, 20), shown=list(told))


def bob(*streams: Stream) -> Record:
    return Record("bob", "ana", idle=False, streams=list(streams))


def ana(*sent: int) -> Record:
    acknowledged = {f"c{number}": f"m{number}" for number in sent}
    return Record("ana", "bob", idle=False, streams=[stream()], sent=set(acknowledged), acknowledged=acknowledged)


def wrongs(account: Account) -> tuple[int, int, int]:
    return len(account.lost), len(account.doubled), len(account.strange)


ARCHIVE = [message(5), message(11), message(12), message(25, partition=1)]
ALL = (shown(11), shown(12), shown(25, partition=1))


def test_a_run_in_which_everybody_was_told_everything_once_has_nothing_wrong() -> None:
    account = settle([ana(11, 12, 25), bob(stream(*ALL))], ARCHIVE)
    assert (account.owed, account.told, account.again, wrongs(account)) == (3, 3, 0, (0, 0, 0))


def test_what_came_before_the_first_mark_is_not_owed() -> None:
    assert settle([bob(stream(*ALL))], ARCHIVE).owed == len(ARCHIVE) - 1


def test_a_message_may_be_shown_by_any_of_the_connections() -> None:
    record = bob(stream(shown(11)), stream(*ALL[1:], presented=(12, 20), base=13))
    assert wrongs(settle([record], ARCHIVE)) == (0, 0, 0)


@pytest.mark.parametrize("left_out", range(3))
def test_a_message_that_no_connection_showed_is_lost(left_out: int) -> None:
    told = [one for number, one in enumerate(ALL) if number != left_out]
    account = settle([bob(stream(*told))], ARCHIVE)
    assert (wrongs(account), account.told) == ((1, 0, 0), 2)


def test_a_state_from_the_archive_shows_a_message_too() -> None:
    assert wrongs(settle([bob(stream(*ALL[:2], Shown("m25", None)))], ARCHIVE)) == (0, 0, 0)


def test_who_never_had_a_mark_has_lost_everything() -> None:
    assert wrongs(settle([bob(Stream(None, 0.0))], ARCHIVE)) == (1, 0, 0)


def test_an_acknowledged_message_that_is_not_archived_is_lost() -> None:
    assert wrongs(settle([ana(11, 12, 13, 25)], ARCHIVE)) == (1, 0, 0)


def test_a_send_that_was_never_answered_is_lost() -> None:
    record = ana(11)
    record.sent.add("c12")
    assert wrongs(settle([record], ARCHIVE)) == (1, 0, 0)


def test_an_answer_that_names_another_id_is_strange() -> None:
    record = ana(11)
    record.acknowledged["c11"] = "m12"
    assert wrongs(settle([record], ARCHIVE)) == (0, 0, 1)


def test_a_client_id_that_is_archived_twice_is_doubled() -> None:
    assert wrongs(settle([ana(11)], [*ARCHIVE, message(13, client_id="c11")])) == (0, 1, 0)


def test_a_message_that_is_shown_twice_on_one_connection_is_doubled() -> None:
    assert wrongs(settle([bob(stream(*ALL, shown(12)))], ARCHIVE)) == (0, 1, 0)


def test_a_message_that_is_shown_below_the_presented_token_is_doubled() -> None:
    record = bob(stream(*ALL), stream(shown(11), presented=(12, 26)))
    assert wrongs(settle([record], ARCHIVE)) == (0, 1, 0)


def test_what_comes_once_more_above_a_token_that_was_not_advanced_is_counted_apart() -> None:
    account = settle([bob(stream(*ALL), stream(shown(12), presented=(12, 26)))], ARCHIVE)
    assert (account.again, wrongs(account)) == (1, (0, 0, 0))


def test_what_comes_once_more_to_a_token_that_was_advanced_is_doubled() -> None:
    record = bob(stream(*ALL), stream(shown(12), presented=(12, 26), repeats=False))
    assert wrongs(settle([record], ARCHIVE)) == (0, 1, 0)


def test_what_belongs_to_others_is_strange() -> None:
    assert wrongs(settle([bob(stream(*ALL, shown(14)))], [*ARCHIVE, message(14, sender="eve")])) == (0, 0, 1)


def test_what_is_not_in_the_archive_is_strange() -> None:
    assert wrongs(settle([bob(stream(*ALL, shown(14)))], ARCHIVE)) == (0, 0, 1)


def test_a_push_that_names_another_place_than_the_archive_is_strange() -> None:
    told = (ALL[0], Shown("m12", Place(0, 13)), ALL[2])
    assert wrongs(settle([bob(stream(*told))], ARCHIVE)) == (0, 0, 1)


def test_a_token_is_read_and_advanced_by_the_place_of_a_push() -> None:
    assert offsets_of(_TOKEN) == (10, 20)
    assert offsets_of(advanced(_TOKEN, Place(1, 25))) == (10, 26)


def test_statements_are_counted_by_kind_and_their_further_lines_are_not() -> None:
    log = """
2026-11-26 14:00:00.001 UTC [12] LOG:  statement:
\t    WITH live AS (SELECT 1), noted AS (
\t    INSERT INTO accounts_tokenuse VALUES (1))
2026-11-26 14:00:00.002 UTC [12] LOG:  statement: SELECT * FROM conversations_member
2026-11-26 14:00:00.003 UTC [13] LOG:  execute _pg3_0: SELECT partition, next_offset FROM messaging_logoffset
2026-11-26 14:00:00.004 UTC [13] LOG:  execute <unnamed>: SELECT 1
2026-11-26 14:00:00.005 UTC [14] ERROR:  relation "conversations_member" does not exist
\tconversations_member
2026-11-26 14:00:00.005 UTC [14] LOG:  checkpoint starting: time
"""
    expected = {"sign-in": 1, "membership": 1, "resume": 1, "SELECT 1": 1}
    assert count_statements(log.splitlines()) == Counter(expected)
