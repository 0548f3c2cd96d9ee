"""Drafts are checked, and send_message appends what passed; after a refusal nothing was appended (D3, D4)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klatsch.core.clock import timestamp
from klatsch.core.errors import BadRequest, InvalidContent, KlatschError, TooLong, Unavailable
from klatsch.core.ids import FRESH_WINDOW_MS
from klatsch.eventlog.log import Entry, LogError, Record, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.partitions import partition_of
from klatsch.messaging.sending import (
    Draft,
    SentMessage,
    check_content,
    check_draft,
    identify,
    needs_lookup,
    send_message,
)
from klatsch.records.header import judged_actor, judged_digest, judged_id
from klatsch.records.kinds import KINDS, MESSAGE
from klatsch.records.messages import MessagePosted, digest
from tests.support.records import ANA, BOB, NOW_MS, TEA, direct, fresh_client_id, in_group

REFUSED = [*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0), 0xD800, 0xDBFF, 0xDC00, 0xDFFF]


class Log:
    """A log in memory, and the one way into it."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.writer = MemoryWriter(self.log)

    @property
    def records(self) -> list[Record]:
        return [record for partition in self.log.records for record in partition]

    def send(
        self,
        draft: Draft,
        *,
        sender: Any = None,
        now_ms: int = NOW_MS,
        report: Callable[[Report], None] | None = None,
    ) -> SentMessage:
        access = sender or direct(ANA, BOB)
        return send_message(log=self.writer, access=access, draft=draft, now_ms=now_ms, report=report)


def draft(content: str = "hi", **fields: Any) -> Draft:
    return Draft(**{"content": content, "client_id": fresh_client_id()} | fields)


def is_refused(content: str) -> bool:
    return any(ord(character) in REFUSED or 0xD800 <= ord(character) <= 0xDFFF for character in content)


@pytest.mark.parametrize("content", ["x", " ", "\t\r\n", "x" * 4000, "🫖" * 4000, "é", "\u202e", "\u200d", "\ufeff"])
def test_1_to_4000_characters_of_text_are_taken(content: str) -> None:
    check_content(content)


@pytest.mark.parametrize("content", ["x" * 4001, "🫖" * 4001, "\0" * 4001])
def test_4001_characters_are_too_long(content: str) -> None:
    with pytest.raises(TooLong) as caught:
        check_content(content)
    assert caught.value.fields[0].code == "too_long"


def test_an_empty_text_is_no_message() -> None:
    with pytest.raises(InvalidContent) as caught:
        check_content("")
    assert caught.value.fields[0].code == "empty"


@pytest.mark.parametrize("character", REFUSED)
def test_nul_controls_and_lone_surrogates_are_refused_wherever_they_stand(character: int) -> None:
    for content in (chr(character), f"a{chr(character)}", f"{chr(character)}a", f"é\n{chr(character)}🫖"):
        with pytest.raises(InvalidContent) as caught:
            check_content(content)
        assert caught.value.fields[0].field == "content"


@given(st.text(st.characters(), min_size=1, max_size=50))
@example("a\x85b")
def test_only_controls_and_lone_surrogates_are_refused(content: str) -> None:
    if is_refused(content):
        with pytest.raises(InvalidContent):
            check_content(content)
    else:
        check_content(content)


@pytest.mark.parametrize("client_id", ["", "a b", "x" * 65, "ä", "a\n"])
def test_a_client_id_outside_its_alphabet_is_refused(client_id: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_draft(draft(client_id=client_id))
    assert caught.value.fields[0].field == "client_id"


@pytest.mark.parametrize("reply_to", ["", "x", str(TEA).upper(), f"{TEA}\n", f"{{{TEA}}}"])
def test_a_reply_to_that_is_no_uuid_in_lower_case_is_refused(reply_to: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_draft(draft(reply_to=reply_to))
    assert caught.value.fields[0].field == "reply_to"


@given(st.text(min_size=1, max_size=100).filter(lambda text: not is_refused(text)))
def test_what_was_written_is_appended_verbatim(content: str) -> None:
    log = Log()
    log.send(draft(content))

    event = KINDS.decode(log.records[0].value)
    assert isinstance(event, MessagePosted)
    assert event.content == content


def test_a_record_says_who_wrote_what_to_whom_and_when() -> None:
    log = Log()
    access = direct(ANA, BOB)
    wanted = draft("hi", reply_to=str(TEA))
    sent = log.send(wanted, sender=access)

    [record] = log.records
    assert record.key == access.conversation.encode()
    assert record.partition == partition_of(record.key, 12)
    assert KINDS.find(record) is MESSAGE
    assert judged_id(record.judge) == sent.id
    assert judged_actor(record.judge) == ANA.id.bytes
    assert judged_digest(record.judge) == sent.digest == digest("hi", str(TEA))
    event = KINDS.decode(record.value)
    assert isinstance(event, MessagePosted)
    assert (event.sender, event.sender_id, event.receiver, event.receiver_id) == (
        *("ana", ANA.user_id),
        *("bob", BOB.user_id),
    )
    assert (event.client_id, event.reply_to, event.sent_at) == (wanted.client_id, str(TEA), timestamp(NOW_MS))
    assert event.id.replace("-", "") == sent.id.hex()


@pytest.mark.parametrize(
    "bad", [draft(""), draft("\0"), draft("x" * 4001), draft(client_id=""), draft(reply_to="x"), draft("\ud800")]
)
def test_a_draft_that_the_archive_could_not_keep_is_refused(bad: Draft) -> None:
    with pytest.raises(KlatschError):
        check_draft(bad)


@pytest.mark.parametrize(
    "client_id",
    [
        "retry-of-last-week",
        fresh_client_id(NOW_MS - FRESH_WINDOW_MS - 1),
        fresh_client_id(NOW_MS + 10 * FRESH_WINDOW_MS),
    ],
    ids=["no time", "older", "newer"],
)
def test_a_client_id_that_feeds_may_have_forgotten_needs_a_lookup(client_id: str) -> None:
    assert needs_lookup(draft(client_id=client_id), NOW_MS, 0)


@pytest.mark.parametrize("age_ms", [-FRESH_WINDOW_MS, 0, FRESH_WINDOW_MS])
def test_a_client_id_of_the_last_or_the_next_minute_needs_none(age_ms: int) -> None:
    assert not needs_lookup(draft(client_id=fresh_client_id(NOW_MS - age_ms)), NOW_MS, 0)


def test_a_client_id_of_the_last_minute_needs_a_lookup_where_feeds_have_no_memory_of_its_time() -> None:
    assert needs_lookup(draft(client_id=fresh_client_id(NOW_MS - 1)), NOW_MS, since_ms=NOW_MS)
    assert not needs_lookup(draft(client_id=fresh_client_id(NOW_MS)), NOW_MS, since_ms=NOW_MS)


def test_a_full_log_is_unavailable_and_nothing_was_appended() -> None:
    log = Log()
    log.writer.room = 0
    with pytest.raises(Unavailable) as caught:
        log.send(draft())

    assert caught.value.temporary
    assert caught.value.retry_after == 1
    assert log.records == []


class FailedWriter(MemoryWriter):
    """A writer whose producer can no longer go on."""

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        raise LogError("the log refused an entry: fatal")


def test_a_log_that_takes_nothing_any_more_is_unavailable_too() -> None:
    log = Log()
    log.writer = FailedWriter(log.log)
    with pytest.raises(Unavailable):
        log.send(draft())


def test_the_same_client_id_gives_the_same_id_and_another_body_another_digest() -> None:
    log = Log()
    name = fresh_client_id()
    first, again = log.send(draft("hi", client_id=name)), log.send(draft("hi", client_id=name), now_ms=NOW_MS + 5)
    other = log.send(draft("ho", client_id=name))
    reply = log.send(draft("hi", client_id=name, reply_to=str(TEA)))

    assert (first.id, first.digest) == (again.id, again.digest)
    assert first.id == other.id == reply.id
    assert len({first.digest, other.digest, reply.digest}) == 3


def test_the_id_is_another_for_another_sender_conversation_or_client_id() -> None:
    log = Log()
    name = fresh_client_id()
    sent = [
        log.send(draft(client_id=name)),
        log.send(draft(client_id=name), sender=direct(BOB, ANA)),
        log.send(draft(client_id=name), sender=in_group(ANA)),
        log.send(draft(client_id=fresh_client_id())),
    ]
    assert len({one.id for one in sent}) == 4


def test_identify_computes_what_send_message_appends() -> None:
    wanted = draft("hi", reply_to=str(TEA))
    named, sent = identify(direct(ANA, BOB), wanted), Log().send(wanted)
    assert (named.id, named.digest) == (sent.id, sent.digest)


def test_the_writers_report_reaches_who_asked_for_it() -> None:
    reports: list[Report] = []
    log = Log()
    log.send(draft(), report=reports.append)

    [record], [report] = log.records, reports
    assert (report.partition, report.offset, report.error) == (record.partition, record.offset, None)
